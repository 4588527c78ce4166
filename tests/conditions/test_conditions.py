"""The checks of conditions: their errors, eagerly, in a graph and compiled."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_noiseflow.conditions.camera_names import camera_indices
from tfp_noiseflow.conditions.conditions import CleanImage

MESSAGE = (
    r"no pixel of clean .* NaN, infinite or above 1.001 of full scale "
    r"\(was it divided by the white level\?\), received"
)


def check(clean):
    return CleanImage().check("clean", clean, tf.float32, clean)


def clean_image(*wrong):
    image = np.full((2, 3, 4), 0.5, np.float32)
    image.flat[: len(wrong)] = wrong
    return tf.constant(image)


# Pixels, and what the message shows of them.
WRONG = [([np.nan], "nan"), ([np.inf], "inf"), ([-np.inf], "nan"), ([1.002, 200.0, 2.0], "200")]


@pytest.mark.parametrize(("wrong", "shown"), WRONG)
def test_the_largest_of_wrong_pixels_is_shown(wrong, shown):
    with pytest.raises(ValueError, match=rf"{MESSAGE} {shown}"):
        check(clean_image(*wrong))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{MESSAGE}\S* \[?{shown}"):
        tf.function(check)(clean_image(*wrong))
    for run in (check, tf.function(check)):
        np.testing.assert_array_equal(run(clean_image(-3.0, 1.001)), clean_image(-3.0, 1.001))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_stored_codes_are_no_fractions_of_full_scale(dtype):
    codes = np.ones([2, 3, 4], dtype)
    for image in (codes, tf.constant(codes)):
        with pytest.raises(ValueError, match=f"{np.dtype(dtype).name}: .* white level"):
            check(image)


def test_the_largest_is_looked_for_where_one_is_wrong_alone():
    graph = tf.function(check).get_concrete_function(tf.TensorSpec([2, 3, 4])).graph
    names = {operation.type for operation in graph.get_operations()}
    assert "All" in names and not {"Max", "SelectV2"} & names


def test_the_check_compiles():
    # XLA drops assertions.
    compiled = tf.function(check, jit_compile=True)
    np.testing.assert_array_equal(compiled(clean_image(0.1)), clean_image(0.1))
    assert compiled(clean_image(2.0)).shape == [2, 3, 4]


@pytest.mark.parametrize(
    ("camera", "shown"),
    [
        ("é 9", "'é 9'."),
        (["b", "é 9"], r"\['b' 'é 9'\]\."),
        (np.array([["a"], ["c"]]), r"\[\['a'\]"),
    ],
)
def test_an_unknown_camera_is_shown_as_people_write_it(camera, shown):
    with pytest.raises(ValueError, match=rf"known cameras \(a, b\), received {shown}"):
        camera_indices(camera, ("a", "b"))
