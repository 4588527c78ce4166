"""What the frames of one group tell, in codes, by channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.calibration.darks import DarkNoise, dark_noise
from tfp_noiseflow.calibration.folder import FAULTS, SCENES, Group, read_codes
from tfp_noiseflow.calibration.left_out import frames_alike
from tfp_noiseflow.photon_transfer.line import LevelSums
from tfp_noiseflow.photon_transfer.motion import motion
from tfp_noiseflow.photon_transfer.pair import (
    code_ends,
    code_step,
    planes_of,
    significant_shifts,
)
from tfp_noiseflow.photon_transfer.static_scene import scene_noise
from tfp_noiseflow.photon_transfer.tiles import (
    FLAT_PIXELS,
    PIXELS,
    tile_plane,
    tile_single,
)

# Frames that are compared at once; of more, parts are.
MOST_FRAMES = 16
# Flats whose medians differ by more were lit otherwise.
SAME_LIGHT = 0.03
# Of the pixels, that may be clipped where a mean level is used.
LEAST_OPEN = 0.99


@dataclass(frozen=True, eq=False)
class ChannelTransfer:
    """Photon transfer of one channel of a group.

    Attributes:
      sums: variance by level, in codes above black. Row noise is not in it.
      level: the mean. top: where codes end.
      used, clipped, moved: shares of the pixels, as `SceneNoise` has them.
      is_bound: upper bounds: too few flat pixels, or one frame alone.
      spatial: [2], of the frames' mean in small pieces: variance without that of noise, and the
        mean squared level. Of flats PRNU and DSNU.
    """

    sums: LevelSums
    level: float
    top: float
    used: float
    clipped: float
    moved: float
    is_bound: bool
    spatial: np.ndarray


@dataclass(frozen=True, eq=False)
class LitMeasure:
    """Of flats, or of a burst of a scene.

    Attributes:
      kind, iso, exposure_time: of the group.
      frames: how many are used.
      channels: ChannelTransfers.
      step: the distance of codes.
      left_out: file's name to the reason.
      notes: what else to know, as sentences.
    """

    kind: str
    iso: float
    exposure_time: float
    frames: int
    channels: tuple[ChannelTransfer, ...]
    step: float
    left_out: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DarkMeasure:
    """Of dark frames.

    Attributes:
      iso: of them. channels: DarkNoise of each.
      step: the distance of codes. reported_black: [4], what the files say.
      left_out: file's name to the reason.
    """

    iso: float
    channels: tuple[DarkNoise, ...]
    step: float
    reported_black: np.ndarray
    left_out: dict[str, str]


def measure_darks(group: Group, *, skip_bad: bool = False) -> DarkMeasure | None:
    """Dark frames of an ISO; None where fewer than two can be used.

    Raises:
      ValueError: frames of other sizes, or that cannot be read.
    """
    frames, names, left_out = load(group, skip_bad)
    if len(frames) < 2:
        return None
    planes, reported = planes_of(frames, group.frames[0].cfa, group.frames[0].black_level)
    # A frame that saw light is no dark one.
    levels = np.array([np.median(frame) for frame in frames])
    spread = np.median([np.std(frame[::4, ::4]) for frame in frames])
    is_lit = np.abs(levels - np.median(levels)) > max(5.0, 3 * spread)
    for index in np.flatnonzero(is_lit):
        left_out[names[index]] = (
            f"not dark: its median is {levels[index]:g}, that of the others {np.median(levels):g}"
        )
    planes = [plane[~is_lit] for plane in planes]
    if (~is_lit).sum() < 2:
        return None
    lowest, _ = code_ends(planes, np.inf)
    step = code_step(planes) or 1.0
    channels = tuple(dark_noise(plane, step=step, lowest=lowest) for plane in planes)
    return DarkMeasure(group.iso, channels, step, reported, left_out)


def measure_lit(
    group: Group,
    black: np.ndarray | None = None,
    dark: DarkMeasure | None = None,
    *,
    skip_bad: bool = False,
) -> list[LitMeasure]:
    """Flats or a burst.

    Args:
      group: of them. black: [4], by channel; None: what the files say.
      dark: of the same ISO, whose profiles of rows and columns are taken off too; None: not known.
      skip_bad: leave out files that cannot be read.

    Returns:
      LitMeasures: several where flats are of several lights.

    Raises:
      ValueError: frames of other sizes, or that cannot be read.
    """
    frames, names, left_out = load(group, skip_bad)
    if not frames:
        return [LitMeasure(group.kind, group.iso, group.exposure_time or 0.0, 0, (), 1.0, left_out)]
    first = group.frames[0]
    planes, reported = planes_of(frames, first.cfa, first.black_level)
    black = reported if black is None else black
    ends = code_ends(planes, first.white_level)
    full_scale = first.white_level - float(reported.mean())
    measures = []
    for rows in _same_light(planes, black, group.kind):
        part = [plane[rows] for plane in planes]
        measures.append(
            _lit(
                group,
                part,
                [names[row] for row in rows],
                black,
                _shaded(planes, black, dark),
                ends,
                full_scale,
                left_out,
            )
        )
        left_out = {}
    return measures


def _same_light(planes, black, kind) -> list[np.ndarray]:
    """Rows of frames of one light each; scenes are of one."""
    count = len(planes[0])
    if kind == SCENES:
        return [np.arange(count)]
    level = np.array([np.median(planes[1][row]) for row in range(count)]) - black[1]
    order = np.argsort(level, kind="stable")
    steps = np.diff(level[order]) > SAME_LIGHT * np.maximum(level[order][:-1], 1.0)
    return [np.sort(rows) for rows in np.split(order, np.flatnonzero(steps) + 1)]


def _shaded(planes, black, dark: DarkMeasure | None) -> list[np.ndarray]:
    """The black level of each channel, [H, W] where it is known that well."""
    if dark is None:
        return list(black)
    shaded = []
    for plane, level, noise in zip(planes, black, dark.channels, strict=True):
        profile = noise.row_profile[:, None] + noise.column_profile
        shaded.append(level + profile if profile.shape == plane.shape[1:] else level)
    return shaded


def _lit(group, planes, names, black, shaded, ends, full_scale, left_out) -> LitMeasure:
    highest = ends[1] - float(black.mean())
    count, notes = len(planes[0]), []
    step = code_step(planes)
    if count == 1:
        tiles = [tile_single(p[0], b, ends) for p, b in zip(planes, black, strict=True)]
        found = scene_noise(tiles, ends[0] - black.mean(), highest, full_scale, step)
        channels = tuple(
            _transfer([tile], [noise], ends, 1) for tile, noise in zip(tiles, found, strict=True)
        )
        notes.append(f"{names[0]} is one frame alone: its noise is an upper bound")
        return LitMeasure(
            group.kind,
            group.iso,
            group.exposure_time or 0.0,
            1,
            channels,
            step or 1.0,
            left_out,
            tuple(notes),
        )
    alike = frames_alike(planes, black, 0.9 * highest, has_scene=group.kind == SCENES)
    left_out = left_out | {names[index]: reason for index, reason in alike.reasons.items()}
    rows = np.flatnonzero(alike.kept)
    if alike.flickers:
        notes.append(f"the light of {group} flickers; it was taken off")
    parts = np.array_split(rows, -(-len(rows) // MOST_FRAMES))
    by_part = []
    pixels = PIXELS if group.kind == SCENES else FLAT_PIXELS
    for part in parts:
        chosen = [plane[part] for plane in planes]
        gains = alike.gains[part] / alike.gains[part].mean()
        shifts = None
        if len(part) == 2 and group.kind == SCENES:
            seen = motion(chosen, list(black), 0.9 * highest)
            shifts = significant_shifts(seen.shifts, seen.shift_errors)
            if shifts is not None:
                notes.append(f"{group}: two frames, shifted against each other")
        tiles = [
            tile_plane(plane, level, gains, shifts, ends, pixels)
            for plane, level in zip(chosen, shaded, strict=True)
        ]
        found = scene_noise(tiles, ends[0] - black.mean(), highest, full_scale, step)
        by_part.append((tiles, found, len(part)))
    channels = tuple(
        _transfer(
            [tiles[channel] for tiles, _, _ in by_part],
            [found[channel] for _, found, _ in by_part],
            ends,
            by_part[0][2],
        )
        for channel in range(len(planes))
    )
    return LitMeasure(
        group.kind,
        group.iso,
        group.exposure_time or 0.0,
        len(rows),
        channels,
        step or 1.0,
        left_out,
        tuple(notes),
    )


def _transfer(tiles, noises, ends, frames) -> ChannelTransfer:
    first, noise = tiles[0], noises[0]
    sums = noises[0].sums
    for other in noises[1:]:
        sums = sums + other.sums
    is_open = ~first.is_at_end
    texture = first.texture[is_open].mean() / first.texture_freedom if is_open.any() else 0.0
    variance = first.variance[is_open].mean() if is_open.any() else 0.0
    spatial = [
        (texture - variance) / frames,
        np.mean(first.level[is_open] ** 2) if is_open.any() else 0.0,
    ]
    return ChannelTransfer(
        sums,
        float(first.level.mean()),
        float(ends[1]),
        float(np.mean([noise.used for noise in noises])),
        float(noise.clipped),
        float(np.mean([noise.moved for noise in noises])),
        bool(any(noise.is_bound for noise in noises) or frames < 2),
        np.array(spatial),
    )


def load(group: Group, skip_bad: bool) -> tuple[list[np.ndarray], list[str], dict[str, str]]:
    """Codes of a group's frames, their names, and those that cannot be read.

    Raises:
      ValueError: frames of other sizes or types, or that cannot be read.
    """
    frames: list[np.ndarray] = []
    names: list[str] = []
    left_out: dict[str, str] = {}
    for frame in group.frames:
        try:
            codes = read_codes(frame)
        except FAULTS as fault:
            if not skip_bad:
                raise ValueError(f"{fault} (--on_bad_file=skip leaves such files out.)") from fault
            left_out[frame.name] = str(fault)
            continue
        if frames and (codes.shape, codes.dtype) != (frames[0].shape, frames[0].dtype):
            raise ValueError(
                f"{group}: expected frames of one size and type, received {names[0]} of "
                f"{list(frames[0].shape)} {frames[0].dtype} and {frame.name} of "
                f"{list(codes.shape)} {codes.dtype}."
            )
        frames.append(codes)
        names.append(frame.name)
    return frames, names, left_out
