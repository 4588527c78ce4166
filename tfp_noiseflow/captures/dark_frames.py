"""A bank of dark frames: captures whose clean image is 0."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures
from tfp_noiseflow.captures.fixed_pattern import FixedPattern, pattern_of
from tfp_noiseflow.captures.memory import available_memory

# Of a camera's dark values at one and the same, lowest, code: more than half of the distribution is
# cut off.
LARGEST_CLIPPED_SHARE = 0.25
# Frames are read so many at a time: a few hundred MB of whole ones.
FRAMES_AT_A_TIME = 4
# Of a bank, in memory at once: frames are read, then copied to the variables of a noise model.
COPIES = 2


@dataclass
class DarkFrames:
    """Dark frames without their dark shading.

    Attributes:
      frames: [F, H, W, C] float32, fractions of full scale, those of a condition one after another.
      conditions: (camera, ISO), sorted.
      counts: [number of conditions] int, the frames of each.
      beta1: of each condition, as the file reports it; NaN where it does not.
    """

    frames: np.ndarray
    conditions: list[tuple[str, float]]
    counts: np.ndarray
    beta1: np.ndarray


def read_dark_frames(
    captures: Captures, fixed_patterns: Sequence[FixedPattern] | None = None
) -> DarkFrames:
    """Dark frames of captures, less what all frames of a camera and ISO have in common.

    That is their mean, frame by frame the same window of the sensor. The mean of F frames holds
    1 / F of each one's noise, so that what is left has 1 - 1 / F of its variance: it is divided by
    sqrt(1 - 1 / F). With `fixed_patterns` it is their dark shading (and no division: such a map is
    made of frames of its own).

    Codes are taken as they are stored, without dequantisation.

    Args:
      captures: dark frames, noisy, with a clean image of 0: whole frames, or the same window of
        all.
      fixed_patterns: of the cameras, at the ISOs of the captures; their maps have the size of the
        captures.

    Returns:
      DarkFrames. All of them are held in memory, 4 bytes a value.

    Raises:
      ValueError: a clean image that is not 0; a single frame of a camera and ISO, whose mean would
        be all of it; patterns of other cameras, ISOs or sizes.
    """
    keys = _keys(captures)
    conditions, counts, beta1 = dark_conditions(captures)
    if fixed_patterns is None and counts.min() < 2:
        camera, iso = conditions[int(counts.argmin())]
        raise ValueError(
            f"{captures.path}: expected two dark frames or more of each camera and ISO, of which "
            f"the mean is taken off, received one of {camera!r} at ISO {iso:g}; fixed patterns "
            "take its place."
        )
    frames = np.empty([len(keys), *captures.image_shape], np.float32)
    filled = np.cumsum(counts) - counts
    place = dict(zip(conditions, filled.tolist(), strict=True))
    stored = captures.dequantised(False)
    for block in stored.blocks(FRAMES_AT_A_TIME):
        _check_clean(captures, block)
        for number, frame in zip(block.index, block.noise, strict=True):
            frames[place[keys[number]]] = frame
            place[keys[number]] += 1
    for (camera, iso), start, count in zip(conditions, filled, counts, strict=True):
        own = frames[start : start + count]
        _warn_of_clipping(captures, own, camera, iso)
        if fixed_patterns is None:
            own -= own.mean(axis=0, dtype=np.float64).astype(np.float32)
            own /= np.float32(np.sqrt(1 - 1 / count))
        else:
            pattern = pattern_of(fixed_patterns, camera)
            own -= pattern.image(iso, captures.image_shape)
    return DarkFrames(frames, conditions, counts, beta1)


def dark_conditions(
    captures: Captures,
) -> tuple[list[tuple[str, float]], np.ndarray, np.ndarray]:
    """What `read_dark_frames` gives besides the frames, which are not read for it.

    Returns:
      conditions, counts and beta1, as in `DarkFrames`.
    """
    keys = _keys(captures)
    conditions = sorted(set(keys))
    counts = np.array([keys.count(condition) for condition in conditions])
    beta1 = np.full(len(conditions), np.nan)
    if captures.nlf is not None:
        for number, condition in enumerate(conditions):
            beta1[number] = captures.nlf[[key == condition for key in keys], 0].mean()
    return conditions, counts, beta1


def _keys(captures: Captures) -> list[tuple[str, float]]:
    """Camera and ISO of each frame."""
    return list(zip(captures.camera.tolist(), captures.iso.tolist(), strict=True))


def check_memory(captures: Captures) -> None:
    """Raises MemoryError where a bank and a noise model of it have no room in what is free."""
    size = 4 * len(captures) * int(np.prod(captures.image_shape))
    available = available_memory()
    if available is not None and COPIES * size > available:
        height, width, channels = captures.image_shape
        raise MemoryError(
            f"{captures.path}: expected room for {len(captures)} dark frames of {height} x {width} "
            f"x {channels} values, {COPIES} times {size / 1e9:.2f} GB while a noise model is made "
            f"of them, received {available / 1e9:.2f} GB that are free. A window of the frames, or "
            "fewer of each ISO, need less (`train.import_dark_frames`: --window, --frames_per_iso)."
        )


def _check_clean(captures: Captures, block: CaptureBlock) -> None:
    # Codes of float32 are whole numbers: what is not the black level is off by 1e-6 or more.
    is_dark = np.abs(block.clean).max(axis=(1, 2, 3)) < 1e-7
    if not is_dark.all():
        raise ValueError(
            f"{captures.path}: expected dark frames, whose clean image is 0 (the black level), "
            f"received one of up to {np.abs(block.clean).max():.3g} of full scale at capture "
            f"{block.index[~is_dark][0]}."
        )


def _warn_of_clipping(captures: Captures, frames: np.ndarray, camera: str, iso: float) -> None:
    share = float(np.mean(frames == frames.min()))
    if share > LARGEST_CLIPPED_SHARE:
        warnings.warn(
            f"{captures.path}: {100 * share:.0f} % of the dark values of {camera!r} at ISO {iso:g} "
            "are the lowest one: files of that camera end at black, and what of its noise they "
            "cut off is in no dark frame.",
            stacklevel=4,
        )
