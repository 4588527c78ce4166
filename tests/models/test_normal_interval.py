"""Probabilities of intervals of a normal number, and draws from them, against float64."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tfp_noiseflow.models.normal_interval import (
    OPEN,
    log_interval_probability,
    truncated_normal,
)

# From below a hundredth of a standard deviation to without an end.
WIDTHS = (0.003, 0.01, 0.03, 0.1, 0.19, 0.21, 0.5, 1.0, 3.0, 10.0, 30.0, OPEN)
# Of middles: 40 standard deviations out and more.
MIDDLES = np.linspace(0, 45, 4001)


def intervals(width, dtype):
    """Lower ends and widths, from the narrowest place of the density's slope to the far tail."""
    lower = MIDDLES - width / 2 if width < OPEN else np.linspace(-45, 45, 4001)
    lower = lower.astype(dtype)
    return lower, np.full_like(lower, width)


def reference(lower, width):
    """log P in float64: by quadrature where the interval is short, else by SciPy's tails."""
    lower, width = np.float64(lower), np.float64(width)
    tails = scipy.special.log_ndtr(-lower), scipy.special.log_ndtr(-lower - width)
    by_tails = tails[0] + np.log1p(-np.exp(tails[1] - tails[0]))
    # Where the difference of the tails has few digits.
    is_short = width * np.maximum(lower, 1) < 3
    nodes, weights = np.polynomial.legendre.leggauss(40)
    at = (lower + width / 2)[:, np.newaxis] + np.outer(np.where(is_short, width, 0) / 2, nodes)
    by_quadrature = scipy.special.logsumexp(-(at**2) / 2, b=weights / 2, axis=1)
    by_quadrature += np.log(width) - 0.5 * np.log(2 * np.pi)
    return np.where(is_short, by_quadrature, by_tails)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("dtype", "absolute", "relative"), [
    # What the module's text says: the errors of float32's erfc and of numbers of hundreds of nats.
    (np.float32, 1e-5, 1e-6),
    (np.float64, 1e-11, 1e-12),
])  # fmt: skip
def test_log_probability_is_that_of_float64(width, dtype, absolute, relative):
    lower, width = intervals(width, dtype)
    expected = reference(lower, width)
    assert expected.min() < -400, "the tail is among them"
    actual = log_interval_probability(tf.constant(lower), tf.constant(width))
    np.testing.assert_allclose(actual, expected, atol=absolute, rtol=relative)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("dtype", "relative"), [(np.float32, 2e-4), (np.float64, 1e-9)])
def test_gradients_are_those_of_the_densities_at_the_ends(width, dtype, relative):
    lower, width = map(tf.constant, intervals(width, dtype))
    with tf.GradientTape() as tape:
        tape.watch([lower, width])
        log_probability = log_interval_probability(lower, width)
    gradients = tape.gradient(log_probability, [lower, width])
    low, wide = np.float64(lower), np.float64(width)
    log_p = reference(lower.numpy(), width.numpy())
    at_lower = np.exp(-(low**2) / 2 - 0.5 * np.log(2 * np.pi) - log_p)
    fall = wide * (low + wide / 2)
    expected = at_lower * np.expm1(-fall), at_lower * np.exp(-fall)
    for actual, of_ends in zip(gradients, expected, strict=True):
        # A density at an end that is small beside the other one's counts beside that one.
        scale = np.maximum(at_lower, 1)
        np.testing.assert_array_less(np.abs(actual - of_ends), relative * scale)


def test_what_has_no_probability_in_float32_has_a_finite_log_probability():
    lower = tf.constant([1e2, 1e4, 1e6, 1e12, 1e18])
    for width in (0.01, 1.0, OPEN):
        widths = tf.fill(lower.shape, width)
        with tf.GradientTape() as tape:
            tape.watch([lower, widths])
            log_probability = log_interval_probability(lower, widths)
        gradients = tape.gradient(log_probability, [lower, widths])
        assert np.isfinite(log_probability).all() and np.isfinite(gradients).all()
        # log Q(x) is about -x^2 / 2 - log x.
        np.testing.assert_allclose(log_probability, -0.5 * np.square(np.float64(lower)), rtol=0.01)


