"""Polynomials with coefficients >= 0 through positive values that span decades.

Errors are relative: residual = log(polynomial / value), under the loss
2 s^2 (sqrt(1 + (residual / s)^2) - 1), which is the square of small residuals and grows with the
size of large ones; s = 0.1, about what rounding and measurement leave.

Logarithms rather than (polynomial - value) / value, which cannot fall below -1 but rise without
bound: one value at a floor far below the rest would draw the whole polynomial down to it. The loss
for the same reason: rows of a table that no law can follow must not bend it away from all others.
On tables of fourteen real cameras all three agree where a law fits well, and the median residual of
this loss is nowhere larger than that of squares of logarithms. Where one row of beta2 in eight or
ten is a floor, the median row of the others is missed by a factor of 200 to 1200 by the first, 2.3
to 2.5 by squares of logarithms and 1.3 by this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

LOSS_SCALE = 0.1
MOST_STEPS = 500
SMALLEST_STEP = 1e-6
SMALLEST_DECREASE = 1e-13


def fit_polynomial(x: np.ndarray, values: np.ndarray, powers: Sequence[int]) -> np.ndarray:
    """The coefficients of a polynomial through values.

    Args:
      x: [n], > 0. values: [n], > 0. powers: of the polynomial's terms; as many different x at
        least.

    Returns:
      [len(powers)] float64, >= 0 and not all 0.
    """
    terms = np.stack([x**power for power in powers], axis=-1)
    # Unlike the squares the loss can have several minima: the best of what two starts reach.
    # No term of the second exceeds a value; the first follows the smallest values.
    relative = _solve(terms / values[:, None], np.ones_like(values))
    below = (values[:, None] / terms).min(axis=0) / len(powers)
    ends = [_descend(terms, values, start) for start in (relative, below)]
    return min(ends, key=lambda coefficients: _loss(terms @ coefficients / values))


def _descend(terms: np.ndarray, values: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Gauss-Newton steps, each a non-negative least squares, so that a coefficient can be 0."""
    loss = _loss(terms @ coefficients / values)
    for _ in range(MOST_STEPS):
        fitted = terms @ coefficients
        residual = np.log(fitted / values)
        weight = (1 + (residual / LOSS_SCALE) ** 2) ** -0.25
        step = (
            _solve(weight[:, None] * terms / fitted[:, None], weight * (1 - residual))
            - coefficients
        )
        size, found, found_loss = 1.0, coefficients, loss
        while size > SMALLEST_STEP and not found_loss < loss:
            found = coefficients + size * step
            found_loss = _loss(terms @ found / values)
            size /= 2
        if not found_loss < loss:
            break
        decrease, coefficients, loss = loss - found_loss, found, found_loss
        if decrease < SMALLEST_DECREASE * loss:
            break
    return coefficients


def _loss(ratio: np.ndarray) -> float:
    if not (ratio > 0).all():
        return np.inf
    return float(np.sum(np.sqrt(1 + (np.log(ratio) / LOSS_SCALE) ** 2) - 1))


def _solve(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    # Columns of one length: ISO^2 and 1 differ by ten orders of magnitude.
    lengths = np.linalg.norm(matrix, axis=0)
    return nnls(matrix / lengths, target)[0] / lengths
