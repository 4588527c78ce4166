"""Noise as a sensor stores it: the probability of codes, exact or bounded, and samples of them."""

import functools
import itertools

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, MODELS, conditions, moved
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.models.stored_distribution import TURNS, _turn

tfb = tfp.bijectors

STEP = 1 / 255
STORED_FLOW = "stored S-Ax1-G-Ax1-CAM"


def reference(noise, clean, sigma, step, clips_black=True, clips_white=True):
    """log P of codes of Gaussian noise, by SciPy in float64."""
    noise, clean = np.float64(noise), np.float64(clean)
    below, above = (noise - step / 2) / sigma, (noise + step / 2) / sigma
    below = np.where((clean + noise < step / 2) & clips_black, -np.inf, below)
    above = np.where((clean + noise > 1 - step / 2) & clips_white, np.inf, above)
    a, b = np.where(below > 0, -above, below), np.where(below > 0, -below, above)
    upper, lower = scipy.special.log_ndtr(b), scipy.special.log_ndtr(a)
    by_tails = upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-300)))
    # Where the difference of the tails has few digits.
    is_short = (b - a) * np.maximum(-a, 1) < 3
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = np.where(is_short, b - a, 1)[..., np.newaxis] / 2
    at = np.where(is_short, a, 0)[..., np.newaxis] + half * (1 + nodes)
    density = -(at**2) / 2 - np.log(2 * np.pi) / 2
    by_quadrature = scipy.special.logsumexp(density + np.log(half), b=weights, axis=-1)
    return np.where(is_short, by_quadrature, by_tails)


def gaussian(sigma, dtype):
    return nf.GaussianNoise(sigma, dtype=dtype), lambda clean: np.full(clean.shape, sigma)


def camera_nlf(sigma, dtype):
    beta1, beta2 = 0.8 * sigma**2, 0.4 * sigma**2
    model = nf.CameraNLF(["Alpha"], [100.0], [[beta1]], [[beta2]], dtype=dtype)
    return model, lambda clean: np.sqrt(beta1 * clean + beta2)


def s_g(sigma, dtype):
    """beta1 = exp(-5) and beta2 = 1 as at the start, gamma = sigma."""
    model = nf.NoiseFlow("S-G", cameras=["Alpha"], iso_levels=[100.0], dtype=dtype)
    (log_u,) = model.layers["gain"].trainable_variables
    log_u.assign([np.log(sigma / 100)])
    return model, lambda clean: np.sqrt(np.exp(-5) * sigma * clean + sigma**2)


every_gaussian = pytest.mark.parametrize("build", [gaussian, camera_nlf, s_g])
every_ratio = pytest.mark.parametrize("ratio", [0.01, 0.1, 0.3, 1, 3, 10, 30])


def all_codes(dtype):
    """Every code of 8 bits at every clean value: noise and clean [N, 1, 1, 4], alike by channel."""
    clean = np.append(np.linspace(0, 1, 13), STEP / 3)
    clean, code = (array.ravel() for array in np.meshgrid(clean, np.arange(256) * STEP))
    clean, noise = (array.astype(dtype) for array in (clean, code - clean))
    return (np.tile(array[:, np.newaxis, np.newaxis, np.newaxis], [1, 1, 1, 4])
            for array in (noise, clean))  # fmt: skip


@every_gaussian
@every_ratio
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gaussian_codes_have_the_probability_of_scipy(build, ratio, dtype):
    """Step / sigma from 0.01 to 30, all codes, both ends."""
    model, sigma = build(STEP / ratio, dtype)
    noise, clean = all_codes(dtype)
    stored = nf.StoredNoise(model, STEP)(clean, iso=100.0, camera="Alpha")
    assert stored.is_exact
    actual = stored.log_prob(noise) / 4 + np.log(STEP)
    expected = reference(noise, clean, sigma(np.float64(clean)), STEP)[:, 0, 0, 0]
    # float32: 1e-5 nats a value; roundings of noise and of the law's logarithms cost as much of
    # hundreds of nats as their squares in the exponent do.
    errors = (1e-5, 2e-6) if dtype == np.float32 else (1e-10, 1e-11)
    np.testing.assert_allclose(actual, expected, atol=errors[0], rtol=errors[1])


