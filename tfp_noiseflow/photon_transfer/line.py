"""The line of photon transfer, var = beta1 * level + beta2, and its intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.photon_transfer.tiles import Tiles

REWEIGHTINGS = 8
# Groups of tiles that are drawn anew for an interval, and how often.
GROUPS = 64
REPLICATES = 400
# Two-sided.
CONFIDENCE = 0.95
# By the square root of the level: within a bin the variance hardly differs.
BINS = 48
# A variance, in codes squared, that divides without a warning: that of a replicate without noise.
SMALLEST = 1e-30
# Of the degrees of freedom of a weighted mean square beyond which a tile is no noise: its spread
# among tiles is measured, as tails heavier than a Gaussian's widen it.
OUTLIER_SPREADS = 8.0


@dataclass(frozen=True, eq=False)
class LevelSums:
    """Tiles summed by group and level.

    Attributes:
      sums: [GROUPS, 3, BINS], of each group and bin the degrees of freedom, the sum of levels
        weighted by them and the sum of squares of noise.
    """

    sums: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """[3, BINS], of all groups."""
        return self.sums.sum(axis=0)

    def __add__(self, other: LevelSums) -> LevelSums:
        return LevelSums(self.sums + other.sums)


def level_sums(tiles: Tiles, full_scale: float) -> LevelSums:
    """Sums of tiles.

    Args:
      tiles: n of them.
      full_scale: the level of the last bin's end.

    Returns:
      LevelSums. Neighbours are in different groups.
    """
    bins = np.sqrt(np.clip(tiles.near / full_scale, 0, 1)) * (BINS - 1e-6)
    # The multiplier is coprime to the number of groups: rows of tiles do not line up.
    group = np.arange(len(tiles)) * 27 % GROUPS
    cell = group * BINS + bins.astype(np.int64)
    sums = [
        np.bincount(cell, weights, GROUPS * BINS).reshape(GROUPS, BINS)
        for weights in (tiles.freedom, tiles.freedom * tiles.level, tiles.squares)
    ]
    return LevelSums(np.stack(sums, axis=1))


@dataclass(frozen=True, eq=False)
class Line:
    """A fitted line, in the units of its levels.

    Attributes:
      beta1, beta2: of var = beta1 * level + beta2.
      replicates: [r, 2] of both, of groups drawn anew.
      residuals: [m, 3], of the bins: level, variance over the line's minus 1, its standard error.
    """

    beta1: float
    beta2: float
    replicates: np.ndarray
    residuals: np.ndarray


def fit_line(
    sums: LevelSums,
    *,
    dark: tuple[float, float] | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Line | None:
    """The line by quasi-likelihood: mean squares are weighted by 1 / var^2.

    Args:
      sums: of tiles.
      dark: the variance at level 0 and its standard error, of other frames; None: not known.
      seed: of the intervals.
      replicates: how many; 0 where intervals are of no interest.

    Returns:
      Line; None where levels do not differ, which leaves the line undetermined.
    """
    rng = np.random.default_rng(seed)
    picks = rng.multinomial(GROUPS, np.full(GROUPS, 1 / GROUPS), replicates)
    weights = np.concatenate([np.ones((1, GROUPS)), picks])
    freedom, levels, squares = np.einsum("rg,gkb->krb", weights, sums.sums)
    is_used = sums.total[0] > 0
    freedom, levels, squares = (a[:, is_used] for a in (freedom, levels, squares))
    freedom = np.maximum(freedom, 1e-9)  # A bin that no group of a replicate has.
    levels, variance = levels / freedom, squares / freedom
    if dark is not None:
        offset = np.concatenate([[0.0], rng.standard_normal(replicates)])
        column = np.ones((len(weights), 1))
        levels = np.concatenate([0 * column, levels], axis=1)
        variance = np.concatenate([(dark[0] + dark[1] * offset)[:, None], variance], axis=1)
        # As many degrees of freedom as its standard error is worth.
        worth = 2 * (dark[0] / max(dark[1], 1e-6 * dark[0])) ** 2
        freedom = np.concatenate([worth * column, freedom], axis=1)
    if len(levels[0]) < 2:
        return None
    spread = np.ptp(levels[0])
    if spread < 1e-3 * np.abs(levels[0]).max():
        return None
    found = _solve(levels, variance, freedom)
    line = found[0, 0] * levels[0] + found[0, 1]
    # Of Gaussian noise, or as groups differ where tails are heavier.
    errors = np.sqrt(2 / freedom[0])
    if replicates:
        errors = np.maximum(errors, variance[1:].std(axis=0) / line)
    residuals = np.stack([levels[0], variance[0] / np.maximum(line, SMALLEST) - 1, errors], axis=-1)
    return Line(float(found[0, 0]), float(found[0, 1]), found[1:], residuals)


def _solve(levels: np.ndarray, variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """[r, bins] each -> [r, 2]."""
    expected = np.broadcast_to(np.average(variance, axis=1, weights=freedom)[:, None], levels.shape)
    floor = np.maximum(1e-6 * expected, SMALLEST)
    expected = np.maximum(expected, SMALLEST)
    # Levels of their order: sums of products stay well scaled.
    scale = np.abs(levels).max()
    x = levels / scale
    for _ in range(REWEIGHTINGS):
        weight = freedom / expected**2
        s0, s1, s2 = (np.sum(weight * x**power, axis=1) for power in range(3))
        t0, t1 = (np.sum(weight * variance * x**power, axis=1) for power in range(2))
        determinant = np.maximum(s0 * s2 - s1**2, 1e-12 * s0 * s2)
        slope, start = (s0 * t1 - s1 * t0) / determinant, (s2 * t0 - s1 * t1) / determinant
        line = slope[:, None] * x + start[:, None]
        expected = np.maximum(line, np.maximum(0.1 * expected, floor))
    return np.stack([slope / scale, start], axis=-1)


def interval(values: np.ndarray, at_least: float | None = None) -> list[float]:
    """The central interval of replicates [r], of confidence CONFIDENCE."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    if at_least is not None:
        low, high = max(low, at_least), max(high, at_least)
    return [float(low), float(high)]


def outliers(variance: np.ndarray, expected: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Which tiles' noise is far above what is expected: something moved.

    Args:
      variance, expected, freedom: [n].

    Returns:
      [n] bool.
    """
    score = (variance / expected - 1) * np.sqrt(freedom / 2)
    low, middle, high = np.percentile(score, [16, 50, 84])
    # The upper side of the spread is itself stretched by what is sought; the lower is not.
    spread = max(1.0, min(high - middle, 2 * (middle - low)))
    return score > middle + OUTLIER_SPREADS * spread
