"""The shape of a calibrated camera's noise: skew and tails, as `MarginalShape` has them.

Those of read noise are measured: they make the codes of dark frames most likely. Those of photons
are known, as their number is Poisson's: the nearest of the family, in likelihood, to codes of
Poisson and read noise from dark to bright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import tensorflow as tf
from scipy.special import ndtr

from tfp_noiseflow.bijectors.sinh_arcsinh import StandardSinhArcsinh
from tfp_noiseflow.calibration.channel_noise import ChannelNoise

# For three phones' laws from ISO 100 to 3200 the nearest photon_skew is 0.53 to 0.555, and the
# nearest photon_log_tail 0.04 to 0.1 beside Gaussian read noise, 0.6 to 1.0 beside read_log_tail of
# 0.46 (the tails of a sum fall more slowly than cumulants say); a line is 5e-5 nats off.
PHOTON_SKEW = 0.54
PHOTON_LOG_TAIL, LOG_TAIL_SLOPE = 0.05, 1.5
# Numbers within which read noise is sought: an excess kurtosis from about -0.5 to 25.
SKEWS, LOG_TAILS = (-0.5, 0.5), (-0.3, 1.0)
# Points of the Gaussian by which rows and pixels' offsets widen the histogram of the dark.
NODES = 9
LEAST_PROBABILITY = 1e-12
# Of the codes, beyond which what is left is a tail whose variance is known badly.
MOST_CUT_OFF = 0.6


@dataclass(frozen=True)
class NoiseShape:
    """The numbers of a `MarginalShape`; errors are standard errors.

    Attributes:
      read_skew, read_log_tail: of read noise.
      skew_error, tail_error: of them.
    """

    read_skew: float
    read_log_tail: float
    skew_error: float
    tail_error: float
    photon_skew = PHOTON_SKEW

    @property
    def photon_log_tail(self) -> float:
        """Of photons, beside such read noise."""
        return PHOTON_LOG_TAIL + LOG_TAIL_SLOPE * max(self.read_log_tail, 0.0)


def fit_shape(cells: Sequence[ChannelNoise]) -> NoiseShape | None:
    """The shape of all channels' and ISOs' read noise, by maximum likelihood of the dark's codes.

    Each code's probability is that of a sinh-arcsinh distribution of the channel's black level and
    of the variance that one pixel has without its row's, and, as a Gaussian, of what rows, shading
    and pixels' offsets add to it.

    Args:
      cells: of them; those count whose darks are not mostly cut off, or of which least is.

    Returns:
      NoiseShape; None without darks.
    """
    darks = [cell for cell in cells if cell.dark is not None]
    if not darks:
        return None
    most = max(MOST_CUT_OFF, min(cell.dark.clipped for cell in darks))
    darks = [cell for cell in darks if cell.dark.clipped <= most]
    counts = np.concatenate([cell.dark.histogram[1] for cell in darks])
    codes = [_DarkCodes(cell, cell.dark.histogram[0]) for cell in darks]

    def nll(numbers):
        return -counts @ np.log(np.concatenate([each.probabilities(*numbers) for each in codes]))

    found = scipy.optimize.minimize(
        nll, np.zeros(2), method="L-BFGS-B", bounds=[SKEWS, LOG_TAILS]
    ).x
    errors = _standard_errors(nll, found)
    return NoiseShape(*(float(number) for number in (*found, *errors)))


def code_probabilities(
    cell: ChannelNoise, codes: np.ndarray, skew: float = 0.0, log_tail: float = 0.0
) -> np.ndarray:
    """How likely codes are in the darks of a channel.

    Args:
      cell: with darks. codes: [n]. skew, log_tail: of the read noise; 0: it is Gaussian.

    Returns:
      [n].
    """
    return _DarkCodes(cell, codes).probabilities(skew, log_tail)


class _DarkCodes:
    """Codes of a channel's darks, as edges of bins in standard deviations of a pixel's noise."""

    def __init__(self, cell: ChannelNoise, codes: np.ndarray):
        dark = cell.dark
        pixel = dark.variance - dark.row_variance - cell.step**2 / 12
        # Where noise is below a code, its variance is known to no more.
        deviation = np.sqrt(max(pixel, 0.01 * dark.variance))
        profiles = dark.row_profile.var() + dark.column_profile.var()
        spread = np.sqrt(dark.row_variance + dark.fixed**2 + profiles)
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        self._weights = weights / weights.sum()
        middle = codes - dark.black_level - spread * nodes[:, None]
        lower, upper = middle - cell.step / 2, middle + cell.step / 2
        lower[:, codes <= dark.lowest] = -np.inf
        self._edges = np.stack([lower, upper]) / deviation

    def probabilities(self, skew: float, log_tail: float) -> np.ndarray:
        """[n], of the codes."""
        shape = StandardSinhArcsinh(*(tf.constant(n, tf.float64) for n in (skew, log_tail)))
        latent = shape.inverse(tf.constant(self._edges))[0].numpy()
        # In the lower tail differences keep their digits.
        mirrored = np.where(latent.sum(axis=0) > 0, -latent[::-1], latent)
        below, above = ndtr(mirrored)
        return np.maximum(self._weights @ (above - below), LEAST_PROBABILITY)


def _standard_errors(nll, found: np.ndarray, step: float = 5e-3) -> np.ndarray:
    hessian = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            a, b = step * np.eye(2)[i], step * np.eye(2)[j]
            corners = nll(found + a + b) - nll(found + a - b) - nll(found - a + b)
            hessian[i, j] = (corners + nll(found - a - b)) / (4 * step**2)
    return np.sqrt(np.abs(np.diag(np.linalg.pinv(hessian))))
