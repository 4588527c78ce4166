"""The Tukey-lambda distribution of mean 0 and variance 1: read noise with heavy tails.

It is defined by its quantile function, Q(p) = (p^l - (1 - p)^l) / l, before standardising. Shape l
0.14 is nearly Gaussian, 0 is logistic, below 0 the tails are power laws of index 1 / l.
"""

from __future__ import annotations

import math

import numpy as np

# Of a bounded distribution: beyond, 1e-21 is left.
LARGEST_LOGIT = 48.0


def tukey_lambda_variance(shape: float) -> float:
    """The variance of the Tukey-lambda distribution before standardising.

    With the quantile function Q(p) = (p^l - (1 - p)^l) / l, whose mean is 0:

        var = 2 / l^2 * (1 / (1 + 2 l) - Gamma(l + 1)^2 / Gamma(2 l + 2))

    Args:
      shape: l, not 0, above -1/2 (below, there is no variance).

    Returns:
      The variance.
    """
    gamma = math.gamma
    return 2 / shape**2 * (1 / (1 + 2 * shape) - gamma(shape + 1) ** 2 / gamma(2 * shape + 2))


def draw_tukey_lambda(shape: float, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Tukey-lambda random numbers of mean 0 and variance 1.

    Args:
      shape: lambda, not 0, above -1/2.
      size: shape of the result.
      rng: random numbers.

    Returns:
      float64 array of `size`.
    """
    # The quantile function is infinite at 0, which `random` can give; 1 it never gives.
    p = np.maximum(rng.random(size), 2.0**-53)
    draw = p**shape - (1.0 - p) ** shape
    draw /= shape * math.sqrt(tukey_lambda_variance(shape))
    return draw


class TukeyLambdaIntervals:
    """Probabilities of intervals under the Tukey-lambda distribution of mean 0 and variance 1.

    The distribution function has no closed form. Its logit y is the inverse of

        x(y) = ((1 + e^y)^a - (1 + e^-y)^a) / (a deviation),    a = -l,

    found by Newton's method on a grid that is uniform in arsinh(x), and interpolated there by
    cubics with the exact slopes. The logit keeps the relative accuracy of both tails.

    For l > 0 the distribution is bounded. Where less than 1e-21 is left there is nothing more.

    Args:
      shape: lambda, in (-1/2, 0.1] and not 0: above, the bound is too near for the grid.

    Raises:
      ValueError: another shape.
    """

    # So many cubics in each unit of arsinh(x) leave 1e-12 of y.
    _CELLS = 1200

    def __init__(self, shape: float):
        if not -0.5 < shape <= 0.1 or shape == 0:
            raise ValueError(f"expected a shape in (-1/2, 0.1] and not 0, received {shape}.")
        power, deviation = -shape, math.sqrt(tukey_lambda_variance(shape))

        def quantile(y):
            """x and its slope at a logit."""
            above, below = (1 + np.exp(y)) ** power, (1 + np.exp(-y)) ** power
            slope = (above / (1 + np.exp(-y)) + below / (1 + np.exp(y))) / deviation
            return (above - below) / (power * deviation), slope

        if power > 0:
            # The grid ends at 1e8 standard deviations, or before the tail is too small for float64.
            log_end = min(math.log(1e8), 600 * power - math.log(power * deviation))
            end = math.exp(log_end)
        else:
            end, _ = quantile(LARGEST_LOGIT)
        self._farthest = math.asinh(end)
        cells = math.ceil(self._farthest * self._CELLS)
        # A cell more, for what lies at the end.
        grid = self._farthest / cells * np.arange(cells + 2)
        self._spacing = grid[1]
        x = np.sinh(grid)
        # Newton's steps do not overshoot from a start above the root where x(y) grows faster than a
        # line, nor from below it where it bends down.
        if power > 0:
            y = np.log(power * deviation * x + 2.0**power) / power
        else:
            logits = np.linspace(0.0, LARGEST_LOGIT, 1 << 16)
            y = logits[np.searchsorted(quantile(logits)[0], x, side="right") - 1]
        for _ in range(100):
            found, slope = quantile(y)
            change = (found - x) / slope
            y -= change
            if np.all(np.abs(change) <= 1e-14 * (1 + y)):
                break
        slope = quantile(y)[1]
        # dy / d arsinh(x), for one interval of the grid.
        rise = self._spacing * np.cosh(grid) / slope
        step = np.diff(y)
        self._cubics = np.stack(
            [
                y[:-1],
                rise[:-1],
                3 * step - 2 * rise[:-1] - rise[1:],
                rise[:-1] + rise[1:] - 2 * step,
            ]
        )

    def upper_tail(self, x: np.ndarray) -> np.ndarray:
        """P(X > x) for x >= 0.

        Args:
          x: any shape, not negative.

        Returns:
          The same shape, float64, relative error below 1e-11; for l > 0 below 1e-8 where it is
          above 1e-12.
        """
        position = np.minimum(np.arcsinh(x), self._farthest) / self._spacing
        cell = position.astype(np.int64)
        position -= cell
        c0, c1, c2, c3 = (cubic.take(cell) for cubic in self._cubics)
        return 1.0 / (1.0 + np.exp(((c3 * position + c2) * position + c1) * position + c0))

    def probability(self, lower: np.ndarray | float, upper: np.ndarray | float) -> np.ndarray:
        """P(lower < X <= upper), with the relative accuracy of the tails in both of them.

        Args:
          lower, upper: shapes that broadcast, lower <= upper; infinite for an open end.

        Returns:
          float64.
        """
        lower, upper = np.broadcast_arrays(lower, upper)
        # Symmetric: the interval is mirrored to the side where its middle is not negative.
        is_mirrored = lower + upper < 0
        near = np.where(is_mirrored, -upper, lower)
        far = np.where(is_mirrored, -lower, upper)
        tail = self.upper_tail(np.abs(near))
        tail = np.where(near < 0, 1.0 - tail, tail)
        return tail - np.where(np.isinf(far), 0.0, self.upper_tail(far))
