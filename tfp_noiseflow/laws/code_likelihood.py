"""The likelihood of stored codes under Gaussian noise, as a function of its variance."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from tfp_noiseflow.captures.code_sample import CodePixels

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def code_nll(pixels: CodePixels, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The negative log-likelihood of each pixel's code, and its derivative by the variance.

    ```none
    P = Phi(upper / sd) - Phi(lower / sd),  nll = -log P + log step
    ```

    Args:
      pixels: n of them.
      variance: [n], of each pixel's noise.

    Returns:
      nll [n], as a density in nats, comparable with that of dequantised noise, and d nll / d
      variance [n].
    """
    deviation = np.sqrt(variance)
    lower, upper = pixels.lower / deviation, pixels.upper / deviation
    # In the lower tail logarithms of Phi keep their digits.
    is_above = lower + upper > 0
    lower, upper = np.where(is_above, -upper, lower), np.where(is_above, -lower, upper)
    log_upper = log_ndtr(upper)
    log_probability = log_upper + np.log(-np.expm1(log_ndtr(lower) - log_upper))

    def edge(x: np.ndarray) -> np.ndarray:
        """x phi(x) / P; 0 at infinity."""
        x = np.where(np.isfinite(x), x, 0.0)
        return x * np.exp(-0.5 * x**2 - HALF_LOG_2PI - log_probability)

    slope = 0.5 * (edge(upper) - edge(lower)) / variance
    return np.log(pixels.step) - log_probability, slope