@every_gaussian
@every_ratio
def test_probabilities_of_all_codes_sum_to_one(build, ratio):
    model, _ = build(STEP / ratio, np.float32)
    noise, clean = all_codes(np.float32)
    log_prob = nf.StoredNoise(model, STEP)(clean, iso=100.0, camera="Alpha").log_prob(noise)
    probability = np.exp(np.float64(log_prob) / 4 + np.log(STEP)).reshape(256, -1)
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("clips", itertools.product((True, False), repeat=2))
def test_an_end_that_does_not_clip_has_a_closed_bin(clips):
    model, sigma = gaussian(1.7 * STEP, np.float64)
    noise, clean = all_codes(np.float64)
    ends = dict(zip(("clips_black", "clips_white"), clips, strict=True))
    actual = nf.StoredNoise(model, STEP, **ends)(clean).log_prob(noise) / 4 + np.log(STEP)
    expected = reference(noise, clean, sigma(clean), STEP, **ends)[:, 0, 0, 0]
    np.testing.assert_allclose(actual, expected, atol=1e-9, rtol=1e-10)


def test_codes_below_black_count_where_black_does_not_clip():
    clean = np.full((1, 1, 1, 4), 0.5 * STEP)
    stored = nf.StoredNoise(nf.GaussianNoise(STEP, dtype=tf.float64), STEP, clips_black=False)
    codes = np.arange(-30, 40) * STEP
    log_prob = stored(np.tile(clean, [70, 1, 1, 1])).log_prob(codes.reshape(70, 1, 1, 1) - clean)
    assert np.sum(np.exp(log_prob / 4 + np.log(STEP))) == pytest.approx(1, abs=1e-12)


def test_log_prob_without_a_step_is_the_density_between_the_ends_and_their_probability():
    sigma, clean = 0.3, np.array([0.0, 0.2, 0.97, 0.5]).reshape(1, 1, 1, 4)
    stored = nf.StoredNoise(nf.GaussianNoise(sigma, dtype=tf.float64), 0)(clean)
    between = np.array([0.3, 0.7, 0.01, 0.5]).reshape(clean.shape)
    for ends in itertools.product((False, True), repeat=4):
        value = np.where(np.reshape(ends, clean.shape), np.round(between), between)
        z = (value - clean) / sigma
        of_end = scipy.special.log_ndtr(np.where(value == 0, z, -z))
        density = -(z**2) / 2 - np.log(sigma) - np.log(2 * np.pi) / 2
        expected = np.sum(np.where(np.reshape(ends, clean.shape), of_end, density))
        assert stored.log_prob(value - clean).numpy() == pytest.approx([expected], rel=1e-12)


class Bent(nf.NoiseModel):
    """A law and a bijector of TFP that bends each value; or falls, which changes nothing."""

    def __init__(self, *bijectors):
        law = nb.SignalDependent(log_beta1=-6.0, log_beta2=-6.0, dtype=tf.float64)
        chain = nb.ConditionalChain([law, *bijectors], dtype=tf.float64)
        super().__init__(chain, name="bent")

    def get_config(self):
        raise NotImplementedError


BENDS = {
    "rises": lambda: [tfb.SinhArcsinh(skewness=np.float64(0.3), tailweight=np.float64(1.2))],
    "falls": lambda: [
        tfb.Scale(np.float64(-1.3)),
        tfb.SinhArcsinh(skewness=np.float64(0.3), tailweight=np.float64(1.2)),
    ],
    "scales by a negative number": lambda: [tfb.Scale(np.float64(-1.3))],
}


