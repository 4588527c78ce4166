"""What a folder's frames are, and which folders are refused."""

import numpy as np
import pytest

from tests.calibration.shoot import save_frame
from tfp_noiseflow.calibration.folder import Given, read_folder

RNG = np.random.default_rng(0)


def codes(shape=(32, 64)):
    return RNG.integers(60, 900, shape).astype(np.uint16)


def test_kind_iso_and_exposure_come_from_files_and_folders(tmp_path):
    for number in range(2):
        save_frame(tmp_path / "Flat_Field" / "a" / f"{number}.npz", codes())
        save_frame(tmp_path / "bias" / "iso 800" / f"{number}.npz", codes(), iso=None)
        # A file's ISO counts more than a folder's.
        save_frame(tmp_path / "iso1600" / "bursts" / f"s0_{number}.npz", codes(), iso=400)
        save_frame(tmp_path / "iso1600" / "bursts" / f"s1_{number}.npz", codes(), iso=400)
        about = {"iso": None, "exposure_time": None}
        save_frame(tmp_path / "flats" / "iso200" / "1_60s" / f"{number}.npz", codes(), **about)
    (tmp_path / "notes.txt").write_text("anything")
    save_frame(tmp_path / "elsewhere" / "x.npz", codes())
    folder = read_folder(tmp_path)
    found = [(g.kind, g.iso, g.exposure_time, len(g.frames)) for g in folder.groups]
    assert sorted(found, key=str) == sorted(
        [
            ("flats", 100, 0.01, 2),
            ("flats", 200, 1 / 60, 2),
            ("scenes", 400, 0.01, 2),
            ("scenes", 400, 0.01, 2),
            ("darks", 800, None, 2),
        ],
        key=str,
    )
    assert folder.iso_levels == (100, 200, 400, 800)
    assert "in none of the folders" in folder.left_out["elsewhere/x.npz"]


def test_what_files_do_not_say_can_be_given(tmp_path):
    for number in range(2):
        path = tmp_path / "darks" / f"{number}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, codes())
    with pytest.raises(
        ValueError, match=r"expected ISO \(--iso, or a folder such as iso800\), CFA"
    ):
        read_folder(tmp_path)
    folder = read_folder(tmp_path, Given(black_level=0, white_level=1023, cfa="BGGR", iso=50))
    (group,) = folder.groups
    assert (group.iso, group.frames[0].cfa, group.frames[0].white_level) == (50, "BGGR", 1023)
    np.testing.assert_array_equal(group.frames[0].black_level, np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"camera": "Other"}, "frames of one camera, received One .*; Other"),
        ({"cfa": "BGGR"}, "frames of one CFA, received RGGB .*; BGGR"),
        ({"white": 4095}, "frames of one white level, received 1023.*; 4095"),
        ({"cfa": "XTRANS"}, "expected a Bayer CFA such as RGGB, received 'XTRANS'"),
        ({"black": 2000}, r"white above black, received 1023.0 and 2000"),
        ({"black": [1, 2, 3]}, r"expected a black level or \[2, 2\]"),
        ({"iso": -3}, "an ISO above 0, received -3"),
    ],
)
def test_frames_that_do_not_fit_are_refused(tmp_path, changed, text):
    save_frame(tmp_path / "flats" / "a.npz", codes(), camera="One")
    save_frame(tmp_path / "flats" / "b.npz", codes(), **{"camera": "One"} | changed)
    with pytest.raises(ValueError, match=text):
        read_folder(tmp_path)


def test_folders_without_raw_frames_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder of raw frames, there is none"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="received none"):
        read_folder(tmp_path)
    (tmp_path / "flats").mkdir()
    (tmp_path / "flats" / "a.jpg").write_bytes(b"anything")
    with pytest.raises(ValueError, match="received 1 pictures"):
        read_folder(tmp_path)
    save_frame(tmp_path / "holiday" / "a.npz", codes())
    with pytest.raises(ValueError, match="received 1 files, of which none can be used"):
        read_folder(tmp_path)


def test_one_file_many_times_is_no_group(tmp_path):
    same = codes()
    for number in range(3):
        save_frame(tmp_path / "darks" / f"{number}.npz", same)
    with pytest.raises(ValueError, match="received one file 3 times: darks"):
        read_folder(tmp_path)
    save_frame(tmp_path / "darks" / "3.npz", codes())
    folder = read_folder(tmp_path)
    assert folder.left_out == {f"darks/{n}.npz": "the same file as darks/0.npz" for n in (1, 2)}


def test_files_that_cannot_be_read_stop_or_are_skipped_by_name(tmp_path):
    for number in range(2):
        save_frame(tmp_path / "darks" / f"{number}.npz", codes())
    (tmp_path / "darks" / "2.npz").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"2\.npz: .*--on_bad_file=skip"):
        read_folder(tmp_path)
    folder = read_folder(tmp_path, skip_bad=True)
    assert list(folder.left_out) == ["darks/2.npz"] and len(folder.groups[0].frames) == 2
