"""Noise sampled from a bank of dark frames: photons drawn, the rest crops of real frames."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.serving.graphs import check_ops
from tfp_noiseflow.captures import dark_frames
from tfp_noiseflow.evaluation import measure
from tfp_noiseflow.evaluation.likelihood import negative_log_likelihood
from tfp_noiseflow.images.crops import random_crop
from tfp_noiseflow.reporting import write_report
from tfp_noiseflow.reporting.markdown import models_table

BLACK, WHITE = 64.0, 1023.0
SIGMA = {("A", 800.0): 0.01, ("A", 1600.0): 0.02, ("B", 800.0): 0.005}
BETA1 = {"A": 1e-3, "B": 4e-4}
FRAMES, HEIGHT, WIDTH = 6, 24, 32


def write_bank(path, *, channels=4, frames=FRAMES, sigma=SIGMA, clean=BLACK, **options):
    """Normal noise on a shading of full scale's tenth, row by row a common offset."""
    generator = np.random.default_rng(0)
    shape = (HEIGHT, WIDTH, channels)
    shading = 0.1 * generator.random(shape)
    noisy, camera, iso = [], [], []
    for (name, level), sd in sigma.items():
        rows = 0.2 * sd * generator.standard_normal((frames, HEIGHT, 1, 1))
        noise = sd * generator.standard_normal((frames, *shape)) + rows
        noisy.append(BLACK + (WHITE - BLACK) * (shading + noise))
        camera += [name] * frames
        iso += [level] * frames
    noisy = np.concatenate(noisy).astype(np.float32)
    order = generator.permutation(len(noisy))
    nf.write_captures(
        path,
        noisy[order],
        np.full(noisy.shape, clean, np.float32),
        np.array(iso)[order],
        np.array(camera)[order],
        black_level=BLACK,
        white_level=WHITE,
        nlf=np.array([[BETA1[name], 1e-4] for name in camera])[order],
        origin="drawn numbers",
        licence="none",
        **options,
    )
    return path


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return write_bank(tmp_path_factory.mktemp("bank") / "darks.h5")


@pytest.fixture(scope="module")
def model(bank):
    return nf.DarkFrameNoise.from_captures(bank)


def test_variance_is_that_of_photons_and_of_dark_frames(model):
    conditions = {"iso": [800, 1600, 800], "camera": ["A", "A", "B"]}
    clean = tf.fill([3, 8, 10, 4], 0.2)
    noise = tf.function(lambda: model(clean, **conditions).sample(200, seed=(0, 1)))().numpy()
    for row, (iso, camera) in enumerate(zip(*conditions.values(), strict=True)):
        # Rows add 4 %.
        expected = BETA1[camera] * 0.2 + 1.04 * SIGMA[camera, float(iso)] ** 2
        # The bank is 18432 values, of a variance known to 1.2 % (its rows of 144 offsets to 0.5).
        assert noise[:, row].var() == pytest.approx(expected, rel=0.05)
        # 64000 values; offsets of rows are those of 144 rows.
        assert abs(noise[:, row].mean()) < 0.1 * np.sqrt(expected)


def test_dark_noise_without_light_is_the_bank_itself(model):
    """Every crop is a piece of a frame, less the mean of its frames, and as strong as it was."""
    crop = model(np.zeros((1, 5, 7, 4), np.float32), 1600, "A").sample(seed=(3, 4)).numpy()[0]
    frames = model._frames.numpy()[FRAMES : 2 * FRAMES]
    windows = np.lib.stride_tricks.sliding_window_view(frames, crop.shape, axis=(1, 2, 3))
    found = np.abs(windows - crop).max(axis=(-3, -2, -1)) < 1e-7
    assert found.sum() == 1
    # The mean of six frames is taken off without a loss of variance.
    assert frames.var() == pytest.approx(1.04 * 0.02**2, rel=0.05)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-7)


def test_photons_are_counts(model):
    """Without the dark frames clean + noise is a multiple of beta1, of a Poisson number's skew."""
    alone = nf.DarkFrameNoise.from_config(model.get_config())  # Its frames are zeros.
    clean = np.full((1, 24, 32, 4), 0.004, np.float32)
    noise = alone(clean, 800, "A").sample(20, seed=(5, 6)).numpy()
    counts = (noise + clean) / BETA1["A"]
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
    # Of 61440 counts of mean 4: standard errors 0.008, 0.03 and 0.012.
    assert counts.mean() == pytest.approx(4, abs=0.04)
    assert counts.var() == pytest.approx(4, abs=0.13)
    skew = np.mean((counts - 4) ** 3) / 8
    assert skew == pytest.approx(0.5, abs=0.06)