@pytest.mark.parametrize("name", BENDS)
def test_any_layer_that_acts_on_each_value_alone_is_exact(name):
    model = Bent(*BENDS[name]())
    clean = np.full((256, 1, 1, 1), 0.05)
    noise = np.arange(256).reshape(clean.shape) * STEP - clean
    stored = nf.StoredNoise(model, STEP)(clean)
    assert stored.is_exact
    probability = np.exp(stored.log_prob(noise) + np.log(STEP))
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    # Against the density, by quadrature within each bin that is closed.
    nodes, weights = np.polynomial.legendre.leggauss(12)
    density = np.exp(model(clean).log_prob(noise + STEP / 2 * nodes.reshape(12, 1, 1, 1, 1)))
    expected = np.sum(density * weights[:, np.newaxis], axis=0) * STEP / 2
    np.testing.assert_allclose(probability[1:-1], expected[1:-1], rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("name", BENDS)
def test_any_layer_that_acts_on_each_value_alone_may_be_clipped_without_a_step(name):
    model = Bent(*BENDS[name]())
    clean = np.full((1, 1, 1), 0.05)
    stored = nf.StoredNoise(model, 0)(clean)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    values = (0.5 + nodes / 2).reshape(400, 1, 1, 1)
    between = np.sum(np.exp(stored.log_prob(values - clean)) * weights / 2)
    ends = np.exp(stored.log_prob(np.array([0.0, 1.0]).reshape(2, 1, 1, 1) - clean))
    assert between + ends.sum() == pytest.approx(1, abs=1e-9)
    assert ends[0] > 0.01, "black is among the values"


# A flow of four numbers, so that its probabilities can be integrated.
TINY_STEP = 1 / 15
TINY_SHAPE = (1, 2, 2)
TINY_CLEAN = np.array([0.03, 0.5, 0.98, 0.3]).reshape(TINY_SHAPE)


def tiny_flow():
    flow = nf.NoiseFlow(
        "S-Ax2-G", cameras=None, iso_levels=[100.0], channels=2, dtype=tf.float64, seed=0
    )
    moved(flow, by=0.15)
    (log_u,) = flow.layers["gain"].trainable_variables
    log_u.assign([np.log(0.05 / 100)])  # Noise of about the step.
    return flow


def probability_by_quadrature(flow, value):
    """Of one image of codes, by Gauss and Legendre's rule over its bins."""
    axes = []
    for v in value.ravel():
        below, above, count = v - TINY_STEP / 2, v + TINY_STEP / 2, 10
        if v < TINY_STEP / 2:
            below, count = above - 1.2, 40  # Some 15 standard deviations.
        if v > 1 - TINY_STEP / 2:
            above, count = below + 1.2, 40
        nodes, weights = np.polynomial.legendre.leggauss(count)
        axes.append((below + (above - below) * (1 + nodes) / 2, weights * (above - below) / 2))
    values = np.stack(np.meshgrid(*[a for a, _ in axes], indexing="ij"), axis=-1)
    weights = np.prod(np.stack(np.meshgrid(*[w for _, w in axes], indexing="ij")), axis=0)
    noise = values.reshape(-1, *TINY_SHAPE) - TINY_CLEAN
    density = np.exp(flow(TINY_CLEAN, iso=100.0).log_prob(noise))
    return float(np.sum(density * weights.ravel()))


@pytest.fixture(scope="module")
def tiny_case():
    """A flow, noise of codes at black, at white and between, its log-probability, and draws."""
    flow = tiny_flow()
    value = np.round(np.array([0.0, 0.5, 1.0, 0.35]) / TINY_STEP).reshape(TINY_SHAPE) * TINY_STEP
    exact = np.log(probability_by_quadrature(flow, value)) - 4 * np.log(TINY_STEP)
    stored = nf.StoredNoise(flow, TINY_STEP)(TINY_CLEAN, iso=100.0)
    assert not stored.is_exact

    @functools.cache
    def bounds(num_draws, count):
        function = tf.function(
            lambda seed: stored.log_prob(value - TINY_CLEAN, seed=seed, num_draws=num_draws)
        )
        return np.array([function(tf.constant([5, seed])) for seed in range(count)])

    return exact, bounds


def test_the_bound_is_below_the_exact_value_and_nearer_with_more_draws(tiny_case):
    exact, bounds = tiny_case
    gaps, errors = [], []
    for num_draws, count in ((1, 2000), (8, 500), (64, 100)):
        drawn = bounds(num_draws, count)
        gaps.append(exact - drawn.mean())
        errors.append(drawn.std() / np.sqrt(count))
    print(f"nats of 4 values, with 1, 8 and 64 draws: {gaps} +- {errors}")
    assert all(gap > -4 * error for gap, error in zip(gaps, errors, strict=True))
    assert gaps[0] > gaps[1] > gaps[2] - 4 * errors[2]
    # With one draw there is something to gain; 64 leave a tenth of it, as an average's bias does.
    assert gaps[0] > 10 * errors[0]
    assert gaps[2] < 0.1 * gaps[0] + 4 * errors[2]


def test_the_mean_of_the_bounds_exponential_is_the_probability(tiny_case):
    """Which a wrong bin, weight or log-det would miss on either side."""
    exact, bounds = tiny_case
    ratio = np.exp(bounds(1, 2000) - exact)
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / np.sqrt(2000))


