"""AddCameraNoise: the model's noise, of the conditions asked for, the same again at one seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, MODELS, moved
from tests.scripts import run_python
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.conditions.conditions import Camera, Iso


class Labelled(ConditionalBijector):
    """Noise whose standard deviation says which ISO and camera it was made for."""

    def __init__(self, iso_levels, levels_of_cameras=None):
        super().__init__(dtype=tf.float32, parameters=dict(locals()), name="labelled")
        self._iso_levels = iso_levels
        self._levels_of_cameras = levels_of_cameras
        self.scale = tf.Variable(1e-5)

    @property
    def conditions(self):
        camera = Camera(len(CAMERAS), self._levels_of_cameras)
        return {"iso": Iso(self._iso_levels), "camera": camera}

    def _forward_and_log_det(self, x, iso, camera):
        scale = self.scale * iso * 0.1 ** tf.cast(camera, tf.float32)
        return x * scale[..., None, None, None], tf.zeros_like(iso)

    def _inverse_and_log_det(self, y, iso, camera):
        raise NotImplementedError


class LabelledNoise(nf.NoiseModel):
    def __init__(self, iso_levels=ISO_LEVELS, levels_of_cameras=None):
        super().__init__(Labelled(iso_levels, levels_of_cameras), cameras=CAMERAS, name="labelled")

    def get_config(self):
        return {}


# 1024 values: their standard deviation is known to 2 %, four times closer than ISOs or cameras lie.
CLEAN = np.full((64, 16, 16, 4), 0.4, np.float32)


def labels(noisy):
    """(ISO, camera) of each image of LabelledNoise, read off its noise."""
    deviation = np.std(np.asarray(noisy) - 0.4, axis=(1, 2, 3)) * 1e5
    table = np.outer(ISO_LEVELS, [1, 0.1, 0.01])
    nearest = np.abs(np.log(deviation[:, None, None] / table)).reshape(len(deviation), -1)
    found = nearest.argmin(axis=1)
    return {(ISO_LEVELS[k // 3], CAMERAS[k % 3]) for k in found}


def everything():
    return {(iso, camera) for iso in ISO_LEVELS for camera in CAMERAS}


def test_all_cameras_and_isos_are_drawn_by_default():
    assert labels(nf.AddCameraNoise(LabelledNoise())(CLEAN)) == everything()


@pytest.mark.parametrize(
    ("asked", "isos", "cameras"),
    [
        ({"iso": 400}, {400.0}, set(CAMERAS)),
        ({"iso": [100, 1600], "camera": "Beta"}, {100.0, 1600.0}, {"Beta"}),
        ({"iso_range": (50, 500)}, {100.0, 400.0}, set(CAMERAS)),
        ({"camera": ["Gamma", "Alpha"]}, set(ISO_LEVELS), {"Gamma", "Alpha"}),
    ],
)
def test_conditions_are_fixed_or_drawn_from_what_was_given(asked, isos, cameras):
    found = labels(nf.AddCameraNoise(LabelledNoise(), **asked)(CLEAN))
    assert found == {(iso, camera) for iso in isos for camera in cameras}


def test_a_model_that_takes_any_iso_draws_log_uniformly_in_the_range():
    layer = nf.AddCameraNoise(LabelledNoise(None), "Alpha", iso_range=(100, 10000))
    clean = np.full((400, 16, 16, 4), 0.4, np.float32)
    isos = np.std(np.asarray(layer(clean)) - 0.4, axis=(1, 2, 3)) * 1e5
    assert isos.min() > 90 and isos.max() < 11000
    # Log-uniform: half of them below 1000; 400 draws have a standard error of 0.025.
    assert np.mean(isos < 1000) == pytest.approx(0.5, abs=0.1)
    assert np.mean(isos < 316) == pytest.approx(0.25, abs=0.1)


def test_a_model_that_takes_any_iso_needs_none_where_images_bring_theirs():
    layer = nf.AddCameraNoise(LabelledNoise(None))
    assert labels(layer({"clean": CLEAN, "iso": np.full(64, 400)})) == {
        (400.0, camera) for camera in CAMERAS
    }


def test_conditions_of_the_batch_are_used_where_it_has_them():
    layer = nf.AddCameraNoise(LabelledNoise())
    camera = np.array(["Gamma", "Alpha"] * 32)
    assert labels(layer({"clean": CLEAN, "iso": np.full(64, 1600), "camera": camera})) == {
        (1600.0, "Gamma"),
        (1600.0, "Alpha"),
    }
    assert labels(layer({"clean": CLEAN, "camera": tf.ones([64], tf.int32)})) == {
        (iso, "Beta") for iso in ISO_LEVELS
    }


class PartlyLabelledNoise(LabelledNoise):
    """Knows Alpha at all ISOs, Beta at 400 and 1600, Gamma at none."""

    def __init__(self):
        super().__init__(levels_of_cameras=(ISO_LEVELS, (400.0, 1600.0), ()))


KNOWN = {(iso, "Alpha") for iso in ISO_LEVELS} | {(iso, "Beta") for iso in (400.0, 1600.0)}


@pytest.mark.parametrize(
    ("asked", "pairs"),
    [
        ({}, KNOWN),
        ({"iso": [100, 400]}, {(100.0, "Alpha"), (400.0, "Alpha"), (400.0, "Beta")}),
        ({"iso_range": (50, 500)}, {(100.0, "Alpha"), (400.0, "Alpha"), (400.0, "Beta")}),
        ({"camera": "Beta"}, {(400.0, "Beta"), (1600.0, "Beta")}),
    ],
)
def test_only_pairs_that_the_model_knows_are_drawn(asked, pairs):
    layer = nf.AddCameraNoise(PartlyLabelledNoise(), **asked)
    assert labels(layer(CLEAN)) == pairs
    layer.calls.assign(0)
    assert labels(tf.function(layer)(CLEAN)) == pairs


@pytest.mark.parametrize("jit_compile", [False, True])
def test_known_pairs_have_equal_chances(jit_compile):
    draw = tf.function(PartlyLabelledNoise().known.drawing(), jit_compile=jit_compile)
    clean, seed = tf.zeros([5000, 1, 1, 4]), tf.constant([1, 2])
    drawn = np.stack(draw(clean, seed), axis=1)
    pairs, counts = np.unique(drawn, axis=0, return_counts=True)
    # Five pairs, 1000 each with a standard deviation of 28.
    assert len(pairs) == 5 and np.abs(counts - 1000).max() < 140
    np.testing.assert_array_equal(np.stack(draw(clean, seed), axis=1), drawn)


def test_what_the_batch_brings_is_completed_by_what_is_known_with_it():
    layer = nf.AddCameraNoise(PartlyLabelledNoise(), iso=[100, 400])
    given = layer({"clean": CLEAN, "iso": np.full(64, 1600)})
    assert labels(given) == {(1600.0, "Alpha"), (1600.0, "Beta")}
    given = layer({"clean": CLEAN, "camera": np.array(["Alpha", "Beta"] * 32)})
    assert labels(given) == {(100.0, "Alpha"), (400.0, "Alpha"), (400.0, "Beta")}
    given = layer({"clean": CLEAN, "camera": np.ones(64, np.int64), "iso": np.full(64, 400)})
    assert labels(given) == {(400.0, "Beta")}
    with pytest.raises(ValueError, match="camera and ISO to be known together"):
        layer({"clean": CLEAN, "camera": np.full(64, 2)})


def test_a_recalibrated_nlf_with_missing_pairs_adds_noise():
    full = MODELS["camera NLF"][0](tf.float32)
    beta1 = full.beta1.numpy()
    beta1[0, 0] = beta1[1, 1] = beta1[2, 0] = np.nan
    layer = nf.AddCameraNoise(nf.CameraNLF(CAMERAS, ISO_LEVELS, beta1, full.beta2))
    assert np.isfinite(layer(CLEAN)).all()


@pytest.mark.parametrize(
    "asked",
    [
        {"camera": "Gamma"},
        {"camera": ["Alpha", "Gamma"]},
        {"camera": "Beta", "iso": 100},
        {"camera": "Beta", "iso": [100, 400]},
        {"camera": "Beta", "iso_range": (50, 200)},
    ],
)
def test_what_is_never_known_together_is_refused_at_once(asked):
    message = "Alpha at ISO 1600, Beta at ISO 400, .* not know with any"
    with pytest.raises(ValueError, match=message):
        nf.AddCameraNoise(PartlyLabelledNoise(), **asked)


def test_a_model_that_knows_all_pairs_draws_as_if_there_were_no_table():
    clean, seed = tf.zeros([64, 1, 1, 4]), tf.constant([1, 2])
    iso, camera = LabelledNoise().known.drawing()(clean, seed)
    iso_seed, camera_seed = tf.unstack(tf.random.split(seed, 2))
    expected = tf.random.stateless_uniform([64], iso_seed, 0, 3, tf.int32)
    np.testing.assert_array_equal(iso, tf.gather(tf.constant(ISO_LEVELS), expected))
    expected = tf.random.stateless_uniform([64], camera_seed, 0, 3, tf.int32)
    np.testing.assert_array_equal(camera, expected)


@pytest.mark.parametrize("name", MODELS)
def test_adds_the_noise_of_any_model(name):
    builder, channels = MODELS[name]
    model = moved(builder(tf.float32), by=0.03)
    has_isos = model.iso_levels is not None or not model.known.iso.is_needed
    iso_range = None if has_isos else (100, 1600)
    layer = nf.AddCameraNoise(model, iso_range=iso_range, returns_pairs=True)
    clean = np.full((3, 8, 12, channels), 0.3, np.float32)
    noisy, returned = layer(clean)
    np.testing.assert_array_equal(returned, clean)
    deviation = np.std(noisy - clean, axis=(1, 2, 3))
    assert noisy.shape == clean.shape and np.isfinite(deviation).all() and (deviation > 0).all()
    assert np.abs((noisy - clean)[0] - (noisy - clean)[1]).max() > 0, "images share their noise"


def test_noise_is_what_the_model_gives():
    model = MODELS["camera NLF"][0](tf.float32)
    noisy = nf.AddCameraNoise(model, "Beta", 1600)(np.full((64, 32, 32, 4), 0.4, np.float32))
    variance = 0.4 * float(model.beta1[1, 2]) + float(model.beta2[1, 2])
    # 262,144 values: the variance is known to 0.3 %.
    assert np.var(noisy - 0.4) == pytest.approx(variance, rel=0.02)
    assert np.mean(noisy - 0.4) == pytest.approx(0, abs=0.01 * np.sqrt(variance))


def test_an_epoch_can_be_repeated_and_calls_differ():
    layer = nf.AddCameraNoise(LabelledNoise(), seed=5)
    first, second = layer(CLEAN), layer(CLEAN)
    assert np.abs(first - second).max() > 0
    layer.calls.assign(0)
    np.testing.assert_array_equal(layer(CLEAN), first)
    np.testing.assert_array_equal(nf.AddCameraNoise(LabelledNoise(), seed=5)(CLEAN), first)
    other = nf.AddCameraNoise(LabelledNoise(), seed=6)(CLEAN)
    assert np.abs(other - first).max() > 0


def test_graph_equals_eager():
    eager = nf.AddCameraNoise(LabelledNoise(), seed=5)
    layer = nf.AddCameraNoise(LabelledNoise(), seed=5)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 4])])
    for _ in range(2):
        # The graph fuses what eager mode rounds in between.
        np.testing.assert_allclose(graph(CLEAN), eager(CLEAN), atol=1e-7)


def test_map_function_gives_the_same_noise_whatever_the_number_of_parallel_calls():
    layer = nf.AddCameraNoise(LabelledNoise(), returns_pairs=True, seed=5)
    images = tf.data.Dataset.from_tensor_slices(CLEAN[:12])

    def noisy(dataset, parallel):
        return np.stack([n for n, _ in dataset.map(layer.map_function, parallel)])

    once = noisy(images.enumerate(), 1)
    np.testing.assert_array_equal(noisy(images.enumerate(), 4), once)
    twice = noisy(images.repeat(2).enumerate(), 4)
    np.testing.assert_array_equal(twice[:12], once)
    assert np.abs(twice[12:] - once).max() > 0, "the second epoch has other noise"
    np.testing.assert_array_equal(noisy(images.enumerate(start=12), 4), twice[12:])
    np.testing.assert_array_equal(noisy(images.enumerate().repeat(2), 4)[12:], once)
    batched = images.batch(4).enumerate().map(layer.map_function)
    assert batched.element_spec[0].shape[1:] == (16, 16, 4)


def test_elements_do_not_repeat_each_others_noise():
    layer = nf.AddCameraNoise(LabelledNoise(), "Alpha", 1600)
    # Of the first 50,000 elements of seed 0 the two whose seeds agree when hashed to 32 bits.
    first, second = (layer.map_function(index, CLEAN[:1]) for index in (45520, 47586))
    assert np.abs(first - second).max() > 0


def test_rounding_and_clipping():
    step = 1 / 63
    clean = np.repeat(np.float32([0, 0.5, 1]), 64).reshape(3, 4, 4, 4)
    model = nf.GaussianNoise(0.05)
    layer = nf.AddCameraNoise(model, quantization_step=step, clips=True)
    noisy = layer(clean).numpy()
    # Each value is exactly its code's: as many values as there can be codes.
    assert len(np.unique(noisy)) <= 64
    codes = noisy / step
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)  # float32 of a code near 63
    assert noisy.min() == 0 and noisy.max() == 1
    assert len(np.unique(np.rint(codes[1]))) > 5
    free = nf.AddCameraNoise(model)(clean).numpy()
    assert free.min() < 0 and free.max() > 1
    assert np.abs(free / step - np.rint(free / step)).max() > 0.3


def test_in_a_keras_model_it_trains_nothing_and_is_idle_in_evaluation():
    noise_model = LabelledNoise()
    layer = nf.AddCameraNoise(noise_model, "Alpha", 1600)
    model = tf_keras.Sequential([layer, tf_keras.layers.Conv2D(4, 1)])
    model.trainable = True
    model.compile("sgd", "mse")
    model.fit(CLEAN, CLEAN, epochs=1, batch_size=32, verbose=0)
    assert int(layer.calls) == 2
    assert len(model.trainable_weights) == 2
    assert float(noise_model.bijector.scale) == np.float32(1e-5)
    model.evaluate(CLEAN, CLEAN, verbose=0)
    assert int(layer.calls) == 2
    np.testing.assert_array_equal(layer(CLEAN, training=False), CLEAN)
    always = nf.AddCameraNoise(noise_model, only_in_training=False)
    assert np.abs(always(CLEAN, training=False) - CLEAN).max() > 0


def test_gradient_with_respect_to_clean_is_the_identity():
    clean = tf.constant(CLEAN[:1])
    layer = nf.AddCameraNoise(MODELS["camera NLF"][0](tf.float32), quantization_step=0.01)
    with tf.GradientTape() as tape:
        tape.watch(clean)
        total = tf.reduce_sum(layer(clean))
    np.testing.assert_array_equal(tape.gradient(total, clean), np.ones_like(CLEAN[:1]))


def a_flow():
    return moved(MODELS["S-Ax1-G-Ax1-CAM"][0](tf.float32), by=0.03)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("build", [LabelledNoise, a_flow])
def test_under_mixed_precision_noise_stays_in_float32(policy, build):
    reference = nf.AddCameraNoise(build(), seed=5)(CLEAN)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        layer = nf.AddCameraNoise(build(), seed=5)
        noisy = layer(CLEAN)
        model = tf_keras.Sequential([layer, tf_keras.layers.Conv2D(4, 1)])
        assert model(CLEAN).dtype == tf.as_dtype(policy[6:])
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    assert noisy.dtype == tf.float32
    np.testing.assert_array_equal(noisy, reference)
    half = layer(tf.cast(CLEAN, tf.float16))
    assert half.dtype == tf.float32


def test_a_checkpoint_keeps_the_noise_model_and_the_count(tmp_path):
    def build():
        return nf.AddCameraNoise(moved(MODELS["S-Ax1-G-Ax1-CAM"][0](tf.float32), by=0.03))

    layer = build()
    layer(CLEAN)
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "c")
    other = nf.AddCameraNoise(MODELS["S-Ax1-G-Ax1-CAM"][0](tf.float32))
    tf.train.Checkpoint(layer=other).restore(path).assert_consumed()
    np.testing.assert_array_equal(layer(CLEAN), other(CLEAN))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_formats_that_would_lose_the_noise_model_are_refused(tmp_path, name):
    model = tf_keras.Sequential([nf.AddCameraNoise(LabelledNoise()), tf_keras.layers.Conv2D(4, 1)])
    model(CLEAN)
    with pytest.raises(ValueError, match="would lose the noise model's variables"):
        model.save(tmp_path / name)
    with pytest.raises(ValueError, match="would lose the noise model's variables"):
        model.save_weights(tmp_path / "model.weights.h5")


def test_keras_3_trains_on_the_mapped_dataset():
    layer = nf.AddCameraNoise(LabelledNoise(), "Alpha", 1600, returns_pairs=True)
    dataset = tf.data.Dataset.from_tensor_slices(CLEAN).batch(16).repeat().enumerate()
    model = keras.Sequential([keras.layers.Conv2D(4, 1)])
    model.compile("adam", "mse")
    history = model.fit(dataset.map(layer.map_function), steps_per_epoch=8, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


REPLICAS = """
import numpy as np, tensorflow as tf, tf_keras, tfp_noiseflow as nf
from tests.registry import MODELS, moved
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
clean = np.full((8, 4, 4, 4), 0.4, np.float32)
with strategy.scope():
    layer = nf.AddCameraNoise(moved(MODELS["{model}"][0](tf.float32), by=0.03), seed=3)
    model = tf_keras.Sequential([layer, tf_keras.layers.Conv2D(4, 1)])
    model.compile("sgd", "mse")
