"""Raw frames in .npz of unknown origin: what is too large is not read, what is damaged is named."""

import io
import zipfile

import numpy as np
import pytest

from tfp_noiseflow.imaging.raw_file import read_raw_file


def write(path, **changed):
    frame = {"raw": np.full([8, 8], 100, np.uint16), "black": 64, "white": 1023, "cfa": "RGGB"}
    np.savez_compressed(path, **frame | changed)
    return path


def test_numbers_beside_the_frame_are_few(tmp_path):
    path = write(tmp_path / "frame.npz", white_balance=np.zeros([4096, 4096], np.uint16))
    with pytest.raises(ValueError, match=rf"{path}: .*at most 4096 numbers in white_balance"):
        read_raw_file(path)


def test_a_header_that_declares_more_than_memory_is_refused(tmp_path):
    path = write(tmp_path / "frame.npz")
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<u2", "fortran_order": False, "shape": (2**20, 2**20)}
    )
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (members | {"raw.npy": head.getvalue()}).items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match=rf"{path}: .*numbers in raw, its shape is"):
        read_raw_file(path)


def test_names_that_mean_nothing_are_not_read(tmp_path):
    path = write(tmp_path / "frame.npz", notes=np.zeros([4096, 4096], np.uint16))
    assert read_raw_file(path).codes.shape == (8, 8)


def test_objects_are_never_loaded(tmp_path):
    path = tmp_path / "frame.npz"
    np.savez(path, raw=np.array([[{}]], object))
    with pytest.raises(ValueError, match=f"{path}: expected a whole .npz file"):
        read_raw_file(path)


def test_a_place_before_the_beginning_is_a_damage(tmp_path):
    path = write(tmp_path / "frame.npz")
    content = bytearray(path.read_bytes())
    # The directory's offset, in the record at the end: beyond the file.
    content[-6:-2] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path}: expected a whole .npz file"):
        read_raw_file(path)
