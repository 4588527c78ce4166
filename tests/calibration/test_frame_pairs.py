"""Noisy raw frames with a clean one become captures, in three layouts."""

import json

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.calibration.shoot import save_frame
from tests.imaging.test_raw_frame import XYZ_TO_CAMERA, write_dng
from tests.scripts import run
from tfp_noiseflow.calibration.frame_pairs import FramePairs, find_pairs, import_frames

RNG = np.random.default_rng(0)
GAIN, BLACK, WHITE = 2.0, 512, 16383  # DN/e- at ISO 100.
SCENES = {name: RNG.uniform(20, 400, (64, 96)) for name in "abc"}


def frame(path, scene, light, iso, number=1, **about):
    """A raw frame of a scene: electrons in the light of a unit, Poisson."""
    electrons = np.mean([RNG.poisson(SCENES[scene] * light) for _ in range(number)], axis=0)
    codes = np.rint(BLACK + GAIN * iso / 100 * electrons).astype(np.uint16)
    if path.suffix == ".dng":
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dng(path, codes, XYZ_TO_CAMERA[1], [0.5, 1.0, 0.625], levels=(BLACK, WHITE),
                  shot=(iso, about.get("exposure_time") or 0.01))  # fmt: skip
        return
    levels = {"black": BLACK, "white": WHITE, "iso": iso, "camera": "Test"}
    save_frame(path, codes, **levels | about)


def check(captures, light, iso):
    """beta1 is the gain; clean is the scene in the noisy frame's light."""
    block = captures.read(0, len(captures))
    clean = block.clean * (WHITE - BLACK) / (GAIN * iso / 100) / light
    scenes = {name.split()[-1].rpartition("-")[2]: s for name, s in SCENES.items()}
    low, high = min(s.min() for s in scenes.values()), max(s.max() for s in scenes.values())
    # Where clean is darkest its noise is 8 %.
    assert low * 0.65 < clean.min() and clean.max() < high * 1.2
    nlf = nf.CameraNLF.fit(captures)
    expected = GAIN * iso / 100 / (WHITE - BLACK)
    # Some 10,000 pixels, 1.4 %; clean frames have a few per cent of the noise.
    assert nlf.beta1.numpy().ravel()[0] == pytest.approx(expected, rel=0.08)


def read(folder, name="train"):
    return nf.read_captures(folder / f"{name}.h5")


def test_bursts_in_folders(tmp_path):
    for scene in SCENES:
        for number in range(2):
            frame(tmp_path / "d" / scene / "noisy" / f"{number}.npz", scene, 1.0, 100)
        for number in range(4):
            frame(tmp_path / "d" / scene / "clean" / f"{number}.npz", scene, 1.0, 100, number=8)
    source = FramePairs(tmp_path / "d", test_share=0.34, patch_size=16)
    record = import_frames(source, tmp_path / "o", processes=1)
    assert record["files"]["train"]["images"] == 4 and record["files"]["test"]["images"] == 2
    train, test = read(tmp_path / "o"), read(tmp_path / "o", "test")
    assert not set(train.scene) & set(test.scene)
    assert train.image_shape == (16, 16, 4) and train.cameras == ("Test",)
    check(train, 1.0, 100)
    # Complete: nothing is done again, and another setting is refused.
    assert import_frames(source, tmp_path / "o") == record
    with pytest.raises(ValueError, match="patch_size: expected 8, found 16"):
        import_frames(FramePairs(tmp_path / "d", test_share=0.34, patch_size=8), tmp_path / "o")


@pytest.mark.parametrize("layout", ["folder", "sid", "eld"])
def test_trees_of_dng_files(tmp_path, layout):
    pytest.importorskip("rawpy")
    root = tmp_path / "d"
    for number, scene in enumerate(SCENES, start=1):
        names = {
            "folder": (f"{scene}/noisy/0.dng", f"{scene}/clean/0.dng"),
            "sid": (f"Sony/short/{number:05d}_00_0.1s.dng", f"Sony/long/{number:05d}_00_1.6s.dng"),
            "eld": (f"Camera/scene-{number}/IMG_0003.dng", f"Camera/scene-{number}/IMG_0001.dng"),
        }[layout]
        noisy, clean = (root / name for name in names)
        frame(noisy, scene, 1.0, 800, exposure_time=0.1)
        frame(clean, scene, 16.0, 100, exposure_time=1.6)
    source = FramePairs(root, layout, patch_size=16, test_share=0.0)
    record = import_frames(source, tmp_path / "o", processes=1)
    assert record["files"]["train"]["images"] == 3
    captures = read(tmp_path / "o")
    assert captures.iso_levels == (800.0,) and set(captures.cfa) == {"GRBG"}
    check(captures, 1.0, 800)


