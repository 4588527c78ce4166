"""Raw frames and pictures: what is written is what is read, and what cannot be read says why."""

import errno
import struct
import sys

import numpy as np
import pytest

from tests.laws import dng
from tfp_noiseflow.imaging import CameraColors, meter
from tfp_noiseflow.imaging.contact_sheet import write_contact_sheet
from tfp_noiseflow.imaging.inverse_isp import XYZ_TO_CAMERA, srgb_to_camera
from tfp_noiseflow.imaging.picture import read_picture, write_png
from tfp_noiseflow.imaging.raw_frame import (
    frame_of_codes,
    frame_of_photograph,
    read_frame,
    read_raw,
    with_white_balance,
    write_raw,
)

GENERATOR = np.random.default_rng(0)
CODES = GENERATOR.integers(600, 16000, (20, 24)).astype(np.uint16)


def save_npz(path, **changed):
    values = {"raw": CODES, "black": 600, "white": 15520, "cfa": "GRBG"} | changed
    np.savez(path, **{name: value for name, value in values.items() if value is not None})
    return path


def test_a_raw_file_becomes_fractions_of_full_scale(tmp_path):
    frame = read_raw(save_npz(tmp_path / "f.npz"))
    assert frame.cfa == "GRBG"
    expected = np.minimum((CODES - 600.0) / (15520 - 600), 1)
    np.testing.assert_allclose(frame.mosaic, expected, atol=1e-6)
    np.testing.assert_array_equal(frame.codes(), np.minimum(CODES, 15520))
    assert frame.picture().shape == (20, 24, 3)


def test_what_is_written_is_read(tmp_path):
    frame = read_raw(save_npz(tmp_path / "f.npz"))
    noisy = frame.with_mosaic(frame.mosaic - np.float32(0.02))
    write_raw(noisy, tmp_path / "g.npz", camera="Pixel", iso=800)
    back = read_raw(tmp_path / "g.npz")
    # Rounded to codes; below code 0 there is none.
    np.testing.assert_allclose(back.mosaic, noisy.mosaic, atol=0.51 / 14920)
    assert back.cfa == "GRBG" and back.white_level == 15520
    assert back.mosaic.min() < 0, "the pedestal keeps what is below black"
    np.testing.assert_allclose(back.colors.red_gain, frame.colors.red_gain)
    with np.load(tmp_path / "g.npz") as file:
        assert str(file["camera"]) == "Pixel" and file["iso"] == 800


def test_what_is_written_gives_the_same_picture(tmp_path):
    matrix = srgb_to_camera(XYZ_TO_CAMERA[1])
    about = {"white_balance": [2.3, 1.2], "srgb_to_camera": matrix, "exposure": 0.4}
    frame = read_raw(save_npz(tmp_path / "f.npz", **about))
    assert frame.exposure == 0.4
    np.testing.assert_array_equal(frame.colors.srgb_to_camera[0], matrix)
    noisy = frame.with_mosaic(np.minimum(frame.mosaic * np.float32(1.3), 1))
    write_raw(noisy, tmp_path / "g.npz")
    # Rounding to one of 15,000 codes is a code of 8 bits at most, where the tone curve is steep.
    np.testing.assert_allclose(
        read_raw(tmp_path / "g.npz").picture(), noisy.picture(), atol=1 / 255
    )


def test_exposure_is_metered_with_the_gains_that_are_used(tmp_path):
    gains = np.array([3.0, 2.5])
    frame = read_raw(save_npz(tmp_path / "f.npz", white_balance=gains))
    asked = read_raw(save_npz(tmp_path / "g.npz"), white_balance=gains)
    for found in (frame, asked):
        assert [found.colors.red_gain[0], found.colors.blue_gain[0]] == gains.tolist()
        assert found.exposure == meter(found.mosaic, found.cfa, gains)[1]
    dim = meter(0.1 * frame.mosaic, frame.cfa, gains)[1]
    assert dim > 1.2 * meter(0.1 * frame.mosaic, frame.cfa)[1], "larger gains saturate more"
    assert read_raw(tmp_path / "g.npz", exposure=0.3).exposure == 0.3


@pytest.mark.parametrize(
    ("white", "dtype", "atol"),
    # Half a code of what is stored, as fractions; floats are not rounded.
    [(1.0, np.float32, 1e-6), (100000, np.uint32, 0.51e-5), (4000, np.uint16, 0.51 / 4000)],
)
def test_codes_keep_their_type(tmp_path, white, dtype, atol):
    raw = (GENERATOR.uniform(0.1, 0.9, (20, 24)) * white).astype(dtype)
    frame = read_raw(save_npz(tmp_path / "f.npz", raw=raw, black=0, white=white))
    noisy = frame.with_mosaic(frame.mosaic + np.float32(0.01))
    assert noisy.codes().dtype == dtype
    write_raw(noisy, tmp_path / "g.npz")
    np.testing.assert_allclose(read_raw(tmp_path / "g.npz").mosaic, noisy.mosaic, atol=atol)


