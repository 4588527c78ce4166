"""NoiseProfiles of DNG files become tables and laws, and laws become NoiseProfiles."""

import warnings

import numpy as np
import pytest

from tests.laws.dng import write_dng
from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.noise_profile import noise_profile, read_noise_profiles

tifffile = pytest.importorskip("tifffile")

ISOS = (100, 400, 1600, 6400)
LAW = CameraLaw((2e-4, 1e-5), (1e-7, 2e-8, 1e-6))
BY_CHANNEL = CameraLaw(([2e-4, 3e-4, 4e-4], 1e-5), (1e-7, 2e-8, [1e-6, 2e-6, 3e-6]))
LAWS = pytest.mark.parametrize("law", [LAW, BY_CHANNEL], ids=["for all channels", "by channel"])


@pytest.mark.parametrize("is_below", [False, True], ids=["first image", "image below"])
@LAWS
def test_a_profile_is_read_as_it_was_written(tmp_path, law, is_below):
    channels = law.channels
    path = write_dng(
        tmp_path / "a.dng", noise_profile(law, 640, channels), 640, "Phone 1", is_below
    )
    (table,) = read_noise_profiles(path)
    assert table.camera == "Phone 1"
    assert table.channels == (("all",) if channels == 1 else ("R", "G", "B"))
    np.testing.assert_array_equal(table.iso, [640])
    np.testing.assert_array_equal(table.beta1[0], law(640)[0])
    np.testing.assert_array_equal(table.beta2[0], law(640)[1])


def test_a_file_that_tifffile_wrote_is_read_and_read_by_it(tmp_path):
    profile = noise_profile(BY_CHANNEL, 640)
    tags = [
        (51041, "d", 6, tuple(profile), True),
        (34855, "H", 1, 640, True),
        (271, "s", 0, "Maker", True),
        (272, "s", 0, "Model 1", True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros([8, 8], np.uint16), extratags=tags)
    (table,) = read_noise_profiles(tmp_path / "a.tif")
    assert table.camera == "Maker Model 1"
    np.testing.assert_array_equal(table.beta1, BY_CHANNEL(640)[0][None])
    with tifffile.TiffFile(write_dng(tmp_path / "b.dng", profile, 640)) as file:
        np.testing.assert_array_equal(file.pages[0].pages[0].tags[51041].value, profile)


@LAWS
def test_a_folder_at_several_isos_gives_the_law_back(tmp_path, law):
    for camera, factor in (("A", 1.0), ("B", 2.0)):
        for iso in ISOS:
            profile = factor * noise_profile(law, iso, law.channels)
            write_dng(tmp_path / f"{camera}{iso}.DNG", profile, iso, camera)
            write_dng(tmp_path / f"{camera}{iso}_again.dng", profile, iso, camera)
    (tmp_path / "notes.txt").write_text("not a DNG")
    tables = {table.camera: table for table in read_noise_profiles(tmp_path)}
    assert set(tables) == {"A", "B"}
    for table, factor in ((tables["A"], 1.0), (tables["B"], 2.0)):
        np.testing.assert_array_equal(table.iso, ISOS)
        found = table.fit().law
        for beta, expected in zip(found(640), law(640), strict=True):
            # What the steps of the fit leave.
            np.testing.assert_allclose(beta, factor * expected, rtol=1e-6)
        assert found.iso_range == (100, 6400)
        assert found.origin == "NoiseProfile of DNG files"


def test_one_file_is_a_table_of_one_iso_and_no_law(tmp_path):
    (table,) = read_noise_profiles(write_dng(tmp_path / "a.dng", [1e-4, 1e-6], 100))
    with pytest.raises(ValueError, match=r"3 for beta2.*received 1 \(\[100.0\]\)"):
        table.fit()
    np.testing.assert_allclose(table.fit(terms="pr").law(200), (2e-4, 4e-6))


def test_a_law_of_packed_channels_is_written_for_three_colours():
    packed = BY_CHANNEL.in_channels(4)
    np.testing.assert_allclose(noise_profile(packed, 640), noise_profile(BY_CHANNEL, 640))
    np.testing.assert_array_equal(noise_profile(LAW, 640), [*LAW(640)] * 3)
    assert noise_profile(BY_CHANNEL, 640, 1).shape == (2,)
    for wrong in ((LAW, 0, 3), (LAW, [100, 200], 3), (LAW, 100, 4)):
        with pytest.raises(ValueError, match="expected"):
            noise_profile(*wrong)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({34855: [200, 0, 0]}, 200),
        ({34855: [65535], 34866: [102400]}, 102400),
        ({34866: [800]}, 800),
        ({34855: [65535]}, 65535),
    ],
)
def test_the_iso_is_found_where_cameras_write_it(tmp_path, tags, expected):
    (table,) = read_noise_profiles(write_dng(tmp_path / "a.dng", [1e-4, 1e-6], tags))
    assert table.iso == [expected]


def test_a_read_noise_of_nothing_becomes_the_floor_and_is_told(tmp_path):
    path = write_dng(tmp_path / "a.dng", [1e-4, 0, 2e-4, 3e-6, 1e-4, -1e-7], 100)
    with pytest.warns(UserWarning, match=r"a\.dng: .*received \[0.0, 3e-06, -1e-07\]"):
        (table,) = read_noise_profiles(path)
    np.testing.assert_array_equal(table.beta2, [[1e-6, 3e-6, 1e-6]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_noise_profiles(write_dng(tmp_path / "b.dng", [1e-4, 1e-9], 100))


@pytest.mark.parametrize(
    ("profile", "iso", "message"),
    [
        (None, 100, r"tag 51041 \(NoiseProfile\), there is none"),
        ([1e-4, 1e-6], {}, "expected an ISO"),
        ([1e-4, 1e-6], 0, "ISOs above 0"),
        ([1e-4, 1e-6] * 2, 100, "for each of three"),
        ([1e-4, np.nan], 100, "nan"),
        ([0.0, 1e-6], 100, "beta1 > 0"),
        ([3.0, 20.0], 100, "Digital numbers"),
    ],
)
def test_a_file_that_says_nothing_of_its_noise_is_refused_by_name(tmp_path, profile, iso, message):
    path = write_dng(tmp_path / "a.dng", profile, iso)
    with pytest.raises(ValueError, match=rf"a\.dng: .*{message}"):
        read_noise_profiles(path)


def test_other_files_and_folders_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"DNG files \(\.dng\) in the folder"):
        read_noise_profiles(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.dng: expected"):
        read_noise_profiles(tmp_path / "none.dng")
    (tmp_path / "x.dng").write_bytes(b"no TIFF at all")
    with pytest.raises(ValueError, match=r"x\.dng: expected a DNG file"):
        read_noise_profiles(tmp_path)
    whole = write_dng(tmp_path / "y.dng", [1e-4, 1e-6], 100).read_bytes()
    (tmp_path / "x.dng").write_bytes(whole[:60])
    with pytest.raises(ValueError, match=r"x\.dng: expected"):
        read_noise_profiles(tmp_path / "x.dng")


def test_files_of_one_camera_with_other_colours_are_refused(tmp_path):
    write_dng(tmp_path / "a.dng", [1e-4, 1e-6], 100)
    write_dng(tmp_path / "b.dng", [1e-4, 1e-6] * 3, 200)
    with pytest.raises(
        ValueError, match=r"b\.dng: expected .* 1 pairs, as in .*a\.dng, received 3"
    ):
        read_noise_profiles(tmp_path)
