"""Splits of captures: by scene, so that no two of them share one, or at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures


def split_captures(
    captures: Captures, shares: Sequence[float], *, seed: int = 0
) -> tuple[list[Captures], str]:
    """Splits by scene where the captures have as many scenes as there are splits, else at random.

    Args:
      captures, shares, seed: as in `split_by_scene` and `split_at_random`.

    Returns:
      Captures, one for each share, and how they were split, in words.

    Raises:
      ValueError: as these two.
    """
    scenes = 0 if captures.scene is None else len(set(captures.scene))
    if scenes >= len(shares):
        return split_by_scene(captures, shares, seed=seed), "by scene"
    has = f"{scenes} of the {len(shares)} scenes needed" if scenes else "no scenes"
    how = f"at random (the file names {has}; splits can share one, figures flatter the models)"
    return split_at_random(captures, shares, seed=seed), how


def split_at_random(
    captures: Captures, shares: Sequence[float], *, seed: int = 0
) -> list[Captures]:
    """Deals captures out to splits, whatever their scenes.

    The first split gets a capture of every camera and ISO, if it has as many captures: what is not
    trained on cannot be tested.

    Args:
      captures: at least one for each split.
      shares: of each split, positive; they add up to 1.
      seed: of the order.

    Returns:
      Captures, one for each share, in the order of the file.

    Raises:
      ValueError: fewer captures than splits, or shares that do not add up to 1.
    """
    _check_shares(shares)
    if len(captures) < len(shares):
        raise ValueError(
            f"{captures.path}: expected at least {len(shares)} captures to split, received "
            f"{len(captures)}."
        )
    order = np.random.default_rng(seed).permutation(len(captures))
    conditions = [
        f"{camera} {iso}" for camera, iso in zip(captures.camera, captures.iso, strict=True)
    ]
    _, first = np.unique(np.array(conditions)[order], return_index=True)
    order = np.concatenate([order[first], np.delete(order, first)])
    sizes = [max(1, int(share * len(captures))) for share in shares[1:]]
    parts = np.split(order, len(captures) - np.cumsum(sizes[::-1])[::-1])
    return [captures.select(np.sort(part)) for part in parts]


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
    _check_shares(shares)
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


def _check_shares(shares: Sequence[float]) -> None:
    if abs(sum(shares) - 1) > 1e-6 or min(shares) <= 0:
        raise ValueError(f"expected positive shares that add up to 1, received {list(shares)}.")