def test_a_flow_whose_steps_only_rotate_has_the_probability_of_its_law():
    """As at the start of training: rotations of white noise are white noise."""
    shape = (3, 8, 8, 4)
    flow = nf.NoiseFlow("S-Ax2-G", cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=0)
    law = nf.NoiseFlow("S-G", cameras=CAMERAS, iso_levels=ISO_LEVELS)
    given = conditions((3,), shape[1:], dtype=np.float32)
    noise = nf.StoredNoise(law, STEP)(**given).sample(seed=(0, 1))
    exact = nf.StoredNoise(law, STEP)(**given).log_prob(noise)
    bound = nf.StoredNoise(flow, STEP)(**given).log_prob(noise, seed=3)
    # 256 values of some nats in float32.
    np.testing.assert_allclose(bound, exact, atol=2e-3)


def stored_case(name=STORED_FLOW, dtype=tf.float32, batch=4, side=8):
    model = moved(MODELS[name][0](dtype), by=0.1)
    given = conditions((batch,), (side, side, MODELS[name][1]), dtype=dtype.as_numpy_dtype)
    return model, given, model(**given).sample(seed=(0, 1))


def test_draws_are_fixed_unless_a_seed_is_given_and_a_row_goes_by_itself():
    model, given, noise = stored_case()
    for seed in (None, 7, (3, 4), tf.constant([3, 4], tf.int64)):
        together = model(**given).log_prob(noise, seed=seed, num_draws=2)
        np.testing.assert_array_equal(
            together, model(**given).log_prob(noise, seed=seed, num_draws=2)
        )
        for row in (0, 2):
            one = {key: value[row : row + 1] for key, value in given.items()}
            alone = model(**one).log_prob(noise[row : row + 1], seed=seed, num_draws=2)
            # Sums in another order, of hundreds of nats.
            np.testing.assert_allclose(alone[0], together[row], rtol=2e-6)
    values = [model(**given).log_prob(noise, seed=seed) for seed in (None, 0, 1)]
    np.testing.assert_array_equal(values[0], values[1])
    assert np.all(values[1] != values[2])


def test_images_of_a_batch_are_drawn_apart():
    """Errors of a batch average out, which those of the same uniform numbers for all would not."""
    flow = tiny_flow()
    clean = np.broadcast_to(TINY_CLEAN, (64, *TINY_SHAPE)) + 1e-4 * np.arange(64).reshape(
        64, 1, 1, 1
    )
    value = np.round(clean / TINY_STEP) * TINY_STEP
    stored = nf.StoredNoise(flow, TINY_STEP)(clean, iso=100.0)
    log_prob = tf.function(lambda seed: stored.log_prob(value - clean, seed=seed))
    draws = np.array([log_prob(tf.constant([0, seed])) for seed in range(200)])
    # Of 64 alike: 1 where they are independent, 64 where they share their draws.
    ratio = draws.mean(axis=1).var() / (draws.var(axis=0).mean() / 64)
    assert 1 / 3 < ratio < 3


def test_densities_take_a_seed_too_and_need_none():
    model, given, noise = stored_case()
    unstored = model(**given).unstored
    assert unstored.is_exact
    np.testing.assert_array_equal(
        unstored.log_prob(noise, seed=(0, 1), num_draws=8), unstored.log_prob(noise)
    )


def test_xla_and_graph_give_what_eager_gives():
    model, given, noise = stored_case()
    eager = model(**given).log_prob(noise)

    def log_prob(noise):
        return model(**given).log_prob(noise)

    # Sums in another order; XLA has an inverse of Phi of its own.
    np.testing.assert_allclose(tf.function(log_prob)(noise), eager, rtol=1e-6)
    compiled = tf.function(log_prob, jit_compile=True)(noise)
    np.testing.assert_allclose(compiled, eager, rtol=1e-4)


