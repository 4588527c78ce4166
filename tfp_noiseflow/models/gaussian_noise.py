"""The Gaussian baseline: one variance for all (paper, table 1)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics, noise_statistics
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.models.noise_model import NoiseModel


class GaussianNoise(NoiseModel):
    """White Gaussian noise of one standard deviation, whatever the clean image, ISO and camera.

    Args:
      sigma: standard deviation, a fraction of full scale, > 0.
      dtype: float32 or float64 (or its name).

    Raises:
      ValueError: sigma is not positive and finite.
    """

    def __init__(self, sigma: float = 0.01, dtype: tf.DType = tf.float32):
        dtype = tf.as_dtype(dtype)
        if not 0 < sigma < np.inf:
            raise ValueError(f"expected sigma > 0, received {sigma}.")
        self.log_sigma = tf.Variable(tf.constant(np.log(sigma), dtype), name="log_sigma")
        scale = tfb.Scale(log_scale=self.log_sigma, name="scale")
        super().__init__(
            ConditionalChain([scale], dtype=dtype, name="gaussian_noise"),
            name="gaussian_noise",
        )

    @classmethod
    def fit(cls, captures: Captures | NoiseStatistics) -> GaussianNoise:
        """The maximum-likelihood standard deviation of the noise of captures (mean zero)."""
        statistics = noise_statistics(captures)
        return cls(float(np.sqrt(statistics.square_sum / statistics.count)))

    @property
    def sigma(self) -> tf.Tensor:
        """The standard deviation."""
        return tf.exp(self.log_sigma)

    @property
    def in_words(self) -> str:
        return "white Gaussian noise of one standard deviation"

    def get_config(self) -> dict:
        return {"sigma": float(self.sigma), "dtype": self.dtype.name}