def test_black_levels_by_position(tmp_path):
    black = np.array([[10.0, 20.0], [30.0, 40.0]])
    frame = frame_of_codes(np.full((10, 10), 110), "RGGB", black, 1010)
    np.testing.assert_allclose(
        frame.mosaic[:2, :2], [[100 / 1000, 90 / 990], [80 / 980, 70 / 970]], rtol=1e-6
    )
    np.testing.assert_array_equal(frame.codes(), 110)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cfa": None}, r"missing \['cfa'\]"),
        ({"cfa": "RGBW"}, "a Bayer CFA"),
        ({"black": 16000}, "white above black"),
        ({"raw": CODES[None]}, r"a mosaic \[H, W\]"),
        ({"raw": np.full((10, 10), np.nan)}, "finite pixels"),
        ({"white_balance": [0.0, 1.0]}, "gains above 0"),
        ({"white_balance": [2.0, 1.0, 1.5]}, "white_balance"),
        ({"white_balance": 2.0}, "white_balance"),
        ({"srgb_to_camera": np.eye(2)}, "srgb_to_camera"),
        ({"srgb_to_camera": np.ones((3, 3))}, "matrix with an inverse"),
        ({"exposure": 0.0}, "exposure above 0"),
        ({"white": [15520, 15520, 15520, 15520]}, "white level"),
        ({"black": [600, 600, 600, 600]}, "black level"),
        ({"raw": np.full((10, 10), "600")}, "numbers"),
    ],
)
def test_wrong_raw_files_say_what_is_expected(tmp_path, changed, message):
    path = save_npz(tmp_path / "f.npz", **changed)
    with pytest.raises(ValueError, match=message) as raised:
        read_raw(path)
    assert "f.npz" in str(raised.value)


