"""A camera's fixed pattern: its file, and what it is made of."""

import h5py
import numpy as np
import pytest

import tfp_noiseflow as nf


def pattern(**changed):
    generator = np.random.default_rng(0)
    given = {
        "camera": "A7S2",
        "cfa": "RGGB",
        "iso_levels": (100, 8000),
        "dark_shading": generator.normal(0, 1e-3, (2, 6, 8)),
        "hot_pixels": [[0, 1], [5, 7]],
        "hot_values": [[0.1, 0.2], [0.3, 0.4]],
        "origin": "drawn numbers",
        "licence": "none",
    }
    return nf.FixedPattern(**{**given, **changed})


def test_a_file_gives_back_what_was_written(tmp_path):
    written = pattern()
    nf.write_fixed_pattern(tmp_path / "a.h5", written)
    read = nf.read_fixed_pattern(tmp_path / "a.h5")
    for name in ("camera", "cfa", "iso_levels", "origin", "licence"):
        assert getattr(read, name) == getattr(written, name)
    for iso in (100, 8000):
        np.testing.assert_array_equal(read.mosaic(iso), written.mosaic(iso))
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_hot_pixels_are_above_the_shading_at_their_place():
    off = pattern().mosaic(8000) - pattern().dark_shading[1]
    assert off[0, 1] == pytest.approx(0.3) and off[5, 7] == pytest.approx(0.4)
    assert np.count_nonzero(off) == 2
    packed = pattern(cfa="GRBG").image(8000, (3, 4, 4))
    # Of a GRBG mosaic, row 0 column 1 is red.
    assert packed[0, 0, 0] == pytest.approx(pattern().mosaic(8000)[0, 1])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"camera": ""}, "name of a camera"),
        ({"cfa": "RGBG"}, "a CFA among"),
        ({"iso_levels": (100, 100)}, "positive ISOs, each once"),
        ({"iso_levels": (100,)}, r"dark_shading of shape \[1, H, W\]"),
        ({"dark_shading": np.zeros((2, 5, 8))}, "H and W even"),
        ({"dark_shading": np.full((2, 6, 8), np.nan)}, "dark_shading: finite numbers"),
        ({"hot_pixels": [[0, 1], [6, 7]]}, r"within \[6, 8\].*\[\[6, 7\]\]"),
        ({"hot_pixels": [[0, 1], [0, 1]]}, "some twice"),
        ({"hot_values": [[0.1, 0.2]]}, r"hot_values of shape \[2, 2\]"),
    ],
)
def test_wrong_patterns_are_told(changed, message):
    with pytest.raises(ValueError, match=message):
        pattern(**changed)


def test_damaged_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(FileNotFoundError, match=r"a\.h5"):
        nf.read_fixed_pattern(path)
    nf.write_fixed_pattern(path, pattern())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a\.h5: expected a fixed pattern"):
        nf.read_fixed_pattern(path)
    nf.write_captures(path, np.zeros((1, 2, 2, 4)), np.zeros((1, 2, 2, 4)), 100, "A")
    with pytest.raises(ValueError, match=r"a\.h5: expected .* missing \['dark_shading'"):
        nf.read_fixed_pattern(path)
    nf.write_fixed_pattern(path, pattern())
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 9
    with pytest.raises(ValueError, match="format_version 1 or lower, received 9"):
        nf.read_fixed_pattern(path)


def test_hot_pixels_of_a_mean_are_found():
    generator = np.random.default_rng(1)
    mean = generator.normal(0, 1e-4, (2, 40, 60)).astype(np.float32)
    mean[:, ::2] += 1e-3  # Rows of a colour are no hot pixels.
    mean[1, 7, 9] += 0.02
    mean[:, 20, 30] += 0.005
    found = nf.FixedPattern.of_dark_frames(mean, (100, 800), camera="A", cfa="RGGB")
    np.testing.assert_array_equal(found.hot_pixels, [[7, 9], [20, 30]])
    for index, iso in enumerate((100, 800)):
        np.testing.assert_allclose(found.mosaic(iso), mean[index], atol=1e-8)
    assert np.abs(found.dark_shading[:, 7, 9]).max() < 2e-4
