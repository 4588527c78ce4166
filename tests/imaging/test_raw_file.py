"""Raw files of every form say the same; what is no raw file is refused with the reason."""

import numpy as np
import pytest

from tests.imaging.test_raw_frame import XYZ_TO_CAMERA, write_dng
from tfp_noiseflow.imaging.raw_file import read_raw_file

CODES = np.random.default_rng(0).integers(60, 1024, (64, 96)).astype(np.uint16)


def test_an_npz_says_what_it_holds(tmp_path):
    given = {"black": 64, "white": 1023, "cfa": "GBRG", "iso": 800, "exposure_time": 0.01}
    np.savez(tmp_path / "f.npz", raw=CODES, **given, camera="Mine")
    file = read_raw_file(tmp_path / "f.npz")
    np.testing.assert_array_equal(file.codes, CODES)
    assert (file.cfa, file.iso, file.exposure_time, file.camera) == ("GBRG", 800, 0.01, "Mine")
    assert file.black_level == 64 and file.white_level == 1023
    np.savez(tmp_path / "g.npz", raw=CODES)
    assert read_raw_file(tmp_path / "g.npz").iso is None
    np.savez(tmp_path / "h.npz", raw=CODES, iso=[100, 200])
    with pytest.raises(ValueError, match=r"h\.npz: expected one number in iso"):
        read_raw_file(tmp_path / "h.npz")
    np.savez(tmp_path / "i.npz", mosaic=CODES)
    with pytest.raises(ValueError, match=r"expected raw, the file holds \['mosaic'\]"):
        read_raw_file(tmp_path / "i.npz")


def test_a_dng_says_its_camera(tmp_path):
    pytest.importorskip("rawpy")
    write_dng(tmp_path / "f.dng", CODES, XYZ_TO_CAMERA[1], [0.5, 1.0, 0.625])
    file = read_raw_file(tmp_path / "f.dng")
    np.testing.assert_array_equal(file.codes, CODES)
    assert (file.cfa, file.camera) == ("GRBG", "Simulated")
    np.testing.assert_array_equal(file.black_level, np.full([2, 2], 64.0))


def test_mosaics_of_16_bits_are_read_and_pictures_refused(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    import tensorflow as tf

    np.save(tmp_path / "f.npy", CODES)
    tifffile.imwrite(tmp_path / "f.tif", CODES)
    (tmp_path / "f.png").write_bytes(tf.io.encode_png(CODES[..., None]).numpy())
    for name in ("f.npy", "f.tif", "f.png"):
        file = read_raw_file(tmp_path / name)
        np.testing.assert_array_equal(file.codes, CODES)
        assert file.cfa is file.iso is file.black_level is None
    shallow = (CODES // 4).astype(np.uint8)
    np.save(tmp_path / "g.npy", shallow)
    tifffile.imwrite(tmp_path / "g.tif", shallow)
    (tmp_path / "g.png").write_bytes(tf.io.encode_png(shallow[..., None]).numpy())
    for name in ("g.npy", "g.tif", "g.png"):
        with pytest.raises(ValueError, match=rf"{name}: expected codes of 16 bits"):
            read_raw_file(tmp_path / name)
    colours = np.stack([CODES] * 3, axis=-1)
    tifffile.imwrite(tmp_path / "h.tif", colours, photometric="rgb")
    with pytest.raises(ValueError, match="processed picture in colours"):
        read_raw_file(tmp_path / "h.tif")
    (tmp_path / "p.jpg").write_bytes(b"anything")
    with pytest.raises(ValueError, match=r"p\.jpg: expected a file among .*received '\.jpg'"):
        read_raw_file(tmp_path / "p.jpg")
    (tmp_path / "broken.tif").write_bytes(b"II*\0anything")
    with pytest.raises(ValueError, match=r"broken\.tif: expected a whole TIFF"):
        read_raw_file(tmp_path / "broken.tif")
