"""The noise of a static scene's frames, by channel: which of its tiles tell it, and what they say.

A tile is left out

- where a pixel is at an end of the codes, or its level within 4 standard deviations of one,
- where the noise is below one step of the codes: its rounded values then vary by where between
  two codes the level lies,
- where texture makes its frames differ more than flat tiles of its level: between frames the scene
  moved, by a pixel or less,
- where it is an outlier: something in the scene moved.

The third is measured, not presumed: tiles are sorted by their texture, and used up to where the
variance begins to rise with it. Of a scene at rest all of them are.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.photon_transfer.line import (
    LevelSums,
    Line,
    fit_line,
    level_sums,
    outliers,
)
from tfp_noiseflow.photon_transfer.tiles import Tiles

CLIP_DEVIATIONS = 4.0
# In steps: above, the variance of codes is that of noise and 1/12, of heavy tails too.
FINE_NOISE = 1.0
# Texture, as its variance over that of the noise: bounds between which tiles are compared. A tile
# without any has some -0.2 to 0.2.
TEXTURES = np.array(
    [-np.inf, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 3.2, 6.4, 12.8, 25.6, 100, np.inf]
)
# By how much more the variance may be than that of flatter tiles, and in standard errors.
TOLERANCE, ERRORS = 0.015, 3.0
# Fewer tiles say nothing.
FEWEST = 200
# Of texture, up to which tiles count as flat.
FLAT = 0.2
STRICT = 0.1
# Noise alone gives a tile three times its texture once in 160 times.
LARGEST_OWN = 3.0
# Of all tiles, those that are taken as flat at first.
FLATTEST, ROUNDS = 0.15, 4


@dataclass(frozen=True, eq=False)
class SceneNoise:
    """What a static scene's frames tell of one channel's noise.

    Attributes:
      sums: of the tiles that are used.
      used: their share of all tiles. clipped: the share that is at an end of the codes, or whose
        noise is below a code.
      moved: the share that is left out for texture or as an outlier.
      is_bound: flat tiles are too few to tell noise from motion of texture: variances are upper
        bounds.
      flattest: the least texture among those used, as its variance over that of the noise.
    """

    sums: LevelSums
    used: float
    clipped: float
    moved: float
    is_bound: bool
    flattest: float


def scene_noise(
    tiles: list[Tiles], lowest: float, highest: float, full_scale: float, step: float = 0.0
) -> list[SceneNoise]:
    """Chooses tiles, of all channels at the same places.

    Args:
      tiles: of each channel, as many in each.
      lowest, highest: the ends of the codes, black level subtracted.
      full_scale: white minus black. step: the distance of codes; 0: continuous.

    Returns:
      SceneNoise of each channel.
    """
    lines = [_rough_line(channel) for channel in tiles]
    # First what the flattest tiles say, then how many others agree with them.
    for share in (*[FLATTEST] * ROUNDS, 1.0):
        expected = [_at(line, channel.near) for line, channel in zip(lines, tiles, strict=True)]
        is_clipped = [
            channel.is_at_end
            | (channel.near + CLIP_DEVIATIONS * np.sqrt(value) > highest)
            | (channel.near - CLIP_DEVIATIONS * np.sqrt(value) < lowest)
            for channel, value in zip(tiles, expected, strict=True)
        ]
        for index, value in enumerate(expected):
            is_coarse = value < (FINE_NOISE**2 + 1 / 12) * step**2
            if not (is_coarse | is_clipped[index]).all():
                is_clipped[index] = is_clipped[index] | is_coarse
        texture = _texture(tiles, expected, is_clipped)
        if share < 1:
            is_open = ~np.array(is_clipped)
            enough = max(share, min(1.0, FEWEST / max(1, is_open.sum())))
            most = np.quantile(texture[is_open], enough) if is_open.any() else 0.0
            is_bound = False
        else:
            rise = [
                channel.variance / value - 1 for channel, value in zip(tiles, expected, strict=True)
            ]
            most, is_bound = _most_texture(texture, rise, is_clipped)
        is_used, sums = [], []
        for index, channel in enumerate(tiles):
            good = ~is_clipped[index] & (texture[index] <= most)
            if np.isfinite(most):  # An edge that those around do not have.
                good &= channel.texture <= (LARGEST_OWN * channel.texture_freedom) * expected[index]
            if good.any():
                moved = outliers(
                    channel.variance[good], expected[index][good], channel.freedom[good]
                )
                good[np.flatnonzero(good)[moved]] = False
            is_used.append(good)
            part = channel.select(good)
            sums.append(level_sums(part, full_scale))
            line = fit_line(sums[-1], replicates=0)
            if good.any():
                lines[index] = _possible(line, sums[-1])
    return [
        SceneNoise(
            sums[index],
            float(is_used[index].mean()),
            float(is_clipped[index].mean()),
            float((~is_used[index] & ~is_clipped[index]).mean()),
            is_bound,
            float(texture[index][is_used[index]].min(initial=np.inf)),
        )
        for index in range(len(tiles))
    ]


def _possible(line: Line | None, sums: LevelSums) -> tuple[float, float]:
    """A line of numbers >= 0, through the mean where the fitted one is none."""
    freedom, levels, squares = sums.total.sum(axis=1)
    if line is None or line.beta1 < 0:
        return 0.0, squares / freedom
    if line.beta2 < 0 < levels:
        return squares / levels, 0.0
    return line.beta1, max(line.beta2, 0.0)


def _at(line: tuple[float, float], level: np.ndarray) -> np.ndarray:
    slope, start = line
    value = slope * np.maximum(level, 0) + start
    return np.maximum(value, 1e-3 * max(start, slope * level.mean(), 1e-12))


def _rough_line(tiles: Tiles) -> tuple[float, float]:
    """Of the flattest eighth of tiles at each level, but the noisiest of them."""
    order = np.argsort(tiles.near, kind="stable")
    points = []
    for part in np.array_split(order, min(24, max(1, len(order) // 64))):
        quiet = part[np.argsort(tiles.texture[part], kind="stable")[: max(16, len(part) // 8)]]
        points.append((tiles.level[quiet].mean(), _quiet_mean(tiles.variance[quiet])))
    level, variance = np.array(points).T
    variance = np.maximum(variance, 1e-12)
    design = np.stack([level, np.ones_like(level)], axis=1)
    # Nine in ten of medians may be too high: the line is that of the lower ones.
    weight = 1 / variance
    for _ in range(10):
        slope, start = np.linalg.lstsq(design * weight[:, None], variance * weight, rcond=None)[0]
        line = np.maximum(slope * level + start, 0.05 * variance)
        weight = 1 / (line * np.maximum(1.0, 10 * (variance / line - 1)))
    return max(float(slope), 0.0), max(float(start), 1e-3 * float(variance.min()))


def _quiet_mean(values: np.ndarray) -> float:
    """The mean without a twentieth of the largest, which lowers it by some per cent."""
    return float(np.sort(values)[: max(1, int(0.95 * len(values)))].mean())


def _texture(tiles: list[Tiles], expected, is_clipped) -> np.ndarray:
    """[channels, n], of other pixels than a tile's own: its variance over that of the noise."""
    own, around = (
        np.array(
            [
                getattr(t, name) / (t.texture_freedom * e) - 1
                for t, e in zip(tiles, expected, strict=True)
            ]
        )
        for name in ("texture", "around")
    )
    # What clipped tiles say of texture is wrong.
    known = 1e-9 + ~np.array(is_clipped)
    whole = known * (own + 2 * around) / 3
    others = whole.sum(axis=0) - whole + 2 / 3 * known * around
    return others / (known.sum(axis=0) - known / 3)


def _most_texture(texture, rise, is_clipped) -> tuple[float, bool]:
    """The texture up to which variance does not rise, and whether it rises among all tiles."""
    first = None
    most = np.inf
    rise, texture = (np.concatenate(list(values)) for values in (rise, texture))
    is_open = ~np.concatenate(is_clipped)
    for low, high in itertools.pairwise(TEXTURES):
        values = rise[(texture > low) & (texture <= high) & is_open]
        if len(values) < FEWEST:
            continue
        middle, error = values.mean(), values.std() / np.sqrt(len(values))
        if first is None:
            first, base, base_error = high, middle, error
        elif middle - base > TOLERANCE + ERRORS * np.hypot(error, base_error):
            return min(most, max(first, STRICT)), first > FLAT
        most = high
    return np.inf, False
