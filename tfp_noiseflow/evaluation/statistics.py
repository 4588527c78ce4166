"""Statistics of noise that likelihoods and histograms do not show, real against sampled.

Noise is heteroscedastic, so what is pooled matters. Everything here is accumulated per camera x
ISO; where one figure stands for all, it is the mean over camera x ISO, each with equal weight.
Patches come block by block, so captures may exceed memory.
"""

from __future__ import annotations

import numpy as np

# Variance bins of fewer values than this are noise themselves: 2 / n is the relative variance of
# a Gaussian's sample variance, so 500 values give 6 %.
FEWEST_VALUES = 500

# Clean levels above this (fractions of full scale) are bright: no usual camera clips noise at black
# there, so that its mean should be 0.
BRIGHT = 0.1


class NoiseStatistics:
    """Moments of noise by clean level, and correlations between neighbours and channels.

    Args:
      groups: G, the number of camera x ISO.
      clean_edges: [bins - 1] ascending inner edges of the clean-level bins, fractions of full
        scale.
      channels: C.
    """

    def __init__(self, groups: int, clean_edges: np.ndarray, channels: int):
        self._clean_edges = np.asarray(clean_edges, np.float32)
        bins = len(clean_edges) + 1
        self._moments = np.zeros([5, groups, bins])  # sums of noise ** (0, 1, 2, 3, 4)
        self._clean = np.zeros([groups, bins])
        self._neighbours = {axis: np.zeros([6, groups]) for axis in ("horizontal", "vertical")}
        self._channel_products = np.zeros([groups, channels, channels])
        self._channel_sums = np.zeros([groups, channels])
        self._pixels = np.zeros(groups)
        self._bright = np.zeros([3, groups, channels])  # sums of noise ** (0, 1, 2)

    def add(self, noise: np.ndarray, clean: np.ndarray, group: np.ndarray) -> None:
        """Adds patches: noise, clean [n, H, W, C], group [n] in [0, G)."""
        noise = np.asarray(noise, np.float64)
        self._add_moments(noise, clean, group)
        self._add_neighbours("horizontal", noise[:, :, :-1], noise[:, :, 1:], group)
        self._add_neighbours("vertical", noise[:, :-1], noise[:, 1:], group)
        flat = noise.reshape(len(noise), -1, noise.shape[-1])
        np.add.at(self._channel_products, group, flat.transpose(0, 2, 1) @ flat)
        np.add.at(self._channel_sums, group, flat.sum(1))
        np.add.at(self._pixels, group, flat.shape[1])
        is_bright = np.asarray(clean) > BRIGHT
        for order, total in enumerate(self._bright):
            np.add.at(total, group, np.where(is_bright, noise**order, 0.0).sum((1, 2)))

    def _add_moments(self, noise, clean, group) -> None:
        groups, bins = self._clean.shape
        index = np.searchsorted(self._clean_edges, clean.ravel(), side="right")
        index = (index.reshape(len(clean), -1) + bins * np.asarray(group)[:, None]).ravel()

        def sums(weights=None):
            return np.bincount(index, weights, minlength=groups * bins).reshape(groups, bins)

        self._clean += sums(clean.ravel())
        self._moments[0] += sums()
        values = noise.ravel()
        power = values
        for order in range(1, 5):
            self._moments[order] += sums(power)
            power = power * values

    def _add_neighbours(self, axis, first, second, group) -> None:
        per_patch = [
            np.full(len(first), first[0].size),
            first.sum((1, 2, 3)),
            second.sum((1, 2, 3)),
            np.einsum("nhwc,nhwc->n", first, first),
            np.einsum("nhwc,nhwc->n", second, second),
            np.einsum("nhwc,nhwc->n", first, second),
        ]
        for total, values in zip(self._neighbours[axis], per_patch, strict=True):
            np.add.at(total, group, values)

    def photon_transfer(self) -> dict[str, np.ndarray]:
        """Variance of the noise against the clean level, per camera x ISO.

        Returns:
          `clean` and `variance` [G, bins]: mean clean level of a bin and variance of its noise
          about the bin's mean; NaN where a bin holds fewer than 500 values. `values` [G, bins]:
          how many it holds.
        """
        count = self._moments[0]
        n = np.where(count < FEWEST_VALUES, np.nan, count)
        variance = self._moments[2] / n - (self._moments[1] / n) ** 2
        return {"clean": self._clean / n, "variance": variance, "values": count.astype(np.int64)}

    def autocorrelation(self, axis: str) -> np.ndarray:
        """[G] lag-1 autocorrelation along "horizontal" or "vertical".

        Pearson's correlation of a value with its neighbour in the same channel plane (in a packed
        image: the next value of the same colour, two mosaic pixels away), over all such pairs of
        a camera x ISO; bright pixels, whose variance is larger, weigh more. NaN without pairs.
        """
        count, first, second, first_squared, second_squared, product = self._neighbours[axis]
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = product / count - first * second / count**2
            variances = (first_squared / count - (first / count) ** 2) * (
                second_squared / count - (second / count) ** 2
            )
            return covariance / np.sqrt(variances)

    def channel_correlation(self) -> np.ndarray:
        """[G, C, C] Pearson's correlation between the channels at the same pixel."""
        with np.errstate(invalid="ignore", divide="ignore"):
            pixels = self._pixels[:, None, None]
            means = self._channel_sums / self._pixels[:, None]
            covariance = self._channel_products / pixels - means[:, :, None] * means[:, None, :]
            deviations = np.sqrt(np.einsum("gcc->gc", covariance))
            return covariance / (deviations[:, :, None] * deviations[:, None, :])

    def bright_mean(self) -> np.ndarray:
        """[G, C] mean of the noise at clean levels above `BRIGHT`, in its standard deviations.

        Differences between the channels are a colour cast. NaN for fewer than 500 values.
        """
        count, first, second = self._bright
        n = np.where(count < FEWEST_VALUES, np.nan, count)
        return first / n / np.sqrt(second / n - (first / n) ** 2)

    def excess_kurtosis(self) -> np.ndarray:
        """[G] of all values of a camera x ISO: tails and the spread of clean levels together."""
        return _excess_kurtosis(self._moments.sum(-1))

    def excess_kurtosis_given_clean(self) -> np.ndarray:
        """[G] within clean-level bins, weighted by their counts.

        Variance hardly changes within a bin, so this is the weight of the tails themselves: 0 for
        a heteroscedastic Gaussian, but for the bins' width (a few hundredths at most). Bins of
        fewer than 500 values are left out.
        """
        count = np.where(self._moments[0] < FEWEST_VALUES, 0.0, self._moments[0])
        kurtosis = np.where(count > 0, _excess_kurtosis(self._moments), 0.0)
        with np.errstate(invalid="ignore"):
            return np.sum(count * kurtosis, -1) / np.sum(count, -1)


def clean_level_edges(smallest: float, largest: float, bins: int = 24) -> np.ndarray:
    """Inner edges [bins - 1] of clean-level bins, equally spaced in the logarithm.

    They run from 1 / 1000 of full scale, or the smallest clean value if that is larger, to the
    largest: below, variance is read noise whatever the level.
    """
    lowest = max(float(smallest), 1e-3)
    highest = max(float(largest), lowest * 1.001)
    return np.geomspace(lowest, highest, bins + 1)[1:-1]


def _excess_kurtosis(moments: np.ndarray) -> np.ndarray:
    """From sums of powers 0 to 4, [5, ...] -> [...]; NaN where there is no variance."""
    with np.errstate(invalid="ignore", divide="ignore"):
        _, m1, m2, m3, m4 = moments / moments[0]
        variance = m2 - m1**2
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        return np.where(variance > 0, fourth / variance**2 - 3, np.nan)
