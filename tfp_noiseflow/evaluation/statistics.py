"""Statistics of noise that likelihoods and histograms do not show, real against sampled.

Noise is heteroscedastic, so what is pooled matters. Everything here is accumulated per camera x
ISO; where one figure stands for all, it is the mean over camera x ISO, each with equal weight.
Patches come block by block, so captures may exceed memory.
"""

from __future__ import annotations

import copy

import numpy as np

# Variance bins of fewer values than this are noise themselves: 2 / n is the relative variance of
# a Gaussian's sample variance, so 500 values give 6 %.
FEWEST_VALUES = 500

# Of so many values a mean is known to 0.02 standard deviations, a ratio of two deviations to 2 %.
FEWEST_VALUES_OF_LEVEL = 2000
BINS_A_LEVEL = 3

# Clean levels above this (fractions of full scale) are bright: no usual camera clips noise at black
# there, so that its mean should be 0.
BRIGHT = 0.1


class NoiseStatistics:
    """Moments of noise by clean level, and correlations between neighbours, rows and channels.

    Args:
      groups: G, the number of camera x ISO.
      clean_edges: [bins - 1] ascending inner edges of the clean-level bins, fractions of full
        scale.
      channels: C.
      parts: into how many parts patches are told apart, so that they can be resampled.
    """

    def __init__(self, groups: int, clean_edges: np.ndarray, channels: int, parts: int = 1):
        self._clean_edges = np.asarray(clean_edges, np.float32)
        bins = len(clean_edges) + 1
        shapes = {
            "moments": (5, channels, bins),  # sums of noise ** (0, 1, 2, 3, 4)
            "clean": (channels, bins),
            "horizontal": (6,),
            "vertical": (6,),
            "row": (5,),
            "channel_products": (channels, channels),
            "channel_sums": (channels,),
            "pixels": (),
            "bright": (3, channels),  # sums of noise ** (0, 1, 2)
        }
        self._sums = {name: np.zeros([parts, groups, *shape]) for name, shape in shapes.items()}

    def add(
        self,
        noise: np.ndarray,
        clean: np.ndarray,
        group: np.ndarray,
        part: np.ndarray | int = 0,
    ) -> None:
        """Adds patches: noise, clean [n, H, W, C], group [n] in [0, G), part [n] in [0, parts)."""
        noise, clean = np.asarray(noise, np.float64), np.asarray(clean)
        place = (np.broadcast_to(part, len(noise)), np.asarray(group))
        self._add_moments(noise, clean, place)
        self._add_neighbours("horizontal", noise[:, :, :-1], noise[:, :, 1:], place)
        self._add_neighbours("vertical", noise[:, :-1], noise[:, 1:], place)
        self._add_rows(noise, place)
        flat = noise.reshape(len(noise), -1, noise.shape[-1])
        np.add.at(self._sums["channel_products"], place, flat.transpose(0, 2, 1) @ flat)
        np.add.at(self._sums["channel_sums"], place, flat.sum(1))
        np.add.at(self._sums["pixels"], place, flat.shape[1])
        is_bright = clean > BRIGHT
        bright = np.where(is_bright, noise, 0.0)
        sums = [
            is_bright.sum((1, 2)),
            bright.sum((1, 2)),
            np.einsum("nhwc,nhwc->nc", bright, bright),
        ]
        np.add.at(self._sums["bright"], place, np.stack(sums, axis=1))

    def _add_moments(
        self, noise: np.ndarray, clean: np.ndarray, place: tuple[np.ndarray, np.ndarray]
    ) -> None:
        parts, groups, channels, bins = self._sums["clean"].shape
        first = (np.ravel_multi_index(place, (parts, groups)) * channels)[:, None, None, None]
        index = np.searchsorted(self._clean_edges, clean, side="right")
        index += bins * (first + np.arange(channels))
        index = index.ravel()

        def sums(weights: np.ndarray | None = None) -> np.ndarray:
            found = np.bincount(index, weights, minlength=parts * groups * channels * bins)
            return found.reshape(parts, groups, channels, bins)

        self._sums["clean"] += sums(clean.ravel())
        self._sums["moments"][:, :, 0] += sums()
        values = noise.ravel()
        power = values
        for order in range(1, 5):
            self._sums["moments"][:, :, order] += sums(power)
            power = power * values

    def _add_neighbours(
        self, axis: str, first: np.ndarray, second: np.ndarray, place: tuple[np.ndarray, np.ndarray]
    ) -> None:
        per_patch = [
            np.full(len(first), first[0].size),
            first.sum((1, 2, 3)),
            second.sum((1, 2, 3)),
            np.einsum("nhwc,nhwc->n", first, first),
            np.einsum("nhwc,nhwc->n", second, second),
            np.einsum("nhwc,nhwc->n", first, second),
        ]
        np.add.at(self._sums[axis], place, np.stack(per_patch, axis=1))

    def _add_rows(self, noise: np.ndarray, place: tuple[np.ndarray, np.ndarray]) -> None:
        count, height, width, channels = noise.shape
        # Of a packed image's R, Gr, Gb, B two and two are a row of the mosaic.
        own = 2 if channels == 4 else 1
        rows = noise.reshape(count, height, width, channels // own, own)
        sums = rows.sum((2, 4))
        squares = np.einsum("nhwrc,nhwrc->n", rows, rows)
        values = rows[0].size
        # All pairs of two values of a row, both ways: the row's sum squared, less the squares.
        per_patch = [
            np.full(count, values * (width * own - 1)),
            np.square(sums).sum((1, 2)) - squares,
            np.full(count, values),
            sums.sum((1, 2)),
            squares,
        ]
        np.add.at(self._sums["row"], place, np.stack(per_patch, axis=1))

    def resampled(self, weights: np.ndarray) -> NoiseStatistics:
        """The statistics of patches whose parts count as often as weights [parts, G] say."""
        other = copy.copy(self)
        other._sums = {
            name: np.einsum("pg,pg...->g...", weights, sums)[None]
            for name, sums in self._sums.items()
        }
        return other

    def _total(self, name: str) -> np.ndarray:
        """[G, ...], over the parts."""
        return self._sums[name].sum(0)

    def _by_level(self) -> tuple[np.ndarray, np.ndarray]:
        """Moments [5, G, bins] and sums of clean values [G, bins], over the channels."""
        return np.moveaxis(self._total("moments").sum(2), 1, 0), self._total("clean").sum(1)

    def photon_transfer(self) -> dict[str, np.ndarray]:
        """Variance of the noise against the clean level, per camera x ISO.

        Returns:
          `clean` and `variance` [G, bins]: mean clean level of a bin and variance of its noise
          about the bin's mean; NaN where a bin holds fewer than 500 values. `values` [G, bins]:
          how many it holds.
        """
        moments, clean = self._by_level()
        count = moments[0]
        n = np.where(count < FEWEST_VALUES, np.nan, count)
        variance = moments[2] / n - (moments[1] / n) ** 2
        return {"clean": clean / n, "variance": variance, "values": count.astype(np.int64)}

    def channel_levels(self) -> dict[str, np.ndarray]:
        """Mean and standard deviation of the noise per camera x ISO, channel and clean level.

        Returns:
          `clean`, `mean`, `deviation` [G, C, levels]: mean clean level, mean of the noise and its
          standard deviation about that; a level is three bins. NaN where it holds fewer than 2000
          values. `values` [G, C, levels]: how many it holds.
        """

        def merged(sums: np.ndarray) -> np.ndarray:
            starts = np.arange(0, sums.shape[-1], BINS_A_LEVEL)
            return np.add.reduceat(sums, starts, axis=-1)

        moments, clean = merged(self._total("moments")), merged(self._total("clean"))
        count = moments[:, 0]
        n = np.where(count < FEWEST_VALUES_OF_LEVEL, np.nan, count)
        mean = moments[:, 1] / n
        return {
            "clean": clean / n,
            "mean": mean,
            "deviation": np.sqrt(np.maximum(moments[:, 2] / n - mean**2, 0)),
            "values": count.astype(np.int64),
        }

    def autocorrelation(self, axis: str) -> np.ndarray:
        """[G] lag-1 autocorrelation along "horizontal" or "vertical".

        Pearson's correlation of a value with its neighbour in the same channel plane (in a packed
        image: the next value of the same colour, two mosaic pixels away), over all such pairs of
        a camera x ISO; bright pixels, whose variance is larger, weigh more. NaN without pairs.
        """
        count, first, second, first_squared, second_squared, product = self._total(axis).T
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = product / count - first * second / count**2
            variances = (first_squared / count - (first / count) ** 2) * (
                second_squared / count - (second / count) ** 2
            )
            return covariance / np.sqrt(variances)

    def row_correlation(self) -> np.ndarray:
        """[G] the variance that a row has in common, as a share of the noise's variance.

        It is the mean correlation of two values of one row: of the mosaic where images are packed
        (R and Gr share rows, Gb and B), of a channel else. An offset that all values of a row
        share, of tau times their standard deviation, makes it tau^2 / (1 + tau^2). NaN without
        pairs.
        """
        pairs, products, values, total, squares = self._total("row").T
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / values
            pairs = np.where(pairs > 0, pairs, np.nan)
            return (products / pairs - mean**2) / (squares / values - mean**2)

    def channel_correlation(self) -> np.ndarray:
        """[G, C, C] Pearson's correlation between the channels at the same pixel."""
        with np.errstate(invalid="ignore", divide="ignore"):
            pixels = self._total("pixels")[:, None, None]
            means = self._total("channel_sums") / pixels[..., 0]
            covariance = self._total("channel_products") / pixels
            covariance -= means[:, :, None] * means[:, None, :]
            deviations = np.sqrt(np.einsum("gcc->gc", covariance))
            return covariance / (deviations[:, :, None] * deviations[:, None, :])

    def bright_mean(self) -> np.ndarray:
        """[G, C] mean of the noise at clean levels above `BRIGHT`, in its standard deviations.

        Differences between the channels are a colour cast. NaN for fewer than 500 values.
        """
        count, first, second = np.moveaxis(self._total("bright"), 1, 0)
        n = np.where(count < FEWEST_VALUES, np.nan, count)
        return first / n / np.sqrt(second / n - (first / n) ** 2)

    def excess_kurtosis(self) -> np.ndarray:
        """[G] of all values of a camera x ISO: tails and the spread of clean levels together."""
        return _excess_kurtosis(self._by_level()[0].sum(-1))

    def excess_kurtosis_given_clean(self) -> np.ndarray:
        """[G] within clean-level bins, weighted by their counts.

        Variance hardly changes within a bin, so this is the weight of the tails themselves: 0 for
        a heteroscedastic Gaussian, but for the bins' width (a few hundredths at most). Bins of
        fewer than 500 values are left out.
        """
        moments, _ = self._by_level()
        count = np.where(moments[0] < FEWEST_VALUES, 0.0, moments[0])
        kurtosis = np.where(count > 0, _excess_kurtosis(moments), 0.0)
        with np.errstate(invalid="ignore"):
            return np.sum(count * kurtosis, -1) / np.sum(count, -1)


# What is measured of rows, neighbours and tails, by the names of the report.
STRUCTURE = {
    "excess_kurtosis_given_clean": NoiseStatistics.excess_kurtosis_given_clean,
    "row_correlation": NoiseStatistics.row_correlation,
    "horizontal": lambda statistics: statistics.autocorrelation("horizontal"),
    "vertical": lambda statistics: statistics.autocorrelation("vertical"),
}


def resampling_weights(patches_by_part: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """How often each part of the patches counts in each resample, for bootstrap intervals.

    Parts stand for patches: as many parts as a group has are drawn with replacement.

    Args:
      patches_by_part: [parts, G], parts that hold patches have a number above 0.
      resamples: R.
      seed: of the draws.

    Returns:
      [R, parts, G] float64.
    """
    generator = np.random.default_rng([seed, resamples])
    weights = np.zeros([resamples, *patches_by_part.shape])
    for group, patches in enumerate(patches_by_part.T):
        filled = np.flatnonzero(patches)
        weights[:, filled, group] = generator.multinomial(
            len(filled), np.full(len(filled), 1 / len(filled)), resamples
        )
    return weights


def clean_level_edges(smallest: float, largest: float, bins: int = 24) -> np.ndarray:
    """Inner edges [bins - 1] of clean-level bins, equally spaced in the logarithm.

    They run from 1 / 1000 of full scale, or the smallest clean value if that is larger, to the
    largest: below, variance is read noise whatever the level.
    """
    lowest = max(float(smallest), 1e-3)
    highest = max(float(largest), lowest * 1.001)
    return np.geomspace(lowest, highest, bins + 1)[1:-1]


def mean_or_none(values: np.ndarray) -> float | None:
    """The mean over the camera x ISO that have a value; None where none has."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _excess_kurtosis(moments: np.ndarray) -> np.ndarray:
    """From sums of powers 0 to 4, [5, ...] -> [...]; NaN where there is no variance."""
    with np.errstate(invalid="ignore", divide="ignore"):
        _, m1, m2, m3, m4 = moments / moments[0]
        variance = m2 - m1**2
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        return np.where(variance > 0, fourth / variance**2 - 3, np.nan)
