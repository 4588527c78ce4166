"""The sensor process: noise of a phone's sensor, which is more than Gaussian.

For a clean value x (fraction of full scale) and the phone's true law var = beta1 x + beta2:

    noisy = code(beta1 * Poisson(x / beta1) + read + row)

- shot noise: electrons are counted; variance beta1 x.
- quantisation: a 10-bit converter. Its variance q^2 / 12, q one code step, is part of beta2.
- row noise: a Gaussian offset shared by a row of the mosaic, ROW_SHARE of the rest of beta2.
- read noise: Tukey-lambda distributed, whose tails are heavier than a Gaussian's, all that remains.
- clipping: codes end at black and at white.

The kinds of noise and the Tukey-lambda family follow Wei et al., "A Physics-based Noise Formation
Model for Extreme Low-light Raw Denoising" (CVPR 2020). The constants below are written down once,
with their reasons, and not adjusted to any result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.simulation.phones import ISO_LEVELS, PHONES, reported_nlf, true_nlf

# 10 bits and a black level of 64 are what phone sensors of these years deliver.
BLACK_CODE = 64
WHITE_CODE = 1023
STEP = 1.0 / (WHITE_CODE - BLACK_CODE)
QUANTIZATION_VARIANCE = STEP**2 / 12.0
# Row noise is visible as banding although its standard deviation is a fraction of the pixels'
# read noise: the eye and a model of neighbouring pixels average along the row. 5 % of the variance
# is a row offset of 0.23 standard deviations of the read noise.
ROW_SHARE = 0.05
# Tukey-lambda shape: 0.14 is nearly Gaussian, 0 is logistic, below 0 the tails are power laws. The
# fits that Wei et al. publish for a full-frame camera lie between 0.01 and 0.2; small pixels have
# more random telegraph noise and so heavier tails. -0.1 is a choice on that side, not a measured
# phone: excess kurtosis 3.8 (logistic: 1.2). Below -1/4 there would be no kurtosis at all.
READ_NOISE_LAMBDA = -0.1


def tukey_lambda_variance(shape: float) -> float:
    """The variance of the standard Tukey-lambda distribution.

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


def draw_codes(clean: np.ndarray, nlf: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws one noisy image for each clean one.

    Args:
      clean: [n, H, W, 4] packed, in [0, 1].
      nlf: [n, 2], beta1 and beta2 of the true law.
      rng: random numbers.

    Returns:
      [n, H, W, 4] uint16 codes in [64, 1023].
    """
    beta1, beta2 = np.asarray(nlf, np.float64).T[:, :, None, None, None]
    read_and_row = beta2 - QUANTIZATION_VARIANCE
    noisy = rng.poisson(clean / beta1) * beta1
    noisy += np.sqrt((1.0 - ROW_SHARE) * read_and_row) * draw_tukey_lambda(
        READ_NOISE_LAMBDA, clean.shape, rng
    )
    # A packed row is two rows of the mosaic: R and Gr lie in one, Gb and B in the other.
    row = rng.standard_normal((*clean.shape[:2], 1, 2))
    noisy += np.sqrt(ROW_SHARE * read_and_row) * np.repeat(row, 2, axis=-1)
    codes = np.rint(BLACK_CODE + noisy / STEP)
    return np.clip(codes, BLACK_CODE, WHITE_CODE).astype(np.uint16)


class SensorProcess:
    """Captures of the five phones, as 10-bit codes.

    Args:
      iso_levels: of the captures, positive.

    Attributes:
      cameras, iso_levels: of the captures.
      true_nlf, reported_nlf: [cameras, ISOs, 2], beta1 and beta2.
      black_level, white_level, quantization_step: of what `observe` gives.
      description, licence: for the capture file.

    Raises:
      ValueError: an ISO that is not positive and finite, or at which the codes are coarser than a
        phone's law says.
    """

    cameras = tuple(phone.name for phone in PHONES)
    black_level = BLACK_CODE
    white_level = WHITE_CODE
    quantization_step = 1
    licence = ""
    description = (
        "Simulated captures, sensor process: Poisson shot noise, Tukey-lambda read noise (lambda "
        f"{READ_NOISE_LAMBDA}), row noise ({ROW_SHARE:.0%} of the read variance), 10-bit codes, "
        "clipped at black and white. Five phones' real noise laws; `nlf` is what the phone "
        "reports, `nlf_true` the law that was simulated."
    )

    def __init__(self, iso_levels: Sequence[float] = ISO_LEVELS):
        self.iso_levels = tuple(iso_levels)
        self.true_nlf = true_nlf(self.iso_levels)
        self.reported_nlf = reported_nlf(self.iso_levels)
        least = self.true_nlf[..., 1].min()
        if not least > QUANTIZATION_VARIANCE:
            raise ValueError(
                f"expected every beta2 above the quantisation variance {QUANTIZATION_VARIANCE:.3g}"
                f", received {least:.3g}."
            )

    def store_clean(self, clean: np.ndarray) -> np.ndarray:
        """Clean images in the units of `observe`'s, not rounded.

        Args:
          clean: [n, H, W, 4] in [0, 1].

        Returns:
          The same shape, float32, in codes.
        """
        return (BLACK_CODE + clean.astype(np.float64) / STEP).astype(np.float32)

    def observe(
        self, clean: np.ndarray, camera: np.ndarray, iso: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws one noisy image for each clean one.

        Args:
          clean: [n, H, W, 4] packed, in [0, 1].
          camera, iso: [n], positions in `cameras` and `iso_levels`.
          rng: random numbers.

        Returns:
          [n, H, W, 4] uint16 codes in [64, 1023].
        """
        return draw_codes(clean, self.true_nlf[camera, iso], rng)
