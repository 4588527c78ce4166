import numpy as np
import pytest
from scipy import stats

from tfp_noiseflow.simulation.sensor import PHONE_SENSOR
from tfp_noiseflow.simulation.tukey_lambda import (
    TukeyLambdaIntervals,
    draw_tukey_lambda,
    tukey_lambda_variance,
)

READ_NOISE_LAMBDA = PHONE_SENSOR.read_noise_lambda


def test_tukey_lambda_has_its_variance_kurtosis_and_distribution():
    variance, kurtosis = (
        float(value) for value in stats.tukeylambda.stats(READ_NOISE_LAMBDA, moments="vk")
    )
    assert tukey_lambda_variance(READ_NOISE_LAMBDA) == pytest.approx(variance, rel=1e-9)
    draw = draw_tukey_lambda(READ_NOISE_LAMBDA, (4_000_000,), np.random.default_rng(0))
    # The eighth standardised moment is 4.3e4: kurtosis from 4e6 draws is known to 0.10, the
    # variance to sqrt((kurtosis + 2) / 4e6) = 0.0012.
    assert draw.var() == pytest.approx(1.0, abs=0.006)
    assert stats.kurtosis(draw) == pytest.approx(kurtosis, abs=0.5)
    assert kurtosis == pytest.approx(3.79, abs=0.01)
    distribution = stats.tukeylambda(READ_NOISE_LAMBDA, scale=variance**-0.5)
    distance = stats.kstest(draw[:20_000], distribution.cdf).statistic
    # 1.95 / sqrt(n) is exceeded once in a thousand.
    assert distance < 1.95 / np.sqrt(20_000)


@pytest.mark.parametrize("shape", [-0.3, READ_NOISE_LAMBDA, -0.02])
def test_tails_invert_the_quantile_function(shape):
    upper_tail = TukeyLambdaIntervals(shape).upper_tail
    # As far out as the quantile is a number below the grid's end.
    tail = 10.0 ** -np.linspace(0.31, min(60, 7 / -shape), 100_000)
    x = ((1 - tail) ** shape - tail**shape) / (shape * np.sqrt(tukey_lambda_variance(shape)))
    # Rounding of x is 1 / -shape times as large in the tail.
    np.testing.assert_allclose(upper_tail(x), tail, rtol=1e-11)


def test_intervals_keep_the_accuracy_of_both_tails():
    probability = TukeyLambdaIntervals(READ_NOISE_LAMBDA).probability
    edges = np.array([-np.inf, -300.0, -30.0, -1.0, 0.0, 2.0, 30.0, 300.0, np.inf])
    between = probability(edges[:-1], edges[1:])
    assert between.sum() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(probability(-edges[1:], -edges[:-1]), between, rtol=1e-14)
    # Far out the tail is a power law: (1 - (2 / 3)^10) of P(X > 300) lies below 450.
    tail = probability(300.0, np.inf)
    assert 0 < tail < 1e-16
    assert probability(300.0, 450.0) == pytest.approx((1 - (2 / 3) ** 10) * tail, rel=1e-3)


@pytest.mark.parametrize("shape", [0.05, 0.1])
def test_tails_of_a_bounded_distribution_invert_the_quantile_function(shape):
    intervals = TukeyLambdaIntervals(shape)
    scale = shape * np.sqrt(tukey_lambda_variance(shape))
    tail = 10.0 ** -np.linspace(0.31, 12, 100_000)
    x = ((1 - tail) ** shape - tail**shape) / scale
    # Cells are wider in y where the bound is near.
    np.testing.assert_allclose(intervals.upper_tail(x), tail, rtol=1e-8)
    assert intervals.upper_tail(np.array([1 / scale, 1e3])).max() < 1e-20
    assert intervals.probability(-np.inf, np.inf) == pytest.approx(1, abs=1e-15)


def test_a_shape_without_a_variance_or_a_quantile_function_is_refused():
    for shape in (-0.5, 0.0, 0.2):
        with pytest.raises(ValueError, match=rf"shape in .* and not 0, received {shape}"):
            TukeyLambdaIntervals(shape)
