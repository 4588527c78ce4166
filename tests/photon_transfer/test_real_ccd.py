"""A real CCD: gain, read noise and row noise of its four taps.

What is chosen: bias of each frame and tap from its blank columns 12 to 47; columns 56 to 1071 and
rows 4 to 515 of the lit area, where rows and columns of the edge are left out; all levels; the
variance of the dark pair as that of no light; the slope at no light of a line that bends alike at
all taps (the variance falls by 5 % over 26,000 codes: the brighter-fatter effect).
"""

import numpy as np
import pytest

from tfp_noiseflow.calibration.darks import dark_noise
from tfp_noiseflow.photon_transfer.bend import common_bend
from tfp_noiseflow.photon_transfer.line import interval, level_sums
from tfp_noiseflow.photon_transfer.motion import motion
from tfp_noiseflow.photon_transfer.noise_level import noise_level
from tfp_noiseflow.photon_transfer.tiles import FLAT_PIXELS, tile_plane

ROWS, COLUMNS, BLANK = slice(4, 516), slice(56, 1072), slice(12, 48)
FULL_SCALE = 26_000.0


@pytest.fixture(scope="module")
def taps(shared_data):
    with np.load(shared_data / "real_raw" / "esis_ccd.npz") as file:
        frames = {name: file[name].astype(np.float64) for name in file.files}
    found = []
    for tap in range(4):
        lit = np.stack([frames[name][ROWS, COLUMNS, tap] for name in ("led_a", "led_b")])
        bias = np.mean([frames[name][ROWS, BLANK, tap].mean() for name in ("led_a", "led_b")])
        dark = np.stack([frames[f"led_dark_{n}"][ROWS, COLUMNS, tap] for n in "ab"])
        dark = dark_noise(dark)
        tiles = tile_plane(lit, bias, motion([lit], [bias], 6e4).gains, pixels=FLAT_PIXELS)
        sums = level_sums(tiles, FULL_SCALE)
        error = np.std(dark.replicates[:, 0] - dark.replicates[:, 1])
        level = noise_level(
            sums, FULL_SCALE, 100, dark=(dark.variance - dark.row_variance, float(error))
        )
        found.append((level, dark))
    return found


def test_gain_and_read_noise_of_its_taps(taps):
    bend = common_bend(
        [level.misses for level, _ in taps], [(level.beta1, level.beta2) for level, _ in taps]
    )
    assert bend.is_clear and bend.bend == pytest.approx(-0.053, abs=0.02)
    gains, read_noise = [], []
    for (level, dark), slope, error in zip(taps, bend.slopes, bend.slope_errors, strict=True):
        gains.append(level.beta1 * FULL_SCALE * slope)
        # Half an interval of 95 %.
        assert 1.96 * error < 0.015
        low, high = interval(np.sqrt(dark.replicates[:, 0]))
        assert (high - low) / 2 < 0.015 * np.sqrt(dark.variance)
        read_noise.append(np.sqrt(dark.variance))
    # Measured here: DN/e- and DN.
    np.testing.assert_allclose(gains, [0.409, 0.410, 0.416, 0.415], rtol=0.003)
    np.testing.assert_allclose(read_noise, [4.03, 3.87, 4.17, 4.25], rtol=0.01)


def test_its_noise_is_gaussian_and_rows_are_quiet(taps):
    for index, (_, dark) in enumerate(taps):
        # 0.135 is nearest to a Gaussian.
        assert dark.codes.shape == pytest.approx(0.135, abs=0.02)
        rows = np.sqrt(dark.row_variance)
        # The first tap has some; 512 rows of 1016 pixels see no less than 0.05 codes.
        assert rows == pytest.approx(0.13, abs=0.03) if index == 0 else rows < 0.05
