"""Dark frames tell black level, read and row noise, what is fixed, and hot pixels."""

import numpy as np
import pytest

from tests.calibration import shoot
from tfp_noiseflow.calibration.darks import dark_noise
from tfp_noiseflow.photon_transfer.line import interval
from tfp_noiseflow.photon_transfer.pair import planes_of


def darks(camera, iso, frames=10, seed=0):
    rng = np.random.default_rng(seed)
    codes = [camera.shoot_frame(0.0, iso, rng) for _ in range(frames)]
    return planes_of(codes, "RGGB", 64)[0]


# OPPO Reno at ISO 100 has 0.32 codes of noise, of Nexus 6 at 3200 a hundredth is cut off at code 0.
@pytest.mark.parametrize(
    ("phone", "iso"), [("Pixel", 400), ("OPPO Reno", 100), ("Nexus 6", 3200), ("iPhone 11", 100)]
)
def test_noise_in_the_dark_is_found(phone, iso):
    camera = shoot.camera(phone, iso_levels=(100, iso + 1), shape=(384, 384), black_drift=0.3)
    found = dark_noise(darks(camera, iso)[1], lowest=0)
    variance = camera.law(iso)[1] * camera.full_scale**2
    # Its standard error is 0.7 %; what cut off and rounded codes cost is up to 2 %.
    assert found.variance == pytest.approx(variance, rel=0.035)
    low, high = interval(found.replicates[:, 0])
    assert low < found.variance < high < 1.06 * low
    rows = found.row_variance / (found.variance - 1 / 12)
    # 192 rows in ten frames: 5 %.
    assert rows == pytest.approx(0.05, rel=0.2)
    assert abs(found.black_level - camera.mean_black(iso)[1]) < 4 * found.black_error
    assert found.is_from_codes == (phone in ("OPPO Reno", "Nexus 6"))
    # Row noise and offsets, Gaussian, make the tails of the whole a little lighter than -0.1.
    assert -0.11 < found.codes.shape < -0.04
    if not found.is_from_codes:
        assert found.fixed == pytest.approx(0.1 * camera.read_noise(iso), rel=0.2)


def test_every_hot_pixel_is_found():
    camera = shoot.camera(shape=(256, 512), hot_pixels=1e-3)
    hot = planes_of([camera.is_hot], "RGGB", 0)[0]
    for plane, is_hot in zip(darks(camera, 100), hot, strict=True):
        found = np.zeros(plane.shape[1:], bool)
        noise = dark_noise(plane)
        found[tuple(noise.hot.T)] = True
        assert is_hot[0].sum() > 10 and found[is_hot[0]].all()
        # Six spreads of heavy tails: some in a hundred thousand.
        assert (found & ~is_hot[0]).sum() <= 2
        assert (noise.hot_excess[is_hot[0][tuple(noise.hot.T)]] > 8).all()


def test_profiles_are_what_frames_share_and_row_noise_what_they_do_not():
    camera = shoot.camera(shape=(256, 512), shading=4.0, row_share=0.0, hot_pixels=0.0)
    found = dark_noise(darks(camera, 100)[0])
    expected = planes_of([camera.black(100)], "RGGB", 0)[0][0][0]
    error = found.row_profile - (expected.mean(axis=1) - expected.mean())
    assert np.std(error) < 0.05 and np.ptp(found.row_profile) > 3
    assert np.std(found.column_profile - (expected.mean(axis=0) - expected.mean())) < 0.06
    # No row noise: 0 within the error that the pixels' noise leaves.
    assert found.row_variance < 0.003 * found.variance


def test_bands_are_peaks_of_the_spectrum():
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (8, 1, 1))
    bands = 2 * np.sin(2 * np.pi * np.arange(64)[:, None] / 8 + phase)
    frames = np.rint(100 + bands + rng.standard_normal((8, 64, 96)))
    found = dark_noise(frames)
    assert np.argmax(found.row_spectrum) + 1 == 8
    assert found.row_spectrum.max() > 20 * np.median(found.row_spectrum)


def test_what_are_no_darks_is_refused():
    with pytest.raises(ValueError, match="two dark frames or more, received 1"):
        dark_noise(np.full((1, 8, 32), 64))
    with pytest.raises(ValueError, match="frames that are all equal"):
        dark_noise(np.full((3, 8, 32), 64))


@pytest.mark.slow
def test_intervals_cover():
    camera = shoot.camera("Pixel", shape=(128, 192), hot_pixels=0.0)
    variance = camera.law(100)[1] * camera.full_scale**2
    black = camera.mean_black(100)
    covered = {"variance": [], "rows": [], "black": []}
    for repeat in range(200):
        for index, plane in enumerate(darks(camera, 100, seed=repeat)[::2]):
            found = dark_noise(plane, seed=repeat)
            low, high = interval(found.replicates[:, 0])
            covered["variance"].append(low <= variance <= high)
            shares = found.replicates[:, 1] / (found.replicates[:, 0] - 1 / 12)
            low, high = interval(shares)
            covered["rows"].append(low <= 0.05 <= high)
            error = abs(found.black_level - black[2 * index])
            covered["black"].append(error < 1.96 * found.black_error)
    # Nominally 95 %.
    for name, hits in covered.items():
        assert 0.90 <= np.mean(hits) <= 0.99, (name, np.mean(hits))
