"""Captures of bursts of static scenes: clean is the mean of a burst.

A frame minus the mean of the n - 1 others has n / (n - 1) of the noise's variance, minus the mean
of all n (n - 1) / n. The two are multiples of each other, and multiplied to the variance of one
frame they are the same noise, which does not depend on the noise of the mean of all. So that one
is clean. Values are thereby between codes, and are stored as fractions of full scale without a
quantisation step.
"""

from __future__ import annotations

import os

import numpy as np

from tfp_noiseflow.calibration.calibrate import Calibration
from tfp_noiseflow.calibration.folder import SCENES
from tfp_noiseflow.calibration.measure import load
from tfp_noiseflow.captures.capture_file import CaptureWriter
from tfp_noiseflow.photon_transfer.pair import code_ends, planes_of

# Of fewer frames clean is too noisy.
FEWEST_FRAMES = 4
PATCH_SIZE = 32
# Of each burst.
PATCHES = 256


def write_burst_captures(
    calibration: Calibration,
    path: str | os.PathLike,
    *,
    patch_size: int = PATCH_SIZE,
    patches: int = PATCHES,
    seed: int = 0,
    licence: str = "",
) -> int:
    """Writes a capture file of all bursts of four frames or more that are left.

    Args:
      calibration: of their folder. path: of the file.
      patch_size: side in packed pixels. patches: of each burst at most; each is a place and a
        frame drawn at random, none with a code at an end.
      seed: of the draws. licence: of the captures.

    Returns:
      How many captures; with 0 no file is written.
    """
    groups = [
        group
        for group in calibration.folder.groups
        if group.kind == SCENES
        and sum(f.name not in calibration.left_out for f in group.frames) >= FEWEST_FRAMES
    ]
    rng = np.random.default_rng(seed)
    blocks = [
        block
        for number, group in enumerate(groups)
        if (block := _captures(calibration, group, number, patch_size, patches, rng)) is not None
    ]
    if not blocks:
        return 0
    with CaptureWriter(
        os.fspath(path),
        description=(
            f"Bursts of static scenes by {calibration.camera}: clean is the mean of a burst, whose "
            "own variance is taken off the noise."
        ),
        origin=f"raw frames of {calibration.camera}",
        licence=licence,
    ) as writer:
        for block in blocks:
            writer.append(**block)
    return sum(len(block["iso"]) for block in blocks)


def _captures(calibration: Calibration, group, number, patch_size, patches, rng):
    frames, names, _ = load(group, skip_bad=True)
    kept = [i for i, name in enumerate(names) if name not in calibration.left_out]
    first = group.frames[0]
    planes, black = planes_of([frames[i] for i in kept], first.cfa, first.black_level)
    cells = [cell for cell in calibration.cells if cell.iso == group.iso]
    full_scale = cells[0].full_scale
    black = np.array(
        [b if c.dark is None else c.dark.black_level for b, c in zip(black, cells, strict=True)]
    )
    ends = code_ends(planes, first.white_level)
    count, height, width = planes[0].shape
    if count < FEWEST_FRAMES or min(height, width) < patch_size:
        return None
    scale = np.sqrt(count / (count - 1))
    noisy, clean = [], []
    for _ in range(4 * patches):
        if len(noisy) == patches:
            break
        chosen = rng.integers(count)
        top, left = rng.integers(height - patch_size + 1), rng.integers(width - patch_size + 1)
        codes = np.stack(
            [p[:, top : top + patch_size, left : left + patch_size] for p in planes], axis=-1
        )
        if codes.min() <= ends[0] or codes.max() >= ends[1]:
            continue
        values = (codes.astype(np.float64) - black) / full_scale
        mean = values.mean(axis=0)
        noisy.append(mean + scale * (values[chosen] - mean))
        clean.append(mean)
    if not noisy:
        return None
    return {
        "noisy": np.array(noisy, np.float32),
        "clean": np.array(clean, np.float32),
        "iso": np.full(len(noisy), group.iso, np.float32),
        "camera": np.full(len(noisy), calibration.camera, object),
        "scene": np.full(len(noisy), f"burst {number}", object),
        "cfa": np.full(len(noisy), first.cfa, object),
    }
