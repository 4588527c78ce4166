"""Simulated raw folders: what is true of them is in them."""

import json

import numpy as np
import pytest

from tests.scripts import run
from tfp_noiseflow.imaging.raw_file import read_raw_file
from tfp_noiseflow.simulation.raw_folder import RawCamera, simulate_raw_folder
from tfp_noiseflow.simulation.raw_shoot import RawShoot

FEW = RawShoot(iso_levels=(100, 800), shape=(64, 96), flat_exposures=2, darks=3, burst=4)


def test_a_seed_gives_the_same_folder_and_its_truth(tmp_path):
    seen = []
    truth = simulate_raw_folder(tmp_path / "a", "Nexus 6", FEW, on_frame=lambda *n: seen.append(n))
    assert seen[-1] == (22, 22) and len(list((tmp_path / "a").glob("*/*/*.npz"))) == 22
    assert truth == json.loads((tmp_path / "a" / "truth.json").read_text())
    simulate_raw_folder(tmp_path / "b", "Nexus 6", FEW)
    simulate_raw_folder(tmp_path / "c", "Nexus 6", FEW, seed=1)
    first, again, other = (
        read_raw_file(tmp_path / f / "flats/iso800/f1_1.npz").codes for f in "abc"
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    file = read_raw_file(tmp_path / "a" / "flats/iso800/f1_1.npz")
    assert (file.cfa, file.iso, file.camera) == ("RGGB", 800, "Nexus 6")
    assert [row["iso"] for row in truth["by_iso"]] == [100, 800]
    assert truth["by_iso"][1]["beta1"] == pytest.approx(4.290e-6 * 800 + 4.4e-5)
    reasons = {entry["file"]: entry["reason"] for entry in truth["left_out"]}
    assert reasons["scenes/iso100/s0_1.npz"] == "shaken"
    assert reasons["scenes/iso800/s0_2.npz"] == "flickers"


def test_frames_have_the_noise_that_the_truth_says():
    shoot = RawShoot(iso_levels=(100, 3200), shape=(256, 256), prnu=0, hot_pixels=0, dsnu=0)
    camera = RawCamera("iPhone 11", shoot)
    rng = np.random.default_rng(0)
    for iso, light in ((100, 0.5), (3200, 0.1)):
        a, b = (camera.shoot_frame(light, iso, rng).astype(float) for _ in range(2))
        beta1, beta2 = camera.law(iso)
        expected = (beta1 * light + beta2) * camera.full_scale**2
        # 65,536 pixels: 0.6 %.
        assert np.var(a - b) / 2 == pytest.approx(expected, rel=0.03)
        level = camera.black(iso) + light * camera.full_scale
        assert np.mean(a - level) == pytest.approx(0, abs=5 * np.sqrt(expected) / 256 + 0.3)
    # The true black level drifts with ISO.
    assert np.mean(camera.mean_black(3200)) == pytest.approx(np.mean(camera.mean_black(100)) + 0.4)


def test_the_cameras_faults_are_there():
    camera = RawCamera("Pixel", RawShoot(shape=(256, 256), hot_pixels=0.001, prnu=0.02))
    assert np.std(camera.gains) == pytest.approx(0.02, rel=0.05)
    excess = (camera.black(100) - 64)[camera.is_hot] / camera.read_noise(100)
    assert camera.is_hot.sum() > 30 and excess.min() > 9
    still, shaken = camera.scene(0), camera.scene(0, (2, 2))
    # The scene's rows and columns, two further.
    np.testing.assert_allclose(still[2:, 2:], shaken[:-2, :-2], atol=1e-9)


def test_what_cannot_be_simulated_is_refused():
    with pytest.raises(ValueError, match=r"expected a phone among .*'Pixel'.*, received 'Mine'"):
        RawCamera("Mine", FEW)
    with pytest.raises(ValueError, match="above the quantisation variance of 8 bits"):
        RawCamera("OPPO Reno", RawShoot(bits=8, black_level=16))


def test_the_command_takes_the_shoot_as_flags(tmp_path):
    few = {"iso_levels": "200", "flat_exposures": 1, "darks": 2, "burst": 2, "prnu": 0.0}
    few |= {"phone": "OPPO Reno", "height": 64, "width": 96}
    done = run("simulate_raw_folder", output_dir=tmp_path / "d", **few)
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "d" / "truth.json").read_text())
    assert truth["camera"] == "OPPO Reno" and truth["shoot"]["prnu"] == 0
    assert len(list((tmp_path / "d").glob("*/iso200/*.npz"))) == 6
