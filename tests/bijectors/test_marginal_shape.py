"""T: the shape of each pixel's noise, by what the noise is made of."""

import numpy as np
import pytest
import tensorflow as tf

from tests.registry import CAMERAS, LAWS, images, moved
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.bijectors.sinh_arcsinh import LARGEST_LOG_TAIL, StandardSinhArcsinh
from tfp_noiseflow.images.plain import PlainImage
from tfp_noiseflow.laws import laws_of_cameras

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)
WEIGHTS /= WEIGHTS.sum()


def moments(values):
    """Mean, variance, skewness and excess kurtosis by quadrature over N(0, 1)."""
    mean = np.sum(WEIGHTS * values)
    second, third, fourth = (np.sum(WEIGHTS * (values - mean) ** k) for k in (2, 3, 4))
    return mean, second, third / second**1.5, fourth / second**2 - 3


def law(log_beta1=-7.0, log_beta2=-9.0):
    return nb.SignalDependent(log_beta1=log_beta1, log_beta2=log_beta2, dtype=tf.float64)


def shape(**numbers):
    return nb.MarginalShape(law(), **numbers, dtype=tf.float64)


def marginal(layer, clean, **conditions):
    """What the layer makes of the quadrature's nodes at a clean value, [200]."""
    nodes = tf.constant(NODES.reshape(1, -1, 1))
    return layer.forward(nodes, clean=tf.fill([1, 200, 1], np.float64(clean)), **conditions)[
        0, :, 0
    ].numpy()


@pytest.mark.parametrize("skew", [-0.5, -0.2, 0.0, 0.2, 0.5])
def test_the_transformation_has_mean_0_and_variance_1(skew):
    for log_tail in np.linspace(-LARGEST_LOG_TAIL, LARGEST_LOG_TAIL, 23):
        parameters = (tf.constant(value, tf.float64) for value in (skew, log_tail))
        values, _ = StandardSinhArcsinh(*parameters).forward(tf.constant(NODES))
        mean, variance, _, _ = moments(values.numpy())
        # As sinh_arcsinh.py states.
        assert abs(mean) < 0.0025 and abs(variance - 1) < 0.006


def test_at_the_start_the_layer_is_the_identity():
    noise = nb.SignalDependent(log_beta1=-7.0, log_beta2=-9.0)
    layer = nb.MarginalShape(noise)
    x = tf.constant(images((2, 4, 6, 4), dtype=np.float32))
    clean = tf.constant(np.random.default_rng(0).uniform(0, 1, x.shape), tf.float32)
    for method in (layer.forward_and_log_det, layer.inverse_and_log_det):
        value, log_det = method(x, clean=clean)
        # A few roundings of numbers up to 4; 96 of them in a log-det.
        np.testing.assert_allclose(value, x, atol=2e-6)
        np.testing.assert_allclose(log_det, 0, atol=2e-5)


def test_skew_and_tails_go_as_the_cumulants_of_photons_and_of_reading():
    """Small numbers, for which they are proportional."""
    variance = np.exp(-7) * np.array([0, 0.05, 1.0]) + np.exp(-9)
    f, r = np.exp(-9) / variance, np.exp(-7) / np.sqrt(variance)
    for numbers, at, expected in (
        ({"photon_skew": 0.01}, 2, (1 - f) * r),
        ({"read_skew": 0.01}, 2, f**1.5),
        ({"skew": 0.01}, 2, 0 * f + 1),
        ({"photon_log_tail": 0.01}, 3, (1 - f) * r**2),
        ({"read_log_tail": 0.01}, 3, f**2),
        ({"log_tail": 0.01}, 3, 0 * f + 1),
    ):
        layer = shape(**numbers)
        found = [moments(marginal(layer, clean))[at] for clean in (0.0, 0.05, 1.0)]
        one = moments(marginal(shape(**{"skew" if at == 2 else "log_tail": 0.01}), 0.5))[at]
        # Proportional to the first order: the square of a number of 0.01 is left.
        np.testing.assert_allclose(np.array(found) / one, expected, rtol=0.02, atol=1e-3)


