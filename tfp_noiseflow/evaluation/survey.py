"""One pass over captures before anything is compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.evaluation import histograms
from tfp_noiseflow.evaluation.statistics import clean_level_edges

# Resampled are parts of the patches, not patches one by one, whose sums would not fit the memory.
PARTS = 32

# Of the clean levels at which the real noise's deviation is told: sixteen to a factor of ten.
LEVEL_EDGES = np.geomspace(1e-4, 1.0, 65)
# A level of fewer values has that of all levels.
FEWEST_VALUES = 100


@dataclass
class Survey:
    """G pairs of camera and ISO and what is known of each, of N captures."""

    conditions: list[tuple[str, float]]
    group: np.ndarray  # [N], which of the conditions
    is_in_kl_paper: np.ndarray  # [N] bool
    part: np.ndarray  # [N] of PARTS, in turn among the patches of a condition
    standard_deviation: np.ndarray  # [G] of the real noise
    clean_edges: np.ndarray
    example_clean: np.ndarray  # [G, H, W, C]
    example_noise: np.ndarray  # [G, H, W, C]
    darkest: np.ndarray  # [G], the capture of the lowest mean clean value
    deviation: np.ndarray  # [G, levels] of the real noise at a clean level

    def deviation_at(self, clean: np.ndarray, group: np.ndarray) -> np.ndarray:
        """[n, H, W, C] the real noise's deviation at the clean level of each value."""
        return self.deviation[np.asarray(group)[:, None, None, None], _level_of(clean)]


def survey_captures(captures: Captures, batch_size: int, seed: int) -> Survey:
    """Groups captures by camera and ISO and takes the scales that histograms need.

    Args:
      captures: N captures.
      batch_size: captures at a time.
      seed: of the dequantisation.

    Raises:
      ValueError: the noise of a camera x ISO is constant.
    """
    table = {name: index for index, name in enumerate(captures.cameras)}
    camera = np.array([table[name] for name in captures.camera])
    keys = np.stack([camera, captures.iso], axis=-1)
    keys, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    conditions = [(captures.cameras[int(index)], float(iso)) for index, iso in keys]
    groups = len(conditions)

    # Every 5th patch of each camera x ISO: every 5th of the file would be one and the same ISO
    # where a file cycles through five of them.
    is_in_kl_paper = np.zeros(len(captures), bool)
    part = np.zeros(len(captures), np.int64)
    for g in range(groups):
        members = np.flatnonzero(group == g)
        is_in_kl_paper[members[:: histograms.PAPER_STRIDE]] = True
        part[members] = np.arange(len(members)) % PARTS

    smallest, largest = np.inf, -np.inf
    contrast = np.full(groups, -1.0)
    example_clean = np.zeros([groups, *captures.image_shape], np.float32)
    example_noise = np.zeros([groups, *captures.image_shape], np.float32)
    level = np.zeros(len(captures))
    moments = np.zeros([3, groups, len(LEVEL_EDGES) + 1])
    for block in captures.blocks(batch_size, seed=seed):
        g = group[block.index]
        cell = (_level_of(block.clean) + moments.shape[2] * g[:, None, None, None]).ravel()
        noise = block.noise.ravel().astype(np.float64)
        for total, weights in zip(moments, (None, noise, np.square(noise)), strict=True):
            total += np.bincount(cell, weights, minlength=total.size).reshape(total.shape)
        level[block.index] = block.clean.mean((1, 2, 3))
        smallest = min(smallest, float(block.clean.min()))
        largest = max(largest, float(block.clean.max()))
        spread = coarse_contrast(block.clean)
        for position, (index, value) in enumerate(zip(g, spread, strict=True)):
            if value > contrast[index]:
                contrast[index] = value
                example_clean[index] = block.clean[position]
                example_noise[index] = block.noise[position]
    sums = moments.sum(-1)
    variance = sums[2] / sums[0] - (sums[1] / sums[0]) ** 2
    if not np.all(variance > 0):
        camera, iso = conditions[int(np.argmin(variance > 0))]
        raise ValueError(
            f"{captures.path}: expected noise of some variance, that of camera {camera!r} at ISO "
            f"{iso:g} is constant."
        )
    return Survey(
        conditions,
        group,
        is_in_kl_paper,
        part,
        np.sqrt(variance),
        clean_level_edges(smallest, largest),
        example_clean,
        example_noise,
        np.array([np.flatnonzero(group == g)[np.argmin(level[group == g])] for g in range(groups)]),
        _deviations(moments, np.sqrt(variance)),
    )


def _level_of(clean: np.ndarray) -> np.ndarray:
    return np.searchsorted(LEVEL_EDGES, clean, side="right")


def _deviations(moments: np.ndarray, of_all: np.ndarray) -> np.ndarray:
    """[G, levels], from sums of powers 0 to 2 and the deviation of all levels together."""
    count = np.maximum(moments[0], 1)
    variance = moments[2] / count - (moments[1] / count) ** 2
    is_known = (moments[0] >= FEWEST_VALUES) & (variance > 0)
    return np.where(is_known, np.sqrt(np.where(is_known, variance, 0)), of_all[:, None])


def coarse_contrast(clean: np.ndarray) -> np.ndarray:
    """[n]: how well a patch shows that noise follows the signal: large areas of other levels.

    0 for patches with saturated pixels.
    """
    height, width = (max(1, size // 4) for size in clean.shape[1:3])
    step_h, step_w = clean.shape[1] // height, clean.shape[2] // width
    cropped = clean[:, : height * step_h, : width * step_w]
    coarse = cropped.reshape(len(clean), height, step_h, width, step_w, -1).mean((2, 4, 5))
    return np.where(clean.max((1, 2, 3)) < 0.9, coarse.std((1, 2)), 0.0)