def test_damaged_and_missing_files_are_named(tmp_path):
    path = save_npz(tmp_path / "f.npz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"f\.npz: expected a whole"):
        read_raw(path)
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        read_raw(tmp_path / "none.npz")
    (tmp_path / "p.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"p\.png: expected a whole picture"):
        read_picture(tmp_path / "p.png")
    with pytest.raises(FileNotFoundError, match=r"none\.jpg"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match=r"a file among .*\.png.*received '\.gif'"):
        read_picture(tmp_path / "p.gif")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.tif", "f.npz"])
def test_a_truncated_file_is_named_and_said_to_be_damaged(tmp_path, name, kept):
    imageio = pytest.importorskip("imageio.v3")
    path = tmp_path / name
    if name == "f.npz":
        save_npz(path)
    else:
        imageio.imwrite(path, GENERATOR.integers(0, 256, (40, 60, 3)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    # What the decoder says stands in brackets, and says something.
    with pytest.raises(
        ValueError, match=rf"{name}: expected a whole .*it is damaged or of another .* \(.*\w{{4}}"
    ) as raised:
        read_frame(path)
    assert "Error()" not in str(raised.value)


def test_a_file_that_the_system_does_not_give_is_not_said_to_be_damaged(tmp_path, monkeypatch):
    imageio = pytest.importorskip("imageio.v3")
    (tmp_path / "p.jpg").write_bytes(b"anything")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(imageio, "imread", refuse)
    with pytest.raises(PermissionError):
        read_frame(tmp_path / "p.jpg")


def test_a_folder_in_the_place_of_a_file_is_said_to_be_one(tmp_path):
    with pytest.raises(ValueError, match=r"a file among .*'\.png'.*'\.dng'.*received a folder"):
        read_frame(tmp_path)
    for name, read in (("p.png", read_picture), ("f.npz", read_raw), ("f.dng", read_frame)):
        (tmp_path / name).mkdir()
        with pytest.raises(ValueError, match=rf"{name}: expected a file .*received a folder"):
            read(tmp_path / name)


def write_dng(path, codes, matrix, neutral, orientation=1, levels=(64, 1023), shot=None):
    """A DNG of the tags that its specification asks for.

    Args:
      levels: black and white. shot: ISO and exposure time, a whole number and seconds.
    """
    tifffile = pytest.importorskip("tifffile")

    def rational(values, scale=10000):
        return [number for v in np.ravel(values) for number in (round(v * scale), scale)]

    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # DNGVersion
        (50708, "s", 0, "Simulated", True),  # UniqueCameraModel
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, (1, 0, 2, 1), True),  # CFAPattern: GRBG
        (50714, "H", 1, levels[0], True),  # BlackLevel
        (50717, "H", 1, levels[1], True),  # WhiteLevel
        (50721, "2i", 9, rational(matrix), True),  # ColorMatrix1
        (50728, "2I", 3, rational(neutral), True),  # AsShotNeutral
        (50778, "H", 1, 21, True),  # CalibrationIlluminant1: D65
        (274, "H", 1, orientation, True),
    ]
    if shot is None:
        tifffile.imwrite(path, codes, photometric=32803, extratags=tags)
        return
    # LibRaw takes the ISO from the EXIF directory alone, which tifffile does not write: a tag of
    # another name becomes its place, and it goes behind all else.
    iso, time = shot
    tags += [(33434, "2I", 1, rational(time), True), (65000, "I", 1, 0, True)]  # ExposureTime
    tifffile.imwrite(path, codes, photometric=32803, extratags=tags)
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[65000]
    content = bytearray(path.read_bytes())
    content += b"\0" * (len(content) % 2)
    struct.pack_into("<H", content, tag.offset, 34665)
    struct.pack_into("<I", content, tag.valueoffset, len(content))
    exif = dng.directory([(34855, dng.SHORT, [iso])], len(content))
    path.write_bytes(content + exif)


def test_a_dng_is_read_with_its_colors(tmp_path):
    pytest.importorskip("rawpy")
    codes = GENERATOR.integers(64, 1024, (64, 96)).astype(np.uint16)
    write_dng(tmp_path / "f.dng", codes, XYZ_TO_CAMERA[1], [0.5, 1.0, 0.625])
    frame = read_raw(tmp_path / "f.dng")
    assert frame.cfa == "GRBG"
    np.testing.assert_allclose(frame.mosaic, (codes - 64) / (1023 - 64), atol=1e-6)
    assert frame.colors.red_gain[0] == pytest.approx(2.0, rel=1e-3)
    assert frame.colors.blue_gain[0] == pytest.approx(1.6, rel=1e-3)
    np.testing.assert_allclose(
        frame.colors.srgb_to_camera[0], srgb_to_camera(XYZ_TO_CAMERA[1]), atol=2e-3
    )
    (tmp_path / "g.dng").write_bytes((tmp_path / "f.dng").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"g\.dng: expected a DNG"):
        read_raw(tmp_path / "g.dng")


# TIFF's orientations: turned by half, to be turned clockwise, and counterclockwise.
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_a_picture_of_a_dng_is_upright(tmp_path, orientation, turns):
    pytest.importorskip("rawpy")
    codes = GENERATOR.integers(64, 1024, (64, 96)).astype(np.uint16)
    given = (codes, XYZ_TO_CAMERA[1], [0.5, 1.0, 0.625])
    write_dng(tmp_path / "f.dng", *given)
    write_dng(tmp_path / "g.dng", *given, orientation=orientation)
    plain, turned = read_raw(tmp_path / "f.dng"), read_raw(tmp_path / "g.dng")
    np.testing.assert_array_equal(turned.mosaic, plain.mosaic)
    np.testing.assert_array_equal(turned.picture(), np.rot90(plain.picture(), turns))
    write_raw(turned, tmp_path / "g.npz")
    assert read_raw(tmp_path / "g.npz").quarter_turns == turns


@pytest.mark.parametrize(("module", "file"), [("rawpy", "f.dng"), ("imageio.v3", "f.jpg")])
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, module, file):
    (tmp_path / file).write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install tfp_noiseflow\["):
        read_frame(tmp_path / file)


def test_pictures_of_8_and_16_bits_and_grey(tmp_path):
    imageio = pytest.importorskip("imageio.v3")
    import tensorflow as tf

    deep = GENERATOR.integers(0, 65536, (11, 13, 3)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(tf.io.encode_png(deep).numpy())
    imageio.imwrite(tmp_path / "deep.tif", deep)
    for name in ("deep.png", "deep.tif"):
        np.testing.assert_allclose(read_picture(tmp_path / name), deep / 65535, atol=1e-6)
    shallow = GENERATOR.integers(0, 256, (11, 13, 3)).astype(np.uint8)
    write_png(shallow, tmp_path / "shallow.png")
    np.testing.assert_allclose(read_picture(tmp_path / "shallow.png"), shallow / 255, atol=1e-6)
    imageio.imwrite(tmp_path / "grey.tif", shallow[..., 0])
    grey = read_picture(tmp_path / "grey.tif")
    np.testing.assert_allclose(grey, np.repeat(shallow[..., :1], 3, axis=2) / 255, atol=1e-6)
    imageio.imwrite(tmp_path / "alpha.png", np.concatenate([shallow, shallow[..., :1]], axis=2))
    np.testing.assert_allclose(read_picture(tmp_path / "alpha.png"), shallow / 255, atol=1e-6)
    smooth = np.broadcast_to(np.linspace(0, 255, 32)[:, None, None], (32, 24, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "p.jpg", smooth, quality=95)
    np.testing.assert_allclose(read_picture(tmp_path / "p.jpg"), smooth / 255, atol=3 / 255)


def test_inks_are_not_read_as_colors(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    white = pillow.new("CMYK", (16, 16), (0, 0, 0, 0))
    white.save(tmp_path / "p.jpg")
    np.testing.assert_allclose(read_picture(tmp_path / "p.jpg"), 1, atol=2 / 255)
    white.save(tmp_path / "p.tif")
    with pytest.raises(ValueError, match=r"p\.tif: .*CMYK"):
        read_picture(tmp_path / "p.tif")


def test_a_tiffs_numbers_are_read_for_what_they_stand_for(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for dtype in (np.uint8, np.uint16):
        grey = GENERATOR.integers(0, np.iinfo(dtype).max, (16, 18)).astype(dtype)
        tifffile.imwrite(tmp_path / "w.tif", grey, photometric="miniswhite")
        expected = np.repeat(1 - grey[..., None] / np.iinfo(dtype).max, 3, axis=2)
        np.testing.assert_allclose(read_picture(tmp_path / "w.tif"), expected, atol=1e-6)
    grey = grey.astype(np.uint8)
    palette = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "p.tif", grey, photometric="palette", colormap=palette)
    turned = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "t.tif", grey, photometric="minisblack", extratags=turned)
    for name, message in (("p", "a palette"), ("t", "turned")):
        with pytest.raises(ValueError, match=rf"{name}\.tif: .*{message}"):
            read_picture(tmp_path / f"{name}.tif")


def test_a_photograph_becomes_a_frame_and_comes_back():
    y, x = np.mgrid[:41, :60] / 60
    photograph = np.stack([0.3 + 0.4 * x, 0.5 + 0.2 * y, 0.6 - 0.3 * x], axis=-1)
    frame = frame_of_photograph(photograph, exposure=0.5, seed=3)
    assert frame.mosaic.shape == (40, 60) and frame.mosaic.max() <= 0.5
    # At the border half of what is interpolated is the reflected image, whose slope is reversed.
    np.testing.assert_allclose(frame.picture()[4:-4, 4:-4], photograph[4:36, 4:-4], atol=1 / 255)
    other = frame_of_photograph(photograph, exposure=0.5, seed=4)
    assert other.colors.red_gain != frame.colors.red_gain


def test_a_photograph_keeps_its_colors_whatever_white_balance_its_raw_has():
    y, x = np.mgrid[:40, :60] / 60
    photograph = np.stack([0.3 + 0.4 * x, 0.5 + 0.2 * y, 0.6 - 0.3 * x], axis=-1)
    frame = frame_of_photograph(photograph, white_balance=[2.9, 1.2])
    assert frame.colors.red_gain == 2.9 and frame.colors.blue_gain == 1.2
    np.testing.assert_allclose(frame.picture()[4:-4, 4:-4], photograph[4:-4, 4:-4], atol=1 / 255)


def test_white_balance_replaces_the_gains():
    colors = with_white_balance(CameraColors(np.eye(3)[None], np.ones(1), np.ones(1)), 2.0, 1.5)
    assert colors.red_gain == 2.0 and colors.blue_gain == 1.5


def test_a_contact_sheet_shows_every_pixel_as_it_is(tmp_path):
    pytest.importorskip("PIL")
    pictures = [GENERATOR.integers(0, 256, (20, 30, 3)).astype(np.uint8) for _ in range(4)]
    rows = [
        ("Pixel", {"clean": pictures[0], "ISO 100\n40.00 dB": pictures[1]}),
        ("Nexus 6", {"clean": pictures[2], "ISO 100\n40.00 dB": pictures[3]}),
    ]
    write_contact_sheet(rows, tmp_path / "sheet.png", scale=2)
    sheet = np.rint(255 * read_picture(tmp_path / "sheet.png")).astype(np.uint8)
    for picture in pictures:
        wanted = picture.repeat(2, axis=0).repeat(2, axis=1)
        found = [
            (top, left)
            for top in range(sheet.shape[0] - 39)
            for left in range(sheet.shape[1] - 59)
            if (sheet[top, left] == wanted[0, 0]).all()
            and (sheet[top : top + 40, left : left + 60] == wanted).all()
        ]
        assert len(found) == 1
    with pytest.raises(ValueError, match="pictures of one size"):
        write_contact_sheet([("a", {"b": pictures[0], "c": pictures[0][:5]})], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