@pytest.mark.parametrize("clips", itertools.product((True, False), repeat=2))
def test_samples_are_codes(clips):
    """A million values: none is off, and they go as far as the ends that do not clip."""
    clean = np.float32(np.random.default_rng(0).uniform(0, 1, (64, 64, 64, 4)))
    ends = dict(zip(("clips_black", "clips_white"), clips, strict=True))
    model = nf.StoredNoise(nf.GaussianNoise(0.1), STEP, **ends)
    for noise in (
        model(clean).sample(seed=(0, 1)),
        nf.sample_noise(model, clean, seeds=np.arange(128).reshape(64, 2)),
    ):
        stored = np.float64(clean) + np.float64(noise)
        # Noise is a float32; full scale has a rounding of 6e-8.
        assert np.abs(stored - np.round(stored / STEP) * STEP).max() < 2e-7
        assert (stored.min() > -1e-7) == clips[0] and (stored.max() < 1 + 1e-7) == clips[1]


def test_samples_at_temperature_one_have_the_codes_probabilities():
    codes = np.arange(9) / 8
    clean = np.broadcast_to(np.float32([0.0, 0.05, 0.5, 0.97]), (200, 20, 20, 4))
    model = nf.StoredNoise(nf.GaussianNoise(0.1), 1 / 8)
    noise = nf.sample_noise(model, clean, seeds=np.arange(400).reshape(200, 2))
    stored = np.reshape(clean + noise, [-1, 4])
    shares = np.mean(np.abs(stored - codes[:, np.newaxis, np.newaxis]) < 1e-6, axis=1)
    assert shares.sum(axis=0) == pytest.approx(1)
    expected = np.exp(reference(codes[:, np.newaxis] - clean[0, 0, 0], clean[0, 0, 0], 0.1, 1 / 8))
    # 80,000 values of each: 4.5 standard errors.
    allowed = 4.5 * np.sqrt(expected * (1 - expected) / 80_000) + 1e-6
    assert np.all(np.abs(shares - expected) < allowed)
    assert expected[0, 0] > 0.4 and expected[8, 3] > 0.4, "black and white are among them"


def test_a_cold_sample_is_the_code_of_the_clean_image():
    clean = np.float32(np.random.default_rng(0).uniform(0, 1, (2, 4, 4, 4)))
    model = nf.StoredNoise(nf.GaussianNoise(0.1), STEP)
    noise = nf.sample_noise(model, clean, seeds=[[0, 1], [2, 3]], temperature=0.0)
    np.testing.assert_allclose(clean + noise, np.round(clean / STEP) * STEP, atol=1e-7)


def test_each_camera_has_its_step():
    steps = {"Gamma": 1 / 63, "Alpha": 1 / 255, "Beta": 1 / 1023}
    unstored = MODELS["camera NLF"][0](tf.float64)
    models = [nf.StoredNoise(unstored, s) for s in (steps, [steps[name] for name in CAMERAS])]
    given = conditions((3,), (4, 4, 4))
    given["camera"] = np.array(["Gamma", "Alpha", "Beta"])
    noise = models[0](**given).sample(seed=(0, 1))
    log_prob = models[0](**given).log_prob(noise)
    np.testing.assert_array_equal(models[1](**given).log_prob(noise), log_prob)
    np.testing.assert_array_equal(models[0](**given)[1:].log_prob(noise[1:]), log_prob[1:])
    for row, camera in enumerate(given["camera"]):
        one = {key: value[row] for key, value in given.items()}
        alone = nf.StoredNoise(unstored, steps[camera])(**one)
        np.testing.assert_allclose(alone.log_prob(noise[row]), log_prob[row], rtol=1e-12)
    with pytest.raises(ValueError, match="expected camera, on which the quantization step"):
        nf.StoredNoise(nf.NoiseFlow("S-G", cameras=CAMERAS), steps)(given["clean"], iso=100.0)


