"""P: skew and power-law tails of each pixel's noise, by what the noise is made of."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.bijectors.power_tails import FARTHEST, LARGEST_AMOUNT, StandardPowerTails
from tfp_noiseflow.simulation.tukey_lambda import TukeyLambdaIntervals

AMOUNTS = (0.0, 1e-7, 0.01, 0.3, 1.0, 2.0, LARGEST_AMOUNT)
INDICES = (0.01, 0.1, 0.2)
SKEWS = (-0.5, 0.0, 0.2)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(180)
WEIGHTS /= WEIGHTS.sum()


def tails(skew, amount, index, dtype=tf.float64):
    return StandardPowerTails(*(tf.constant(value, dtype) for value in (skew, amount, index)))


def shape(**numbers):
    noise = nb.SignalDependent(log_beta1=-7.0, log_beta2=-9.0, dtype=tf.float64)
    return nb.PowerTailedShape(noise, **numbers, dtype=tf.float64)


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("index", INDICES)
def test_the_transformation_has_mean_0_and_variance_1(skew, index):
    for amount in AMOUNTS:
        values, _ = tails(skew, amount, index).forward(tf.constant(NODES))
        mean = np.sum(WEIGHTS * values)
        # As power_tails.py states; the quadrature of what grows as e^(0.2 x^2) leaves 1e-6.
        assert abs(mean) < 0.0021 * abs(skew) + 1e-6
        assert abs(np.sum(WEIGHTS * (values - mean) ** 2) - 1) < 0.006 * skew**2 + 1e-6


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_what_goes_forward_comes_back_from_however_far(dtype):
    x = tf.constant([-1e4, -30.0, -9.0, -2.0, -1e-3, 0.0, 1e-6, 0.5, 5.0, 10.0, 1e3], dtype)
    rounding = np.finfo(dtype.as_numpy_dtype).eps
    for skew in SKEWS:
        for amount in AMOUNTS:
            for index in INDICES:
                its = tails(skew, amount, index, dtype)
                y, log_slope = its.forward(x)
                assert np.all(np.diff(y) > 0)
                back, inverse_slope = its.inverse(y)
                # Some roundings of x, of m where that is larger than y, and of the logarithms.
                np.testing.assert_allclose(back, x, rtol=20 * rounding, atol=5 * rounding)
                np.testing.assert_allclose(inverse_slope, -log_slope, rtol=0, atol=60 * rounding)


def test_a_large_value_of_a_hot_pixel_has_a_finite_density():
    for amount in AMOUNTS:
        x, log_slope = tails(0.2, amount, 0.15, tf.float32).inverse(tf.constant([-1e3, 1e3, 1e6]))
        assert np.all(np.isfinite(x)) and np.all(np.isfinite(log_slope))
        if amount >= 0.01:
            assert np.all(np.abs(x) < np.sqrt(FARTHEST / 0.15))


def test_intervals_beyond_the_farthest_tails_go_where_their_edges_go():
    its = tails(0.1, 0.5, 0.2)
    farthest = its.forward(tf.constant([np.sqrt(FARTHEST / 0.2)], tf.float64))[0].numpy()
    middle = tf.constant(farthest * np.array([-3.0, -1.0, 0.999, 1.0, 1.001, 2.0]))
    half = 1e-2 * tf.abs(middle)
    below, above = (its.inverse(edge)[0] for edge in (middle - half, middle + half))
    carried, carried_half = its.inverse_interval(middle, half)
    np.testing.assert_allclose(carried, (below + above) / 2, rtol=1e-10)
    # What a difference keeps of numbers that are 1e4 times as large.
    np.testing.assert_allclose(carried_half, (above - below) / 2, rtol=1e-8)


def test_tails_fall_as_a_power_of_their_index():
    """From 1e-9 to 1e-12 of probability, where nothing else is left of the distribution."""
    index = 0.15
    probability = np.array([1e-9, 1e-12])
    # Quantiles of N(0, 1).
    x = tf.constant([5.9978070150076865, 7.034483824937279], tf.float64)
    y, _ = tails(0.0, 0.5, index).forward(x)
    fall = np.diff(np.log(probability))[0] / np.diff(np.log(y))[0]
    # e^(h x^2 / 2) is the power but for the logarithm of x in the tail of a Gaussian: 1 / 40.
    np.testing.assert_allclose(fall, -1 / index, rtol=0.05)


def test_read_noise_with_photons_is_met_by_one_amount_and_one_index():
    """Tukey-lambda -0.1 of the share f of the variance beside a Gaussian: c = 1.2 f^2, h = 0.2."""
    read = TukeyLambdaIntervals(-0.1)
    step = 1e-3
    edges = np.arange(-30, 30 + step / 2, step)
    values = 0.5 * (edges[1:] + edges[:-1])
    gaussian = np.exp(-0.5 * NODES_OF_PHOTONS**2)
    gaussian /= gaussian.sum()
    for f in (0.3, 0.5, 0.7):
        probability = np.zeros_like(values)
        for node, weight in zip(NODES_OF_PHOTONS, gaussian, strict=True):
            shifted = (edges - np.sqrt(1 - f) * node) / np.sqrt(f)
            probability += weight * read.probability(shifted[:-1], shifted[1:])
        its = tails(0.0, 1.2 * f**2, 0.2)
        x, log_slope = its.inverse(tf.constant(values))
        log_density = -0.5 * np.square(x) - 0.5 * np.log(2 * np.pi) + log_slope
        divergence = np.sum(probability * (np.log(probability / step) - log_density))
        normal = np.sum(probability * (np.log(probability / step) + 0.5 * values**2))
        normal += 0.5 * np.log(2 * np.pi)
        # A Gaussian is off by 0.0016 to 0.018.
        assert 0 <= divergence < 5e-5 < 0.0015 < normal, f


NODES_OF_PHOTONS = np.linspace(-6, 6, 61)


def test_at_the_start_tails_are_small_and_there_is_no_skew():
    layer = shape()
    nodes = tf.constant(NODES.reshape(1, -1, 1))
    y = layer.forward(nodes, clean=tf.zeros_like(nodes)).numpy().ravel()
    assert abs(np.sum(WEIGHTS * y**3)) < 1e-9
    # Of N(0, 1): 0. As the layer's comment says.
    assert 0 < np.sum(WEIGHTS * y**4) - 3 < 0.6


def test_amounts_are_limited_whatever_the_numbers():
    x = tf.constant(np.linspace(-6, 6, 50).reshape(1, 50, 1))
    for number in (-50.0, 50.0):
        layer = shape(log_read_tail=number, log_photon_tail=number, tail_index=number)
        y, log_det = layer.forward_and_log_det(x, clean=0.5 * tf.ones_like(x))
        assert np.all(np.isfinite(y)) and np.all(np.diff(y[0, :, 0]) > 0) and np.isfinite(log_det)


def test_the_law_is_the_same_variables():
    layer = shape()
    chain = nb.ConditionalChain([layer.noise, layer], dtype=tf.float64)
    assert len(chain.trainable_variables) == 2 + 6


def test_laws_by_channel_are_refused():
    by_channel = nb.ConditionTable(np.zeros(4), channels=4, dtype=tf.float64, name="skew")
    with pytest.raises(ValueError, match="power_tailed_shape: expected laws for all channels"):
        shape(skew=by_channel)
