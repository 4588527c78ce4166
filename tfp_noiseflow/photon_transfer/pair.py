"""Photon transfer of two frames of a static scene."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from tfp_noiseflow.captures.bayer import CHANNEL_POSITIONS, pack_bayer
from tfp_noiseflow.photon_transfer.line import interval
from tfp_noiseflow.photon_transfer.motion import motion
from tfp_noiseflow.photon_transfer.noise_level import noise_level
from tfp_noiseflow.photon_transfer.static_scene import SceneNoise, scene_noise
from tfp_noiseflow.photon_transfer.tiles import tile_plane

CHANNELS = ("R", "Gr", "Gb", "B")
# A shift is taken off where it is this many pixels of a plane and standard errors.
LEAST_SHIFT, SHIFT_ERRORS = 0.01, 6.0
# Below this share of tiles, and of pixels that are not clipped, there is nothing to estimate from.
LEAST_USED = 0.002
LARGEST_GAIN = 0.2
# Of the squared differences, what a shift may explain; and of the pixels, what it then leaves out.
LARGEST_EXPLAINED, LEAST_MOVED = 0.05, 0.02
# Of the pixels of shifted frames, below which what is used may be texture too.
FEW_FLAT = 0.35


@dataclass(frozen=True)
class ChannelEstimate:
    """One channel's noise level function at one ISO, in fractions of full scale.

    Attributes:
      channel: "R", "Gr", "Gb", "B", or "all".
      beta1, beta2: var = beta1 * clean + beta2; row noise is not in beta2.
      beta1_interval, beta2_interval: of 95 %, by bootstrap over tiles; of bounds from 0 on.
      used, clipped, moved: shares of the pixels: that are used, that are at an end of the codes,
        and where the frames differ by more than noise, at edges and texture for instance.
      residual: by how much the variance at different levels misses the line, as a root mean square
        of the relative misses, their own errors taken off.
      beta2_is_prior: the levels do not tell beta2; it is what other cameras of this beta1 have.
      is_bound: too few pixels are flat to tell noise from motion: both betas are upper bounds.
    """

    channel: str
    beta1: float
    beta1_interval: tuple[float, float]
    beta2: float
    beta2_interval: tuple[float, float]
    used: float
    clipped: float
    moved: float
    residual: float
    beta2_is_prior: bool
    is_bound: bool


@dataclass(frozen=True)
class PairEstimate:
    """What two frames of a static scene tell.

    Attributes:
      channels: ChannelEstimates. iso: of the frames.
      gain: the second frame's light over the first one's. shift: of the second frame's scene, rows
        down and columns to the right, in pixels of the mosaic.
      warnings: what to know of it, as sentences.
    """

    channels: tuple[ChannelEstimate, ...]
    iso: float
    gain: float
    shift: tuple[float, float]
    warnings: tuple[str, ...]

    def to_config(self) -> dict:
        """As JSON values."""
        return asdict(self)


def estimate_pair(a, b, *, black_level, white_level: float, cfa: str | None, iso: float):
    """The noise level function of two frames of a static scene, by channel.

    The variance is that of half their difference, in pieces of rows whose mean and slope are taken
    off; where frames are shifted or texture moved, what is flat is used. See `static_scene`.

    Args:
      a, b: [H, W] codes of a mosaic, or of a plane with cfa=None; below black they may go on.
      black_level: a number, or [2, 2] by position in the CFA's cell.
      white_level: the code at which the sensor is full, a number.
      cfa: "RGGB", "GRBG", "GBRG", "BGGR", or None.
      iso: > 0.

    Returns:
      PairEstimate.

    Raises:
      ValueError: shapes that differ or are too small, one frame twice, levels that do not fit, an
        unknown CFA, an ISO that is not above 0, other light, nothing that is not clipped.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or a.shape != b.shape or a.dtype.kind not in "uif" or b.dtype.kind not in "uif":
        raise ValueError(
            "expected two frames [H, W] of numbers of one size, received "
            f"{a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}."
        )
    if not (np.isfinite(iso) and iso > 0):
        raise ValueError(f"expected an ISO above 0, received {iso}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("expected finite pixels, received NaN or infinity.")
    if np.array_equal(a, b):
        raise ValueError("expected two different frames, received the same one twice.")
    planes, black = planes_of([a, b], cfa, black_level)
    if not np.all(white_level > black):
        raise ValueError(
            f"expected white above black, received white {white_level} and black {black.tolist()}."
        )
    names = CHANNELS if cfa else ("all",)
    full_scale = float(white_level - black.mean())
    ends = code_ends(planes, white_level)
    seen = motion(planes, black, 0.9 * (ends[1] - black.mean()))
    gain = float(seen.gains[1] / seen.gains[0])
    if not abs(gain - 1) < LARGEST_GAIN:
        raise ValueError(
            f"expected two frames of the same light, received a second one of {gain:.3f} times the "
            "first one's; were they of the same scene and exposure?"
        )
    shifts = significant_shifts(seen.shifts, seen.shift_errors)
    tiles = [
        tile_plane(plane, level, seen.gains, shifts, ends)
        for plane, level in zip(planes, black, strict=True)
    ]
    step = code_step(planes)
    # Where a shift explains much, but no piece is flatter than others, all may be texture.
    is_moved = shifts is not None and seen.explained.max() > LARGEST_EXPLAINED
    found = scene_noise(tiles, ends[0] - black.mean(), ends[1] - black.mean(), full_scale, step)
    channels = tuple(
        _estimate(name, noise, full_scale, iso, is_moved)
        for name, noise in zip(names, found, strict=True)
    )
    step = 2.0 if cfa else 1.0
    down, right = (float(step * value) for value in seen.shifts[1] - seen.shifts[0])
    shift = down, right
    told = tuple(_warnings(channels, gain, shift, shifts is not None, iso))
    return PairEstimate(channels, float(iso), gain, shift, told)


def planes_of(frames, cfa: str | None, black_level) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames of a mosaic as planes.

    Args:
      frames: n of [H, W]. cfa: a name, or None: one plane.
      black_level: a number, or [2, 2] by position in the CFA's cell.

    Returns:
      [n, H/2, W/2] of each of R, Gr, Gb, B, and their black levels [4]; or of all and [1].
    """
    black_level = np.asarray(black_level, np.float64)
    if cfa is None:
        if black_level.size != 1:
            raise ValueError(f"expected one black level of a plane, received {black_level}.")
        return [np.stack(frames)], black_level.reshape(1)
    if black_level.shape not in ((), (2, 2)):
        raise ValueError(f"expected a black level or [2, 2], received {list(black_level.shape)}.")
    height, width = (side // 2 * 2 for side in frames[0].shape)
    packed = np.stack([pack_bayer(frame[:height, :width], cfa) for frame in frames])
    cell = np.broadcast_to(black_level, (2, 2))
    black = np.array([cell[position] for position in CHANNEL_POSITIONS[cfa]])
    return [packed[..., channel] for channel in range(4)], black


def significant_shifts(shifts: np.ndarray, errors: np.ndarray) -> np.ndarray | None:
    """The shifts, or None where they are no more than noise makes them."""
    is_shifted = (np.abs(shifts) > LEAST_SHIFT) & (np.abs(shifts) > SHIFT_ERRORS * errors)
    return shifts if is_shifted.any() else None


def code_ends(planes: list[np.ndarray], white_level: float) -> tuple[float, float]:
    """Where codes end: 0 and white, or nearer where frames show it.

    A sensor may be full below the white level that its files give, and a camera may cut off what is
    below black. There the last code stands for all beyond and is more frequent than its neighbours.
    """
    values, counts = np.unique(np.stack([plane.ravel() for plane in planes]), return_counts=True)
    ends = [0.0, float(white_level)]
    for side in (0, -1):
        inner = counts[1:6] if side == 0 else counts[-6:-1]
        if counts[side] >= 20 and counts[side] > 1.5 * inner.max(initial=0):
            nearer = max if side == 0 else min
            ends[side] = nearer(ends[side], float(values[side]))
    return ends[0], ends[1]


def code_step(planes: list[np.ndarray]) -> float:
    """The distance of codes: 1, or more where a camera leaves codes out; 0 of no whole numbers."""
    values = np.unique(np.concatenate([plane[0].ravel()[:100000] for plane in planes]))
    if np.any(values != np.round(values)):
        return 0.0
    steps = np.diff(values.astype(np.int64))
    return float(np.gcd.reduce(steps)) if len(steps) else 1.0


def _estimate(
    name: str, noise: SceneNoise, full_scale: float, iso: float, is_moved: bool
) -> ChannelEstimate:
    if noise.used < LEAST_USED or not noise.sums.total[2].sum() > 0:
        raise ValueError(
            f"channel {name}: expected pixels between black and white that do not move and are not "
            f"all equal, received {noise.clipped:.1%} at an end of the codes and {noise.moved:.1%} "
            "that move."
        )
    found = noise_level(noise.sums, full_scale, iso)
    is_bound = noise.is_bound or (is_moved and noise.moved < LEAST_MOVED)
    beta1_interval, beta2_interval = (
        (0.0 if is_bound else low, high)
        for low, high in (interval(column, 0.0) for column in found.replicates.T)
    )
    return ChannelEstimate(
        name,
        found.beta1,
        beta1_interval,
        found.beta2,
        beta2_interval,
        noise.used,
        noise.clipped,
        noise.moved,
        found.residual,
        found.beta2_is_prior,
        is_bound,
    )


def _warnings(channels, gain, shift, is_shifted, iso):
    if is_shifted:
        yield (
            f"the second frame is shifted by {shift[0]:+.2f} rows and {shift[1]:+.2f} columns (to "
            "first order: at fine details it is more): edges and texture are left out"
        )
    if abs(gain - 1) > 0.002:
        yield f"the second frame's light is {gain:.4f} times the first one's; taken off"
    for name, text in (
        ("is_bound", "too few flat pixels to tell noise from motion: beta1 and beta2 are upper "
            "bounds; of such scenes they were 1.4 to 1.7 times too high"),
        ("beta2_is_prior", f"levels are too alike to tell beta2: it, and all of other ISOs than "
            f"{iso:g}, is what the population of cameras has beside this beta1"),
    ):  # fmt: skip
        found = [channel.channel for channel in channels if getattr(channel, name)]
        if found:
            yield f"channel {', '.join(found)}: {text}"
    if is_shifted and any(c.used < FEW_FLAT and not c.is_bound for c in channels):
        yield (
            "the frames are shifted and most of the scene is texture: of small frames of nothing "
            "else beta1 was up to 1.2 times too high"
        )
    few = [channel for channel in channels if channel.used < 0.05]
    if few:
        yield ", ".join(f"channel {c.channel}: {c.used:.1%} of the pixels are used" for c in few)
    bent = [channel for channel in channels if channel.residual > 0.05]
    if bent:
        yield (
            ", ".join(
                f"channel {c.channel}: the variance misses the line by {c.residual:.0%}"
                for c in bent
            )
            + "; is the black level right, and are the frames raw and linear?"
        )
