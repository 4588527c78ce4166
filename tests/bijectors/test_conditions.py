"""The checks of conditions: their errors, eagerly, in a graph and compiled."""

import numpy as np
import pytest
import tensorflow as tf
from tfp_noiseflow.bijectors.conditions import CleanImage

MESSAGE = r"no pixel of clean .* NaN, infinite or above 1.001 of full scale, received"


def check(clean):
    return CleanImage().check("clean", clean, tf.float32, clean)


def clean_image(*wrong):
    image = np.full((2, 3, 4), 0.5, np.float32)
    image.flat[: len(wrong)] = wrong
    return tf.constant(image)


WRONG = [[np.nan], [np.inf], [-np.inf], [1.002, 2.0, np.nan]]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_pixels_are_counted(wrong):
    with pytest.raises(ValueError, match=rf"{MESSAGE} {len(wrong)}\."):
        check(clean_image(*wrong))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{MESSAGE}\S* \[?{len(wrong)}\]?"):
        tf.function(check)(clean_image(*wrong))
    for run in (check, tf.function(check)):
        np.testing.assert_array_equal(run(clean_image(-3.0, 1.001)), clean_image(-3.0, 1.001))


def test_pixels_are_counted_where_one_is_wrong_alone():
    graph = tf.function(check).get_concrete_function(tf.TensorSpec([2, 3, 4])).graph
    names = {operation.type for operation in graph.get_operations()}
    assert "All" in names and not {"Cast", "Sum"} & names


def test_the_check_compiles():
    # XLA drops assertions.
    compiled = tf.function(check, jit_compile=True)
    np.testing.assert_array_equal(compiled(clean_image(0.1)), clean_image(0.1))
    assert compiled(clean_image(2.0)).shape == [2, 3, 4]
