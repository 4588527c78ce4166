"""By how much each frame of a static scene is shifted and brighter than their mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Motion:
    """Of n frames against their mean.

    Attributes:
      gains: [n], of mean 1, how bright each is.
      gain_errors: [n], standard errors of noise.
      shifts: [n, 2], down and to the right, in pixels of a plane.
      shift_errors: [n, 2].
      explained: [n], the share of a frame's squared deviations from the mean that gain and shift
        explain.
    """

    gains: np.ndarray
    gain_errors: np.ndarray
    shifts: np.ndarray
    shift_errors: np.ndarray
    explained: np.ndarray


def motion(planes: list[np.ndarray], black_level: Iterable[float], highest: float) -> Motion:
    """Gains and shifts, by least squares on the mean's values and gradients.

    A shift is found to first order: right for one that is small beside the scene's details, too
    small for others.

    Args:
      planes: of each channel [n, H, W] frames.
      black_level: of each channel.
      highest: pixels whose mean is above are not used.

    Returns:
      Motion, one for all channels.
    """
    count = len(planes[0])
    normal = np.zeros((3, 3))
    right, squares, pixels = np.zeros((count, 3)), np.zeros(count), 0
    for plane, black in zip(planes, black_level, strict=True):
        frames = plane.astype(np.float32)
        mean = frames.mean(axis=0) - np.float32(black)
        down, across = gradients(mean)
        inside = mean[1:-1, 1:-1]
        # Bright pixels are noisier; 1 + mean keeps those in the dark from counting for all.
        weight = (inside < highest) / (1 + np.maximum(inside, 0))
        terms = np.stack([inside, -down[1:-1, 1:-1], -across[1:-1, 1:-1]]).reshape(3, -1)
        weighted = terms * weight.ravel()
        normal += weighted.astype(np.float64) @ terms.T.astype(np.float64)
        for index, frame in enumerate(frames):
            left = (frame[1:-1, 1:-1] - np.float32(black) - inside).ravel()
            right[index] += weighted.astype(np.float64) @ left
            squares[index] += np.sum(weight.ravel() * left**2, dtype=np.float64)
        pixels += int(np.count_nonzero(weight))
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-30))
    inverse = np.linalg.pinv(normal / np.outer(scale, scale), rcond=1e-9) / np.outer(scale, scale)
    found = right @ inverse
    explained = np.sum(found * right, axis=1)
    left_over = np.maximum(squares - explained, 0) / max(pixels, 1)
    # The weights are about those of the noise: what is left over has their scale.
    errors = np.sqrt(left_over[:, None] * np.diag(inverse))
    gains = 1 + found[:, 0]
    return Motion(
        gains / gains.mean(),
        errors[:, 0],
        found[:, 1:],
        errors[:, 1:],
        explained / np.maximum(squares, 1e-30),
    )


def gradients(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences, down and to the right, of the plane's shape; 0 at its borders."""
    down, across = np.zeros_like(plane), np.zeros_like(plane)
    down[1:-1] = (plane[2:] - plane[:-2]) / 2
    across[:, 1:-1] = (plane[:, 2:] - plane[:, :-2]) / 2
    return down, across
