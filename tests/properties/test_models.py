"""What holds of every noise model for images of any size, any conditions and seeds."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import tfp_noiseflow as nf
from tests.properties.cases import CLEAN, clean_images, for_all, isos, seeds, sizes
from tests.registry import CAMERAS, CONTINUOUS_MODELS, ISO_LEVELS, MODELS, moved

# A graph of each is traced, which takes seconds: `make test` has one of each kind.
QUICK = ("S-G-CAM", "L-R-P", "stored camera NLF")

# Of float32: the eight couplings of the deep flow stretch a rounding up to 1000-fold, see
# tests/models/test_all_models.py. Its graph takes the longest: one is enough.
DEEP = "S-Ax4-G-Ax4-CAM"
CASES = [
    *((name, tf.float64) for name in MODELS if name != DEEP),
    *((name, tf.float32) for name in (DEEP, "L-R-P", "stored L-R-P")),
]
CLOSE = {tf.float64: {"rtol": 1e-9, "atol": 1e-9}, tf.float32: {"rtol": 2e-3, "atol": 2e-3}}

every_model = pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(
            name,
            dtype,
            id=f"{name}, {dtype.name}",
            marks=[] if name in QUICK and dtype == tf.float64 else [pytest.mark.slow],
        )
        for name, dtype in CASES
    ],
)


@functools.cache
def model_of(name, dtype):
    return moved(MODELS[name][0](dtype), by=0.05)


def computed(model, is_continuous, clean, iso, camera, seeds):
    """All that a model says of a batch, by name."""
    noise = tf.identity(nf.sample_noise(model, clean, iso, camera, seeds=seeds))
    distribution = model(clean, iso=iso, camera=camera)
    said = {"noise": noise, "log_prob": distribution.log_prob(noise)}
    if is_continuous:
        said["latent"] = distribution.bijector.inverse(noise)
        said["noise again"] = distribution.bijector.forward(tf.identity(said["latent"]))
    return said


@functools.cache
def graph_of(name, dtype):
    model, channels = model_of(name, dtype), MODELS[name][1]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, channels], dtype),
            tf.TensorSpec([None], dtype),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 2], tf.int32),
        ]
    )
    def graph(clean, iso, camera, seeds):
        return computed(model, name in CONTINUOUS_MODELS, clean, iso, camera, seeds)

    return graph


def batch_of(name, dtype, rows, size, clean, any_iso, seed):
    """Clean images, ISOs and cameras that the model knows, and seeds."""
    model, channels = model_of(name, dtype), MODELS[name][1]
    scale = 2 if channels == 1 else 1
    shape = (rows, scale * size[0], scale * size[1], channels)
    generator = np.random.default_rng(seed)
    iso = generator.choice(ISO_LEVELS, rows)
    if model.known.iso.levels is None:
        iso[0] = any_iso
    return (
        clean_images(clean, shape, generator).astype(dtype.as_numpy_dtype),
        iso.astype(dtype.as_numpy_dtype),
        generator.integers(0, len(CAMERAS), rows, np.int32),
        generator.integers(-(2**31), 2**31, (rows, 2)).astype(np.int32),
    )


@every_model
@for_all(
    3,
    rows=st.integers(1, 4),
    size=sizes,
    clean=st.sampled_from(CLEAN),
    any_iso=isos,
    seed=seeds,
    is_eager_too=st.integers(0, 9).map(lambda number: number == 7),
)
def test_rows_are_drawn_scored_and_inverted_each_for_itself(name, dtype, is_eager_too, **drawn):
    batch = batch_of(name, dtype, **drawn)
    graph = graph_of(name, dtype)
    said = {what: value.numpy() for what, value in graph(*batch).items()}
    # What does not fit is told in the scale of the noise.
    scale = 1 + np.abs(said.get("latent", said["noise"])).max()
    sd = np.abs(said["noise"]).max() + 1e-12
    size = {"noise": sd, "noise again": sd, "latent": scale, "log_prob": scale * said["noise"].size}

    def assert_same(actual, expected, what):
        tolerances = CLOSE[dtype]
        np.testing.assert_allclose(
            actual, expected, tolerances["rtol"], tolerances["atol"] * size[what], err_msg=what
        )

    for what, value in said.items():
        assert np.isfinite(value).all(), what
        assert value.dtype == dtype.as_numpy_dtype
    if "latent" in said:
        assert_same(said["noise again"], said["noise"], "noise again")
    rows = np.random.default_rng(drawn["seed"]).permutation(drawn["rows"])
    shuffled = graph(*(value[rows] for value in batch))
    alone = graph(*(value[:1] for value in batch))
    for what, value in said.items():
        assert_same(shuffled[what], value[rows], what)
        assert_same(alone[what], value[:1], what)
    if is_eager_too:
        eager = computed(model_of(name, dtype), name in CONTINUOUS_MODELS, *batch)
        for what, value in said.items():
            assert_same(eager[what], value, what)