def test_it_passes_on_what_is_known_of_the_unstored_noise():
    unstored = MODELS["S-Ax1-G-Ax1-CAM"][0](tf.float32)
    unstored.licence, unstored.origin = "CC0", "here"
    model = nf.StoredNoise(unstored, STEP)
    assert model.known == unstored.known and model.channels == 4 and model.cameras == CAMERAS
    assert model.trained_iso_range == unstored.trained_iso_range == (100, 1600)
    assert (model.licence, model.origin, model.architecture) == ("CC0", "here", "S-Ax1-G-Ax1-CAM")
    assert model.trainable_variables == unstored.trainable_variables
    assert {*model.physical_parameters()} == {*unstored.physical_parameters()}
    assert unstored.dequantises and not model.dequantises


def test_values_without_probability_in_float32_have_a_finite_bound_and_gradients():
    model = nf.StoredNoise(nf.NoiseFlow("S-Ax1-G", cameras=None, iso_levels=[100.0], seed=0), STEP)
    for layer in model.unstored.layers.values():
        if layer.name == "gain":
            layer.trainable_variables[0].assign([np.log(STEP / 100 / 100)])
    clean = np.full((2, 4, 4, 4), 0.5, np.float32)
    value = np.round(clean / STEP) * STEP
    # 12,700 standard deviations away, at either end and between.
    value[0, 0, 0], value[1, 1] = [0, 1, 100 * STEP, 200 * STEP], 0
    with tf.GradientTape() as tape:
        log_prob = model(clean, iso=100.0).log_prob(np.float32(value - clean))
    gradients = tape.gradient(log_prob, model.trainable_variables)
    assert np.isfinite(log_prob).all() and np.all(log_prob < -1e6)
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)


def test_noise_off_the_codes_is_an_error_that_says_by_how_much():
    model, given, noise = stored_case()
    distribution = model(**given)
    off = np.array(noise)
    off[2, 3, 3, 1] += 0.3 * STEP
    message = r"multiple of the quantization step 0\.0039.*dequantised captures are not.*"
    with pytest.raises(ValueError, match=message + r"`dequantises`.*off by up to 0\.00118"):
        distribution.log_prob(off)
    # No number in a graph either.
    in_graph = tf.function(distribution.log_prob)(tf.constant(off))
    np.testing.assert_array_equal(np.isnan(in_graph), [False, False, True, False])
    # Codes that are within float32's rounding of 16 bits are.
    fine = nf.StoredNoise(nf.GaussianNoise(0.01), 1 / 65535)(given["clean"])
    fine.log_prob(fine.sample(seed=(0, 1)) + np.float32(3e-8))


def test_codes_beyond_an_end_that_clips_are_refused():
    clean = np.full((1, 2, 2, 4), 0.001, np.float32)
    noise = -2 * STEP - clean
    nf.StoredNoise(nf.GaussianNoise(0.01), STEP, clips_black=False)(clean).log_prob(noise)
    with pytest.raises(ValueError, match="between black and white where they clip"):
        nf.StoredNoise(nf.GaussianNoise(0.01), STEP)(clean).log_prob(noise)


BAD_STEPS = [
    (-0.1, "of 0 \\(continuous\\) or up to 1, .* received -0.1"),
    (np.nan, "received nan"),
    (1.5, "up to 1, a fraction of full scale, received 1.5"),
    (
        [0.1, 0.1],
        r"one for each of the cameras \('Alpha', 'Beta', 'Gamma'\), received \[0.1, 0.1\]",
    ),
    ({"Alpha": 0.1, "Delta": 0.1}, r"for each of the cameras .* received steps of .*Delta"),
    ([0.1, 0.0, 0.1], "all positive or all 0"),
    (0.3, "white, where values are clipped, to be a multiple of the quantization step"),
]


@pytest.mark.parametrize(("step", "message"), BAD_STEPS)
def test_a_step_that_does_not_fit_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        nf.StoredNoise(MODELS["camera NLF"][0](tf.float32), step)


def test_white_need_be_no_multiple_of_the_step_where_it_does_not_clip():
    nf.StoredNoise(nf.GaussianNoise(), 0.3, clips_white=False)


def test_no_draws_are_refused():
    model, given, noise = stored_case()
    with pytest.raises(ValueError, match="num_draws >= 1, received 0"):
        model(**given).log_prob(noise, num_draws=0)


