"""What a noise level function says of the noise of each pixel."""

from __future__ import annotations

import functools

import tensorflow as tf

from tfp_noiseflow.images.image import Image


class PixelNoise:
    """The noise of each pixel of a clean image: of photons that are counted, and of reading.

    ```none
    variance    beta1 * latent_clean + beta2
    read_share  f = beta2 / variance
    electron    r = what one photon's electron adds / sqrt(variance)
    ```

    Noise of photons is a Poisson number of electrons, whose cumulants are all its mean: of the
    standardised noise it is the share 1 - f of the variance, the skewness (1 - f) r and the excess
    kurtosis (1 - f) r^2. Those of the read noise enter as f^1.5 and f^2.

    Each is computed once, where it is asked for.

    Args:
      variance: an image of positive values.
      read_variance: beta2. electron: in the unit of the variance's square root. Tensors that
        broadcast with the image's values.
    """

    def __init__(self, variance: Image, read_variance: tf.Tensor, electron: tf.Tensor):
        self.variance = variance
        self._read_variance, self._electron = read_variance, electron

    @functools.cached_property
    def precision_root(self) -> Image:
        """1 / sqrt(variance)."""
        return self.variance.mapped(tf.math.rsqrt)

    @functools.cached_property
    def read_share(self) -> Image:
        """f, in (0, 1]."""
        return self.precision_root.mapped(lambda root: self._read_variance * tf.square(root))

    @functools.cached_property
    def electron(self) -> Image:
        """r, in standard deviations of the noise."""
        return self.precision_root.mapped(lambda root: self._electron * root)
