"""What every noise model must do, for all of tests/registry.py."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_noiseflow as nf
from tests.jacobians import log_det_by_autodiff, repeated
from tests.registry import (
    CAMERAS,
    CONTINUOUS_MODELS,
    ISO_LEVELS,
    MODELS,
    conditions,
    images,
    moved,
    needed,
)
from tests.serving.graphs import check_ops
from tests.serving.rounding import assert_same
from tfp_noiseflow.composition import forms

tfd = tfp.distributions

# Those that walk what others or their layers' own tests walk too, or a deep flow what a shallow one
# does, are left to `make test-all`.
ALSO_WALKED = (
    "S-G",
    "S-Ax4-G-Ax4-CAM",
    "Ax2",
    "L",
    "L of planes",
    "L-R-P-Ax1 of planes",
    "S-Ax1-R-G-T-CAM by camera",
    "stored L-R-P-Ax1 of planes",
    "S-Ax1-G-CAM at any ISO",
    "N-Ax1 at any ISO",
    "camera NLF by channel",
    "stored S-Ax1-G-CAM of planes",
)
SLOW = {name: [pytest.mark.slow] if name in ALSO_WALKED else [] for name in MODELS}
# An export is a graph of both widths too, and either takes seconds to trace: a flow that is in one
# of the tests is left out of the other. tests/serving exports a flow of S, A, G and CAM.
EXPORTED = (
    "N-Ax1-C-Ax1",
    "L-Ax1 from laws by channel with knots",
    "S-Ax1-G-CAM of planes",
    "S-Ax1-G of another arrangement",
    "stored L-R-P",
)
TRACED = ("S-G-CAM", "S-Ax1-G-Ax1-CAM", "L-R-P")


def every(names, also_walked=()):
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(name, marks=[pytest.mark.slow] if name in also_walked else SLOW[name])
            for name in names
        ],
    )


every_model = every(MODELS)
every_continuous_model = every(CONTINUOUS_MODELS)
# The deep flow's graph is that of its export.
every_graph = every([name for name in MODELS if "Ax4" not in name], also_walked=EXPORTED)
every_export = every(MODELS, also_walked=TRACED)

# Flow steps have a fast form at widths that divide by 4, for planes by 8.
FAST = {name: "Ax" in name for name in MODELS}


def every_form_of(names):
    return pytest.mark.parametrize(
        ("name", "width"),
        [
            pytest.param(name, width, marks=SLOW[name])
            for name in names
            for width in ((6, 8) if FAST[name] else (6,))
        ],
    )


every_form = every_form_of(MODELS)
every_continuous_form = every_form_of(CONTINUOUS_MODELS)


def case(name, dtype=tf.float64, batch_shape=(3,), height=4, width=6, by=0.1):
    build, channels = MODELS[name]
    model = moved(build(dtype), by=by)
    shape = (height, width, channels)
    given = conditions(batch_shape, shape, dtype=dtype.as_numpy_dtype)
    return model, noise_for(model, given), given


def noise_for(model, given):
    """Noise of continuous values or, for a model of codes, what is stored of it."""
    noise = tf.constant(images(given["clean"].shape, scale=0.02), model.dtype)
    return noise if model.dequantises else model(**given).stored(noise)


@every_form
def test_the_fast_form_is_taken_where_it_should_be(monkeypatch, name, width):
    calls, run = [], forms._run_folded
    monkeypatch.setattr(forms, "_run_folded", lambda *a: calls.append(1) or run(*a))
    # As high as wide: one of the flows takes its images transposed.
    model, noise, given = case(name, height=width, width=width)
    model(**given).log_prob(noise)
    assert bool(calls) == (FAST[name] and width == 8)


@every_continuous_model
def test_call_gives_a_bound_transformed_distribution(name):
    model, noise, given = case(name)
    distribution = model(**given)
    assert isinstance(distribution, tfd.TransformedDistribution)
    assert distribution.batch_shape == [3]
    assert distribution.event_shape == noise.shape[1:]
    assert distribution.dtype == tf.float64
    assert distribution.sample(seed=(0, 1)).shape == noise.shape
    assert distribution.sample(5, seed=(0, 1)).shape == (5, *noise.shape)
    assert distribution.log_prob(noise).shape == [3]
    z = tf.zeros_like(noise)
    assert distribution.bijector.forward(z).shape == noise.shape
    assert tfd.TransformedDistribution(
        tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), noise.shape[1:]), model.bijector
    ).log_prob(noise, bijector_kwargs=needed(model.bijector, given)).numpy() == pytest.approx(
        distribution.log_prob(noise).numpy(), rel=1e-12
    )


@every_continuous_model
def test_log_prob_is_the_change_of_variables(name):
    model, noise, given = case(name)
    bijector = model(**given).bijector
    z = bijector.inverse(noise)
    base = -0.5 * np.sum(np.square(z) + np.log(2 * np.pi), axis=(1, 2, 3))
    expected = base + bijector.inverse_log_det_jacobian(noise, 3)
    np.testing.assert_allclose(model(**given).log_prob(noise), expected, rtol=1e-12)


def round_trip_errors(name, dtype, by):
    """Of noise through the latent and back, in its standard deviations, and of the latent."""
    model, noise, given = case(name, dtype, height=16, width=16, by=by)
    bijector = model(**given).bijector
    latent = tf.constant(images(noise.shape), dtype)
    noise = bijector.forward(latent)
    latent_again = bijector.inverse(tf.identity(noise))
    noise_again = bijector.forward(latent_again)
    sd = np.std(noise, axis=(1, 2, 3), keepdims=True)  # By row: conditions differ by row.
    return np.abs((noise_again - noise) / sd).max(), np.abs(latent_again - latent).max()


@every_continuous_model
def test_round_trips_in_float64(name):
    of_noise, of_latent = round_trip_errors(name, tf.float64, by=0.1)
    assert of_noise < 1e-10
    assert of_latent < 1e-10


@every_continuous_model
def test_round_trips_in_float32(name):
    # Eight couplings with random networks amplify a rounding by what they stretch: at 0.05 a
    # hundredfold and more in the latent, at 0.1 up to 100,000-fold. A trained flow is far tamer.
    # How much of it comes back in the noise is the order in which a processor adds: 1e-5 to 2.3e-5.
    of_noise, of_latent = round_trip_errors(name, tf.float32, by=0.05)
    assert of_noise < 5e-5
    assert of_latent < 1e-3


@every_continuous_form
def test_log_det_is_that_of_the_jacobian(name, width):
    model, noise, given = case(name, batch_shape=(), width=width)
    expected = log_det_by_autodiff(model(**repeated(given, noise)).bijector.inverse, noise)
    log_det = model(**given).bijector.inverse_log_det_jacobian(noise, 3)
    assert abs(float(log_det) - expected) < 1e-9


@every_form
def test_gradient_of_the_nll_reaches_all_trained_variables(name, width):
    model, _, given = case(name, batch_shape=(9,), width=width)
    # Every camera and ISO once: a table's entry that no capture uses has no gradient.
    given["camera"] = np.repeat(np.arange(3, dtype=np.int32), 3)
    given["iso"] = np.tile(ISO_LEVELS, 3)
    noise = noise_for(model, given)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(model(**given).log_prob(noise))
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, f"no gradient for {variable.name}"
        assert np.all(np.any(tf.convert_to_tensor(gradient) != 0)), variable.name


@every_form
def test_mixed_batch_equals_its_rows_alone(name, width):
    model, noise, given = case(name, batch_shape=(3,), width=width)
    given = {**given, "iso": np.array(ISO_LEVELS), "camera": np.int32([2, 0, 1])}
    noise = noise_for(model, given)
    whole = model(**given)
    for row in range(3):
        one = {key: value[row] for key, value in given.items()}
        alone = model(**one)
        assert alone.batch_shape == []
        np.testing.assert_allclose(
            alone.log_prob(noise[row]), whole.log_prob(noise)[row], rtol=1e-12
        )
        if name in CONTINUOUS_MODELS:
            sampled = whole.bijector.forward(noise)[row]
            np.testing.assert_allclose(alone.bijector.forward(noise[row]), sampled, rtol=1e-11)


@every_model
def test_camera_names_indices_and_scalars_mean_the_same(name):
    model, noise, given = case(name)
    given = dict(given, iso=400.0, camera=1)
    noise = noise_for(model, given)
    expected = model(**given).log_prob(noise)
    cameras = ("Beta", ["Beta"] * 3, np.array(["Beta"] * 3, object), tf.constant("Beta"),
               [1, 1, 1], tf.constant([1, 1, 1], tf.int64))  # fmt: skip
    isos = (400, [400.0] * 3, tf.constant(400))
    # One is converted without regard to the other.
    for camera, iso in zip(cameras, itertools.cycle(isos), strict=False):
        got = model(given["clean"], iso=iso, camera=camera).log_prob(noise)
        np.testing.assert_array_equal(got, expected)


@every_graph
def test_graph_with_dynamic_shapes_equals_eager(name):
    model, noise, given = case(name)
    image = tf.TensorSpec([None, None, None, noise.shape[-1]], tf.float64)

    @tf.function(
        input_signature=[
            image,
            image,
            tf.TensorSpec([None], tf.float64),
            tf.TensorSpec([None], tf.string),
        ]
    )
    def graph(noise, clean, iso, camera):
        distribution = model(clean, iso=iso, camera=camera)
        return distribution.log_prob(noise), distribution.sample(seed=(3, 4))

    # One graph holds both forms.
    for width in (6, 8):
        _, noise, given = case(name, width=width)
        names = np.array(CAMERAS)[given["camera"]]
        log_prob, sample = graph(noise, given["clean"], given["iso"], names)
        np.testing.assert_allclose(log_prob, model(**given).log_prob(noise), rtol=1e-12)
        eager = model(**given).sample(seed=(3, 4))
        np.testing.assert_allclose(sample, eager, rtol=1e-9, atol=1e-12)


@every_continuous_model
def test_images_of_a_batch_are_drawn_independently(name):
    model, _, given = case(name, batch_shape=(2,), height=32, width=32)
    given = {key: np.stack([value[0]] * 2) for key, value in given.items()}
    distribution = model(**given)
    latent = distribution.bijector.inverse(distribution.sample(seed=(0, 1)))
    correlation = np.corrcoef(np.reshape(latent, [2, -1]))[0, 1]
    # 1024 or more pixels: 0.15 is five standard errors.
    assert abs(correlation) < 0.15


@every_model
def test_sample_and_log_prob_together_agree_with_log_prob(name):
    model, _, given = case(name)
    distribution = model(**given)
    noise, log_prob = distribution.experimental_sample_and_log_prob(seed=(0, 1))
    np.testing.assert_allclose(log_prob, distribution.log_prob(tf.identity(noise)), rtol=1e-9)


@every_model
def test_log_prob_after_a_change_of_variables_is_fresh(name):
    model, noise, given = case(name)
    distribution = model(**given)
    distribution.log_prob(noise)
    moved(model, seed=1, by=0.1)
    np.testing.assert_array_equal(
        distribution.log_prob(noise), model(**given).log_prob(tf.identity(noise))
    )


@every_form
def test_sample_noise_of_a_row_depends_on_its_own_seed_alone(name, width):
    # The fast form sums in an order that goes by the batch; couplings stretch that rounding as in
    # a round trip in float32 (5e-6 was seen, as much as this noise is off from float64).
    by, atol = (0.1, 1e-6) if width == 6 else (0.05, 2e-5)
    model, _, given = case(name, tf.float32, batch_shape=(4,), width=width, by=by)
    seeds = np.array([[1, 2], [3, 4], [1, 2], [5, 6]], np.int32)
    together = nf.sample_noise(model, **given, seeds=seeds).numpy()
    for row in (1, 3):
        one = {key: value[row : row + 1] for key, value in given.items()}
        alone = nf.sample_noise(model, **one, seeds=seeds[row : row + 1])
        # Convolutions of another batch size may sum in another order.
        np.testing.assert_allclose(alone[0], together[row], atol=atol * together[row].std())
    zero = nf.sample_noise(model, **given, seeds=seeds, temperature=[0.0, 1.0, 0.5, 0.0])
    np.testing.assert_array_equal(zero[1], together[1])


@every_model
def test_model_directory_gives_the_same_model_back(name, tmp_path):
    model, noise, given = case(name)
    nf.save_model(model, tmp_path / "model", {"file": "none"})
    loaded = nf.load_model(tmp_path / "model")
    assert type(loaded) is type(model)
    assert loaded.cameras == model.cameras
    assert loaded.iso_levels == model.iso_levels
    np.testing.assert_array_equal(loaded(**given).log_prob(noise), model(**given).log_prob(noise))


@every_export
def test_export_computes_what_the_model_computes(name, tmp_path):
    model, noise, given = case(name, tf.float32)
    channels = noise.shape[-1]
    path = nf.export_saved_model(model, tmp_path / "served", channels=channels)
    assert path == str(tmp_path / "served" / "1")
    check_ops(path)
    served = tf.saved_model.load(path).signatures
    for width in (6, 8):
        _, noise, given = case(name, tf.float32, width=width)
        batch = {
            "clean": tf.constant(given["clean"]),
            "iso": tf.constant(given["iso"]),
            "camera": tf.constant(np.array(CAMERAS)[given["camera"]]),
        }
        likelihood = served["log_prob"](noise=noise, **batch)
        expected = model(**given).log_prob(noise).numpy()
        assert_same(likelihood["log_prob"], expected)
        dimensions = np.float32(np.prod(noise.shape[1:]))
        assert_same(likelihood["nll_per_dim"], -expected / dimensions)
        draws = {"seed": tf.constant([[0, 1], [2, 3], [4, 5]]), "temperature": tf.ones([3])}
        expected = nf.sample_noise(model, **given, seeds=draws["seed"])
        assert_same(served["sample_noise"](**draws, **batch)["noise"], expected)
        noisy = served["serving_default"](**draws, **batch)["noisy"]
        clipped = np.clip(given["clean"] + expected, 0, 1)
        assert_same(noisy, clipped, size=np.abs(expected).max())


BAD_CALLS = [
    ({"iso": 0.0}, "iso to be positive and finite"),
    ({"iso": -1.0}, "iso to be positive and finite"),
    ({"iso": [100.0, np.nan, 100.0]}, "iso to be positive and finite"),
    ({"iso": [100.0, 400.0]}, "expected iso to be a scalar or of the batch shape"),
    ({"clean": np.full((3, 4, 6, 4), 1.5)}, "above 1.001"),
    ({"clean": np.full((3, 4, 6, 4), np.nan)}, "NaN"),
    ({"clean": np.zeros((3, 0, 6, 4))}, "with pixels"),
    ({"clean": np.full((6, 4), 0.5)}, r"expected clean \(the clean image\) \[\.\., H, W, C\]"),
]


@every_model
@pytest.mark.parametrize(("bad", "message"), BAD_CALLS)
def test_bad_conditions_raise_in_every_model(name, bad, message):
    model, noise, given = case(name)
    if "clean" in bad and bad["clean"].ndim == 4:
        bad = {"clean": bad["clean"][..., : noise.shape[-1]]}
    with pytest.raises(ValueError, match=message):
        model(**{**given, **bad})


@every_model
def test_unknown_camera_lists_the_known_ones(name):
    model, _, given = case(name)
    if model.cameras is None:
        pytest.skip("the model does not tell cameras apart")
    with pytest.raises(ValueError, match=r"known cameras \(Alpha, Beta, Gamma\).*Delta"):
        model(**{**given, "camera": "Delta"})

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def graph(camera):
        return model(given["clean"], iso=given["iso"], camera=camera).batch_shape_tensor()

    graph("Alpha")
    with pytest.raises(tf.errors.InvalidArgumentError, match="known cameras"):
        graph("Delta")


@every_model
def test_noise_of_another_shape_is_refused(name):
    model, noise, given = case(name)
    distribution = model(**given)
    for wrong in (noise[:, :2], noise[:, :, :2], noise[:, :1], noise[:2]):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            distribution.log_prob(wrong)


@every_model
def test_noise_that_is_nan_has_no_likelihood(name):
    model, noise, given = case(name)
    wrong = np.array(noise)
    wrong[1, 2, 3, 0] = np.nan
    distribution = model(**given)
    with pytest.raises(ValueError, match=r"expected noise .* without NaN, received .*nan"):
        distribution.log_prob(wrong)
    if name in ("Gaussian", "S-G"):  # No graph of a flow, which takes seconds.
        in_graph = tf.function(distribution.log_prob)(tf.constant(wrong))
        np.testing.assert_array_equal(np.isnan(in_graph), [False, True, False])