def test_below_black_there_are_no_photons(model):
    alone = nf.DarkFrameNoise.from_config(model.get_config())
    noise = alone(np.full((1, 4, 4, 4), -0.02, np.float32), 800, "A").sample(seed=(0, 1))
    np.testing.assert_array_equal(noise, 0)


def test_a_row_of_sample_noise_depends_on_its_own_seed_alone(model):
    seeds = np.array([[1, 2], [3, 4], [1, 2]])
    given = {"iso": [800.0, 1600.0, 800.0], "camera": ["A", "A", "B"]}
    clean = np.random.default_rng(0).random((3, 6, 8, 4), np.float32)
    together = nf.sample_noise(model, clean, **given, seeds=seeds, temperature=[1, 1, 0.5])
    alone = nf.sample_noise(model, clean[1:2], 1600, "A", seeds=seeds[1:2])
    np.testing.assert_array_equal(alone[0], together[1])
    whole = nf.sample_noise(model, clean, **given, seeds=seeds)
    np.testing.assert_allclose(together[2], 0.5 * whole[2], rtol=1e-6)
    assert np.abs(whole[0] - together[2]).max() > 0


def test_a_graph_of_any_size_draws_the_same(model):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 4]),
            tf.TensorSpec([None]),
            tf.TensorSpec([None], tf.string),
        ]
    )
    def graph(clean, iso, camera):
        return model(clean, iso, camera).sample(seed=(7, 8))

    clean = np.random.default_rng(1).random((2, 6, 10, 4), np.float32)
    iso, camera = np.float32([1600, 800]), np.array(["A", "B"])
    np.testing.assert_array_equal(
        graph(clean, iso, camera), model(clean, iso, camera).sample(seed=(7, 8))
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 24 rows and 32 columns"):
        graph(np.zeros((1, 25, 8, 4), np.float32), iso[:1], camera[:1])


@pytest.mark.parametrize("has_flips", [False, True])
def test_crops_keep_the_phase_of_a_mosaic(has_flips):
    """Values name their place: of a mosaic row and column stay even or odd, also mirrored."""
    rows, columns = np.mgrid[:12, :14]
    frame = (100 * rows + columns).astype(np.float32)[None, ..., None]
    begins, steps = set(), set()
    for seed in range(60):
        crop = random_crop(frame, 0, 1, [4, 6], [seed, 0], has_flips=has_flips).numpy()[..., 0]
        at = np.divmod(crop, 100)
        for axis in (0, 1):
            place = np.moveaxis(at[axis], axis, 0)[:, 0]
            np.testing.assert_array_equal(place % 2, np.arange(len(place)) % 2)
            steps |= {(axis, step) for step in np.diff(place)}
            begins.add((axis, place.min()))
    assert steps == {(a, s) for a in (0, 1) for s in ((1, -1) if has_flips else (1,))}
    # All of them are drawn: 0 to 8 and 0 to 8, in 60 draws.
    expected = {(axis, begin) for axis in (0, 1) for begin in range(9)}
    assert begins == {place for place in expected if has_flips or place[1] % 2 == 0}


def test_whole_frames_are_taken_as_they_are():
    frame = np.random.default_rng(0).random((2, 3, 5, 1), np.float32)
    crop = random_crop(frame, 1, 1, [3, 5], [0, 0], has_flips=True)
    np.testing.assert_array_equal(crop, frame[1])


def test_laws_give_photons_their_size(bank):
    by_channel = nf.CameraLaw(([1e-4, 2e-4, 3e-4], 0), (1e-6, 0, 0), camera="A")
    laws = [by_channel, nf.CameraLaw((1e-5, 0), (1e-6, 0, 0), camera="B")]
    model = nf.DarkFrameNoise.from_captures(bank, laws)
    expected = [[8e-4, 16e-4, 16e-4, 24e-4], [16e-4, 32e-4, 32e-4, 48e-4], [8e-5] * 4]
    np.testing.assert_allclose(model.get_config()["beta1"], expected)
    with pytest.raises(ValueError, match=r"a law of each camera.*missing \['A'\]"):
        nf.DarkFrameNoise.from_captures(bank, laws[1:])


def test_dark_shading_of_a_map_is_taken_off(tmp_path):
    path = write_bank(tmp_path / "darks.h5", sigma={("A", 800.0): 1e-6}, frames=1)
    with pytest.raises(ValueError, match=r"two dark frames or more .* one of 'A' at ISO 800"):
        nf.DarkFrameNoise.from_captures(path)
    with nf.read_captures(path) as captures:
        packed = captures.read(0, 1).noise[0]
    mosaic = np.zeros((2 * HEIGHT, 2 * WIDTH), np.float32)
    for channel, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        mosaic[row::2, column::2] = packed[..., channel]
    pattern = nf.FixedPattern("A", "RGGB", (800,), mosaic[None])
    model = nf.DarkFrameNoise.from_captures(path, fixed_patterns=[pattern])
    np.testing.assert_allclose(model._frames, 0, atol=1e-7)


def test_it_has_no_density(model):
    distribution = model(np.zeros((1, 4, 4, 4), np.float32), 800, "A")
    stored = nf.StoredNoise(model, 1 / 1023)
    for noise in (distribution, stored(np.zeros((1, 4, 4, 4), np.float32), 800, "A")):
        with pytest.raises(NotImplementedError, match="NoiseFlow and CameraNLF have one"):
            noise.log_prob(np.zeros((1, 4, 4, 4), np.float32))
    for without in (model, stored):
        assert not without.has_density
        with pytest.raises(ValueError, match="with a density for training by likelihood"):
            nf.LikelihoodTrainer(without)


def test_what_is_stored_of_it_is_on_codes(model):
    stored = nf.StoredNoise(model, 1 / 1023, clips_black=True)
    clean = np.full((2, 8, 8, 4), 0.01, np.float32)
    noisy = stored(clean, 1600, "A").sample(seed=(0, 1)) + clean
    codes = noisy.numpy() * 1023
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    assert codes.min() == 0


@pytest.mark.parametrize("is_stored", [False, True])
def test_the_bank_travels_with_the_model(model, is_stored, tmp_path):
    saved = nf.StoredNoise(model, 1 / 1023) if is_stored else model
    nf.save_model(saved, tmp_path, {"file": "darks.h5", "licence": "none"})
    loaded = nf.load_model(tmp_path)
    given = {"clean": np.full((1, 6, 6, 4), 0.1, np.float32), "iso": 800, "camera": "B"}
    np.testing.assert_array_equal(
        loaded(**given).sample(seed=(0, 1)), saved(**given).sample(seed=(0, 1))
    )
    assert loaded.licence == "none"
    assert loaded.trainable_variables == ()


def test_a_sliced_batch_of_conditions_is_known(model):
    noise = model(np.zeros((2, 3, 4, 5, 4), np.float32), [[800] * 3, [1600] * 3], "A")
    assert noise.sample(2, seed=(0, 1)).shape == (2, 2, 3, 4, 5, 4)
    assert noise.batch_shape == (2, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"conditions": [("B", 800), ("A", 800)]}, "sorted, each once"),
        ({"counts": [1, 0]}, "above 0 for each of 2"),
        ({"beta1": [1e-3, np.nan]}, "beta1 above 0"),
        ({"beta1": [[1e-3] * 3] * 2}, "of a shape among"),
        ({"image_shape": (0, 4, 4)}, r"frames \[H, W, C\]"),
    ],
)
def test_wrong_arguments_are_told(changed, message):
    right = {"conditions": [("A", 800), ("B", 800)], "counts": [1, 1], "beta1": [1e-3, 1e-3],
             "image_shape": (4, 4, 4)}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        nf.DarkFrameNoise(**{**right, **changed})


