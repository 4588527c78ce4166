"""Captures of bursts of static scenes: codes, with a clean image of the burst's other frames.

A frame x minus the mean m of the n - 1 others has n / (n - 1) of the noise's variance: m has noise
of its own. So clean is a mean to which the frame belongs with the weight

    w = 1 - sqrt((n - 1) / n),  clean = w x + (1 - w) m

at which x - clean has the variance of one frame's noise, and x is a code. In a burst of ten w is
0.05. What clean then has of the noise, a tenth of its variance, it shares with x and has of its
own in equal parts, whose effects on the variance of x - clean cancel.
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
      How many captures; with 0 no file is written. They are of codes: their black level is the
      code that is nearest to the ISO's, and white is as far above it as the model takes it.
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
            f"Bursts of static scenes by {calibration.camera}: clean is a mean of the burst, so "
            "weighted that noisy - clean has the variance of one frame's noise."
        ),
        origin=f"raw frames of {calibration.camera}",
        licence=licence,
    ) as writer:
        for block in blocks:
            writer.append(**block)
    return sum(len(block["iso"]) for block in blocks)


def _captures(calibration: Calibration, group, number, patch_size, patches, rng):
    """The captures of a burst; None where there are none."""
    frames, names, _ = load(group, skip_bad=True)
    kept = [i for i, name in enumerate(names) if name not in calibration.left_out]
    first = group.frames[0]
    planes, _ = planes_of([frames[i] for i in kept], first.cfa, first.black_level)
    cells = [cell for cell in calibration.cells if cell.iso == group.iso]
    black = _black_code(cells, first.black_level, planes[0].flat[0])
    white = black + cells[0].full_scale
    ends = code_ends(planes, min(first.white_level, white))
    count, height, width = planes[0].shape
    if count < FEWEST_FRAMES or min(height, width) < patch_size:
        return None
    weight = 1 - np.sqrt((count - 1) / count)
    noisy: list[np.ndarray] = []
    clean: list[np.ndarray] = []
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
        others = (codes.sum(axis=0, dtype=np.float64) - codes[chosen]) / (count - 1)
        noisy.append(codes[chosen])
        clean.append(others + weight * (codes[chosen] - others))
    if not noisy:
        return None
    size = len(noisy)
    is_codes = frames[0].dtype.kind in "ui"
    return {
        "noisy": np.array(noisy),
        "clean": np.array(clean, np.float32),
        "iso": np.full(size, group.iso, np.float32),
        "camera": np.full(size, calibration.camera, object),
        "scene": np.full(size, f"burst {number}", object),
        "cfa": np.full(size, first.cfa, object),
        "black_level": np.full(size, black),
        "white_level": np.full(size, white),
        "quantization_step": np.full(size, cells[0].step if is_codes else 0.0),
    }


def _black_code(cells, reported: np.ndarray, code: float) -> float:
    """The code that is nearest to black at an ISO, among those of which one is given."""
    found = [cell.dark.black_level for cell in cells if cell.dark is not None]
    step = cells[0].step
    return float(code - step * np.round((code - np.mean(found or reported)) / step))
