"""The sensor process: noise of a phone's sensor, which is more than Gaussian.

For a clean value x (fraction of full scale) and the phone's true law var = beta1 x + beta2:

    noisy = code(beta1 * Poisson(x / beta1) + read + row)

- shot noise: electrons are counted; variance beta1 x.
- quantisation: its variance q^2 / 12, q one code step, is part of beta2.
- row noise: a Gaussian offset shared by a row of the mosaic, a share of the rest of beta2.
- read noise: Tukey-lambda distributed, whose tails are heavier than a Gaussian's, all that remains.
- clipping: codes end at white, and at black or below it.

The kinds of noise and the Tukey-lambda family follow Wei et al., "A Physics-based Noise Formation
Model for Extreme Low-light Raw Denoising" (CVPR 2020). The constants below are written down once,
with their reasons, and not adjusted to any result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tfp_noiseflow.simulation.phones import ISO_LEVELS, PHONES, reported_nlf, true_nlf
from tfp_noiseflow.simulation.sensor_likelihood import SensorLikelihood
from tfp_noiseflow.simulation.tukey_lambda import draw_tukey_lambda

# Tukey-lambda shape: 0.14 is nearly Gaussian, 0 is logistic, below 0 the tails are power laws.


@dataclass(frozen=True)
class Sensor:
    """A sensor's codes and kinds of noise.

    Attributes:
      name: of the process that simulates it.
      black_code, white_code: codes of no light and of full scale.
      lowest_code: where codes end below: at the black code, or under it where files keep what is
        darker than black.
      read_noise_lambda: Tukey-lambda shape of the read noise, not 0, in (-1/2, 0.1].
      row_share: of beta2 without quantisation, the variance of the row noise; above 0, below 1.
    """

    name: str
    black_code: int
    white_code: int
    lowest_code: int
    read_noise_lambda: float
    row_share: float

    @property
    def step(self) -> float:
        """Codes' distance as a fraction of full scale."""
        return 1.0 / (self.white_code - self.black_code)

    @property
    def quantization_variance(self) -> float:
        """That of rounding to codes, in fractions of full scale squared."""
        return self.step**2 / 12.0

    def read_and_row(self, beta2):
        """The standard deviations of read and of row noise, given the variance at no signal."""
        variance = beta2 - self.quantization_variance
        return np.sqrt((1.0 - self.row_share) * variance), np.sqrt(self.row_share * variance)

    @property
    def description(self) -> str:
        """In words, for capture files."""
        bits = (self.white_code + 1).bit_length() - 1
        ends = "black and white" if self.lowest_code == self.black_code else "white"
        return (
            f"Poisson shot noise, Tukey-lambda read noise (lambda {self.read_noise_lambda}), row "
            f"noise ({self.row_share:.0%} of the read variance), {bits}-bit codes, clipped at "
            f"{ends}."
        )


# 10 bits and a black level of 64 are what phone sensors of these years deliver.
# Row noise is visible as banding although its standard deviation is a fraction of the pixels'
# read noise: the eye and a model of neighbouring pixels average along the row. 5 % of the variance
# is a row offset of 0.23 standard deviations of the read noise.
# The fits of lambda that Wei et al. publish for a full-frame camera lie between 0.01 and 0.2; small
# pixels have more random telegraph noise and so heavier tails. -0.1 is a choice on that side, not a
# measured phone: excess kurtosis 3.8 (logistic: 1.2). Below -1/4 there would be no kurtosis at all.
PHONE_SENSOR = Sensor("sensor", 64, 1023, 64, read_noise_lambda=-0.1, row_share=0.05)

# What models that were chosen by the first are tried on: lambda as of a full-frame camera, strong
# banding, finer codes, and values below black kept. 512 codes are 7 standard deviations of the
# noisiest phone's dark noise.
SECOND_SENSOR = Sensor("second_sensor", 512, 4095, 0, read_noise_lambda=0.1, row_share=0.15)

# The phones' sensor as raw files hold it (`raw_folder`): values below black are kept.
RAW_SENSOR = replace(PHONE_SENSOR, name="raw_sensor", lowest_code=0)

SENSORS = {sensor.name: sensor for sensor in (PHONE_SENSOR, SECOND_SENSOR, RAW_SENSOR)}


