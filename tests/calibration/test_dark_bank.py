"""Dark frames become a bank, in two layouts, and the noise model of it."""

import os

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.calibration.shoot import save_frame
from tests.scripts import run
from tfp_noiseflow.calibration.dark_bank import DarkBank, import_dark_frames

BLACK, WHITE, SHAPE = 512, 16383, (40, 64)
GAINS = {800: 2.0, 1600: 4.0}
SIGMA = {800: 6.0, 1600: 12.0}
# A pixel that is hot, in codes at each ISO.
HOT = (3, 10)


def shading(iso):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    codes = iso / 800 * (rows / 10 - columns / 20)
    codes[HOT] += 900
    return codes


def dark_codes(iso, number):
    generator = np.random.default_rng([iso, number])
    noise = SIGMA[iso] * generator.standard_normal(SHAPE)
    return np.rint(BLACK + shading(iso) + noise).astype(np.uint16)


def aim_tree(folder, frames=8):
    """Two cameras as the challenge has them."""
    for camera in ("canon70d", "sonya7r4"):
        (folder / camera / "calib_res").mkdir(parents=True)
        calibration = folder / camera / "calib_res"
        np.savez(
            calibration / "sys_gain.npz",
            **{f"iso{iso}": gain * np.array([1.02, 1, 1, 0.98]) for iso, gain in GAINS.items()},
        )
        for iso in GAINS:
            np.save(calibration / f"dark_shading_iso{iso}.npy", shading(iso).astype(np.float32))
            for number in range(frames):
                path = folder / camera / "dark_frame" / f"iso{iso}" / f"{number}.npz"
                save_frame(path, dark_codes(iso, number), black=BLACK, white=WHITE, iso=None)
    return folder


def test_the_layout_of_aim_2025(tmp_path):
    tree = aim_tree(tmp_path / "d")
    paths = import_dark_frames(DarkBank(tree, "aim2025"), tmp_path / "o", processes=1)
    assert [os.path.basename(path) for path in paths] == [
        "dark_frames.h5", "fixed_pattern_canon70d.h5", "fixed_pattern_sonya7r4.h5",
    ]  # fmt: skip
    with nf.read_captures(tmp_path / "o" / "dark_frames.h5", dequantises=False) as bank:
        assert bank.cameras == ("canon70d", "sonya7r4") and bank.iso_levels == (800, 1600)
        assert bank.image_shape == (20, 32, 4) and len(bank) == 2 * 2 * 8
        is_own = (bank.camera == "sonya7r4") & (bank.iso == 1600)
        beta1, beta2 = bank.nlf[is_own].mean(axis=0)
        assert beta1 == pytest.approx(GAINS[1600] / (WHITE - BLACK))
        # 20480 values: 1 %; rounding adds 0.06 %.
        assert beta2 == pytest.approx((SIGMA[1600] / (WHITE - BLACK)) ** 2, rel=0.05)
        assert not np.any(bank.read(0, 1).clean)
    pattern = nf.read_fixed_pattern(tmp_path / "o" / "fixed_pattern_sonya7r4.h5")
    for iso in GAINS:
        expected = shading(iso) / (WHITE - BLACK)
        np.testing.assert_allclose(pattern.mosaic(iso), expected, atol=1e-7)
    np.testing.assert_array_equal(pattern.hot_pixels, [HOT])


@pytest.mark.slow
def test_the_command_writes_a_noise_model_for_the_others(tmp_path):
    tree, model_dir = aim_tree(tmp_path / "d"), tmp_path / "model"
    done = run("import_dark_frames", layout="aim2025", input_dir=tree, output_dir=tmp_path / "o",
               model_dir=model_dir, processes=1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    model = nf.load_model(model_dir)
    noise = model(np.zeros((64, 8, 8, 4), np.float32), 1600, "sonya7r4").sample(seed=(0, 1))
    # Crops of 20480 values.
    assert np.std(noise) * (WHITE - BLACK) == pytest.approx(SIGMA[1600], rel=0.05)
    codes = np.full(SHAPE, 2000, np.uint16)
    frame = save_frame(tmp_path / "clean.npz", codes, black=BLACK, white=WHITE)
    pattern = tmp_path / "o" / "fixed_pattern_sonya7r4.h5"
    done = run("add_noise", model_dir=model_dir, input=frame, camera="sonya7r4", iso=1600, crop=10,
               fixed_pattern=pattern, output_dir=tmp_path / "noisy")  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "noisy" / "clean_sonya7r4_ISO1600.npz") as file:
        off = file["raw"] - (2000 + shading(1600))
    # The noise of dark frames and of 372 photoelectrons of 4 codes.
    expected = np.sqrt(SIGMA[1600] ** 2 + 4 * (2000 - BLACK))
    assert off.std() == pytest.approx(expected, rel=0.08)
    assert abs(off[HOT]) < 6 * expected


