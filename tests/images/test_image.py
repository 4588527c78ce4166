"""Sums over images."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow.composition.unconditional import Unconditional
from tfp_noiseflow.images.folded import FoldedImage
from tfp_noiseflow.images.image import summed_over_image
from tfp_noiseflow.images.plain import PlainImage

tfb = tfp.bijectors


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("form", [PlainImage, FoldedImage.fold])
def test_sum_of_a_large_frame_loses_no_digits(form, jit_compile):
    # Of one value, whose roundings all go one way: the worst that images give. 12 megapixels.
    images = tf.fill([1, 1500, 2000, 4], -5.4321)
    expected = -5.4321 * 1500 * 2000 * 4
    total = tf.function(lambda x: form(x).summed(), jit_compile=jit_compile)(images)
    # XLA adds the 8000 values of a row one after the other: 2e-5 was seen, TensorFlow's own
    # kernels give 3e-6. One sum in float32 alone is off by 3e-2 there.
    np.testing.assert_allclose(total, [expected], rtol=5e-5 if jit_compile else 5e-6)


def test_sum_is_that_of_each_image():
    images = np.random.default_rng(0).standard_normal((2, 3, 5, 6, 4))
    found = summed_over_image(tf.constant(images))
    np.testing.assert_allclose(found, images.sum(axis=(-3, -2, -1)), rtol=1e-12)
    images = images.astype(np.float32)
    found = summed_over_image(tf.constant(images))
    assert found.dtype == tf.float32
    # 120 values of either sign that add up to some 10: roundings of the values' size.
    expected = images.sum(axis=(-3, -2, -1), dtype=np.float64)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_log_det_of_a_bijector_of_tfp_loses_no_digits(jit_compile):
    layer = Unconditional(tfb.Scale(0.0123))
    log_det = tf.function(lambda x: layer.inverse_log_det_jacobian(x, 3), jit_compile=jit_compile)(
        tf.zeros([1, 1500, 2000, 4])
    )
    # One product: the roundings of the logarithm, the count and the result.
    np.testing.assert_allclose(log_det, [-np.log(0.0123) * 1.2e7], rtol=5e-7)
