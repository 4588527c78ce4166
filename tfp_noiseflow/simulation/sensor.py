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

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.simulation.phones import ISO_LEVELS, PHONES, reported_nlf, true_nlf
from tfp_noiseflow.simulation.sensor_likelihood import SensorLikelihood
from tfp_noiseflow.simulation.tukey_lambda import draw_tukey_lambda

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

    name = "sensor"
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

    def log_prob(
        self,
        codes: np.ndarray,
        clean: np.ndarray,
        camera: np.ndarray,
        iso: np.ndarray,
        *,
        shares_rows: bool = True,
    ) -> np.ndarray:
        """Log-probability that `observe` draws these codes: the truth for a density of them.

        Within 1e-5 nats a pixel; `sensor_likelihood` tells how. As a density of fractions of full
        scale, in nats per dimension, a patch of D values has -log_prob / D + log(STEP), which
        compares with the NLL of a model of dequantised values. Tables are made for each camera and
        ISO, so that one call with all captures is faster than many.

        Args:
          codes: [n, H, W, 4] integers in [64, 1023], as `observe` gives them.
          clean: [n, H, W, 4] packed, in [0, 1]. Read back from what `store_clean` gives, float32
            codes, it is off by at most 3e-5 code steps, a ten-thousandth of the least noise.
          camera, iso: [n], positions in `cameras` and `iso_levels`.
          shares_rows: False takes the row noise as independent in each pixel. The pixels'
            distributions are the same; the difference is what the rows' correlation says.

        Returns:
          [n] float64, nats.

        Raises:
          ValueError: shapes that do not fit, or codes or clean values out of their range.
        """
        codes, clean = np.asarray(codes), np.asarray(clean, np.float64)
        camera, iso = np.asarray(camera), np.asarray(iso)
        if codes.ndim != 4 or codes.shape[-1] != 4 or clean.shape != codes.shape:
            raise ValueError(
                "expected codes and clean of one shape [n, H, W, 4], received "
                f"{list(codes.shape)} and {list(clean.shape)}."
            )
        if camera.shape != codes.shape[:1] or iso.shape != codes.shape[:1]:
            raise ValueError(
                f"expected camera and iso of shape [{len(codes)}], received {list(camera.shape)} "
                f"and {list(iso.shape)}."
            )
        if codes.dtype.kind not in "ui":
            raise ValueError(f"expected integer codes, received {codes.dtype}.")
        if codes.size and not (codes.min() >= BLACK_CODE and codes.max() <= WHITE_CODE):
            raise ValueError(
                f"expected codes from {BLACK_CODE} to {WHITE_CODE}, received {codes.min()} to "
                f"{codes.max()}."
            )
        # float32 fractions of full scale that were codes before may miss the ends by rounding.
        if not np.all((clean >= -1e-6) & (clean <= 1 + 1e-6)):
            raise ValueError(
                f"expected clean in [0, 1], received {clean.min():.6g} to {clean.max():.6g}."
            )
        result = np.empty(len(codes))
        combination = camera * len(self.iso_levels) + iso
        for value in np.unique(combination):
            captures = np.flatnonzero(combination == value)
            beta1, beta2 = self.true_nlf[camera[captures[0]], iso[captures[0]]]
            read_and_row = beta2 - QUANTIZATION_VARIANCE
            likelihood = SensorLikelihood(
                electron=beta1 / STEP,
                read=np.sqrt((1.0 - ROW_SHARE) * read_and_row) / STEP,
                row=np.sqrt(ROW_SHARE * read_and_row) / STEP,
                shape=READ_NOISE_LAMBDA,
                levels=WHITE_CODE - BLACK_CODE + 1,
            )
            rows = _mosaic_rows(codes[captures].astype(np.int64) - BLACK_CODE)
            electrons = _mosaic_rows(np.clip(clean[captures], 0.0, 1.0) / beta1)
            if not shares_rows:
                rows, electrons = rows.reshape(-1, 1), electrons.reshape(-1, 1)
            log_prob = likelihood.log_prob(rows, electrons)
            result[captures] = log_prob.reshape(len(captures), -1).sum(axis=1)
        return result


def _mosaic_rows(packed: np.ndarray) -> np.ndarray:
    """The rows of the mosaics of packed images [n, H, W, 4]: [n * H * 2, W * 2]."""
    count, height, width, _ = packed.shape
    rows = packed.reshape(count, height, width, 2, 2).transpose(0, 1, 3, 2, 4)
    return rows.reshape(count * height * 2, width * 2)
