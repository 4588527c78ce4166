"""The reference process: noise of the model's own family, whose density is known exactly.

    gamma(ISO, camera) = psi_camera * u_ISO * ISO
    noisy = clean + N(0, beta1 * gamma * clean + beta2 * gamma^2)

Neither clipped nor quantised. A model that trains well reaches this density and finds the ratios
of gamma between ISOs and cameras, and beta2 / beta1^2; these alone are identifiable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.simulation.gaussian import gaussian_noisy
from tfp_noiseflow.simulation.phones import ISO_LEVELS, check_isos

CAMERAS = tuple(f"Reference {letter}" for letter in "ABCDE")

# Ranges that give the noise of real phones: beta1 * gamma of some 2e-4 to 2e-2, beta2 * gamma^2 of
# 1e-7 to 3e-3 over ISO 100 to 3200. All are log-uniform.
U_RANGE = (1.3**-0.5, 1.3**0.5)
PSI_RANGE = (2.0**-0.5, 2.0**0.5)
BETA1_RANGE = (3e-6, 4.5e-6)
BETA2_RANGE = (3e-11, 1e-10)


@dataclass(frozen=True)
class ReferenceProcess:
    """Captures of five invented cameras, in fractions of full scale.

    Attributes:
      beta1, beta2: the signal-dependent law at gamma = 1.
      u: [ISOs], the gain's deviation from proportionality to ISO.
      psi: [cameras], the cameras' factors.
      cameras, iso_levels: of the captures.
      black_level, white_level, quantization_step: of what `observe` gives.
      description, licence: for the capture file.
    """

    beta1: float
    beta2: float
    u: np.ndarray
    psi: np.ndarray
    cameras: tuple[str, ...] = CAMERAS
    iso_levels: tuple[float, ...] = ISO_LEVELS
    black_level: float = 0.0
    white_level: float = 1.0
    quantization_step: float = 0.0
    licence: str = ""
    # These cameras report nothing: the truth is in `nlf_true`.
    reported_nlf: None = None

    @classmethod
    def draw(
        cls, rng: np.random.Generator, iso_levels: Sequence[float] = ISO_LEVELS
    ) -> ReferenceProcess:
        """Draws the truth.

        Args:
          rng: random numbers.
          iso_levels: of the captures, positive; each has a u of its own.

        Returns:
          ReferenceProcess.

        Raises:
          ValueError: an ISO that is not positive and finite.
        """

        check_isos(iso_levels)

        def log_uniform(bounds, size=None):
            low, high = np.log(bounds)
            return np.exp(rng.uniform(low, high, size))

        return cls(
            beta1=float(log_uniform(BETA1_RANGE)),
            beta2=float(log_uniform(BETA2_RANGE)),
            u=log_uniform(U_RANGE, len(iso_levels)),
            psi=log_uniform(PSI_RANGE, len(CAMERAS)),
            iso_levels=tuple(iso_levels),
        )

    @property
    def description(self) -> str:
        return (
            "Simulated captures, reference process: Gaussian noise with variance "
            "beta1 * gamma * clean + beta2 * gamma^2, gamma = psi * u * ISO, neither clipped nor "
            f"quantised; beta1 {self.beta1:.6g}, beta2 {self.beta2:.6g}, "
            f"u {np.round(self.u, 6).tolist()} at ISO {list(self.iso_levels)}, "
            f"psi {np.round(self.psi, 6).tolist()} of {list(self.cameras)}."
        )

    @property
    def gamma(self) -> np.ndarray:
        """[cameras, ISOs], the gain."""
        return self.psi[:, None] * self.u * np.asarray(self.iso_levels, np.float64)

    @property
    def true_nlf(self) -> np.ndarray:
        """[cameras, ISOs, 2], beta1 * gamma and beta2 * gamma^2."""
        return np.stack([self.beta1 * self.gamma, self.beta2 * self.gamma**2], axis=-1)

    def store_clean(self, clean: np.ndarray) -> np.ndarray:
        """Clean images in the units of `observe`'s: the same.

        Args:
          clean: [n, H, W, 4] in [0, 1].

        Returns:
          The same, float32.
        """
        return clean.astype(np.float32)

    def observe(
        self, clean: np.ndarray, camera: np.ndarray, iso: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws one noisy image for each clean one.

        Args:
          clean: [n, H, W, 4] packed, in [0, 1].
          camera, iso: [n], positions in `cameras` and `iso_levels`.
          rng: random numbers.

        Returns:
          [n, H, W, 4] float32.
        """
        return gaussian_noisy(clean, self.true_nlf[camera, iso], rng)
