"""The folded convolution is the plain one."""

import numpy as np
import pytest
import tensorflow as tf

from tests.registry import images
from tfp_noiseflow.bijectors.convolution import convolve, convolve_folded, convolve_plain


@pytest.mark.parametrize("size", [(3, 3), (1, 1), (1, 3), (3, 1), (5, 5)])
@pytest.mark.parametrize("channels", [(2, 4), (4, 4), (3, 1), (1, 2)])
@pytest.mark.parametrize("shape", [(2, 5, 8), (1, 1, 4), (3, 2, 32)])
def test_folded_equals_plain(size, channels, shape):
    x, kernel = images((*shape, channels[0])), images((*size, *channels), seed=1)
    # float64: sums of up to 100 products, of which the folded ones add zeros.
    np.testing.assert_allclose(
        convolve_folded(tf.constant(x), tf.constant(kernel)),
        convolve_plain(x, kernel),
        atol=1e-13,
    )


@pytest.mark.parametrize("width", [1, 3, 4, 6, 8, 13])
@pytest.mark.parametrize("is_static", [True, False])
def test_any_width_is_right_static_and_dynamic(width, is_static):
    x, kernel = images((2, 5, width, 3)), images((3, 3, 3, 2), seed=1)
    signature = tf.TensorSpec(x.shape if is_static else [None, None, None, 3], tf.float64)
    graph = tf.function(lambda x: convolve(x, kernel), input_signature=[signature])
    np.testing.assert_allclose(graph(x), convolve_plain(x, kernel), atol=1e-13)


def test_gradients_of_folded_and_plain_are_equal():
    x, kernel = tf.constant(images((2, 6, 8, 4))), tf.constant(images((3, 3, 4, 4), seed=1))
    gradients = []
    for function in (convolve_folded, convolve_plain):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = tf.reduce_sum(tf.sin(function(x, kernel)))
        gradients.append(tape.gradient(loss, [x, kernel]))
    for folded, plain in zip(*gradients, strict=True):
        np.testing.assert_allclose(folded, plain, atol=1e-12)
