"""The shape of a calibrated camera's noise: skew and tails, as `PowerTailedShape` has them.

Those of read noise are measured: they make the codes of dark frames most likely. Those of photons
are known, as their number is Poisson's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import tensorflow as tf
from scipy.special import expit, ndtr

from tfp_noiseflow.bijectors.power_tailed_shape import PowerTailedShape
from tfp_noiseflow.bijectors.power_tails import LARGEST_INDEX
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.calibration.channel_noise import ChannelNoise

# The nearest, in likelihood, to Poisson noise beside read noise of Gaussian and of heavier tails,
# from dark to bright. The skewed body has Poisson's kurtosis nearly by itself: a larger tail costs
# 1e-4 nats.
PHOTONS = {"photon_skew": 0.56, "log_photon_tail": -2.5}
# What is measured, from where it is sought, and within what: an excess kurtosis from 0.002 to 20.
FITTED = ("read_skew", "log_read_tail", "tail_index")
START = (0.0, -1.0, 0.0)
BOUNDS = ((-0.5, 0.5), (-6.0, 3.0), (-4.0, 4.0))
# Light tails do not tell the amount c of tails (`power_tails`) from their index, and what they are
# with other shares of read noise goes by both: among shapes as good to so many nats a code, as the
# square of log c, that which is nearest to this amount, as tails have that are heavy.
USUAL_AMOUNT, INDIFFERENCE = 2.0, 1e-5
# Points of the Gaussian by which rows and pixels' offsets widen the histogram of the dark.
NODES = 9
LEAST_PROBABILITY = 1e-12
# In standard deviations, farther than any code.
FARTHEST = 1e6
# Of the codes, beyond which what is left is a tail whose variance is known badly.
MOST_CUT_OFF = 0.6


@dataclass(frozen=True)
class NoiseShape:
    """The numbers of a `PowerTailedShape`, and standard errors of those that are measured.

    Attributes:
      numbers: by name. errors: by name.
    """

    numbers: dict[str, float]
    errors: dict[str, float]

    @property
    def excess_kurtosis(self) -> float:
        """Of read noise, to the first order."""
        return float(np.exp(self.numbers["log_read_tail"]))

    @property
    def tail_power(self) -> float:
        """How read noise's tails fall: P(|z| > a) as a to the minus it."""
        return float(1 / (LARGEST_INDEX * expit(self.numbers["tail_index"])))


def fit_shape(cells: Sequence[ChannelNoise]) -> NoiseShape | None:
    """The shape of all channels' and ISOs' read noise, by maximum likelihood of the dark's codes.

    Each code's probability is that of a power-tailed distribution of the channel's black level and
    of the variance that one pixel has without its row's, and, as a Gaussian, of what rows, shading
    and pixels' offsets add to it.

    Args:
      cells: of them; those count whose darks are not mostly cut off, or of which least is.

    Returns:
      NoiseShape; None without darks.
    """
    darks = [(cell, cell.dark) for cell in cells if cell.dark is not None]
    if not darks:
        return None
    most = max(MOST_CUT_OFF, min(dark.clipped for _, dark in darks))
    darks = [(cell, dark) for cell, dark in darks if dark.clipped <= most]
    counts = np.concatenate([dark.histogram[1] for _, dark in darks])
    codes = _DarkCodes([(cell, dark.histogram[0]) for cell, dark in darks])

    def nll(numbers):
        _, log_tail, tail_index = numbers
        log_amount = log_tail - np.log(6 * LARGEST_INDEX * expit(tail_index))
        unusual = INDIFFERENCE * (log_amount - np.log(USUAL_AMOUNT)) ** 2
        return unusual - (counts @ np.log(codes.probabilities(numbers))) / counts.sum()

    found = scipy.optimize.minimize(
        nll,
        START,
        method="L-BFGS-B",
        bounds=BOUNDS,
        options={"eps": 1e-5, "ftol": 1e-13, "gtol": 1e-7},
    ).x
    errors = _standard_errors(nll, found, counts.sum())
    return NoiseShape(
        dict(zip(FITTED, found.tolist(), strict=True)) | PHOTONS,
        dict(zip(FITTED, errors.tolist(), strict=True)),
    )