def test_pixel_noise_has_the_cumulants_of_counted_photons_and_of_gaussian_read_noise():
    """A Poisson number of electrons of 0.02, of mean 3, and read noise of deviation 0.01."""
    electron, read, clean = 0.02, 0.01, 0.06
    rng = np.random.default_rng(0)
    noise = electron * rng.poisson(clean / electron, 4_000_000) - clean
    noise += read * rng.standard_normal(noise.size)
    layer = law(np.log(electron), 2 * np.log(read))
    found = layer.pixel_noise(PlainImage(tf.fill([1, 1, 1], np.float64(clean))))
    f, r = found.read_share.values.numpy().item(), found.electron.values.numpy().item()
    # Four million draws: some 0.001, 0.002 and 0.006 of the three.
    np.testing.assert_allclose(noise.var(), found.variance.values.numpy().item(), rtol=4e-3)
    standard = noise / noise.std()
    np.testing.assert_allclose(np.mean(standard**3), (1 - f) * r, atol=0.01)
    np.testing.assert_allclose(np.mean(standard**4) - 3, (1 - f) * r**2, atol=0.03)


def test_an_electron_is_told_in_the_units_of_the_noise():
    """Amplified afterwards, as in the paper, or not: gamma = 4, so that latent = clean / 4."""
    clean = PlainImage(tf.fill([1, 1, 1], np.float64(0.4)))
    gain = nb.Gain(log_u=np.log(4 / 100), dtype=tf.float64)
    numbers = {"log_beta1": np.log(0.01), "log_beta2": np.log(0.002), "dtype": tf.float64}
    iso = tf.constant(100.0, tf.float64)
    latent = nb.SignalDependent(gain, **numbers).pixel_noise(clean, iso=iso)
    stored = nb.SignalDependent(gain, is_amplified=False, **numbers).pixel_noise(clean, iso=iso)
    variance = 0.01 * 0.1 + 0.002
    for noise, electron in ((latent, 0.01), (stored, 0.01 / 4)):
        np.testing.assert_allclose(noise.variance.values, variance, rtol=1e-12)
        np.testing.assert_allclose(noise.read_share.values, 0.002 / variance, rtol=1e-12)
        np.testing.assert_allclose(noise.electron.values, electron / variance**0.5, rtol=1e-12)


def test_tails_are_limited_whatever_the_numbers():
    for number in (-50.0, 50.0):
        layer = shape(log_tail=number)
        x = tf.constant(np.linspace(-6, 6, 50).reshape(1, 50, 1))
        y, log_det = layer.forward_and_log_det(x, clean=0.5 * tf.ones_like(x))
        assert np.all(np.isfinite(y)) and np.all(np.diff(y[0, :, 0]) > 0) and np.isfinite(log_det)


def test_numbers_by_camera_hold_for_their_camera():
    table = nb.ConditionTable(
        [0.0, 0.3, 0.0], num_cameras=len(CAMERAS), dtype=tf.float64, name="read_log_tail"
    )
    log_beta1, log_beta2 = laws_of_cameras(LAWS, dtype=tf.float64)
    noise = nb.SignalDependent(log_beta1=log_beta1, log_beta2=log_beta2, dtype=tf.float64)
    layer = nb.MarginalShape(noise, read_log_tail=table, dtype=tf.float64)
    kurtosis = [
        moments(marginal(layer, 0.0, iso=np.float64(400), camera=index))[3] for index in range(3)
    ]
    assert abs(kurtosis[0]) < 1e-6 and kurtosis[1] > 1 and abs(kurtosis[2]) < 1e-6
    assert "read_log_tail(Beta)" in layer.physical_parameters(CAMERAS)


def test_the_law_is_the_same_variables():
    noise = law()
    layer = nb.MarginalShape(noise, dtype=tf.float64)
    chain = nb.ConditionalChain([noise, layer], dtype=tf.float64)
    assert len(chain.trainable_variables) == 2 + 6
    moved(chain)
    x = tf.constant(images((4, 6, 4)))
    clean = tf.fill([4, 6, 4], np.float64(0.3))
    before = layer.forward(x, clean=clean)
    noise.log_beta2.values.assign_add(1.0)
    assert np.any(layer.forward(x, clean=clean) != before)


def test_laws_by_channel_are_refused():
    by_channel = nb.ConditionTable(np.zeros(4), channels=4, dtype=tf.float64, name="skew")
    with pytest.raises(ValueError, match="marginal_shape: expected laws for all channels"):
        shape(skew=by_channel)
