"""What holds of every layer for images of any size and batch, and any conditions."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from tests.properties.cases import CLEAN, clean_images, for_all, seeds, sizes
from tests.registry import CAMERAS, ISO_LEVELS, LAYERS, moved, needed

# Of each dtype: of values of some 1 to 10 after a few hundred roundings, which layers stretch by up
# to 100.
TOLERANCES = {tf.float64: 1e-10, tf.float32: 2e-3}

drawn = {
    "name": st.sampled_from(sorted(LAYERS)),
    "batch_shape": st.lists(st.integers(1, 3), max_size=2).map(tuple),
    "size": sizes,
    "dtype": st.sampled_from(list(TOLERANCES)),
    "clean": st.sampled_from(CLEAN),
    "is_shared": st.booleans(),
    "seed": seeds,
}


@functools.cache
def layer_of(name, dtype):
    return moved(LAYERS[name][0](dtype))


def case(name, batch_shape, size, dtype, clean, is_shared, seed):
    """A layer, an image, and conditions: of each image of the batch, or shared by all."""
    layer, channels = layer_of(name, dtype), LAYERS[name][1]
    scale = 2 if name == "squeezed_chain" else 1
    shape = (scale * size[0], scale * size[1], channels)
    generator = np.random.default_rng(seed)
    of = () if is_shared else batch_shape
    given = {
        "clean": clean_images(clean, (*of, *shape), generator),
        "iso": generator.choice(ISO_LEVELS, of),
        "camera": generator.integers(0, len(CAMERAS), of),
    }
    given["clean"] = given["clean"].astype(dtype.as_numpy_dtype)
    x = tf.constant(generator.standard_normal((*batch_shape, *shape)), dtype)
    return layer, x, needed(layer, given)


@for_all(12, **drawn)
def test_inverse_undoes_forward_and_log_dets_cancel(**drawn):
    layer, x, given = case(**drawn)
    y, log_det = layer.forward_and_log_det(x, **given)
    back, log_det_back = layer.inverse_and_log_det(tf.identity(y), **given)
    tolerance = TOLERANCES[drawn["dtype"]]
    np.testing.assert_allclose(back, x, rtol=0, atol=tolerance)
    # A sum over the pixels.
    total = tolerance * np.prod(x.shape[-3:])
    np.testing.assert_allclose(log_det + log_det_back, 0, rtol=0, atol=total)
    assert y.dtype == log_det.dtype == drawn["dtype"]
    assert np.isfinite(y).all() and np.isfinite(log_det).all()


@for_all(6, **drawn | {"batch_shape": st.tuples(st.integers(2, 4)), "is_shared": st.just(False)})
def test_a_row_is_the_same_at_another_place_and_alone(**drawn):
    layer, x, given = case(**drawn)
    rows = np.random.default_rng(drawn["seed"]).permutation(len(x))
    shuffled = {name: np.asarray(value)[rows] for name, value in given.items()}
    tolerance = TOLERANCES[drawn["dtype"]]
    close = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
    for both in (layer.forward_and_log_det, layer.inverse_and_log_det):
        y, log_det = both(x, **given)
        y_there, log_det_there = both(tf.gather(x, rows), **shuffled)
        log_det, log_det_there = (np.broadcast_to(v, len(x)) for v in (log_det, log_det_there))
        close(y_there, np.asarray(y)[rows])
        close(log_det_there, log_det[rows])
        alone, log_det_alone = both(x[0], **{name: value[0] for name, value in given.items()})
        close(alone, y[0])
        close(log_det_alone, log_det[0])


@for_all(6, **drawn, wrong=st.integers(0, 2))
def test_a_wrong_condition_is_named_and_gives_no_number(wrong, **drawn):
    layer, x, given = case(**drawn)
    pixels = np.asarray(given.get("clean", x))
    values = {
        "clean": [np.where(pixels == pixels.flat[0], bad, pixels) for bad in (np.nan, np.inf, 1.1)],
        "iso": [0.0, np.nan, np.inf],
        "camera": [-1, len(CAMERAS), 2**40],
    }
    for name in given:
        value = np.asarray(values[name][wrong])
        value = value if name == "camera" else value.astype(drawn["dtype"].as_numpy_dtype)
        with pytest.raises(ValueError, match=name):
            layer.forward(x, **{**given, name: value})


@for_all(4, **drawn)
def test_a_clean_image_of_another_size_is_refused(**drawn):
    layer, x, given = case(**drawn)
    if "clean" in given:
        taller = np.concatenate([given["clean"]] * 2, axis=-3)
        with pytest.raises(ValueError, match="expected clean"):
            layer.forward(x, **{**given, "clean": taller})
