"""The exact probability of a sensor's codes: the truth that models of them are measured against.

Everything is in code steps, black at 0. A pixel whose clean value is worth a mean of m electrons
is stored as

    code = clip(rint(electron * Poisson(m) + read * T + offset), lowest, highest)

with T a Tukey-lambda number of mean 0 and variance 1, and offset ~ N(0, row^2) shared by the pixels
of a row. Given the offset pixels are independent and

    P(code | m, offset) = sum over k of Poisson(k; m) * P(lower < electron k + read T + offset
                                                            <= upper),

lower = code - 1/2, upper = code + 1/2; -infinity below the lowest code, +infinity above the
highest.
A row's probability is the integral of the product over its pixels times the offset's density.

The numbers are exact but for rounding and three approximations, each far below 1e-5 nats a pixel:

- The integral over the offset is a sum over equidistant offsets, whose spacing is at most the
  standard deviation that the offset has once the codes are known. On a smooth integrand that
  vanishes at both ends its error falls faster than any power of the spacing: for a Gaussian, 5e-9.
- The sum over electrons is made for all codes and offsets at once by Fourier transform, at means
  that are equidistant in 2 sqrt(m + 3/8), a tenth of the Poisson's deviation apart. Its absolute
  error is some 1e-16, so that probabilities above 1e-8 keep 1e-6 of themselves. Less probable
  codes, a few in a million of the process's own, are summed term by term.
- Between those means log P is a polynomial of degree 5.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, special

from tfp_noiseflow.simulation.tukey_lambda import TukeyLambdaIntervals

# Probabilities below come from the direct sum.
LEAST_TRANSFORMED = 1e-8

# Equidistant means: spacing in 2 sqrt(m + 3/8), points of a polynomial, means of one table.
MEAN_SPACING = 0.1
POINTS = 6
MEANS_AT_ONCE = 32

# The lattice has at least so many points in a standard deviation of the read noise. The
# characteristic function of Tukey-lambda -0.1 is below 1e-17 at the Nyquist frequency of that.
POINTS_PER_READ_NOISE = 8
# Tails of the read noise beyond weigh less than 1e-15.
READ_NOISE_REACH = 150.0

# Of the Tukey-lambda distribution with shape -0.1 and variance 1, more than of lighter tails: what
# one pixel says of its offset, in units of 1 / read^2, before shot noise and rounding, which only
# lessen it.
FISHER_INFORMATION = 1.31

# Pixels that are held at once, with some 40 offsets each: 100 MB.
PIXELS_AT_ONCE = 1 << 18
PIXELS_PER_GATHER = 1 << 12

_INTERIOR, _LOWEST, _HIGHEST = range(3)


class SensorLikelihood:
    """Probabilities of the codes of one camera at one ISO.

    Args:
      electron: what one electron adds, in code steps, positive.
      read: standard deviation of the read noise, in code steps, positive.
      row: standard deviation of the row offset, in code steps, positive.
      shape: of the Tukey-lambda read noise, in (-1/2, 0.1] and not 0.
      lowest, highest: where codes end, in steps from black; lowest < highest.

    Raises:
      ValueError: a number out of its range.
    """

    def __init__(
        self,
        electron: float,
        read: float,
        row: float,
        shape: float,
        lowest: int,
        highest: int,
    ):
        for name, value in (("electron", electron), ("read", read), ("row", row)):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"expected a positive {name}, received {value}.")
        if not lowest < highest:
            raise ValueError(f"expected lowest < highest, received {lowest} and {highest}.")
        self.electron, self.read, self.row = electron, read, row
        self.lowest, self.highest = lowest, highest
        self._read_noise = TukeyLambdaIntervals(shape)
        self._density = int(np.ceil(POINTS_PER_READ_NOISE / read))  # Lattice points in a step.
        self._read_noise_transforms: dict[int, np.ndarray] = {}

    def log_prob(self, codes: np.ndarray, electrons: np.ndarray) -> np.ndarray:
        """Log-probability of each row of codes.

        Args:
          codes: [rows, pixels] integers from lowest to highest, black is 0.
          electrons: [rows, pixels], the mean number of electrons of each pixel, not negative.

        Returns:
          [rows] float64, nats.
        """
        result = np.empty(len(codes))
        rows_at_once = max(1, PIXELS_AT_ONCE // codes.shape[1])
        for start in range(0, len(codes), rows_at_once):
            rows, reach = np.arange(start, min(start + rows_at_once, len(codes))), 6.0
            while len(rows):
                value, is_whole = self._integral(codes[rows], electrons[rows], reach * self.row)
                result[rows[is_whole]] = value[is_whole]
                rows, reach = rows[~is_whole], 2.0 * reach
        return result

    def _integral(self, codes, electrons, reach):
        """Integral over offsets up to a reach.

        Returns:
          [rows] nats, and whether the integrand vanishes at both ends, so that nothing is beyond.
        """
        deviation = (codes.shape[1] * FISHER_INFORMATION / self.read**2 + 1 / self.row**2) ** -0.5
        stride = max(1, int(deviation * self._density))
        count = int(np.ceil(reach * self._density / stride))
        points = stride * np.arange(-count, count + 1)
        offset = points / self._density
        log_prior = -0.5 * (offset / self.row) ** 2
        log_prior -= special.logsumexp(log_prior)
        integrand = self._given_offset(codes.ravel(), electrons.ravel(), points)
        integrand = integrand.reshape(*codes.shape, -1).sum(axis=1) + log_prior
        value = special.logsumexp(integrand, axis=1)
        return value, np.max(integrand[:, [0, -1]], axis=1) < value + np.log(1e-9)

    def _given_offset(self, codes, electrons, points):
        """[pixels, offsets] log P(code | electrons, offset); offsets are points of the lattice."""
        position = (2 * np.sqrt(electrons + 0.375) - 2 * np.sqrt(0.375)) / MEAN_SPACING
        first = np.maximum(position.astype(np.int64) - (POINTS // 2 - 1), 0)
        weights = _lagrange_weights(position - first)
        ends = np.select(
            [codes == self.lowest, codes == self.highest], [_LOWEST, _HIGHEST], _INTERIOR
        )
        result = np.empty((len(codes), len(points)))
        order = np.argsort(first, kind="stable")
        table = first[order] // MEANS_AT_ONCE
        for pixels in np.split(order, np.flatnonzero(np.diff(table)) + 1):
            start = first[pixels[0]] // MEANS_AT_ONCE * MEANS_AT_ONCE
            kinds, kind = np.unique(ends[pixels], return_inverse=True)
            tables, lowest = self._tables(start, kinds)
            size = tables.shape[-1]
            for part in range(0, len(pixels), PIXELS_PER_GATHER):
                some = pixels[part : part + PIXELS_PER_GATHER]
                column = codes[some] * self._density - lowest
                is_inside = (column >= points[-1]) & (column - points[0] < size)
                column = np.where(is_inside, column, points[-1])[:, None] - points
                row = kind[part : part + len(some)] * tables.shape[1] + first[some] - start
                value = np.zeros(column.shape)
                for point in range(POINTS):
                    index = column + ((row + point) * size)[:, None]
                    value += weights[some, point, None] * tables.ravel().take(index)
                value[~is_inside] = np.nan
                result[some] = value
        for pixel in np.flatnonzero(np.isnan(result).any(axis=1)):
            result[pixel] = self._direct(codes[pixel], electrons[pixel], points / self._density)
        return result

    def _tables(self, start, kinds):
        """log P at consecutive means, on a lattice of code minus offset.

        Args:
          start: position of the first mean.
          kinds: which tables.

        Returns:
          [kinds, means, size]: of the bin of a code, of all up to its upper edge (lowest), of all
          from its lower edge on (highest); NaN where P is too small. And the lattice point of the
          first column.
        """
        position = start + np.arange(MEANS_AT_ONCE + POINTS - 1)
        mean = (MEAN_SPACING / 2 * position + np.sqrt(0.375)) ** 2 - 0.375
        middle = int(self.electron * mean[len(mean) // 2])
        shot = self.electron * np.sqrt(mean[-1] + 1)
        half = READ_NOISE_REACH * self.read + 12 * shot + self.electron * (mean[-1] - mean[0])
        steps = 2 ** int(np.ceil(np.log2(2 * half)))
        size = steps * self._density
        lowest = (middle - steps // 2) * self._density
        read_noise = self._read_noise_transform(steps)
        frequency = 2 * np.pi / steps * np.arange(len(read_noise))
        decay = np.cos(self.electron * frequency) - 1
        # Frequencies beyond the last that matters are zeros, which `irfft` fills in.
        matters = np.abs(read_noise) * np.exp(mean[0] * decay) > 1e-18
        used = slice(np.flatnonzero(matters)[-1] + 1)
        frequency, decay, mean = frequency[used], decay[used], mean[:, None]
        shift = (lowest / self._density) * frequency
        transform = read_noise[used] * np.exp(
            mean * decay + 1j * (shift - mean * np.sin(self.electron * frequency))
        )
        bins = fft.irfft(transform, size, axis=-1).reshape(len(mean), steps, self._density)
        tables = np.full((len(kinds), len(mean), size), np.nan)
        for table, kind in zip(tables, kinds, strict=True):
            probability = bins
            if kind == _LOWEST:
                probability = np.cumsum(bins, axis=1)
            elif kind == _HIGHEST:
                probability = np.cumsum(bins[:, ::-1], axis=1)[:, ::-1]
            probability = probability.reshape(table.shape)
            np.log(probability, out=table, where=probability >= LEAST_TRANSFORMED)
        return tables, lowest

    def _read_noise_transform(self, steps):
        """Of the read noise's probability of a bin, by the bin's middle."""
        if steps not in self._read_noise_transforms:
            half = steps * self._density // 2
            middle = fft.ifftshift(np.arange(-half, half)) / self._density
            bins = self._read_noise.probability(
                (middle - 0.5) / self.read, (middle + 0.5) / self.read
            )
            self._read_noise_transforms[steps] = fft.rfft(bins)
        return self._read_noise_transforms[steps]

    def _direct(self, code, electrons, offset):
        """log P of one pixel by the sum over electrons, for [offsets] in steps."""
        # The Poisson's mass outside is below 1e-37: less than the read noise's density anywhere.
        reach = 14 * np.sqrt(electrons) + 60
        count = np.arange(max(0, int(electrons - reach)), int(electrons + reach) + 1)
        weight = special.xlogy(count, electrons) - electrons - special.gammaln(count + 1)
        centre = offset[:, None] + self.electron * count
        lower = -np.inf if code == self.lowest else code - 0.5 - centre
        upper = np.inf if code == self.highest else code + 0.5 - centre
        probability = self._read_noise.probability(lower / self.read, upper / self.read)
        # Bounded read noise cannot give every code.
        with np.errstate(divide="ignore"):
            return np.log(probability @ np.exp(weight))


def _lagrange_weights(position):
    """[n, POINTS] weights of the values at 0, 1, .. for the value at each position."""
    point = np.arange(POINTS)
    weights = np.ones((len(position), POINTS))
    for other in point:
        is_other = point != other
        weights[:, is_other] *= (position[:, None] - other) / (point - other)[is_other]
    return weights
