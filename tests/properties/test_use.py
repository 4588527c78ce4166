"""What is done with any model: it is saved, served, trained, scored, and its noise added."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import tfp_noiseflow as nf
from tests.properties.cases import CLEAN, clean_images, for_all, names, seeds, sizes
from tests.registry import CAMERAS, ISO_LEVELS, conditions, images, moved
from tfp_noiseflow.models.model_directory import model_digest

# The letters in the orders that make sense; repeated, and with factors for cameras.
ARCHITECTURES = (
    *("S-G", "S-G-CAM", "S-Ax1-G-Ax1-CAM", "G-A", "N-C", "N-Ax1-C", "Ax1"),
    *("L", "L-R", "L-T", "L-R-T", "L-R-P", "L-R-T-Ax1", "L-Bx1", "S-R-G-T"),
)
drawn_model = {
    "architecture": st.sampled_from(ARCHITECTURES),
    "cameras": st.lists(names, min_size=1, max_size=4, unique=True),
    "iso_levels": st.lists(
        st.floats(1.0, 1e6).map(lambda iso: float(f"{iso:.3g}")),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    "channels": st.sampled_from((1, 4)),
    "hidden_channels": st.integers(1, 6),
    "has_border_indicator": st.booleans(),
    "dtype": st.sampled_from((tf.float32, tf.float64)),
    "seed": st.integers(0, 2**32),
}
LAW_MODEL = nf.NoiseFlow.from_laws(
    [
        nf.CameraLaw((1e-4 * k, 1e-5), (1e-7, 1e-8, 1e-6), camera=camera)
        for k, camera in enumerate(CAMERAS, 1)
    ]
)


def model_of(stores, **options):
    model = moved(nf.NoiseFlow(**options), seed=options["seed"], by=0.05)
    return nf.StoredNoise(model, 1 / 255) if stores else model


def call_of(model):
    return {
        "clean": np.full((1, 2, 4, model.channels), 0.25, model.dtype.as_numpy_dtype),
        "iso": model.known.isos_to_show[0],
        "camera": None if model.cameras is None else model.cameras[-1],
    }


@for_all(4, **drawn_model, stores=st.booleans())
def test_a_model_is_saved_and_comes_back(folder, **drawn):
    model = model_of(**drawn)
    nf.save_model(model, folder / "model", {"file": "none"})
    loaded = nf.load_model(folder / "model")
    assert loaded.get_config() == model.get_config()
    assert model_digest(loaded) == model_digest(model)
    assert (loaded.cameras, loaded.iso_levels) == (model.cameras, model.iso_levels)
    noise = nf.sample_noise(model, **call_of(model), seeds=[[1, 2]])
    again = nf.sample_noise(loaded, **call_of(model), seeds=[[1, 2]])
    np.testing.assert_array_equal(noise, again)
    assert np.isfinite(model(**call_of(model)).log_prob(noise)).all()


@pytest.mark.slow  # Some seconds each.
@for_all(
    0.2,
    **drawn_model | {"channels": st.just(4), "dtype": st.just(tf.float32)},
    stores=st.booleans(),
)
def test_an_export_draws_and_scores_as_its_model(folder, **drawn):
    model = model_of(**drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = nf.export_saved_model(model, folder / "served")
    served = tf.saved_model.load(path).signatures
    call = call_of(model)
    noise = nf.sample_noise(model, **call, seeds=[[3, 4]])
    batch = {
        "clean": tf.constant(call["clean"]),
        "iso": tf.constant([call["iso"]], tf.float32),
        "camera": tf.constant([call["camera"] or "any"]),
    }
    of_seed = {"seed": tf.constant([[3, 4]]), "temperature": tf.ones([1])}
    actual = served["sample_noise"](**batch, **of_seed)["noise"]
    # A graph sums in another order.
    np.testing.assert_allclose(actual, noise, rtol=0, atol=1e-5 * np.abs(noise).max())
    expected = model(**call).log_prob(noise)
    actual = served["log_prob"](noise=noise, **batch)["log_prob"]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)


@for_all(
    6,
    batch_shape=st.lists(st.integers(1, 3), max_size=2).map(tuple),
    size=sizes,
    clean=st.sampled_from(CLEAN),
    step=st.sampled_from((0.0, 1 / 255, 1 / 1023)),
    clips=st.booleans(),
    gain=st.sampled_from((1.0, (1.0, 4.0), 2.5)),
    brings_conditions=st.booleans(),
    seed=seeds,
)
def test_noisy_images_are_on_codes_within_range_and_the_same_again(
    batch_shape, size, clean, step, clips, gain, brings_conditions, seed
):
    generator = np.random.default_rng(seed)
    shape = (*batch_shape, *size, 4)
    inputs = clean_images(clean, shape, generator).astype(np.float32)
    if brings_conditions:
        given = conditions(batch_shape, (*size, 4), seed % 1000, np.float32)
        inputs = {**given, "clean": inputs}
    options = {
        "quantization_step": step,
        "clips": clips,
        "digital_gain": gain,
        "returns_pairs": True,
        "seed": seed,
    }
    noisy, same = nf.AddCameraNoise(LAW_MODEL, iso=[100.0, 1600.0], **options)(inputs)
    assert noisy.shape == shape and noisy.dtype == tf.float32
    np.testing.assert_array_equal(same, inputs["clean"] if brings_conditions else inputs)
    assert np.isfinite(noisy).all()
    if clips:
        assert np.min(noisy) >= 0 and np.max(noisy) <= 1
    if step:
        # float32 of numbers up to 1 and a little more, times 1023.
        np.testing.assert_allclose(noisy / step, np.round(noisy / step), atol=1e-3)
    again, _ = nf.AddCameraNoise(LAW_MODEL, iso=[100.0, 1600.0], **options)(inputs)
    np.testing.assert_array_equal(again, noisy)


@for_all(
    5,
    frames=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    size=st.tuples(st.integers(3, 5), st.integers(3, 6)),
    crop=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    flips=st.booleans(),
    seed=seeds,
)
def test_noise_of_dark_frames_without_light_is_of_the_frames_of_its_iso(
    frames, size, crop, flips, seed
):
    generator = np.random.default_rng(seed)
    levels = [("A", 100.0 * 2**k) for k in range(len(frames))]
    beta1 = [1e-3] * len(frames)
    model = nf.DarkFrameNoise(levels, frames, beta1, (*size, 4), has_flips=flips)
    bank = generator.standard_normal((sum(frames), *size, 4)).astype(np.float32)
    model._frames.assign(bank)
    which = generator.integers(len(frames))
    clean = np.zeros((2, *crop, 4), np.float32)
    noise = model(clean, iso=levels[which][1]).sample(seed=(seed, 1)).numpy()
    first = sum(frames[:which])
    assert np.isin(noise, bank[first : first + frames[which]]).all()
    with pytest.raises(NotImplementedError):
        model(clean, iso=100.0).log_prob(noise)


def captures_of(path, count, size, seed, camera=CAMERAS):
    generator = np.random.default_rng(seed)
    clean = generator.uniform(0, 0.5, (count, *size, 4)).astype(np.float32)
    noise = (0.02 * generator.standard_normal(clean.shape)).astype(np.float32)
    iso, camera = np.resize(ISO_LEVELS, count), list(np.resize(camera, count))
    nf.write_captures(path, clean + noise, clean, iso, camera)
    return nf.read_captures(path)


@pytest.mark.slow  # Histograms of many draws.
@for_all(
    0.3, size=st.tuples(st.integers(2, 4), st.integers(2, 6)), count=st.integers(9, 12), seed=seeds
)
def test_an_evaluation_is_the_mean_of_log_probs(folder, size, count, seed):
    with captures_of(folder / "evaluated.h5", count, size, seed) as read:
        report = nf.evaluate(LAW_MODEL, read)
        block = read.read(0, count)
        log_prob = LAW_MODEL(block.clean, iso=block.iso, camera=block.camera).log_prob(block.noise)
    nll = -np.mean(log_prob) / np.prod(read.image_shape)
    assert report["models"]["noise_flow"]["nll"] == pytest.approx(nll, rel=1e-4)


@pytest.mark.slow  # Graphs of a training.
@for_all(
    0.1,
    size=st.tuples(st.integers(1, 5), st.integers(1, 6)),
    count=st.integers(9, 12),
    batch_size=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_a_training_of_any_images_ends_with_finite_numbers_and_comes_back(
    folder, size, count, batch_size, seed
):
    schedule = nf.Schedule(epochs=2, batch_size=batch_size, seed=seed)
    model_dir = folder / f"trained-{seed}-{size}-{count}-{batch_size}"
    with captures_of(folder / "trained.h5", count, size, seed) as read:
        flow = nf.NoiseFlow("S-G-CAM", cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=seed)
        model = nf.train_noise_model(flow, read, read, model_dir, schedule, verbose=0)
    assert all(np.isfinite(variable).all() for variable in model.variables)
    assert model_digest(nf.load_model(model_dir)) == model_digest(model)
    with captures_of(folder / "tuned.h5", count, size, seed, camera=["new"]) as read:
        tuned = nf.finetune_camera(
            model_dir, read, "new", f"{model_dir}-tuned", schedule=schedule, verbose=0
        )
    assert tuned.cameras == (*CAMERAS, "new")
    given = conditions((2,), (*size, 4), seed, np.float32)
    noise = images((2, *size, 4), seed, 0.02, np.float32)
    np.testing.assert_array_equal(tuned(**given).log_prob(noise), model(**given).log_prob(noise))
