"""One channel's noise at one ISO, of all its flats, scenes and darks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.calibration.darks import DarkNoise
from tfp_noiseflow.calibration.measure import ChannelTransfer
from tfp_noiseflow.photon_transfer.line import LevelSums, interval
from tfp_noiseflow.photon_transfer.noise_level import NoiseLevel, noise_level


@dataclass(frozen=True, eq=False)
class ChannelNoise:
    """The noise of a channel at an ISO; None where the frames do not tell.

    Attributes:
      channel, iso: which. full_scale: white minus black, in codes. step: between codes.
      level: NoiseLevel, or None without light.
      sums: of the lit frames, or None. dark: DarkNoise, or None.
      is_bound: variances are upper bounds.
      used, moved: shares of the lit pixels.
      slope: of photon transfer at no light over that of the line, and its standard error: (1, 0)
        where variance does not bend (`photon_transfer.bend`).
    """

    channel: str
    iso: float
    full_scale: float
    step: float
    level: NoiseLevel | None
    sums: LevelSums | None
    dark: DarkNoise | None
    is_bound: bool
    used: float
    moved: float
    slope: tuple[float, float] = (1.0, 0.0)

    @property
    def rounding(self) -> float:
        """The variance of rounding, a fraction of full scale squared."""
        return (self.step / self.full_scale) ** 2 / 12

    @property
    def row_variance(self) -> float:
        """Of the rows' offsets, a fraction of full scale squared; 0 without darks."""
        return self.dark.row_variance / self.full_scale**2 if self.dark else 0.0

    @property
    def figures(self) -> dict[str, tuple[float, list[float]] | None]:
        """The numbers of a row of calibration.json, each with its interval of 95 %.

        Those of upper bounds begin at 0.
        """
        scale, dark, level = self.full_scale, self.dark, self.level
        found: dict[str, tuple[float, np.ndarray] | None] = dict.fromkeys(FIGURES)
        if level is not None:
            beta1 = level.replicates[:, 0]
            found["beta1"] = level.beta1, beta1
            # The gain is that at no light.
            slope, error = self.slope
            drawn = np.random.default_rng(0).standard_normal(len(beta1))
            gain = beta1 if error == 0 else level.beta1 * (1 + error / slope * drawn)
            found["gain_dn_per_electron"] = level.beta1 * slope * scale, gain * slope * scale
        beta2 = None
        if level is not None:
            # Rows are no part of photon transfer; their noise is that of the darks.
            rows = dark.replicates[:, 1] / scale**2 if dark else 0.0
            beta2 = level.beta2 + self.row_variance, level.replicates[:, 1] + rows
        elif dark is not None:
            beta2 = dark.variance / scale**2, dark.replicates[:, 0] / scale**2
        if beta2 is not None:
            found["beta2"] = beta2
            found["read_noise_dn"] = np.sqrt(beta2[0]) * scale, np.sqrt(beta2[1]) * scale
        if dark is not None:
            variance, rows = dark.replicates.T
            rounding = self.step**2 / 12
            share = dark.row_variance / max(dark.variance - rounding, 1e-12)
            found["row_share"] = share, rows / np.maximum(variance - rounding, 1e-12)
            limits = dark.black_level + dark.black_error * np.array([-1.96, 1.96])
            found["black_level"] = dark.black_level, limits
        whole = {
            name: None if value is None else (float(value[0]), interval(value[1]))
            for name, value in found.items()
        }
        if self.is_bound:
            for name in OF_LIGHT:
                if (figure := whole[name]) is not None:
                    whole[name] = figure[0], [0.0, figure[1][1]]
        return whole


OF_LIGHT = ("beta1", "beta2", "gain_dn_per_electron", "read_noise_dn")
FIGURES = (*OF_LIGHT, "row_share", "black_level")


def channel_noise(
    channel: str,
    iso: float,
    transfers: Sequence[ChannelTransfer],
    dark: DarkNoise | None,
    *,
    full_scale: float,
    step: float,
    seed: int = 0,
) -> ChannelNoise:
    """Puts together what a channel's frames at an ISO tell.

    Args:
      channel: its name. iso: of all.
      transfers: of its flats and scenes; upper bounds are used only where there is nothing else.
      dark: of its darks. full_scale, step: in codes.
      seed: of intervals.

    Raises:
      ValueError: frames without any noise.
    """
    firm = [t for t in transfers if not t.is_bound and t.sums.total[0].sum() > 0]
    is_bound = not firm
    chosen = firm or [t for t in transfers if t.sums.total[0].sum() > 0]
    sums = level = None
    if chosen:
        sums = chosen[0].sums
        for transfer in chosen[1:]:
            sums = sums + transfer.sums
        if not sums.total[2].sum() > 0:
            raise ValueError(
                f"ISO {iso:g}, channel {channel}: expected frames with noise, received codes that "
                "are all equal wherever the scene is flat: of fewer bits than the sensor's, "
                "denoised, or the same frame twice?"
            )
        variance = None if dark is None else pixel_variance(dark)
        level = noise_level(sums, full_scale, iso, dark=variance, seed=seed)
    return ChannelNoise(
        channel,
        iso,
        full_scale,
        step,
        level,
        sums,
        dark,
        bool(chosen) and is_bound,
        float(np.mean([t.used for t in chosen])) if chosen else 0.0,
        float(np.mean([t.moved for t in chosen])) if chosen else 0.0,
    )


def pixel_variance(dark: DarkNoise) -> tuple[float, float]:
    """Variance in the dark without rows, and its standard error, in codes squared."""
    pixels = dark.replicates[:, 0] - dark.replicates[:, 1]
    return dark.variance - dark.row_variance, float(np.std(pixels))
