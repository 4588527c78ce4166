"""Means, variances and standard deviations of noise models that are Gaussians."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, MODELS, conditions, moved

GAUSSIANS = ("Gaussian", "camera NLF", "S-G", "S-G-CAM")
SHAPE = (4, 6, 4)


def model_of(name):
    return moved(MODELS[name][0](tf.float64), by=0.1)


def expected_variance(name, model, *, clean, iso, camera):
    """By the equations, from the physical parameters."""
    value = {key: float(value) for key, value in model.physical_parameters().items()}
    lit = np.maximum(clean, 0)
    if name == "Gaussian":
        return np.full(clean.shape, float(model.sigma) ** 2)
    rows = []
    for row in range(len(iso)):
        if name == "camera NLF":
            pair = f"({CAMERAS[camera[row]]}, ISO {iso[row]:g})"
            rows.append(value[f"beta1{pair}"] * lit[row] + value[f"beta2{pair}"])
        else:
            gamma = value[f"gamma(ISO {iso[row]:g})"]
            if name == "S-G-CAM":
                gamma *= value[f"psi({CAMERAS[camera[row]]})"]
            # Noise of the latent image, times the gain.
            rows.append(gamma**2 * (value["beta1"] * lit[row] / gamma + value["beta2"]))
    return np.stack(rows)


@pytest.mark.parametrize("name", GAUSSIANS)
def test_moments_are_those_of_the_equations(name):
    model = model_of(name)
    given = conditions((3,), SHAPE)
    distribution = model(**given)
    variance = expected_variance(name, model, **given)
    np.testing.assert_allclose(distribution.variance(), variance, rtol=1e-12)
    np.testing.assert_allclose(distribution.stddev(), np.sqrt(variance), rtol=1e-12)
    np.testing.assert_array_equal(distribution.mean(), np.zeros((3, *SHAPE)))
    np.testing.assert_array_equal(distribution.mode(), np.zeros((3, *SHAPE)))


@pytest.mark.parametrize("name", GAUSSIANS)
def test_moments_are_those_of_samples(name):
    model = model_of(name)
    distribution = model(**conditions((3,), SHAPE))
    draws = distribution.sample(4000, seed=(0, 1)) / distribution.stddev()
    # 288 pixels: 4.5 standard errors of the mean and of the variance.
    assert np.abs(np.mean(draws, axis=0)).max() < 4.5 / np.sqrt(4000)
    assert np.abs(np.var(draws, axis=0) - 1).max() < 4.5 * np.sqrt(2 / 4000)


@pytest.mark.parametrize("channels", [1, 4])
def test_an_arrangement_of_a_gaussian_is_a_gaussian(channels):
    options = {"channel_order": (3, 1, 0, 2), "is_transposed": True}
    settings = {"cameras": CAMERAS, "iso_levels": ISO_LEVELS, "dtype": tf.float64}
    given = conditions((2,), (4, 4, channels))
    plain = nf.NoiseFlow("S-G-CAM", channels=channels, **settings)(**given)
    arranged = nf.NoiseFlow("S-G-CAM", channels=channels, **options, **settings)(**given)
    np.testing.assert_allclose(arranged.stddev(), plain.stddev(), rtol=1e-13)


@pytest.mark.parametrize("name", ["S-Ax1-G-Ax1-CAM", "Ax2", "S-Ax1-G-CAM of planes"])
def test_moments_of_a_flow_with_couplings_are_not_known_and_the_error_says_why(name):
    model, channels = model_of(name), MODELS[name][1]
    distribution = model(**conditions((2,), (4, 6, channels)))
    for moment in (distribution.mean, distribution.stddev, distribution.variance):
        with pytest.raises(NotImplementedError, match=r"only scales .* noise_flow.* does more"):
            moment()