def code_probabilities(
    cell: ChannelNoise, codes: np.ndarray, shape: NoiseShape | None = None
) -> np.ndarray:
    """How likely codes are in the darks of a channel.

    Args:
      cell: with darks. codes: [n]. shape: of the noise; None: it is Gaussian.

    Returns:
      [n].
    """
    numbers = None if shape is None else [shape.numbers[name] for name in FITTED]
    return _DarkCodes([(cell, codes)]).probabilities(numbers)


class _DarkCodes:
    """Codes of channels' darks, as edges of bins in standard deviations of a pixel's noise.

    Args:
      parts: of each channel its cell and codes [n].
    """

    def __init__(self, parts: Sequence[tuple[ChannelNoise, np.ndarray]]):
        self._edges = np.concatenate([_edges(*part) for part in parts], axis=-1)
        _, self._weights = _nodes()
        # In the dark all variance is the read noise's.
        self._layer = PowerTailedShape(SignalDependent(dtype=tf.float64), dtype=tf.float64)

    def probabilities(self, numbers: Sequence[float] | None) -> np.ndarray:
        """[n], of all codes; `numbers` are those of FITTED, None: of a Gaussian."""
        latent = self._edges if numbers is None else self._latent(numbers)
        # In the lower tail differences keep their digits.
        mirrored = np.where(latent.sum(axis=0) > 0, -latent[::-1], latent)
        below, above = ndtr(mirrored)
        return np.maximum(self._weights @ (above - below), LEAST_PROBABILITY)

    def _latent(self, numbers: Sequence[float]) -> np.ndarray:
        for name, number in zip(FITTED, numbers, strict=True):
            getattr(self._layer, name).values.assign(number)
        # [2, NODES, n] as images of one channel; a tensor of its own, which no cache knows.
        edges = tf.constant(self._edges[..., np.newaxis])
        return self._layer.inverse(edges, clean=tf.zeros_like(edges)).numpy()[..., 0]


def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Points of a standard normal distribution and their weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


def _edges(cell: ChannelNoise, codes: np.ndarray) -> np.ndarray:
    """[2, NODES, n], lower and upper, for each offset that a pixel may have."""
    dark = cell.dark
    assert dark is not None
    pixel = dark.variance - dark.row_variance - cell.step**2 / 12
    # Where noise is below a code, its variance is known to no more.
    deviation = np.sqrt(max(pixel, 0.01 * dark.variance))
    profiles = dark.row_profile.var() + dark.column_profile.var()
    spread = np.sqrt(dark.row_variance + dark.fixed**2 + profiles)
    middle = codes - dark.black_level - spread * _nodes()[0][:, np.newaxis]
    lower, upper = middle - cell.step / 2, middle + cell.step / 2
    lower[:, codes <= dark.lowest] = -FARTHEST * deviation
    return np.stack([lower, upper]) / deviation


def _standard_errors(nll, found: np.ndarray, count: int, step: float = 1e-2) -> np.ndarray:
    """[n], of numbers of which nll is the mean; of what is not determined they are large."""
    size = len(found)
    inside = np.clip(found, *(np.array(BOUNDS).T + 2 * step * np.array([[1], [-1]])))
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            a, b = step * np.eye(size)[i], step * np.eye(size)[j]
            corners = nll(inside + a + b) - nll(inside + a - b) - nll(inside - a + b)
            hessian[i, j] = (corners + nll(inside - a - b)) / (4 * step**2)
    values, vectors = np.linalg.eigh(hessian)
    return np.sqrt(vectors**2 @ (1 / np.maximum(count * values, 1.0)))
