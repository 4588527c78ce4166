"""Which frames of a group are not like the others: other light, moved, something in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.photon_transfer.motion import motion
from tfp_noiseflow.photon_transfer.tiles import PIXELS

# Least differences that are told, of the light and in pixels of a plane, however significant.
LEAST_GAIN, LEAST_SHIFT = 0.002, 0.04
ERRORS = 6.0
# Where as many frames differ in light, the light flickers: it is taken off, none is left out.
MOST = 0.34
# A tile of one frame is an outlier where its squares are that much more than the others'.
OUTLIER, MOST_OUTLIERS = 12.0, 0.01
# Spreads beyond which a tile says nothing of a frame's light.
OUTLIER_SPREADS, TRIMMINGS = 4.0, 4
# Rows of a plane that are looked at.
BANDS, ROWS = 4, 128


@dataclass(frozen=True, eq=False)
class Kept:
    """Frames that are alike.

    Attributes:
      kept: [n] bool.
      gains: [n], how bright each is, against the mean of those that are kept.
      reasons: index to why it is left out.
      flickers: the light of many frames differs.
    """

    kept: np.ndarray
    gains: np.ndarray
    reasons: dict[int, str]
    flickers: bool


def frames_alike(
    planes: list[np.ndarray], black: np.ndarray, highest: float, *, has_scene: bool
) -> Kept:
    """Compares the frames of a group.

    Args:
      planes: of each channel [n, H, W]. black: of each channel.
      highest: levels above are not looked at.
      has_scene: False: of flats, light alone is compared.

    Returns:
      Kept. Of two frames none is left out: which of them would it be?
    """
    count = len(planes[0])
    bands = [plane[:, _rows(plane.shape[1])] for plane in planes]
    reasons: dict[int, str] = {}
    kept = np.ones(count, bool)
    flickers = False
    if count > 2:
        seen = motion(bands, list(black), highest)
        gains, errors = _light(bands, black, highest)
        light = gains / np.median(gains) - 1
        is_off = np.abs(light) > np.maximum(LEAST_GAIN, ERRORS * errors)
        flickers = bool(is_off.mean() > MOST)
        if not flickers:
            for index in np.flatnonzero(is_off):
                reasons[int(index)] = (
                    f"flickers: its light is {1 + light[index]:.4f} times that of the others"
                )
        if has_scene:
            moved = seen.shifts - np.median(seen.shifts, axis=0)
            is_far = np.abs(moved) > np.maximum(LEAST_SHIFT, ERRORS * seen.shift_errors)
            for index in np.flatnonzero(is_far.any(axis=1)):
                down, across = 2 * moved[index]
                reasons[int(index)] = (
                    f"shaken: its scene is shifted by some {down:+.1f} rows and {across:+.1f} "
                    "columns against the others"
                )
        kept[[index for index, reason in reasons.items() if reason.startswith("shaken")]] = False
        if has_scene and kept.sum() > 3:
            shares = _outliers(bands, black, gains, kept)
            for index in np.flatnonzero(kept & (shares > MOST_OUTLIERS)):
                reasons[int(index)] = (
                    f"something moved: {shares[index]:.1%} of it differ from the other frames"
                )
        kept[list(reasons)] = False
        if kept.sum() < 2:
            # Nothing is like anything else: all are kept, and what moved is found by tiles.
            kept[:], reasons = True, {}
    gains = np.ones(count)
    gains[kept], _ = _light([band[kept] for band in bands], black, highest)
    return Kept(kept, gains, reasons, flickers)


def _rows(height: int) -> np.ndarray:
    """Some bands of rows, or all."""
    if height <= BANDS * ROWS:
        return np.arange(height)
    starts = np.linspace(0, height - ROWS, BANDS).astype(int)
    return np.concatenate([start + np.arange(ROWS) for start in starts])


def _light(bands, black, highest) -> tuple[np.ndarray, np.ndarray]:
    """[n] of mean 1, how bright each frame is, and its standard errors.

    By least squares over tiles, without outliers: what moves in a part is no other light.
    """
    levels, means = [], []
    for band, level in zip(bands, black, strict=True):
        width = band.shape[2] // PIXELS * PIXELS
        tiles = band[:, :, :width].reshape(len(band), -1, PIXELS).mean(axis=2) - level
        mean = tiles.mean(axis=0)
        is_lit = (mean > 0) & (mean < highest)
        levels.append(tiles[:, is_lit])
        means.append(mean[is_lit])
    of_frames, mean = np.concatenate(levels, axis=1), np.concatenate(means)
    gains, errors = np.ones(len(of_frames)), np.full(len(of_frames), np.inf)
    if not mean.size:
        return gains, errors
    # The noise's variance rises with light, from that of the dark.
    spread = np.sqrt(mean + 0.02 * mean.max())
    for index, level in enumerate(of_frames):
        good = np.ones(len(mean), bool)
        for _ in range(TRIMMINGS):
            weight = good / spread**2
            square = np.sum(weight * mean**2)
            gains[index] = np.sum(weight * level * mean) / square
            left = (level - gains[index] * mean) / spread
            scale = np.median(np.abs(left)) / 0.6745
            good = np.abs(left) <= OUTLIER_SPREADS * scale
        errors[index] = scale / np.sqrt(square)
    return gains / gains.mean(), errors


def _outliers(bands, black, gains, kept) -> np.ndarray:
    """[n], the share of each frame's tiles that differ from the same tiles of the others."""
    members = np.flatnonzero(kept)
    shares = np.zeros(len(kept))
    for band, level in zip(bands, black, strict=True):
        width = band.shape[2] // PIXELS * PIXELS
        frames = band[members, :, :width].astype(np.float32) - np.float32(level)
        frames /= gains[members, None, None].astype(np.float32)
        frames -= frames.mean(axis=0)
        tiles = frames.reshape(len(members), band.shape[1], -1, PIXELS)
        # With its mean: what comes and goes may be smooth.
        squares = np.einsum("nhtp,nhtp->nht", tiles, tiles)
        others = (squares.sum(axis=0) - squares) / (len(members) - 1)
        floor = np.median(others) * 0.05 + 1e-12
        shares[members] += np.mean(squares > OUTLIER * np.maximum(others, floor), axis=(1, 2))
    return shares / len(bands)