def test_dark_frames_in_a_folder(tmp_path):
    for iso in GAINS:
        for number in range(6):
            path = tmp_path / "d" / f"iso{iso}" / f"{number}.npz"
            save_frame(path, dark_codes(iso, number), black=BLACK, white=WHITE, iso=None)
    bank = DarkBank(tmp_path / "d", camera="mine", window=(20, 24), frames_per_iso=4)
    paths = import_dark_frames(bank, tmp_path / "o", processes=1)
    with nf.read_captures(paths[0], dequantises=False) as captures:
        assert len(captures) == 8 and captures.image_shape == (10, 12, 4)
        # Those that were chosen, from the middle.
        expected = (dark_codes(800, 0)[10:30:2, 20:44:2] - float(BLACK)) / (WHITE - BLACK)
        np.testing.assert_allclose(captures.read(0, 1).noise[0, ..., 0], expected, atol=1e-7)
        assert captures.nlf is None
    pattern = nf.read_fixed_pattern(paths[1])
    expected = np.mean([dark_codes(1600, n) for n in (0, 1, 3, 5)], axis=0)[10:30, 20:44] - BLACK
    np.testing.assert_allclose(pattern.mosaic(1600), expected / (WHITE - BLACK), atol=1e-7)
    assert import_dark_frames(bank, tmp_path / "o") == paths
    with pytest.raises(ValueError, match=r"laws of the cameras \['mine'\]"):
        nf.DarkFrameNoise.from_captures(paths[0])


def test_what_is_missing_or_wrong_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of dark frames, there is none"):
        import_dark_frames(DarkBank(tmp_path / "no"), tmp_path / "o")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="CAMERA/dark_frame/iso800"):
        import_dark_frames(DarkBank(tmp_path / "empty", "aim2025"), tmp_path / "o")
    tree = aim_tree(tmp_path / "d", frames=2)
    gains = tree / "canon70d" / "calib_res" / "sys_gain.npz"
    np.savez(gains, iso800=[2.0] * 4)
    with pytest.raises(ValueError, match=r"sys_gain\.npz: expected iso1600, .*\['iso800'\]"):
        import_dark_frames(DarkBank(tree, "aim2025"), tmp_path / "o", processes=1)
    np.savez(gains, iso800=[2.0] * 4, iso1600=[4.0] * 4)
    map_of_one = tree / "canon70d" / "calib_res" / "dark_shading_iso800.npy"
    np.save(map_of_one, np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"dark_shading_iso800\.npy: expected .*\[4, 4\]"):
        import_dark_frames(DarkBank(tree, "aim2025"), tmp_path / "o1", processes=1)
    map_of_one.unlink()
    with pytest.raises(ValueError, match=r"dark_shading_iso800\.npy: expected beside"):
        import_dark_frames(DarkBank(tree, "aim2025"), tmp_path / "o2", processes=1)
    darks = tree / "canon70d" / "dark_frame"
    wide = DarkBank(darks, camera="c", window=(400, 400))
    with pytest.raises(ValueError, match=r"at least the window \[400, 400\], received \[40, 64\]"):
        import_dark_frames(wide, tmp_path / "o3", processes=1)
    for wrong in ({"layout": "sid"}, {"window": (3, 4)}, {"frames_per_iso": 1}):
        with pytest.raises(ValueError, match="expected"):
            DarkBank(tree, **wrong)