CASES = [(-0.05, 0.1), (0.3, 0.02), (-2.0, 5.0), (-8.0, OPEN), (1.0, OPEN), (6.0, 0.5), (11.0, 2.0)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("lower", "width"), CASES)
def test_draws_are_the_quantiles_of_the_truncated_normal(lower, width, dtype):
    uniform = np.linspace(0.001, 0.999, 999).astype(dtype)
    lowers, widths = (tf.fill([999], tf.constant(v, dtype)) for v in (lower, width))
    z = np.float64(truncated_normal(lowers, widths, tf.constant(uniform)))
    tails = scipy.special.ndtr([-lower, -lower - width])
    shares = (tails[0] - scipy.special.ndtr(-z)) / (tails[0] - tails[1])
    # A rounding of Q is 1e-5 of the P of a width of 0.02; above 5 the expansion's error counts.
    np.testing.assert_allclose(shares, uniform, atol=2e-3 if lower > 5 else 3e-5)


@pytest.mark.parametrize("width", [0.01, 0.5, 10.0, OPEN])
def test_draws_of_the_far_tail_stay_in_their_interval_and_near_its_lower_end(width):
    lower = tf.linspace(5.0, 45.0, 200)
    for share in (1e-6, 0.3, 0.999):
        z = truncated_normal(lower, tf.fill([200], width), tf.fill([200], share))
        inside = (z - lower) / np.minimum(width, 10)
        assert np.all(inside > -2e-3) and np.all(inside < 1.002)
        # There the density falls at least as exp(-lower * distance).
        assert np.all((z - lower) * lower < 1.1 * -np.log(1 - share) + 1e-3)


@pytest.mark.parametrize(("lower", "width"), [*CASES, (40.0, 0.3), (20.0, OPEN)])
def test_draws_are_reparameterised(lower, width):
    uniform = tf.constant([0.02, 0.4, 0.97], tf.float64)

    def draw(lower, width):
        return truncated_normal(tf.fill([3], lower), tf.fill([3], width), uniform)

    lower, width = (tf.constant(value, tf.float64) for value in (lower, width))
    for index in range(2):
        # Each draw has its own ends, so that the gradient of their sum is that of each.
        ends = [tf.fill([3], lower), tf.fill([3], width)]
        with tf.GradientTape() as tape:
            tape.watch(ends)
            z = truncated_normal(*ends, uniform)
        gradient = tape.gradient(z, ends)[index]
        by = 1e-5 * np.eye(2)[index]
        difference = draw(lower + by[0], width + by[1]) - draw(lower - by[0], width - by[1])
        # Far out draws are approximate, and their gradient is that of exact ones.
        rtol = 1e-2 if lower > 5 else 1e-5
        np.testing.assert_allclose(gradient, difference / 2e-5, rtol=rtol, atol=1e-6)


def test_xla_computes_the_same():
    lower = tf.linspace(-5.0, 42.0, 5000)
    width, uniform = tf.fill([5000], 0.3), tf.linspace(0.001, 0.999, 5000)
    lower = tf.maximum(lower, -0.15)

    def both(lower, width, uniform):
        return (
            log_interval_probability(lower, width),
            truncated_normal(lower, width, uniform),
        )

    compiled = tf.function(both, jit_compile=True, autograph=False)(lower, width, uniform)
    expected = both(lower, width, uniform)
    # XLA has an erfc of its own, and an inverse of Phi that is inaccurate above 3.5.
    np.testing.assert_allclose(compiled[0], expected[0], atol=1e-5, rtol=1e-6)
    for low, high, error in ((-1, 3, 1e-5), (3, 4.5, 2e-3), (4.5, 5.5, 0.3), (5.5, 50, 1e-4)):
        is_there = (expected[1] >= low) & (expected[1] < high)
        np.testing.assert_allclose(compiled[1][is_there], expected[1][is_there], atol=error)
