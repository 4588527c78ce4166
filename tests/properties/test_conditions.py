"""What a call takes and what it refuses, in whatever form conditions come."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import tfp_noiseflow as nf
from tests.properties.cases import CLEAN, clean_images, for_all, isos, names, seeds
from tests.registry import CAMERAS, ISO_LEVELS, MODELS, moved

# Those whose call is quick: of levels, of any ISO, of no camera, of codes.
MODEL_NAMES = ("S-G-CAM", "L", "camera NLF", "Gaussian", "stored camera NLF")
REFUSED = (ValueError, tf.errors.InvalidArgumentError)

# Forms in which ISOs and cameras come.
ISO_FORMS = (
    np.float32,
    np.float64,
    np.int64,
    lambda iso: iso.tolist(),
    lambda iso: tf.constant(iso, tf.float32),
    lambda iso: tf.constant(iso, tf.int32),
)
CAMERA_FORMS = (
    lambda camera: camera,
    lambda camera: camera.astype(np.int64),
    lambda camera: camera.tolist(),
    tf.constant,
    lambda camera: np.array(CAMERAS)[camera],
    lambda camera: np.array(CAMERAS, object)[camera],
    lambda camera: np.array(CAMERAS)[camera].tolist(),
    lambda camera: tf.constant(np.array(CAMERAS)[camera]),
)


@functools.cache
def model_of(name):
    return moved(MODELS[name][0](tf.float32), by=0.1)


@for_all(
    15,
    name=st.sampled_from(MODEL_NAMES),
    rows=st.one_of(st.just(()), st.tuples(st.integers(1, 3))),
    clean=st.sampled_from(CLEAN),
    iso_form=st.sampled_from(range(len(ISO_FORMS))),
    camera_form=st.sampled_from(range(len(CAMERA_FORMS))),
    seed=seeds,
)
def test_conditions_of_any_form_mean_the_same(name, rows, clean, iso_form, camera_form, seed):
    generator = np.random.default_rng(seed)
    images = clean_images(clean, (*rows, 2, 3, 4), generator).astype(np.float32)
    iso = np.asarray(generator.choice(ISO_LEVELS, rows))
    camera = np.asarray(generator.integers(0, 3, rows), np.int32)
    model = model_of(name)
    expected = model(images, iso=iso.astype(np.float32), camera=camera)
    noise = expected.sample(seed=(seed, 0))
    actual = model(
        tf.constant(images), iso=ISO_FORMS[iso_form](iso), camera=CAMERA_FORMS[camera_form](camera)
    )
    assert actual.batch_shape == expected.batch_shape == rows
    np.testing.assert_array_equal(actual.sample(seed=(seed, 0)), noise)
    np.testing.assert_array_equal(actual.log_prob(noise), expected.log_prob(noise))


bad_isos = st.one_of(
    st.floats(max_value=0.0), st.just(np.nan), st.just(np.inf), st.just("100"), st.just([100.0] * 5)
)
bad_names = names.filter(lambda name: name not in CAMERAS)
bad_cameras = st.one_of(
    bad_names,
    st.integers(max_value=-1, min_value=-(2**63)),
    st.integers(min_value=3, max_value=2**63 - 1),
    st.floats(),
    st.just(["Alpha"] * 5),
    st.lists(bad_names, min_size=2, max_size=2),
)
bad_cleans = st.one_of(
    st.sampled_from((np.nan, np.inf, -np.inf, 1.002, 255.0)).map(
        lambda value: np.full([2, 2, 3, 4], value, np.float32)
    ),
    st.sampled_from(((4,), (3, 4), (2, 0, 3, 4), (2, 2, 0, 4), (2, 2, 3, 0))).map(
        lambda shape: np.zeros(shape, np.float32)
    ),
    st.just(np.zeros([2, 2, 3, 4], np.uint8)),
    st.just("an image"),
    st.just(None),
)


@for_all(
    25,
    name=st.sampled_from(MODEL_NAMES),
    wrong=st.one_of(
        st.tuples(st.just("iso"), bad_isos),
        st.tuples(st.just("camera"), bad_cameras),
        st.tuples(st.just("clean"), bad_cleans),
    ),
    samples=st.booleans(),
)
def test_what_is_no_condition_gives_no_number(name, wrong, samples):
    model = model_of(name)
    what, value = wrong
    if what == "camera" and model.cameras is None:
        return  # Any.
    given = {"clean": np.full([2, 2, 3, 4], 0.5, np.float32), "iso": 400.0, "camera": "Beta"}
    given[what] = value
    with pytest.raises(REFUSED, match="expected"):
        if samples:
            nf.sample_noise(model, **given, seeds=[[0, 1], [2, 3]])
        else:
            model(**given).log_prob(np.zeros([2, 2, 3, 4], np.float32))


@for_all(
    8,
    name=st.sampled_from(MODEL_NAMES),
    shape=st.lists(st.integers(0, 4), max_size=5).map(tuple),
    value=st.sampled_from((0.0, np.nan)),
)
def test_noise_that_does_not_fit_has_no_likelihood(name, shape, value):
    distribution = model_of(name)(np.full([2, 2, 3, 4], 0.5, np.float32), iso=400.0, camera="Beta")
    if shape[-3:] == (2, 3, 4) and shape[-4:-3] in ((), (1,), (2,)):
        # It fits, as one sample or several, unless it is not finite.
        if 0 in shape:
            return
        value = np.nan
    with pytest.raises(REFUSED):
        distribution.log_prob(np.full(shape, value, np.float32))


wrong_temperatures = st.one_of(
    st.floats(max_value=-1e-30), st.sampled_from((np.nan, np.inf, "hot")), st.just([1.0] * 3)
)
wrong_seeds = st.one_of(
    st.lists(st.integers(-5, 5), max_size=3),
    st.just([[0.5, 1.0]] * 2),
    st.just([[1, 2]] * 3),
    st.just(None),
)


@for_all(
    8, name=st.sampled_from(MODEL_NAMES), wrong_seed=wrong_seeds, temperature=wrong_temperatures
)
def test_wrong_seeds_and_temperatures_are_refused(name, wrong_seed, temperature):
    given = {"clean": np.full([2, 2, 3, 4], 0.5, np.float32), "iso": 400.0, "camera": 1}
    for wrong in ({"seeds": wrong_seed}, {"temperature": temperature}):
        options = {"seeds": [[0, 1], [2, 3]], **wrong}
        with pytest.raises(REFUSED):
            nf.sample_noise(model_of(name), **given, **options)


@for_all(6, iso=isos, factor=st.floats(0.1, 10.0), seed=seeds)
def test_noise_of_more_light_at_more_gain_is_scaled(iso, factor, seed):
    """Outside of its levels gamma is proportional to the ISO; the noise is gamma's multiple."""
    model = moved(
        nf.NoiseFlow(
            "S-G-CAM", cameras=CAMERAS, iso_levels=ISO_LEVELS, interpolates_gain=True, seed=5
        )
    )
    iso = max(iso, 1600.0) / min(factor, 1.0)
    generator = np.random.default_rng(seed)
    clean = generator.uniform(0, 1 / max(factor, 1.0), (1, 2, 3, 4)).astype(np.float32)
    one, other = (
        nf.sample_noise(model, k * clean, k * iso, "Beta", seeds=[[seed, 1]]) for k in (1, factor)
    )
    # float32 and a gain of up to 1000.
    np.testing.assert_allclose(other, factor * one, rtol=1e-4)
