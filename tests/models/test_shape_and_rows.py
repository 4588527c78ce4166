"""Flows with R, T and P: their letters, what they share, and the exact likelihood of codes."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, LAWS, images

STEP = 1 / 255
SHAPES = {
    "T": ("marginal_shape", {"photon_skew": 0.55, "read_log_tail": 0.45, "photon_log_tail": 0.3}),
    "P": ("power_tailed_shape", {"photon_skew": 0.55, "log_read_tail": 0.4, "tail_index": 0.7}),
}


def flow(architecture="L-R-T", **options):
    return nf.NoiseFlow(architecture, CAMERAS, ISO_LEVELS, seed=0, **options)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("T", "expected S, N or L before T, which shares .* received T"),
        ("R-Ax1", "expected S, N or L before R, which shares .* received R-A"),
        ("R-L", "expected S, N or L before R"),
        ("S-T-G", "expected T behind G, where noise is standardised, received S-T-G"),
        ("L-R-R", "expected at most one R"),
        ("L-T-Ax1-T", "expected at most one T"),
        ("S-P-G", "expected P behind G, where noise is standardised, received S-P-G"),
        ("L-R-T-P", "expected at most one"),
    ],
)
def test_an_order_that_means_nothing_is_refused(architecture, message):
    with pytest.raises(ValueError, match=message):
        flow(architecture)


def test_layers_that_see_rows_as_columns_have_no_row_noise():
    with pytest.raises(ValueError, match=r"for R, received is_transposed=True"):
        flow("L-R", is_transposed=True)
    flow("L-T", is_transposed=True)


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        ("L-R-T", "marginal_shape"),
        ("L-R-P", "power_tailed_shape"),
        ("S-R-G-T-CAM", "marginal_shape"),
        ("N-R-P-C", "power_tailed_shape"),
    ],
)
def test_the_noise_level_function_is_one_set_of_variables(architecture, shape):
    letters = [letter for letter in architecture.split("-") if letter not in ("R", "T", "P")]
    with_both, without = flow(architecture), flow("-".join(letters))
    layers = with_both.layers
    assert layers["row_noise"].noise is layers["signal_dependent"]
    assert layers[shape].noise is layers["signal_dependent"]
    # Three numbers of rows by camera and six of the shape.
    assert with_both.number_of_parameters == without.number_of_parameters + 3 * len(CAMERAS) + 6


def test_only_a_noise_that_is_amplified_counts_electrons_before_it():
    assert flow("S-R-G-T").layers["signal_dependent"].is_amplified
    assert not flow("N-T").layers["signal_dependent"].is_amplified


@pytest.mark.parametrize(("channels", "order", "rows"), [
    (4, None, [[0, 1], [2, 3]]),
    (4, (3, 1, 0, 2), [[3, 2], [1, 0]]),
    (3, None, [[0, 1, 2]]),
])  # fmt: skip
def test_the_channels_of_a_row_of_the_mosaic_share_its_noise(channels, order, rows):
    model = flow("L-R", channels=channels, channel_order=order, dtype=tf.float64)
    clean = np.full((1, 1, channels), 0.3)
    bijector = model(clean, iso=100, camera=0).bijector
    units = np.eye(channels).reshape(channels, 1, 1, channels)
    covariance = sum(np.outer(moved, moved) for moved in map(bijector.forward, units))
    expected = np.zeros((channels, channels), bool)
    for row in rows:
        expected[np.ix_(row, row)] = True
    np.testing.assert_array_equal(np.abs(covariance) > 1e-12, expected)


def test_a_row_of_a_plane_is_a_row_of_it():
    model = flow("L-R", channels=1, dtype=tf.float64)
    clean = np.full((4, 4, 1), 0.3)
    bijector = model(clean, iso=100, camera=0).bijector
    unit = np.zeros((4, 4, 1))
    unit[1, 2] = 1
    changed = np.abs(bijector.forward(tf.constant(unit)).numpy()[..., 0]) > 1e-12
    np.testing.assert_array_equal(changed.any(axis=1), [False, True, False, False])
    assert changed[1].all()


def test_rows_start_as_a_small_share_of_each_cameras_read_noise():
    model = flow("L-R", laws=LAWS, dtype=tf.float64)
    law = model.layers["row_noise"].log_variance
    for camera, its in enumerate(LAWS):
        share = np.exp(law(iso=np.array([100.0, 800.0, 3200.0]), camera=camera))
        np.testing.assert_allclose(share / its([100, 800, 3200])[1], 0.02, rtol=0.01)


def shaped(letter, dtype, step_over_sigma):
    """An L-T or L-P at a noise whose deviation at black is a step over a ratio."""
    sigma = STEP / step_over_sigma
    law = nf.CameraLaw((0.3 * sigma, 0), (0.0, 0.0, sigma**2), CAMERAS[0])
    model = nf.NoiseFlow(f"L-{letter}", CAMERAS[:1], laws=[law], dtype=dtype)
    layer, numbers = SHAPES[letter]
    for name, value in {**numbers, "read_skew": 0.1}.items():
        getattr(model.layers[layer], name).values.assign(value)
    return nf.StoredNoise(model, STEP)


def all_codes(dtype):
    """Noise and clean [codes, 1, 7, 4]: all codes at seven clean values."""
    clean = np.linspace(0, 1, 28).reshape(1, 1, 7, 4)
    code = np.arange(256).reshape(-1, 1, 1, 1) * STEP
    clean = np.broadcast_to(clean, (256, 1, 7, 4)).astype(dtype)
    return (code - clean).astype(dtype), clean


def log_densities(model, noise, clean):
    """[N, 1, 7, 4] nats of each value."""
    given = {"iso": 100, "camera": 0}
    return model(clean, **given)._bins(tf.constant(noise)).log_density.numpy()


@pytest.mark.parametrize("letter", SHAPES)
@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.3, 1, 3, 10, 30])
def test_codes_of_a_shape_are_exact_in_float32(letter, ratio):
    """Step over sigma from 0.01 to 30: against float64, and all codes have the probability 1."""
    noise, clean = all_codes(np.float32)
    model = shaped(letter, tf.float32, ratio)
    assert model.is_exact
    actual = log_densities(model, noise, clean)
    exact = log_densities(shaped(letter, tf.float64, ratio), np.float64(noise), np.float64(clean))
    # 1e-5 nats, and of hundreds of nats far out what a rounding of noise and sigma costs there.
    np.testing.assert_allclose(actual, exact, atol=2e-5, rtol=4e-6)
    total = np.exp(np.float64(actual) + np.log(STEP)).sum(axis=0)
    np.testing.assert_allclose(total, 1, atol=2e-5)


@pytest.mark.parametrize("letter", SHAPES)
def test_codes_of_a_shape_have_the_integral_of_its_density(letter):
    noise, clean = all_codes(np.float64)
    model = shaped(letter, tf.float64, 0.5)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    within = noise + STEP / 2 * nodes.reshape(-1, 1, 1, 1, 1)
    bijector = model.unstored(clean, iso=100, camera=0).bijector
    # Of each value alone: the density of a value is the base's times its own slope.
    with tf.GradientTape() as tape:
        x = tf.constant(within)
        tape.watch(x)
        z = bijector.inverse(x)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * tape.gradient(z, x)
    expected = np.tensordot(weights / 2, density, axes=1)
    actual = np.exp(log_densities(model, noise, clean))
    np.testing.assert_allclose(actual[1:-1], expected[1:-1], rtol=1e-9, atol=1e-13)


def test_stored_rows_are_a_bound_that_proposes_from_law_and_shape():
    model = nf.StoredNoise(flow("L-R-P", laws=LAWS, dtype=tf.float64), STEP)
    assert not model.is_exact
    clean = np.full((2, 4, 6, 4), 0.3)
    noise = model(clean, iso=100, camera=0).stored(images(clean.shape, scale=0.05))
    part = model.bijector.pixelwise_part
    assert [member.name for member in part.bijectors] == ["signal_dependent", "power_tailed_shape"]
    # Rows of no variance: the bound is the likelihood of law and shape.
    law = model.unstored.layers["row_noise"].log_variance
    law.log_coefficients.assign(-90 * tf.ones_like(law.log_coefficients))
    distribution = model(clean, iso=100, camera=0)
    np.testing.assert_allclose(
        distribution.log_prob(noise), distribution.pixelwise_log_prob(noise), rtol=1e-9
    )
