"""The distribution of codes in the dark, by maximum likelihood: location, spread and tails.

Where noise is below a code, or codes end at black, their mean and variance are not those of the
noise: they depend on where between two codes the black level lies, and on what was cut off. The
probability of each code is exact:

    P(code) = F((code + 1/2 - mean) / sd) - F((code - 1/2 - mean) / sd)

with F the Tukey-lambda distribution of variance 1, whose shape tells the tails: 0.14 nearly
Gaussian, 0 logistic, below 0 power laws. At the lowest code the lower edge is -infinity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from scipy.special import beta, binom, gamma, tklmbda

SHAPES = (-0.24, 0.3)
# Of the noise's standard deviation: the width of bins where it is many codes, and the difference
# of means that are taken as one; of a code, where the noise is less.
BIN_SHARE, MEAN_SHARE, MEAN_STEP = 1 / 4, 1 / 8, 1 / 16
LEAST_PROBABILITY = 1e-300


@dataclass(frozen=True)
class CodeDistribution:
    """A fitted distribution, in codes.

    Attributes:
      shift: of the mean, against the means that were given. deviation: standard deviation.
      shape: Tukey-lambda's. shift_error, deviation_error, shape_error: standard errors.
    """

    shift: float
    deviation: float
    shape: float
    shift_error: float
    deviation_error: float
    shape_error: float


def fit_codes(
    codes: np.ndarray, means: np.ndarray, deviation: float, lowest: float = -np.inf
) -> CodeDistribution:
    """The distribution of codes about means that are known but for a common shift.

    Args:
      codes: [n]. means: [n], of the noise before rounding.
      deviation: a first guess, in codes, > 0.
      lowest: the code at which they end; none below it occur.

    Returns:
      CodeDistribution.
    """
    bins = _bins(codes, means, deviation, lowest)
    lower, upper, counts = (np.concatenate(column) for column in zip(*bins, strict=True))
    total = counts.sum()

    def nll(numbers):
        shift, log_deviation, shape = numbers
        if not SHAPES[0] <= shape <= SHAPES[1]:
            return np.inf
        scale = np.exp(log_deviation)
        edges = np.stack([lower - shift, upper - shift]) / scale
        # In the upper tail probabilities are differences of what is left above.
        mirrored = np.where(edges.sum(axis=0) > 0, -edges[::-1], edges)
        below, above = distribution(mirrored, shape)
        return -np.sum(counts * np.log(np.maximum(above - below, LEAST_PROBABILITY))) / total

    start = np.array([0.0, np.log(deviation), 0.0])
    simplex = start + np.array([[0, 0, 0], [0.2 * deviation, 0, 0], [0, 0.2, 0], [0, 0, 0.1]])
    found = scipy.optimize.minimize(
        nll,
        start,
        method="Nelder-Mead",
        options={
            "initial_simplex": simplex,
            "xatol": 1e-5,
            "fatol": 1e-11,
            "maxiter": 600,
            "maxfev": 800,
        },
    ).x
    errors = _standard_errors(nll, found, total, deviation)
    scale = float(np.exp(found[1]))
    return CodeDistribution(
        float(found[0]), scale, float(found[2]), errors[0], scale * errors[1], errors[2]
    )


def code_gain(fitted: CodeDistribution, means: np.ndarray, lowest: float = -np.inf) -> np.ndarray:
    """By how much the mean of the codes rises with that of the noise: 1 where noise is many codes.

    Args:
      fitted: of `fit_codes`. means: [n], as there.
      lowest: the code at which they end.

    Returns:
      [n].
    """
    means = means + fitted.shift
    reach = np.ceil(12 * fitted.deviation) + 1
    places = np.linspace(means.min() - 0.01, means.max() + 0.01, 257)
    edges = np.arange(np.floor(places[0] - reach), np.ceil(places[-1] + reach)) + 0.5
    edges = edges[edges > lowest]
    # The mean code is a sum of P(code > edge) over the edges.
    step = 0.02 * fitted.deviation
    mean = [
        np.sum(1 - distribution((edges - (places + sign * step)[:, None]) / fitted.deviation,
                                fitted.shape), axis=1)
        for sign in (-1, 1)
    ]  # fmt: skip
    return np.interp(means, places, (mean[1] - mean[0]) / (2 * step))


def distribution(x: np.ndarray, shape: float) -> np.ndarray:
    """The Tukey-lambda distribution function of mean 0 and variance 1."""
    shape = shape if abs(shape) > 1e-5 else 1e-5
    variance = 2 / shape**2 * (1 / (1 + 2 * shape) - gamma(shape + 1) ** 2 / gamma(2 * shape + 2))
    return tklmbda(np.clip(x, -1e6, 1e6) * np.sqrt(variance), shape)


def excess_kurtosis(shape: float) -> float:
    """Of the Tukey-lambda distribution, for a shape above -1/4 (below there is none)."""
    shape = shape if abs(shape) > 1e-3 else 1e-3
    return _moment(shape, 4) / _moment(shape, 2) ** 2 - 3


def _moment(shape: float, order: int) -> float:
    """E[(p^l - (1 - p)^l)^order] for uniform p, order even: a sum of beta functions."""
    return float(
        sum(
            binom(order, k) * (-1) ** k * beta(shape * (order - k) + 1, shape * k + 1)
            for k in range(order + 1)
        )
    )


def _bins(codes, means, deviation, lowest):
    """Lower and upper edges minus the mean, and counts, for each group of means."""
    width = max(1, round(deviation * BIN_SHARE))
    group = np.round(means / max(MEAN_STEP, deviation * MEAN_SHARE)).astype(np.int64)
    # Bins are of whole codes: their edges lie between two.
    first = int(codes.min())
    bins = (codes.astype(np.int64) - first) // width
    if lowest > -np.inf:
        # The lowest code alone, as all beyond it are there.
        bins = np.where(codes <= lowest, -1, (codes.astype(np.int64) - int(lowest) - 1) // width)
        first = int(lowest) + 1
    for value in np.unique(group):
        inside = group == value
        found, counts = np.unique(bins[inside], return_counts=True)
        lower = first + found * width - 0.5 - means[inside].mean()
        upper = lower + width
        is_end = found < 0
        upper[is_end] = first - 0.5 - means[inside].mean()
        lower[is_end] = -np.inf
        yield lower, upper, counts


def _standard_errors(nll, found, total, deviation) -> list[float]:
    steps = np.array([0.01 * deviation, 0.01, 0.01])
    # Beside the ends of the shapes: the likelihood is infinite beyond.
    found = np.append(found[:2], np.clip(found[2], SHAPES[0] + 0.03, SHAPES[1] - 0.03))
    hessian = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            a, b = steps[i] * np.eye(3)[i], steps[j] * np.eye(3)[j]
            hessian[i, j] = (
                nll(found + a + b) - nll(found + a - b) - nll(found - a + b) + nll(found - a - b)
            ) / (4 * steps[i] * steps[j])
    # Above 0 the distribution ends, and at its ends the likelihood has no curvature: there, errors
    # are those of a Gaussian's mean and logarithm of its deviation, and as large of the shape.
    gaussian = [deviation**2 / total, 0.5 / total, 0.5 / total]
    if not np.isfinite(hessian).all():
        return [float(np.sqrt(v)) for v in gaussian]
    variances = np.diag(np.linalg.pinv(hessian)) / total
    return [float(np.sqrt(max(v, g))) for v, g in zip(variances, gaussian, strict=True)]
