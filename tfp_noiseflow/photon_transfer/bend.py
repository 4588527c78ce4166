"""By how much the variance of photon transfer bends away from its line.

Where a pixel's charge pushes the next electrons to its neighbours (the brighter-fatter effect of
CCDs and deep pixels), or codes are not linear in light, var / level is K (1 + bend * level) with K
the slope at no light, which is the system gain. A line's slope then depends on the levels that it
was fitted to. A channel alone tells the bend poorly; channels of a sensor share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Of the variance, that is read noise: levels with more say little of the slope.
LARGEST_READ_SHARE = 0.1
# A bend is taken for one from so many standard errors on.
ERRORS = 4.0


@dataclass(frozen=True)
class Bend:
    """The bend that lines have in common.

    Attributes:
      bend: the relative change of var / level over full scale; error: its standard error.
      slopes: of each line, K over the line's slope. slope_errors: standard errors of these.
    """

    bend: float
    error: float
    slopes: tuple[float, ...]
    slope_errors: tuple[float, ...]

    @property
    def is_clear(self) -> bool:
        """Whether it is more than chance."""
        return abs(self.bend) > ERRORS * self.error


def common_bend(misses: Sequence[np.ndarray], lines: Sequence[tuple[float, float]]) -> Bend | None:
    """The bend of the lines of one sensor at one gain.

    Args:
      misses: of each line [m, 3]: level (fraction of full scale), relative miss of the variance,
        standard error.
      lines: beta1 and beta2 of each.

    Returns:
      Bend; None where levels do not tell.
    """
    rows, values, weights = [], [], []
    for index, (points, (beta1, beta2)) in enumerate(zip(misses, lines, strict=True)):
        level, miss, error = points.T
        used = (level > 0) & (beta2 < LARGEST_READ_SHARE * (beta1 * level + beta2))
        # Of noise the error is that of Gaussian noise; a few hundred pixels say nothing here.
        used &= error < 0.2
        for x, y, e in zip(level[used], miss[used], error[used], strict=True):
            rows.append([*(np.arange(len(lines)) == index), x])
            values.append(y)
            weights.append(1 / e)
    if len(values) < len(lines) + 2:
        return None
    weight = np.array(weights)
    design = np.array(rows, np.float64) * weight[:, None]
    normal = design.T @ design
    if np.linalg.matrix_rank(normal) < len(normal):
        return None
    inverse = np.linalg.inv(normal)
    found = inverse @ design.T @ (np.array(values) * weight)
    left = np.array(values) * weight - design @ found
    # Errors as they are, or as the points scatter where that is more than by chance.
    freedom = max(1, len(left) - len(found))
    scatter = float(np.sum(left**2)) / freedom
    is_chance = scatter < 1 + 2 * np.sqrt(2 / freedom)
    errors = np.sqrt((1.0 if is_chance else scatter) * np.diag(inverse))
    # y = slope (1 + bend x) - 1.
    slopes = 1 + found[:-1]
    scale = slopes.mean()
    return Bend(
        float(found[-1] / scale),
        float(errors[-1] / scale),
        tuple(map(float, slopes)),
        tuple(map(float, errors[:-1])),
    )
