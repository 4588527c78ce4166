"""Which captures a figure shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.evaluation.survey import coarse_contrast


def captures_to_show(captures: Captures, groups: Sequence[np.ndarray]) -> list[int]:
    """Positions of captures, one of each group.

    It is the one with the largest areas of different levels; where there are enough, of a scene
    that no group before it shows.

    Args:
      captures: what to choose from.
      groups: positions, each at least one.
    """
    contrast = np.concatenate([coarse_contrast(block.clean) for block in captures.blocks()])
    scene = captures.scene if captures.scene is not None else np.arange(len(captures))
    found: list[int] = []
    for own in groups:
        is_new = ~np.isin(scene[own], scene[found])
        own = own[is_new] if is_new.any() else own
        found.append(int(own[np.argmax(contrast[own])]))
    return found
