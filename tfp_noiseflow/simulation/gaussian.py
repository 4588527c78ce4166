"""The Gaussian process: the five phones' true laws and nothing else.

    noisy = clean + N(0, beta1 * clean + beta2)

Neither clipped nor quantised: what a noise level function says of a phone, at any ISO.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.simulation.phones import ISO_LEVELS, PHONES, true_nlf


class GaussianProcess:
    """Captures of the five phones, in fractions of full scale, whose noise is Gaussian.

    Args:
      iso_levels: of the captures, positive.

    Attributes:
      cameras, iso_levels: of the captures.
      true_nlf: [cameras, ISOs, 2], beta1 and beta2.
      black_level, white_level, quantization_step: of what `observe` gives.
      description, licence: for the capture file.

    Raises:
      ValueError: an ISO that is not positive and finite.
    """

    cameras = tuple(phone.name for phone in PHONES)
    black_level = 0.0
    white_level = 1.0
    quantization_step = 0.0
    # The phones' files report nothing here: the truth is in `nlf_true`.
    reported_nlf = None
    licence = ""
    description = (
        "Simulated captures, Gaussian process: independent Gaussian noise with variance "
        "beta1 * clean + beta2 by five phones' real noise laws, neither clipped nor quantised; "
        "`nlf_true` is the law."
    )

    def __init__(self, iso_levels: Sequence[float] = ISO_LEVELS):
        self.iso_levels = tuple(iso_levels)
        self.true_nlf = true_nlf(self.iso_levels)

    def store_clean(self, clean: np.ndarray) -> np.ndarray:
        """Clean images in the units of `observe`'s: the same.

        Args:
          clean: [n, H, W, 4] in [0, 1].

        Returns:
          The same shape, float32.
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


def gaussian_noisy(clean: np.ndarray, nlf: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Clean images with independent Gaussian noise.

    Args:
      clean: [n, H, W, 4] in [0, 1].
      nlf: [n, 2], beta1 and beta2.
      rng: random numbers.

    Returns:
      [n, H, W, 4] float32.
    """
    slope, offset = nlf.T[:, :, None, None, None]
    noise = np.sqrt(slope * clean + offset) * rng.standard_normal(clean.shape)
    return (clean + noise).astype(np.float32)
