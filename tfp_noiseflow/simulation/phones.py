"""Five phones: their true noise laws, and the noise level functions that their files report.

Raw images in fractions of full scale, black level subtracted, before white balance:
var = beta1 * clean + beta2. beta2 of a true law is the total variance at zero signal: read, row
and quantisation noise together. Pixel and Nexus 6: fits to the table of the SIDD data set. Galaxy
S20 FE, OPPO Reno and iPhone 11 (its green pixels): measured calibrations.

The reports that are wrong are wrong in ways seen in real files: a floor of 2e-6 instead of the
read noise, the chipset's default instead of the phone's own calibration (LG G4), one law for all
ISOs (iPhone 7). The table is fixed; nothing here is adjusted to a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ISO_LEVELS = (100, 400, 800, 1600, 3200)


@dataclass(frozen=True)
class NoiseLaw:
    """A noise level function that depends on ISO.

    beta1 = p ISO + q,  beta2 = max(r ISO^2 + s ISO + t, floor)

    Attributes:
      beta1: (p, q). beta2: (r, s, t). beta2_floor: the floor.
      at_iso: the ISO whose values hold at every ISO; None: the law follows the ISO.
    """

    beta1: tuple[float, float]
    beta2: tuple[float, float, float]
    beta2_floor: float = 0.0
    at_iso: float | None = None

    def __call__(self, iso) -> np.ndarray:
        """The noise level function at an ISO.

        Args:
          iso: positive, any shape [..].

        Returns:
          [.., 2] float64, beta1 and beta2.
        """
        iso = np.asarray(iso, np.float64)
        if self.at_iso is not None:
            iso = np.full_like(iso, self.at_iso)
        beta1 = np.polyval(self.beta1, iso)
        beta2 = np.maximum(np.polyval(self.beta2, iso), self.beta2_floor)
        return np.stack([beta1, beta2], axis=-1)


@dataclass(frozen=True)
class Phone:
    """A phone's name, its true law and the one its files report."""

    name: str
    true: NoiseLaw
    reported: NoiseLaw


_PIXEL = NoiseLaw(beta1=(2.194e-6, 8.7e-6), beta2=(1.73e-11, 0.0, 1.7e-6))

PHONES = (
    Phone("Pixel", true=_PIXEL, reported=_PIXEL),
    Phone(
        "Nexus 6",
        true=NoiseLaw(beta1=(4.290e-6, 4.4e-5), beta2=(8.135e-11, 0.0, 2e-6)),
        reported=NoiseLaw(beta1=(4.290e-6, 4.4e-5), beta2=(0.0, 0.0, 2e-6)),
    ),
    Phone(
        "Galaxy S20 FE",
        true=NoiseLaw(beta1=(1.382e-6, 8.8e-6), beta2=(4.27e-12, 0.0, 2.2e-7)),
        reported=NoiseLaw(
            beta1=(3.738e-6, 3.652e-4), beta2=(0.0, 4.5e-7, -2.969e-4), beta2_floor=2e-6
        ),
    ),
    Phone(
        "OPPO Reno",
        true=NoiseLaw(beta1=(6.252e-7, 9.1e-6), beta2=(7.74e-13, 7.1e-10, 1.25e-7)),
        # 1.5 times the true beta1.
        reported=NoiseLaw(beta1=(9.378e-7, 1.365e-5), beta2=(0.0, 0.0, 2e-6)),
    ),
    Phone(
        "iPhone 11",
        true=NoiseLaw(beta1=(2.99e-6, 8e-6), beta2=(3.17e-11, 0.0, 1.27e-5)),
        reported=NoiseLaw(beta1=(2.99e-6, 8e-6), beta2=(3.17e-11, 0.0, 1.27e-5), at_iso=400),
    ),
)


def true_nlf(iso_levels: Sequence[float]) -> np.ndarray:
    """The phones' true noise level functions.

    Args:
      iso_levels: positive.

    Returns:
      [phones, ISOs, 2] float64, beta1 and beta2.

    Raises:
      ValueError: an ISO that is not positive and finite.
    """
    check_isos(iso_levels)
    return np.stack([phone.true(iso_levels) for phone in PHONES])


def reported_nlf(iso_levels: Sequence[float]) -> np.ndarray:
    """The noise level functions that the phones' files report; as `true_nlf`."""
    check_isos(iso_levels)
    return np.stack([phone.reported(iso_levels) for phone in PHONES])


def check_isos(isos: Sequence[float]) -> None:
    """Raises ValueError where there is no ISO or one that is not positive and finite."""
    values = np.asarray(isos, np.float64)
    if not values.size or not np.all((values > 0) & np.isfinite(values)):
        raise ValueError(f"expected positive ISOs, received {values.tolist()}.")