def noise():
    given = strategy.experimental_distribute_values_from_function(lambda context: clean)
    return np.stack([v.numpy() for v in strategy.run(tf.function(layer), [given]).values]) - 0.4
first, second = noise(), noise()
layer.calls.assign(0)
again = noise()
assert np.array_equal(first, again), "not reproducible"
assert np.abs(first[0] - first[1]).max() > 1e-3, "the replicas share their noise"
assert np.abs(first - second).max() > 1e-3, "the calls share their noise"
layer.calls.assign(0)
model.fit(clean, clean, batch_size=4, epochs=2, verbose=0)
print("calls", strategy.experimental_local_results(layer.calls)[1].numpy())
"""


@pytest.mark.slow  # A process of its own, with two devices.
@pytest.mark.parametrize("model", ["Gaussian", "S-Ax1-G-Ax1-CAM"])
def test_replicas_of_a_distributed_training_have_noise_of_their_own(model):
    # Logical devices are configured before TensorFlow starts, hence the process.
    done = run_python("-c", REPLICAS.replace("{model}", model))
    assert done.returncode == 0, done.stderr
    assert "calls 4" in done.stdout


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"camera": "Delta"}, "Alpha, Beta, Gamma"),
        ({"camera": []}, "at least one camera"),
        ({"iso": 200}, r"known ones \(100"),
        ({"iso": -100}, "positive ISOs"),
        ({"iso": []}, "positive ISOs"),
        ({"iso": 100, "iso_range": (100, 400)}, "iso or iso_range"),
        ({"iso_range": (500, 600)}, "levels .* in it"),
        ({"iso_range": (400, 100)}, "iso_range"),
        ({"quantization_step": -0.1}, "quantization_step"),
    ],
)
def test_wrong_arguments_say_what_is_expected(asked, message):
    with pytest.raises(ValueError, match=message):
        nf.AddCameraNoise(LabelledNoise(), **asked)


def test_wrong_calls_say_what_is_expected():
    with pytest.raises(ValueError, match="iso or iso_range"):
        nf.AddCameraNoise(LabelledNoise(None))(CLEAN)
    layer = nf.AddCameraNoise(MODELS["camera NLF"][0](tf.float32))
    with pytest.raises(ValueError, match="a dict with clean"):
        layer({"image": CLEAN})
    with pytest.raises(ValueError, match=r"1\.001"):
        layer(2 * CLEAN + 1)
    with pytest.raises(ValueError, match="camera"):
        layer({"clean": CLEAN, "camera": ["Delta"] * 64})


@pytest.mark.parametrize("name", ["S-Ax1-G-Ax1-CAM", "stored L-R-P"])
def test_compiled_by_xla_it_adds_the_same_noise(name):
    model = moved(MODELS[name][0](tf.float32), by=0.05)
    clean = np.random.default_rng(0).uniform(0.1, 0.6, (4, 8, 8, 4)).astype(np.float32)
    isos = ISO_LEVELS if model.iso_levels is None else None
    options = {"iso": isos, "digital_gain": (1.0, 2.0), "returns_pairs": True, "seed": 5}
    found, expected = (
        nf.AddCameraNoise(model, jit_compile=jit_compile, **options)
        for jit_compile in (True, False)
    )
    for layer_or_map in (lambda layer: layer(clean), lambda layer: layer.map_function(3, clean)):
        (noisy, _), (wanted, _) = layer_or_map(found), layer_or_map(expected)
        apart = np.abs(noisy - wanted)
        # A product and a sum may be contracted; where that decides a rounding, a code.
        assert np.median(apart) < 1e-6 and np.mean(apart > 1e-4) < 0.01
    for wrong in ({"digital_gain": 0.5}, {"iso": -1.0}):
        with pytest.raises(ValueError, match="expected"):
            found({"clean": clean} | wrong)
    images = tf.data.Dataset.from_tensor_slices(clean).batch(2).enumerate()
    assert len(list(images.map(found.map_function))) == 2


def test_noise_without_a_bijector_is_not_compiled(monkeypatch):
    model = nf.GaussianNoise(0.1)
    # As that of dark frames.
    monkeypatch.setattr(model, "bijector", None)
    with pytest.raises(ValueError, match="expected jit_compile=False for a noise model without"):
        nf.AddCameraNoise(model, jit_compile=True)
