"""Dark frames of one channel at one ISO: black level, read noise, rows and columns, hot pixels.

What stays the same from frame to frame (shading of rows and columns, pixels' offsets, hot pixels)
and what does not (read noise, row noise) are told apart by the frames' mean. Noise is an analysis
of variance of the frames minus their mean: within rows, between rows, between columns. Where it is
below a code, or codes end at black, mean and variance come from the likelihood of the codes
(`dark_codes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tfp_noiseflow.calibration.dark_codes import CodeDistribution, code_gain, fit_codes
from tfp_noiseflow.photon_transfer.line import GROUPS, REPLICATES
from tfp_noiseflow.photon_transfer.static_scene import FINE_NOISE

# Of the spread of the frames' mean, beyond which a pixel is hot (or dead).
HOT_SPREADS = 6.0
# Above such a share of codes at the end moments are those of codes and no longer those of noise.
CLIPPED = 1e-4
# By how much the likelihood's variance is off where noise is not quite of its family.
FAMILY_ERROR = 0.01
# The same where more than half of the noise is cut off and the rest is told by its tail, which
# begins z standard deviations above the mean, over z^2; and of the mean, in standard deviations
# of the codes. Simulated phones of which 57 to 94 % is cut off are off by up to as much.
TAIL_ERROR, TAIL_SHIFT = 0.2, 0.3
# Share of the codes at the lowest one from which on the camera cuts off what is below black: that
# code is what it takes for black, to so many codes.
CUT_OFF, LOWEST_ERROR = 0.2, 0.25
# Of the pixels, for the distribution.
SAMPLE = 1 << 19


@dataclass(frozen=True, eq=False)
class DarkNoise:
    """What dark frames tell, in codes; arrays are of a plane.

    Attributes:
      frames: how many.
      black_level: the mean of pixels that are not hot; black_error: its standard error.
      variance: of one pixel in time, at no light: read, row and column noise and rounding.
      row_variance, column_variance: of the offsets that a row or a column has in a frame.
      replicates: [REPLICATES, 2] of variance and row_variance, of rows drawn anew.
      fixed: standard deviation of the pixels' offsets, without the profiles and hot pixels.
      row_profile [H], column_profile [W]: of the mean frame, black_level taken off.
      row_spectrum [m], column_spectrum [m]: mean power of the rows' and the columns' means in time,
        without the mean, by frequency from 1 / H or 1 / W to 1/2 a row or column; of white noise it
        is flat.
      hot: [k, 2] rows and columns; hot_excess [k], standard deviations of the noise in time.
      codes: the distribution of codes, with read and row noise, fixed offsets and tails.
      lowest: the code at which they end; clipped: share of the codes that it is.
      is_from_codes: variance and black_level are those of the likelihood of codes.
      histogram: codes [c] and counts [c] of some pixels that are not hot.
    """

    frames: int
    black_level: float
    black_error: float
    variance: float
    row_variance: float
    column_variance: float
    replicates: np.ndarray
    fixed: float
    row_profile: np.ndarray
    column_profile: np.ndarray
    row_spectrum: np.ndarray
    column_spectrum: np.ndarray
    hot: np.ndarray
    hot_excess: np.ndarray
    codes: CodeDistribution
    lowest: float
    clipped: float
    is_from_codes: bool
    histogram: tuple[np.ndarray, np.ndarray]


def dark_noise(frames: np.ndarray, *, step: float = 1.0, lowest: float = 0.0, seed: int = 0):
    """Measures dark frames.

    Args:
      frames: [n, H, W] codes of one plane, n >= 2.
      step: the distance of codes. lowest: the code at which they end.
      seed: of intervals and samples.

    Returns:
      DarkNoise.

    Raises:
      ValueError: fewer than two frames, or frames that are all equal.
    """
    count, height, width = frames.shape
    if count < 2:
        raise ValueError(f"expected two dark frames or more, received {count}.")
    mean = np.zeros((height, width))
    squares = np.zeros((height, width))
    for frame in frames:
        mean += frame
        squares += np.square(frame, dtype=np.float64)
    mean /= count
    in_time = np.maximum(squares / count - mean**2, 0) * count / (count - 1)
    hot, row_profile, column_profile = _hot_pixels(frames, mean)
    good = ~hot
    pixels = good.sum(axis=1)
    # Within a row, over the frames: its deviations from its own mean in each frame.
    row_means = np.stack([_mean(frame - mean, good, axis=1) for frame in frames])
    column_means = np.stack([_mean(frame - mean, good, axis=0) for frame in frames])
    within = np.sum(in_time * good, axis=1) * (count - 1) - pixels * np.sum(row_means**2, axis=0)
    between = np.sum((row_means - row_means.mean(axis=1, keepdims=True)) ** 2, axis=0)
    freedom = (count - 1.0) * (pixels - 1)
    rng = np.random.default_rng(seed)
    picks = rng.multinomial(GROUPS, np.full(GROUPS, 1 / GROUPS), REPLICATES)
    weights = np.concatenate([np.ones((1, GROUPS)), picks])[:, np.arange(height) % GROUPS]
    pixel_variance = weights @ within / np.maximum(weights @ freedom, 1)
    rows_freedom = (count - 1) * weights.sum(axis=1) * (height - 1) / height
    row_variance = weights @ between / rows_freedom - pixel_variance / pixels.mean()
    by_column = np.sum((column_means - column_means.mean(axis=1, keepdims=True)) ** 2)
    column_variance = by_column / ((count - 1) * (width - 1)) - pixel_variance[0] / height
    if not pixel_variance[0] > 0:
        raise ValueError("expected dark frames with noise, received frames that are all equal.")
    variance = pixel_variance + np.maximum(row_variance, 0)
    profile = mean[good].mean() + row_profile[:, None] + column_profile
    left = (mean - profile)[good]
    # The mean of the frames has 1 / n of the pixels' noise in time; the rows' is in the profile.
    fixed = np.sqrt(max(0.0, left.var() - pixel_variance[0] / count))
    sample = _sample(frames, profile, good, rng)
    codes = sample[0] / step
    distribution = fit_codes(
        codes, sample[1] / step, np.sqrt(variance[0] + fixed**2) / step, lowest / step
    )
    clipped = float(np.mean(sample[0] <= lowest))
    black = float(mean[good].mean())
    black_error = np.sqrt(
        max(row_variance[0], 0) / (count * height) + pixel_variance[0] / (count * good.sum())
    )
    is_from_codes = clipped > CLIPPED or np.sqrt(variance[0]) < FINE_NOISE * step
    if is_from_codes:
        # Rows and pixels are as wide as the rounded codes' share of an offset lets them be seen.
        gain = np.mean(code_gain(distribution, profile[good] / step, lowest / step))
        unseen = max(0.0, ndtri(min(clipped, 1 - 1e-6))) ** 2
        black += step * distribution.shift
        black_error = np.hypot(black_error / gain, step * distribution.shift_error)
        spread = step * np.hypot(distribution.deviation, np.sqrt(1 / 12))
        black_error = np.hypot(black_error, TAIL_SHIFT * unseen * spread)
        if clipped > CUT_OFF:
            share = black_error**2 / (black_error**2 + (LOWEST_ERROR * step) ** 2)
            black += share * (lowest - black)
            black_error *= np.sqrt(1 - share)
        exact = step**2 * (distribution.deviation**2 + 1 / 12) - fixed**2
        error = 2 * step**2 * distribution.deviation * distribution.deviation_error
        error = np.hypot(error, (FAMILY_ERROR + TAIL_ERROR * unseen) * exact)
        row_variance = row_variance / gain**2
        variance = exact / variance[0] * variance
        variance[1:] += error * rng.standard_normal(REPLICATES)
        row_variance[1:] *= 1 + 2 * TAIL_ERROR * unseen * rng.standard_normal(REPLICATES)
    deviation = np.sqrt(variance[0])
    places = np.argwhere(hot)
    return DarkNoise(
        count,
        black,
        float(black_error),
        float(variance[0]),
        float(max(row_variance[0], 0.0)),
        float(max(column_variance, 0.0)),
        np.stack([variance[1:], np.maximum(row_variance[1:], 0)], axis=-1),
        float(fixed),
        row_profile,
        column_profile,
        _spectrum(row_means),
        _spectrum(column_means),
        places,
        (mean - profile)[hot] / deviation,
        distribution,
        float(lowest),
        clipped,
        bool(is_from_codes),
        np.unique(sample[0], return_counts=True),
    )


def _mean(values: np.ndarray, good: np.ndarray, axis: int) -> np.ndarray:
    return np.sum(values * good, axis=axis) / np.maximum(good.sum(axis=axis), 1)


def _spectrum(means: np.ndarray) -> np.ndarray:
    """Power by frequency of [n, m], the mean over n."""
    return np.mean(np.abs(np.fft.rfft(means, axis=1)[:, 1:]) ** 2, axis=0) / means.shape[1]


def _hot_pixels(frames: np.ndarray, mean: np.ndarray):
    """Which pixels are hot, and the rows' and columns' profiles."""
    good = np.ones(mean.shape, bool)
    for _ in range(4):
        level = mean[good].mean()
        row_profile = _mean(mean - level, good, axis=1)
        column_profile = _mean(mean - level - row_profile[:, None], good, axis=0)
        left = mean - level - row_profile[:, None] - column_profile
        spread = left[good].std()
        good = np.abs(left) <= HOT_SPREADS * max(spread, 1e-9)
    hot = ~good
    # One outlier in one frame is no hot pixel: the median of the frames has to agree.
    rows, columns = np.nonzero(hot)
    if len(rows):
        middle = np.median(frames[:, rows, columns], axis=0) - mean[rows, columns]
        middle += left[rows, columns]
        hot[rows, columns] = np.abs(middle) > 0.5 * HOT_SPREADS * spread
    return hot, row_profile, column_profile


def _sample(frames, profile, good, rng):
    """Codes and means of some pixels that are not hot."""
    places = np.flatnonzero(good)
    number = max(1, min(len(places), SAMPLE // len(frames)))
    places = rng.choice(places, number, replace=False)
    codes = frames.reshape(len(frames), -1)[:, places].astype(np.float64)
    return codes.ravel(), np.tile(profile.ravel()[places], len(frames))