def test_repr_tells_step_and_ends():
    text = repr(nf.StoredNoise(nf.GaussianNoise(), 0.25, clips_white=False))
    assert "quantization step 0.25, clipped at black" in text and "GaussianNoise" in text


def test_an_export_gives_codes_tells_step_and_ends_and_names_a_row_off_the_codes(tmp_path):
    model, given, noise = stored_case("stored camera NLF")
    given["camera"] = np.array(CAMERAS)[given["camera"]]
    loaded = tf.saved_model.load(nf.export_saved_model(model, tmp_path, has_valid_output=True))
    served = loaded.signatures
    told = served["describe"](dummy=tf.zeros(2))
    steps = np.float32([1 / 255, 1 / 1023, 1 / 959])
    np.testing.assert_array_equal(told["quantization_step"], [steps] * 2)
    np.testing.assert_array_equal(told["clips"], [[True, True]] * 2)
    batch = {name: tf.constant(value) for name, value in given.items()}
    draws = {"seed": tf.reshape(tf.range(8), [4, 2]), "temperature": tf.ones([4])}
    step = np.array([dict(zip(CAMERAS, steps, strict=True))[name] for name in given["camera"]])
    codes = served["serving_default"](**batch, **draws)["noisy"] / step.reshape(4, 1, 1, 1)
    np.testing.assert_allclose(codes, np.round(codes), atol=2e-4)
    off = np.array(noise)
    off[1, 2, 3, 0] += 0.4 * step[1]
    valid = served["log_prob"](noise=tf.constant(off), **batch)["valid"]
    np.testing.assert_array_equal(valid, [True, False, True, True])
    loaded = tf.saved_model.load(nf.export_saved_model(model, tmp_path))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"row 1.*log_prob is finite"):
        loaded.signatures["log_prob"](noise=tf.constant(off), **batch)


@pytest.mark.slow
def test_gradients_of_an_export_are_those_of_the_model(tmp_path):
    """Of the clean image, among values in either tail and at both ends."""
    model, given, noise = stored_case("stored S-Ax1-G-Ax1-CAM", side=4)
    noise = np.array(noise)
    noise[0, 0, 0], noise[0, 1, 1] = 1 - given["clean"][0, 0, 0], -given["clean"][0, 1, 1]
    given["camera"] = np.array(CAMERAS)[given["camera"]]
    batch = {name: tf.constant(value) for name, value in given.items()}
    loaded = tf.saved_model.load(nf.export_saved_model(model, tmp_path))

    def gradient(log_prob):
        with tf.GradientTape() as tape:
            tape.watch(batch["clean"])
            value = log_prob(noise=tf.constant(noise), **batch)
        return tape.gradient(value, batch["clean"]).numpy()

    expected = gradient(lambda noise, **given: model(**given).log_prob(noise))
    actual = gradient(lambda **inputs: loaded.signatures["log_prob"](**inputs)["log_prob"])
    # Of the operations, where the model's own have a form of fewer roundings.
    np.testing.assert_allclose(actual, expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("step", "clips", "words"),
    [
        (1 / 255, {}, "codes that a sensor stores, clipped at black and white, of "),
        (0.0, {"clips_white": False}, "values that a sensor stores, clipped at black, of "),
        (
            1 / 255,
            {"clips_black": False, "clips_white": False},
            "codes that a sensor stores, clipped at no end, of ",
        ),
    ],
)
def test_it_says_what_it_is(step, clips, words):
    unstored = nf.GaussianNoise(0.02)
    assert nf.StoredNoise(unstored, step, **clips).in_words == words + unstored.in_words


def test_draws_of_wide_frames_do_not_go_by_the_order_of_a_sum():
    # 40,000 pixels of a row: their sum in float32 would not be exact.
    noise = np.random.default_rng(0).standard_normal((8, 1, 40000, 4)).astype(np.float32)
    bits = noise.view(np.uint8).sum(axis=(1, 2, 3), dtype=np.int64)
    np.testing.assert_array_equal(_turn(tf.constant(noise))[:, 0, 0, 0], bits % TURNS / TURNS)
