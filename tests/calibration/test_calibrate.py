"""A folder of raw frames becomes a camera's noise model, whose truth is known."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.calibration import shoot
from tests.scripts import ROOT, run
from tfp_noiseflow.calibration.calibrate import calibrate_folder
from tfp_noiseflow.calibration.channel_noise import channel_noise
from tfp_noiseflow.calibration.darks import dark_noise
from tfp_noiseflow.calibration.sensor_model import row_noise
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.photon_transfer.line import level_sums
from tfp_noiseflow.photon_transfer.pair import planes_of
from tfp_noiseflow.photon_transfer.tiles import tile_plane
from tfp_noiseflow.simulation.raw_shoot import RawShoot


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "frames"
    return folder, shoot.write(folder)


@pytest.fixture(scope="module")
def calibrated(raw, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    calibration = nf.calibrate(raw[0], "Mine", folder / "report", folder / "model")
    return folder, calibration


def test_the_numbers_are_those_of_the_truth(raw, calibrated):
    report = shoot.calibration_json(calibrated[0] / "report")
    assert set(report) == {"camera", "by_channel_iso", "law", "left_out"}
    assert report["camera"] == "Mine" and len(report["by_channel_iso"]) == 12
    names = ["beta1", "beta2", "gain_dn_per_electron", "read_noise_dn", "row_share", "black_level"]
    for row in report["by_channel_iso"]:
        assert set(row) == {"channel", "iso", "verdict", *names, *(f"{n}_interval" for n in names)}
        truth = shoot.truth_of(raw[1], row["iso"])
        # Standard errors: 0.5 %, 0.7 %, and of the row share of 96 rows in six frames 8 %.
        assert row["beta1"] == pytest.approx(truth["beta1"], rel=0.02)
        assert row["beta2"] == pytest.approx(truth["beta2"], rel=0.03)
        assert row["row_share"] == pytest.approx(truth["row_share"], rel=0.3)
        assert row["read_noise_dn"] == pytest.approx(truth["read_noise_dn"], rel=0.015)
        assert row["gain_dn_per_electron"] == pytest.approx(959 * row["beta1"])
        channel = ("R", "Gr", "Gb", "B").index(row["channel"])
        low, high = row["black_level_interval"]
        assert abs(row["black_level"] - truth["black_level"][channel]) < 2 * (high - low)
        for name in names:
            assert row[f"{name}_interval"][0] <= row[name] <= row[f"{name}_interval"][1]
        assert row["verdict"] in ("good", "usable")
    law = report["law"]
    for channel in range(4):
        assert law["beta1"][0][channel] == pytest.approx(2.194e-4, rel=0.02)
    assert law["iso_range"] == [100, 1600]


def test_the_shaken_and_the_flickering_frames_are_named(raw, calibrated):
    found = {entry["file"]: entry["reason"] for entry in
             shoot.calibration_json(calibrated[0] / "report")["left_out"]}  # fmt: skip
    expected = {entry["file"]: entry["reason"] for entry in raw[1]["left_out"]}
    assert set(found) == set(expected) and len(expected) == 6
    for file, reason in expected.items():
        assert found[file].startswith(reason)


def test_every_output_is_there_and_read_by_what_reads_it(raw, calibrated):
    folder, calibration = calibrated
    report = folder / "report"
    (table,) = nf.read_camera_tables(report / "laws.csv")
    assert table.camera == "Mine" and table.channels == ("R", "Gr", "Gb", "B")
    np.testing.assert_array_equal(table.iso, [100, 400, 1600])
    text = (report / "report.md").read_text()
    for name in ("photon_transfer", "misses", "law", "dark_profiles", "dark_codes"):
        assert (report / f"{name}.png").stat().st_size > 5000 and f"({name}.png)" in text
    for part in ("Verdict: **", "What to shoot next", "EMVA Standard 1288", "s0_1.npz"):
        assert part in text
    rows = (report / "hot_pixels.csv").read_text().splitlines()[1:]
    found = {tuple(map(int, row.split(",")[1:3])) for row in rows if row.startswith("100,")}
    assert {tuple(place) for place in raw[1]["hot_pixels"]} <= found
    model = nf.load_model(folder / "model")
    assert model.architecture == "L-R-P" and "L-R-P: codes that a sensor stores" in text
    clean = np.full((1, 64, 64, 4), 0.2, np.float32)
    noise = model(clean, iso=800, camera="Mine").sample(seed=(0, 1)).numpy()
    beta1 = 2.194e-6 * 800 + 8.7e-6
    # 16,384 values: 1.1 %; read noise is a hundredth.
    assert noise.var() == pytest.approx(beta1 * 0.2 + 1.3e-5, rel=0.05)
    codes = (clean + noise) * 959
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    assert calibration.dark_frames[100.0][0].endswith("d0.npz")
    # No part is left.
    assert not (report / "parts").exists()


def test_the_model_has_the_rows_and_the_tails_of_the_darks(raw, calibrated):
    model = nf.load_model(calibrated[0] / "model")
    for iso in (100.0, 400.0, 1600.0):
        deviation, share = row_noise(model, iso)
        # 160 rows of the mosaic in six frames, and a law through three ISOs: 5 %.
        assert share == pytest.approx(0.05, rel=0.3)
        beta2 = shoot.truth_of(raw[1], iso)["beta2"] - 1 / 12 / 959**2
        assert deviation**2 == pytest.approx(0.05 * beta2, rel=0.3)
    layer = model.unstored.layers["power_tailed_shape"]
    # What is nearest to Tukey-lambda noise of shape -0.1: its body is bent as by an excess kurtosis
    # of 2.2, and its tails fall as the power 1 / 0.15. Of a million codes, and of variances that
    # are known to 0.5 %.
    shape = calibrated[1].shape
    assert shape.excess_kurtosis == pytest.approx(2.2, rel=0.25), shape
    assert shape.tail_power == pytest.approx(1 / 0.15, rel=0.2), shape
    assert layer.log_read_tail.values.numpy() == pytest.approx(np.log(shape.excess_kurtosis))
    assert abs(layer.read_skew.values.numpy()) < 0.01
    # Codes of the dark farther than 4 standard deviations: a Gaussian has 0.006 %.
    clean = np.zeros((64, 64, 64, 4), np.float32)
    dark = model(clean, iso=1600, camera="Mine").sample(seed=(0, 1)).numpy()
    assert np.mean(np.abs(dark) > 4 * dark.std()) > 10 * 6e-5


# Of bursts of four frames; that the variance is right is no matter of clean images alone.
@pytest.mark.filterwarnings("ignore:.*clean has noise of its own")
def test_captures_of_bursts_are_codes_with_the_noise_of_one_frame(calibrated):
    with h5py.File(calibrated[0] / "report" / "captures.h5") as file:
        assert len(set(file["scene"][()])) == 3 and file["noisy"].dtype == np.uint16
    captures = nf.read_captures(calibrated[0] / "report" / "captures.h5")
    model = calibrated[1].model
    model.check_steps(captures)
    law = nf.StoredNoise(nf.NoiseFlow.from_laws(calibrated[1].law.without_rounding),
                         model.quantization_step, clips_black=False)  # fmt: skip
    likelihoods = [negative_log_likelihood(each, captures).mean() for each in (model, law)]
    # Rows and tails are worth 0.007 nats a value.
    assert likelihoods[0] < likelihoods[1] - 0.003
    nlf = nf.CameraNLF.fit(captures)
    for index, iso in enumerate(captures.iso_levels):
        # Frames overlap, and clean's noise bends the line a little at low levels.
        expected = 2.194e-6 * iso + 8.7e-6
        assert nlf.beta1.numpy()[0, index] == pytest.approx(expected, rel=0.05)


def test_darks_become_a_bank(raw, calibrated):
    report = calibrated[0] / "report"
    model = nf.DarkFrameNoise.from_captures(report / "dark_frames.h5")
    for iso in (100, 400, 1600):
        noise = model(np.zeros((32, 16, 16, 4), np.float32), iso=iso).sample(seed=(0, 1)).numpy()
        truth = shoot.truth_of(raw[1], iso)
        # Crops of six frames, of which heavy tails and 480 rows leave 5 %; hot pixels flicker.
        assert noise.var() == pytest.approx(truth["beta2"], rel=0.15)
    pattern = nf.read_fixed_pattern(report / "fixed_pattern_Mine.h5")
    hot = {tuple(place) for place in pattern.hot_pixels.tolist()}
    assert {tuple(place) for place in raw[1]["hot_pixels"]} <= hot


def test_a_run_that_was_stopped_goes_on(raw, tmp_path, calibrated):
    parts = tmp_path / "parts"

    class Stop(Exception):
        pass

    def stop(done, total, text):
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        calibrate_folder(raw[0], "Mine", parts_dir=parts, on_progress=stop)
    assert len(list(parts.iterdir())) == 5
    before = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    again = calibrate_folder(raw[0], "Mine", parts_dir=parts)
    assert again.to_json() == calibrated[1].to_json()
    after = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert {name: after[name] for name in before} == before, "done groups are not done again"
    # A damaged part is done again.
    damaged = next(iter(parts.iterdir()))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert calibrate_folder(raw[0], "Mine", parts_dir=parts).to_json() == again.to_json()


def test_a_wrong_black_level_is_found_from_darks_and_told(raw, calibrated):
    found = calibrate_folder(raw[0], "Mine", black_level=60)
    assert any("black level [60.0, 60.0, 60.0, 60.0] is not that of the darks" in n
               for n in found.notes)  # fmt: skip
    for cell, right in zip(found.cells, calibrated[1].cells, strict=True):
        # Of another full scale.
        assert cell.level.beta1 * 963 == pytest.approx(right.level.beta1 * 959, rel=1e-3)


def test_codes_that_are_not_linear_are_told(tmp_path):
    camera = shoot.camera(shape=(384, 512), prnu=0.0)
    for exposure in range(3):
        folder = tmp_path / "flats" / f"{exposure}"
        for index in range(4):
            rng = np.random.default_rng([exposure, index])
            codes = camera.shoot_frame(camera.flat(exposure), 100, rng)
            # Compressed by a tenth at full scale: gain falls by 20 %, variance over level by 30.
            level = (codes.astype(float) - 64) / 959
            bent = np.rint(64 + 959 * (level - 0.1 * level**2)).astype(np.uint16)
            shoot.save_frame(folder / f"{index}.npz", bent, exposure_time=0.02 * 0.5**exposure)
    frames(tmp_path / "darks", camera, 0.0, 4)
    found = calibrate_folder(tmp_path, "Mine")
    assert any("variance over level changes by -" in note for note in found.notes)
    for cell in found.cells:
        assert cell.level.beta1 < 0.95 * camera.law(100)[0]
        gain = cell.figures["gain_dn_per_electron"][0]
        # A parabola is not quite a bent line.
        assert gain == pytest.approx(camera.law(100)[0] * 959, rel=0.03)


def frames(folder, camera, light, number, iso=100, start=0, **about):
    for index in range(start, start + number):
        rng = np.random.default_rng([7, index])
        codes = camera.shoot_frame(light, iso, rng)
        shoot.save_frame(folder / f"{index}.npz", codes, iso=iso, **about)


def test_one_flat_pair_gives_beta1_and_says_what_is_a_prior(tmp_path):
    camera = shoot.camera(shape=(192, 256))
    frames(tmp_path / "flats", camera, camera.flat(1), 2)
    found = calibrate_folder(tmp_path, "Mine")
    for cell, (grade, reasons) in zip(found.cells, found.verdicts, strict=True):
        # Its beta2 is the population's, up to a tenth of the variance at this level.
        assert cell.level.beta2_is_prior and grade != "good"
        assert cell.level.beta1 == pytest.approx(camera.law(100)[0], rel=0.12)
        assert any("beta2 is other cameras'" in reason for reason in reasons)
        assert cell.figures["black_level"] is cell.figures["row_share"] is None
    assert found.model.architecture == "L" and "10 dark frames" in found.shots[0]
    assert any("no darks: the model has no rows and no tails" in note for note in found.notes)
    # At other ISOs the law is that of cameras with this beta1.
    beta1, _ = found.law.law(1600)
    assert np.all(beta1 > 5 * np.array(found.law.law(100)[0]))


def test_a_single_frame_gives_an_upper_bound(tmp_path):
    camera = shoot.camera(shape=(192, 256))
    frames(tmp_path / "scenes", camera, camera.scene(0), 1)
    found = calibrate_folder(tmp_path, "Mine")
    for cell, (grade, reasons) in zip(found.cells, found.verdicts, strict=True):
        assert cell.is_bound and grade == "do not use"
        assert cell.level.beta1 > 0.95 * camera.law(100)[0]
        assert any("upper bounds" in reason for reason in reasons)


def test_without_darks_the_step_of_codes_is_that_of_the_light(tmp_path):
    camera = shoot.camera(shape=(96, 128))
    for index in range(2):
        codes = camera.shoot_frame(camera.flat(2), 100, np.random.default_rng(index))
        shoot.save_frame(tmp_path / "flats" / f"{index}.npz", 4 * codes, black=256, white=4092)
    found = calibrate_folder(tmp_path, "Mine")
    assert found.model.quantization_step == pytest.approx(4 / (4092 - 256))
    assert "ISO 100: codes are 4 apart" in found.notes


def test_frames_without_noise_are_refused(tmp_path):
    light = np.round(np.linspace(200, 800, 96))[:, None] * np.ones((1, 160))
    shoot.save_frame(tmp_path / "scenes" / "a.npz", light.astype(np.uint16))
    with pytest.raises(ValueError, match="ISO 100, channel R: expected frames with noise"):
        calibrate_folder(tmp_path, "Mine")


def test_saturated_flats_and_no_light_are_told(tmp_path):
    camera = shoot.camera(shape=(96, 128))
    frames(tmp_path / "flats", camera, 3.0, 2)
    frames(tmp_path / "darks", camera, 0.0, 4, start=10)
    found = calibrate_folder(tmp_path, "Mine")
    assert any("all flats are saturated" in note for note in found.notes)
    assert "its flats are saturated" in found.shots[0]
    assert all(grade == "do not use" for grade, _ in found.verdicts)
    assert found.model is None and found.to_json()["law"] is None


def test_a_frame_that_saw_light_is_no_dark_one(tmp_path):
    camera = shoot.camera()
    frames(tmp_path / "darks", camera, 0.0, 4)
    frames(tmp_path / "darks", camera, 0.2, 1, start=8)
    found = calibrate_folder(tmp_path, "Mine")
    assert found.left_out["darks/8.npz"].startswith("not dark")


def test_something_that_moves_in_a_frame_is_named(tmp_path):
    camera = shoot.camera(shape=(192, 256))
    scene = camera.scene(0)
    frames(tmp_path / "scenes", camera, scene, 6)
    other = scene.copy()
    other[40:120, 60:140] *= 0.5
    frames(tmp_path / "scenes", camera, other, 1, start=6)
    found = calibrate_folder(tmp_path, "Mine")
    assert list(found.left_out) == ["scenes/6.npz"]
    assert found.left_out["scenes/6.npz"].startswith("something moved")


def test_sizes_that_differ_are_refused_and_unreadable_frames_skipped(tmp_path):
    frames(tmp_path / "darks", shoot.camera(), 0.0, 2)
    frames(tmp_path / "darks", shoot.camera(shape=(64, 160)), 0.0, 1, start=2)
    with pytest.raises(ValueError, match="frames of one size and type, received darks"):
        calibrate_folder(tmp_path, "Mine")
    # Its tags can be read, its pixels cannot.
    path = tmp_path / "darks" / "2.npz"
    shoot.save_frame(path, np.full((96, 160), 64, np.uint8))
    with pytest.raises(ValueError, match="one size and type"):
        calibrate_folder(tmp_path, "Mine")


def test_the_command_says_what_it_did(tmp_path):
    few = RawShoot(iso_levels=(100,), shape=(96, 160), flat_exposures=2, darks=2, burst=4)
    shoot.write(tmp_path / "raw", shoot=few)
    flags = {"camera": "Mine", "output_model_dir": tmp_path / "model", "captures": "false"}
    flags["report_dir"] = tmp_path / "report"
    done = run("calibrate", input_dir=tmp_path / "raw", **flags)
    assert done.returncode == 0, done.stderr
    for text in ("left out: scenes/iso100/s0_1.npz: shaken", "Verdict: "):
        assert text in done.stdout
    assert (tmp_path / "report" / "calibration.json").exists()
    wrong = run("calibrate", input_dir=tmp_path / "model", **flags)
    assert wrong.returncode == 1 and "expected raw frames" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize("phone", ["Pixel", "Galaxy S20 FE", "OPPO Reno"])
def test_figures_of_a_full_shoot(tmp_path, phone):
    """Three cameras, four ISOs, bursts of 10, flats at 6 exposures, 10 darks."""
    full = RawShoot(iso_levels=(100, 400, 800, 1600), shape=(768, 1024), hot_pixels=1e-4)
    truth = shoot.write(tmp_path / "frames", phone, full)
    found = calibrate_folder(tmp_path / "frames", phone)
    floor = 1 / 12 / 959**2
    for cell, row in zip(found.cells, found.to_json()["by_channel_iso"], strict=True):
        true = shoot.truth_of(truth, row["iso"])
        assert row["beta1"] == pytest.approx(true["beta1"], rel=0.02)
        if true["beta2"] > 2 * floor:
            assert row["beta2"] == pytest.approx(true["beta2"], rel=0.05)
        # 384 rows in ten frames: 2.5 %.
        assert row["row_share"] == pytest.approx(0.05, rel=0.10)
        channel = ("R", "Gr", "Gb", "B").index(row["channel"])
        error = row["black_level"] - true["black_level"][channel]
        # Row noise leaves the mean of ten frames an error: of Pixel at ISO 1600 0.02 codes.
        assert abs(error) < max(0.05, 4 * cell.dark.black_error)
        hot = {tuple(place) for place in truth["hot_pixels"]}
        down, right = divmod(channel, 2)
        own = {place for place in hot if (place[0] % 2, place[1] % 2) == (down, right)}
        places = {(2 * y + down, 2 * x + right) for y, x in cell.dark.hot.tolist()}
        assert own <= places
    assert {e["file"] for e in truth["left_out"]} == set(found.left_out)


@pytest.mark.slow
@pytest.mark.parametrize("phone", ["Pixel", "OPPO Reno"])
def test_a_camera_that_cuts_off_below_black_is_known_as_well(tmp_path, phone):
    """Half of its darks are the code of black, at OPPO Reno's ISO 100 94 % are."""
    cut = RawShoot(iso_levels=(100, 1600), shape=(512, 768), lowest_code=64)
    truth = shoot.write(tmp_path / "frames", phone, cut)
    found = calibrate_folder(tmp_path / "frames", "Mine")
    assert found.model.clips_black
    for cell in found.cells:
        true = shoot.truth_of(truth, cell.iso)
        assert cell.dark.clipped > 0.45
        # Of the noise's upper twentieth its variance is a guess, and so are rows and black level;
        # light tells the most there.
        is_tail = cell.dark.clipped > 0.9
        tolerances = {"beta1": 0.02, "beta2": 0.15 if is_tail else 0.05}
        tolerances |= {} if is_tail else {"row_share": 0.15}
        for name, tolerance in tolerances.items():
            assert cell.figures[name][0] == pytest.approx(true[name], rel=tolerance)
        channel = ("R", "Gr", "Gb", "B").index(cell.channel)
        error = cell.dark.black_level - true["black_level"][channel]
        assert abs(error) < max(0.05, 4 * cell.dark.black_error)
    # As of the same camera that keeps them, to the family that the darks are taken as.
    assert found.shape.excess_kurtosis == pytest.approx(2.2, rel=0.4), found.shape


