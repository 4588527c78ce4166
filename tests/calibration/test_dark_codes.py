"""Codes tell the noise's mean, spread and tails, also where noise is below a code or cut off."""

import numpy as np
import pytest
import scipy.stats

from tfp_noiseflow.calibration.dark_codes import (
    code_gain,
    distribution,
    excess_kurtosis,
    fit_codes,
)
from tfp_noiseflow.simulation.tukey_lambda import draw_tukey_lambda

NUMBER = 100_000


def draw(deviation, mean, shape=-0.1, lowest=0):
    rng = np.random.default_rng(0)
    means = mean + 0.05 * rng.standard_normal(NUMBER)
    noise = deviation * draw_tukey_lambda(shape, (NUMBER,), rng)
    return np.maximum(np.rint(means + noise), lowest).astype(np.int64), means


@pytest.mark.parametrize(
    ("deviation", "mean", "lowest"),
    [
        (0.32, 64.0, 0),
        (0.32, 64.3, 0),
        (0.6, 64.2, 0),
        (5.0, 64.1, 64),
        (0.5, 64.4, 64),
        (27, 64, 0),
    ],
)
def test_the_noise_before_rounding_is_found(deviation, mean, lowest):
    codes, means = draw(deviation, mean, lowest=lowest)
    fitted = fit_codes(codes, means - 0.1, 1.2 * deviation, lowest)
    # Four standard errors, which the fit says itself, and so checks.
    for found, error, true in (
        (fitted.shift, fitted.shift_error, 0.1),
        (fitted.deviation, fitted.deviation_error, deviation),
        (fitted.shape, fitted.shape_error, -0.1),
    ):
        assert abs(found - true) < 4 * error
    assert fitted.deviation_error < 0.02 * deviation and fitted.shape_error < 0.02


def test_moments_of_the_codes_would_be_wrong():
    codes, _ = draw(0.32, 64.0)
    assert np.var(codes) < 0.6 * (0.32**2 + 1 / 12), "of a code whose middle the mean is at"


def test_an_offset_is_seen_in_the_codes_by_the_gain():
    codes, means = draw(0.32, 64.0)
    fitted = fit_codes(codes, means, 0.3)
    moved, _ = draw(0.32, 64.02)
    found = (moved.mean() - codes.mean()) / 0.02
    # Of the same draws: the noise is that of the 1 % of codes that change.
    assert np.mean(code_gain(fitted, means)) == pytest.approx(found, rel=0.1)
    assert found < 0.9
    np.testing.assert_allclose(code_gain(fit_codes(*draw(5.0, 64.0), 5.0), means), 1, atol=1e-3)


def test_the_distribution_is_tukey_lambda_of_variance_1():
    x = np.linspace(-4, 4, 9)
    for shape in (-0.2, 0.0, 0.14):
        deviation = scipy.stats.tukeylambda.std(shape if shape else 1e-5)
        expected = scipy.stats.tukeylambda.cdf(x * deviation, shape if shape else 1e-5)
        np.testing.assert_allclose(distribution(x, shape), expected, atol=1e-6)
    # The logistic distribution's is 6/5.
    assert excess_kurtosis(0) == pytest.approx(1.2, abs=0.02)