def test_captures_that_are_not_dark_are_refused(tmp_path):
    path = write_bank(tmp_path / "light.h5", clean=BLACK + 5)
    with pytest.raises(ValueError, match="expected dark frames, whose clean image is 0"):
        nf.DarkFrameNoise.from_captures(path)


def test_cameras_and_isos_that_the_bank_lacks_are_told(model):
    clean = np.zeros((1, 4, 4, 4), np.float32)
    with pytest.raises(ValueError, match=r"A at ISO 800, A at ISO 1600, B at ISO 800"):
        model(clean, 1600, "B")
    with pytest.raises(ValueError, match="one of the known levels"):
        model(clean, 1000, "A")
    with pytest.raises(ValueError, match="4 channels"):
        model(clean[..., :1], 800, "A")


def test_a_bank_without_room_is_told_before_it_is_read(bank, monkeypatch):
    size = 4 * 3 * FRAMES * HEIGHT * WIDTH * 4
    monkeypatch.setattr(dark_frames, "available_memory", lambda: 2 * size - 1)
    with pytest.raises(MemoryError, match="expected room for 18 dark frames of 24 x 32 x 4"):
        nf.DarkFrameNoise.from_captures(bank)
    for enough in (2 * size, None):
        monkeypatch.setattr(dark_frames, "available_memory", lambda enough=enough: enough)
        assert nf.DarkFrameNoise.from_captures(bank).cameras == ("A", "B")
    monkeypatch.undo()
    assert dark_frames.available_memory() is None or dark_frames.available_memory() > 1e6


