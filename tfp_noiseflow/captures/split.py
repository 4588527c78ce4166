"""Splits of captures by scene: no two of them share one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures


def split_by_scene(captures: Captures, shares: Sequence[float], *, seed: int = 0) -> list[Captures]:
    """Deals the scenes of captures out to splits.

    Scenes are taken in random order, each by the split that lacks most of its share of captures,
    so that shares are met as well as scenes allow; every split gets a scene.

    Args:
      captures: of a file with the data set `scene`.
      shares: of each split, positive; they add up to 1.
      seed: of the order of the scenes.

    Returns:
      Captures, one for each share.

    Raises:
      ValueError: no `scene`, fewer scenes than splits, or shares that do not add up to 1.
    """
    if abs(sum(shares) - 1) > 1e-6 or min(shares) <= 0:
        raise ValueError(f"expected positive shares that add up to 1, received {list(shares)}.")
    if captures.scene is None:
        raise ValueError(
            f"{captures.path}: expected the data set scene, by which captures are split; there is "
            "none."
        )
    scenes, number = np.unique(captures.scene.astype(str), return_counts=True)
    if len(scenes) < len(shares):
        raise ValueError(
            f"{captures.path}: expected at least {len(shares)} scenes to split by, received "
            f"{len(scenes)}."
        )
    lacking = np.array(shares) * len(captures)
    split_of = np.full(len(scenes), -1)
    order = np.random.default_rng(seed).permutation(len(scenes))
    for turn, scene in enumerate(order):
        empty = [split for split in range(len(shares)) if split not in split_of]
        must_fill = len(empty) >= len(order) - turn
        split_of[scene] = empty[0] if must_fill and empty else np.argmax(lacking)
        lacking[split_of[scene]] -= number[scene]
    split = split_of[np.searchsorted(scenes, captures.scene.astype(str))]
    return [captures.select(np.flatnonzero(split == k)) for k in range(len(shares))]