def draw_codes(
    clean: np.ndarray, nlf: np.ndarray, rng: np.random.Generator, sensor: Sensor = PHONE_SENSOR
) -> np.ndarray:
    """Draws one noisy image for each clean one.

    Args:
      clean: [n, H, W, 4] packed, in [0, 1].
      nlf: [n, 2], beta1 and beta2 of the true law.
      rng: random numbers.
      sensor: whose codes and kinds of noise they are.

    Returns:
      [n, H, W, 4] uint16 codes, for PHONE_SENSOR in [64, 1023].
    """
    beta1, beta2 = np.asarray(nlf, np.float64).T[:, :, None, None, None]
    read, row = sensor.read_and_row(beta2)
    noisy = rng.poisson(clean / beta1) * beta1
    noisy += read * draw_tukey_lambda(sensor.read_noise_lambda, clean.shape, rng)
    # A packed row is two rows of the mosaic: R and Gr lie in one, Gb and B in the other.
    offset = rng.standard_normal((*clean.shape[:2], 1, 2))
    noisy += row * np.repeat(offset, 2, axis=-1)
    codes = np.rint(sensor.black_code + noisy / sensor.step)
    return np.clip(codes, sensor.lowest_code, sensor.white_code).astype(np.uint16)


class SensorProcess:
    """Captures of the five phones, as codes of a sensor.

    Args:
      iso_levels: of the captures, positive.
      sensor: of all of them.
      cameras: names of phones; None: all five.

    Attributes:
      cameras, iso_levels: of the captures.
      true_nlf, reported_nlf: [cameras, ISOs, 2], beta1 and beta2.
      black_level, white_level, quantization_step: of what `observe` gives.
      name, description, licence: for the capture file.

    Raises:
      ValueError: an unknown phone; an ISO that is not positive and finite, or one at which codes
        are coarser than a phone's law says.
    """

    quantization_step = 1
    licence = ""

    def __init__(
        self,
        iso_levels: Sequence[float] = ISO_LEVELS,
        sensor: Sensor = PHONE_SENSOR,
        cameras: Sequence[str] | None = None,
    ):
        known = [phone.name for phone in PHONES]
        self.cameras = tuple(known if cameras is None else cameras)
        if unknown := sorted({*self.cameras} - {*known}):
            raise ValueError(f"expected phones among {known}, received {unknown}.")
        rows = [known.index(name) for name in self.cameras]
        self.sensor, self.name = sensor, sensor.name
        self.black_level, self.white_level = sensor.black_code, sensor.white_code
        self.description = (
            f"Simulated captures, {sensor.name.replace('_', ' ')} process: {sensor.description} "
            "Phones' real noise laws; `nlf` is what the phone reports, `nlf_true` the law "
            "that was simulated."
        )
        self.iso_levels = tuple(iso_levels)
        self.true_nlf = true_nlf(self.iso_levels)[rows]
        self.reported_nlf = reported_nlf(self.iso_levels)[rows]
        least = self.true_nlf[..., 1].min()
        coarsest = sensor.quantization_variance
        if not least > coarsest:
            raise ValueError(
                f"expected every beta2 above the quantisation variance {coarsest:.3g}, received "
                f"{least:.3g}."
            )

    def store_clean(self, clean: np.ndarray) -> np.ndarray:
        """Clean images in the units of `observe`'s, not rounded.

        Args:
          clean: [n, H, W, 4] in [0, 1].

        Returns:
          The same shape, float32, in codes.
        """
        codes = self.black_level + clean.astype(np.float64) / self.sensor.step
        return codes.astype(np.float32)

    def observe(
        self, clean: np.ndarray, camera: np.ndarray, iso: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws one noisy image for each clean one.

        Args:
          clean: [n, H, W, 4] packed, in [0, 1].
          camera, iso: [n], positions in `cameras` and `iso_levels`.
          rng: random numbers.

        Returns:
          [n, H, W, 4] uint16 codes of the sensor.
        """
        return draw_codes(clean, self.true_nlf[camera, iso], rng, self.sensor)

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
        scale, in nats per dimension, a patch of D values has -log_prob / D + log(step), which
        compares with the NLL of a model of dequantised values. Tables are made for each camera and
        ISO, so that one call with all captures is faster than many.

        Args:
          codes: [n, H, W, 4] integers as `observe` gives them.
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
        sensor = self.sensor
        lowest, highest = sensor.lowest_code, sensor.white_code
        if codes.size and not (codes.min() >= lowest and codes.max() <= highest):
            raise ValueError(
                f"expected codes from {lowest} to {highest}, received {codes.min()} to "
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
            read, row = sensor.read_and_row(beta2)
            likelihood = SensorLikelihood(
                electron=beta1 / sensor.step,
                read=read / sensor.step,
                row=row / sensor.step,
                shape=sensor.read_noise_lambda,
                lowest=sensor.lowest_code - sensor.black_code,
                highest=sensor.white_code - sensor.black_code,
            )
            rows = _mosaic_rows(codes[captures].astype(np.int64) - sensor.black_code)
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