def test_files_that_end_at_black_are_told(tmp_path):
    generator = np.random.default_rng(0)
    noisy = np.maximum(generator.normal(0, 5, (3, 8, 8, 4)), 0).astype(np.uint16)
    nf.write_captures(
        tmp_path / "darks.h5", noisy, np.zeros_like(noisy), 800, "A", white_level=1023,
        quantization_step=1, nlf=np.full((3, 2), 1e-3),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="% of the dark values of 'A' at ISO 800 are the lowest"):
        nf.DarkFrameNoise.from_captures(tmp_path / "darks.h5")


def test_an_export_draws_what_the_model_draws(model, tmp_path):
    path = nf.export_saved_model(model, tmp_path / "served")
    check_ops(path)
    served = tf.saved_model.load(path).signatures
    assert "log_prob" not in served
    clean = np.random.default_rng(0).random((3, 6, 8, 4), np.float32)
    given = {"iso": np.float32([800, 1600, 800]), "camera": np.array(["A", "A", "B"])}
    seeds = np.int32([[0, 1], [2, 3], [4, 5]])
    noise = served["sample_noise"](
        clean=tf.constant(clean),
        seed=tf.constant(seeds),
        temperature=tf.ones([3]),
        **{name: tf.constant(value) for name, value in given.items()},
    )["noise"]
    np.testing.assert_allclose(
        noise, nf.sample_noise(model, clean, **given, seeds=seeds), atol=1e-7
    )


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """Captures of the process whose dark frames are the bank: half of the frames are not in it."""
    generator = np.random.default_rng(9)
    clean = generator.uniform(0, 0.3, (24, 16, 16, 4))
    iso = np.tile([800, 1600], 12)
    sd = np.where(iso == 800, 0.01, 0.02)[:, None, None, None]
    photons = generator.poisson(clean / BETA1["A"]) * BETA1["A"] - clean
    noise = sd * (generator.normal(size=clean.shape) + 0.2 * generator.normal(size=(24, 16, 1, 1)))
    path = tmp_path_factory.mktemp("captures") / "captures.h5"
    nf.write_captures(path, clean + photons + noise, clean, iso, "A")
    return path


def test_it_is_scored_without_a_likelihood(model, captures, tmp_path):
    nlf = nf.CameraNLF(["A"], [800, 1600], [[1e-3, 1e-3]], [[1e-4, 4e-4]])
    measurement = measure(model, captures, baselines={"recalibrated_nlf": nlf})
    entry = measurement.report["models"]["noise_flow"]
    assert entry["nll"] is None and "no density" in entry["reason"]
    # 24,576 real values in 130 bins have a floor of some 130 / 2 / 12,288 = 0.005; noise of half
    # the variance scores 0.1.
    assert entry["kl"] < 0.015
    assert measurement.report["models"]["recalibrated_nlf"]["nll"] is not None
    assert measurement.report["differences"] == []
    paths = write_report(measurement, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "no NLL, the model has no density" in text
    assert any(path.endswith(".png") for path in paths)


def test_a_model_that_is_compared_may_have_no_likelihood(model, captures):
    nlf = nf.CameraNLF(["A"], [800, 1600], [[1e-3, 1e-3]], [[1e-4, 4e-4]])
    report = nf.evaluate(nlf, captures, baselines={"darks": model})
    assert report["models"]["darks"]["kl"] < 0.015
    assert report["models"]["darks"]["nll"] is None
    assert "no NLL" in models_table(report)


def test_what_needs_a_likelihood_says_so(model, captures, tmp_path):
    with nf.read_captures(captures) as opened:
        with pytest.raises(ValueError, match="with a density for training by likelihood"):
            nf.train_noise_model(model, opened, opened, tmp_path / "trained")
        with pytest.raises(ValueError, match="with a density for a likelihood"):
            negative_log_likelihood(model, opened)
        nf.save_model(model, tmp_path / "model", {"file": "darks.h5"})
        with pytest.raises(ValueError, match=r"expected .*received .*DarkFrameNoise"):
            nf.finetune_camera(tmp_path / "model", opened, "C", tmp_path / "tuned")
