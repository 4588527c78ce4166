"""The layer for Keras 3, in Keras 3."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.documents import ROOT
from tests.registry import CAMERAS, ISO_LEVELS, MODELS

keras = pytest.importorskip("keras", minversion="3")

from tfp_noiseflow.frameworks.keras3 import AddCameraNoise, ServedNoise  # noqa: E402

CLEAN = np.random.default_rng(0).uniform(0.1, 0.5, (6, 8, 8, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return MODELS["camera NLF"][0](tf.float32)


def denoiser(model, **options):
    return keras.Sequential(
        [AddCameraNoise(model, **options), keras.layers.Conv2D(4, 3, padding="same")]
    )


def test_noise_is_that_of_the_other_layer(model):
    ours, other = AddCameraNoise(model, seed=3), nf.AddCameraNoise(model, seed=3)
    for _ in range(2):
        np.testing.assert_array_equal(ours(CLEAN), other(CLEAN))
    given = {
        "clean": CLEAN,
        "iso": np.full(6, ISO_LEVELS[0]),
        "camera": tf.constant([CAMERAS[0]] * 6),
    }
    np.testing.assert_array_equal(ours(given), other(given))
    assert int(ours.calls.value) == 3


def test_it_trains_in_keras(model):
    network = denoiser(model, seed=1)
    network.compile("adam", "mse")
    history = network.fit(CLEAN, CLEAN, epochs=3, batch_size=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    layer = network.layers[0]
    assert int(layer.calls.value) == 6
    assert not layer.trainable_variables and len(network.trainable_variables) == 2
    # Without noise outside of training.
    np.testing.assert_array_equal(layer(CLEAN, training=False), CLEAN)
    before = int(layer.calls.value)
    network.predict(CLEAN, verbose=0)
    assert int(layer.calls.value) == before


def test_functional_models_and_pairs(model):
    inputs = keras.Input([8, 8, 4])
    noisy, clean = AddCameraNoise(model, returns_pairs=True)(inputs, training=True)
    pairs = keras.Model(inputs, [noisy, clean])
    noisy, clean = pairs(CLEAN, training=True)
    np.testing.assert_array_equal(clean, CLEAN)
    assert 0 < np.std(noisy - clean) < 1


def test_half_precision_keeps_the_noise(model):
    layer = AddCameraNoise(model, seed=3)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = AddCameraNoise(model, seed=3)
    finally:
        keras.config.set_dtype_policy("float32")
    noisy = half(CLEAN)
    assert noisy.dtype == tf.float32
    np.testing.assert_array_equal(noisy, layer(CLEAN))


def test_weights_are_saved_and_the_whole_model_is_refused(model, tmp_path):
    network = denoiser(model)
    network(CLEAN, training=True)
    network.save_weights(tmp_path / "w.weights.h5")
    other = denoiser(model)
    other(CLEAN, training=False)
    other.load_weights(tmp_path / "w.weights.h5")
    assert int(other.layers[0].calls.value) == 1
    with pytest.raises(ValueError, match=r"expected the weights alone to be saved"):
        network.save(tmp_path / "model.keras")


def test_another_backend_is_told(model, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"expected Keras with the TensorFlow backend .*'jax'"):
        AddCameraNoise(model)


def test_an_export_has_defaults_for_seed_and_temperature():
    path = str(ROOT / "saved_models" / "noise_flow" / "1")
    layer = ServedNoise(path, seed=7)
    found = layer(CLEAN, iso=800, camera="Pixel")
    served = tf.saved_model.load(path).signatures["serving_default"]
    rows = np.arange(len(CLEAN), dtype=np.int32)
    expected = served(
        clean=tf.constant(CLEAN),
        iso=tf.fill([len(CLEAN)], 800.0),
        camera=tf.fill([len(CLEAN)], "Pixel"),
        seed=tf.constant(np.stack([np.full_like(rows, 7), rows], axis=-1)),
        temperature=tf.ones(len(CLEAN)),
    )
    np.testing.assert_array_equal(found["noisy"], expected["noisy"])
    # Without a spread, whatever the seed.
    first, second = (
        layer(CLEAN, iso=800, camera="Pixel", seed=seed, temperature=0.0)["noise"]
        for seed in (None, np.ones([len(CLEAN), 2], np.int32))
    )
    np.testing.assert_array_equal(first, second)
    assert np.std(first) < 0.5 * np.std(found["noise"])
    inputs = keras.Input([8, 8, 4])
    model = keras.Model(inputs, layer(inputs, iso=800, camera="Pixel")["noisy"])
    np.testing.assert_array_equal(model(CLEAN), expected["noisy"])