def test_see_in_the_dark(tmp_path):
    root = tmp_path / "d" / "Sony"
    for number, scene in enumerate(SCENES, start=1):
        for shot in range(2):
            frame(root / "short" / f"{number:05d}_0{shot}_0.1s.npz", scene, 1.0, 800,
                  exposure_time=None)  # fmt: skip
        # Sixteen times longer, at an ISO at which it is not saturated.
        long = root / "long" / f"{number:05d}_00_1.6s.npz"
        frame(long, scene, 16.0, 100, exposure_time=None)
    frame(root / "short" / "00009_00_0.1s.npz", "a", 1.0, 800)
    with pytest.raises(ValueError, match="long exposure 00009_00_10s beside it"):
        import_frames(FramePairs(tmp_path / "d", "sid", patch_size=16), tmp_path / "o")
    source = FramePairs(tmp_path / "d", "sid", patch_size=16, test_share=0.0)
    record = import_frames(source, tmp_path / "o", skip_bad=True, processes=1)
    assert record["files"]["train"]["images"] == 6
    assert list(record["files"]["train"]["bad"]) == ["Sony_00009_00_0.1s"]
    captures = read(tmp_path / "o")
    assert captures.iso_levels == (800.0,) and len(set(captures.scene)) == 3
    check(captures, 1.0, 800)


def test_extreme_low_light(tmp_path):
    for number, scene in enumerate(SCENES, start=1):
        root = tmp_path / "d" / "SonyA7S2" / f"scene-{number}"
        for clean in (1, 6):
            frame(root / f"IMG_{clean:04d}.npz", scene, 16.0, 100, exposure_time=1.6)
        frame(root / "IMG_0003.npz", scene, 1.0, 800, exposure_time=0.1)
        frame(root / "IMG_0005.npz", scene, 1.0, 800, exposure_time=0.1)
    pairs, bad = find_pairs(tmp_path / "d", "eld")
    assert not bad
    nearest = {pair.name[-8:]: pair.clean[0][-12:-4] for pair in pairs}
    assert nearest == {"IMG_0003": "IMG_0001", "IMG_0005": "IMG_0006"}
    done = run("import_frames", layout="eld", input_dir=tmp_path / "d", output_dir=tmp_path / "o",
               patch_size=16, processes=1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "captures of 4 frames, 2 scenes" in done.stdout
    check(read(tmp_path / "o"), 1.0, 800)
    record = json.loads((tmp_path / "o" / "import.json").read_text())
    assert record["settings"]["layout"] == "eld"


def test_what_is_saturated_in_the_clean_frame_is_left_out(tmp_path):
    root = tmp_path / "d" / "a"
    frame(root / "noisy" / "0.npz", "a", 1.0, 100, exposure_time=0.01)
    codes = np.full((64, 96), 3000, np.uint16)
    codes[:32] = WHITE
    save_frame(root / "clean" / "0.npz", codes, black=BLACK, white=WHITE, iso=100, camera="Test",
               exposure_time=0.02)  # fmt: skip
    import_frames(FramePairs(tmp_path / "d", test_share=0.0, patch_size=16), tmp_path / "o")
    captures = read(tmp_path / "o")
    assert len(captures) == 3
    expected = (3000 - BLACK) / (WHITE - BLACK) / 2
    np.testing.assert_allclose(captures.read(0, 3).clean, expected, rtol=1e-5)


def test_trees_of_another_form_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder of frames"):
        find_pairs(tmp_path / "nowhere", "sid")
    with pytest.raises(ValueError, match="layout scene-1/IMG_0001"):
        find_pairs(tmp_path, "eld")
    with pytest.raises(ValueError, match="expected a layout among"):
        FramePairs(tmp_path, "dnd")
    frame(tmp_path / "a" / "noisy" / "0.npz", "a", 1.0, 100)
    with pytest.raises(ValueError, match="expected frames in clean beside those in noisy"):
        find_pairs(tmp_path, "folder")
    small = np.full((32, 96), 900, np.uint16)
    save_frame(tmp_path / "a" / "clean" / "0.npz", small, black=BLACK, white=WHITE, camera="Test")
    with pytest.raises(ValueError, match="clean frame of the size and CFA"):
        import_frames(FramePairs(tmp_path, test_share=0.0, patch_size=16), tmp_path / "o")
