"""B: a flow step whose network sees what the noise of each pixel is made of."""

import numpy as np
import pytest
import tensorflow as tf

from tests.registry import images, moved
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.images.plain import PlainImage


def conditioner(log_beta1=-7.0, log_beta2=-9.0, seed=0):
    noise = nb.SignalDependent(log_beta1=log_beta1, log_beta2=log_beta2, dtype=tf.float64)
    return nb.PixelNoiseConditioner(noise, 4, 2, 4, seed=seed, dtype=tf.float64)


def test_the_further_channels_are_the_means_over_channels_of_the_pixels_noise():
    clean = np.random.default_rng(0).uniform(0, 1, (2, 3, 5, 4))
    image = PlainImage(tf.zeros([2, 3, 5, 2], tf.float64))
    (further,) = conditioner().further_channels(image, clean=PlainImage(tf.constant(clean)))
    beta1, beta2 = np.exp([-7.0, -9.0])
    variance = beta1 * clean + beta2
    # Photons of beta1 each: their third moment is beta1^2 clean.
    skewness = beta1**2 * clean / variance**1.5
    expected = [(0.5 * np.log(variance) + 5.5) / 3, beta2 / variance, skewness]
    expected = np.stack([feature.mean(axis=-1) for feature in expected], axis=-1)
    # A few roundings of float64.
    np.testing.assert_allclose(further.values, expected, rtol=1e-12, atol=1e-14)


def test_a_step_starts_as_a_rotation():
    coupling = nb.AffineCoupling(4, conditioner=conditioner(), dtype=tf.float64)
    x = tf.constant(images((2, 4, 4, 4)))
    clean = tf.fill([2, 4, 4, 4], tf.constant(0.3, tf.float64))
    y, log_det = coupling.inverse_and_log_det(x, clean=clean)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(log_det, 0)


@pytest.mark.parametrize("other", [{"log_beta1": -6.0}, {"log_beta2": -8.0}], ids=str)
def test_a_step_sees_the_clean_image_and_the_noise_level_function(other):
    x = tf.constant(images((1, 4, 4, 4)))
    clean = tf.fill([1, 4, 4, 4], tf.constant(0.3, tf.float64))
    results = []
    for arguments, brightness in (({}, 1.0), ({}, 0.5), (other, 1.0)):
        coupling = nb.AffineCoupling(4, conditioner=conditioner(**arguments), dtype=tf.float64)
        moved(coupling.conditioner, by=0.1)
        # Of one network: what `moved` did to the law is taken back.
        law = coupling.conditioner.noise
        start = {"log_beta1": -7.0, "log_beta2": -9.0, **arguments}
        for name, value in start.items():
            getattr(law, name).variables[0].assign(value)
        results.append(coupling.inverse(x, clean=brightness * clean).numpy())
    assert not np.allclose(results[0], results[1], atol=1e-6)
    assert not np.allclose(results[0], results[2], atol=1e-6)