@pytest.mark.slow
def test_the_black_level_is_known_as_well_as_row_noise_lets_it():
    """Its error is at least a row's over the root of the number of rows in all frames."""
    camera = shoot.camera(iso_levels=(3200,), shape=(96, 160), hot_pixels=0.0)
    errors, reported = [], []
    for repeat in range(24):
        rng = np.random.default_rng([5, repeat])
        darks = [camera.shoot_frame(0.0, 3200, rng) for _ in range(6)]
        found = dark_noise(planes_of(darks, "RGGB", 64)[0][0], seed=repeat)
        errors.append(found.black_level - camera.mean_black(3200)[0])
        reported.append(found.black_error)
    row = np.sqrt(0.05) * camera.read_noise(3200)
    pixel = np.sqrt(0.95) * camera.read_noise(3200)
    bound = np.sqrt((row**2 + pixel**2 / 80) / (48 * 6))
    # Of 24 repeats a root mean square is known to 14 %.
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(bound, rel=0.45)
    assert np.mean(reported) == pytest.approx(bound, rel=0.15)


@pytest.mark.slow
def test_intervals_cover(tmp_path):
    """Of a small shoot, 200 times, in memory."""
    camera = shoot.camera(shape=(128, 192), hot_pixels=0.0)
    beta1, beta2 = camera.law(100)
    covered = {"beta1": [], "beta2": [], "row_share": []}
    for repeat in range(200):
        rng = np.random.default_rng([11, repeat])
        darks = planes_of([camera.shoot_frame(0.0, 100, rng) for _ in range(8)], "RGGB", 64)[0]
        dark = dark_noise(darks[0], seed=repeat)
        sums = None
        for exposure in range(4):
            flats = [camera.shoot_frame(camera.flat(exposure), 100, rng) for _ in range(2)]
            tiles = tile_plane(planes_of(flats, "RGGB", 64)[0][0], dark.black_level)
            part = level_sums(tiles, 959)
            sums = part if sums is None else sums + part
        transfer = dataclasses.make_dataclass("Transfer", ["sums", "is_bound", "used", "moved"])
        cell = channel_noise("R", 100, [transfer(sums, False, 1.0, 0.0)], dark, full_scale=959,
                             step=1.0, seed=repeat)  # fmt: skip
        for name, true in (("beta1", beta1), ("beta2", beta2), ("row_share", 0.05)):
            low, high = cell.figures[name][1]
            covered[name].append(low <= true <= high)
    for name, hits in covered.items():
        assert 0.90 <= np.mean(hits) <= 0.99, (name, np.mean(hits))


@pytest.mark.slow
def test_a_killed_command_goes_on_and_trains_on_its_captures(raw, tmp_path):
    command = [sys.executable, "-m", "train.calibrate", f"--input_dir={raw[0]}", "--camera=Mine",
               f"--output_model_dir={tmp_path}/m", f"--report_dir={tmp_path}/r"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL)
    parts = tmp_path / "r" / "parts"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(parts.glob("*.npz"))) < 4:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(parts.glob("*.npz"))) >= 4 and not (tmp_path / "r/calibration.json").exists()
    command.append(f"--trained_model_dir={tmp_path}/t")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert shoot.calibration_json(tmp_path / "r")["camera"] == "Mine"
    captures = nf.read_captures(tmp_path / "r" / "captures.h5")
    before, after = (
        negative_log_likelihood(nf.load_model(tmp_path / name), captures).mean() for name in "mt"
    )
    # Of its own captures, which pick the epoch: better, and hardly.
    assert before - 0.01 < after <= before + 1e-6
