"""A noise level function from photon transfer; where levels are too alike, with a prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.laws.population import expected_law
from tfp_noiseflow.photon_transfer.line import REPLICATES, LevelSums, fit_line

# A slope that is less certain is that of the mean variance, with beta2 of other cameras.
LARGEST_ERROR = 0.1


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """var = beta1 * clean + beta2 in fractions of full scale, without row noise.

    Attributes:
      beta1, beta2: the numbers. replicates: [REPLICATES, 2], of their errors.
      residual: by how much variances at different levels miss the line, as a root mean square of
        relative misses, their own errors taken off.
      misses: [m, 3], level, relative miss and its error, of each group of levels.
      beta2_is_prior: levels did not tell beta2; it is the population's.
    """

    beta1: float
    beta2: float
    replicates: np.ndarray
    residual: float
    misses: np.ndarray
    beta2_is_prior: bool


def noise_level(
    sums: LevelSums,
    full_scale: float,
    iso: float,
    *,
    dark: tuple[float, float] | None = None,
    seed: int = 0,
) -> NoiseLevel:
    """The noise level function of tiles.

    Args:
      sums: of tiles, in codes. full_scale: white minus black, in codes.
      iso: of the frames.
      dark: variance in the dark and its standard error, in codes squared; None: not known.
      seed: of the replicates.

    Raises:
      ValueError: no light in the frames.
    """
    line = fit_line(sums, dark=dark, seed=seed)
    if line is None or not (
        line.beta1 > 0 and np.std(line.replicates[:, 0]) < LARGEST_ERROR * line.beta1
    ):
        return _with_prior(sums, full_scale, iso, seed)
    beta1, beta2 = line.beta1, line.beta2
    if beta2 < 0:  # As near 0 as it may be; the slope through it.
        _, levels, squares = sums.total.sum(axis=1)
        beta1, beta2 = squares / levels, 0.0
    level, miss, error = line.residuals.T
    weight = error**-2
    residual = np.sqrt(max(0.0, np.sum(weight * (miss**2 - error**2)) / np.sum(weight)))
    return NoiseLevel(
        beta1 / full_scale,
        beta2 / full_scale**2,
        np.maximum(line.replicates, 0) / [full_scale, full_scale**2],
        float(residual),
        np.stack([level / full_scale, miss, error], axis=-1),
        False,
    )


def _with_prior(sums: LevelSums, full_scale: float, iso: float, seed: int) -> NoiseLevel:
    """Of the mean variance at the mean level."""
    freedom, levels, squares = sums.total.sum(axis=1)
    level = levels / freedom / full_scale
    variance = squares / freedom / full_scale**2
    if not level > 0:
        raise ValueError(
            f"expected frames of a lit scene, received a mean level of {level:.3g} of full scale "
            "above black."
        )
    beta1 = variance / level
    for _ in range(50):
        law, factor = expected_law(iso, beta1)
        # The prior never takes more than half of what was measured.
        beta2 = min(float(law(iso)[1]), variance / 2)
        beta1 = (variance - beta2) / level
    rng = np.random.default_rng(seed)
    # The population's spread; at most nine tenths are read noise.
    drawn = np.minimum(beta2 * factor ** rng.standard_normal(REPLICATES), 0.9 * variance)
    measured = variance * (1 + np.sqrt(2 / freedom) * rng.standard_normal(REPLICATES))
    replicates = np.stack([np.maximum(measured - drawn, 0) / level, drawn], axis=-1)
    return NoiseLevel(float(beta1), beta2, replicates, 0.0, np.zeros((0, 3)), True)
