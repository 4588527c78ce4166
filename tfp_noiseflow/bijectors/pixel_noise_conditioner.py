"""The network of a flow step B, which sees what the noise of each pixel is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.conditioner import ConvolutionalConditioner
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.conditions.conditions import Condition
from tfp_noiseflow.images.image import Image

# The features of a pixel, each brought to about -1 to 1: standard deviations of noise between
# exp(-8.5) and exp(-2.5) of full scale, shares of 0 to 1, skewness of 0 to 1.
LOG_DEVIATION = (-5.5, 3.0)
FEATURES = 3


class PixelNoiseConditioner(ConvolutionalConditioner):
    """A network that sees, beside a half of the channels, how much noise a pixel has and of what.

    ```none
    further channels   (log sigma + 5.5) / 3,  the read noise's share f,  Poisson's skewness
    ```

    Each is the mean over the pixel's channels: steps mix channels. Without these a step makes the
    same of bright pixels, whose noise is that of photons, and of dark ones.

    Conditions: those of `noise`.

    Args:
      noise: the noise level function of the flow, sharing its variables.
      channels: of the images.
      channels_in, channels_out, **options: as for `ConvolutionalConditioner`.
    """

    num_further_channels = FEATURES

    def __init__(
        self,
        noise: SignalDependent,
        channels: int,
        channels_in: int,
        channels_out: int,
        **options: Any,
    ):
        super().__init__(channels_in, channels_out, **options)
        self.noise = noise
        self._means = np.repeat(np.eye(FEATURES), channels, axis=0) / channels

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return self.noise.conditions

    def further_channels(self, image: Image, *, clean: Image, **conditions: Any) -> list[Image]:
        noise = self.noise.pixel_noise(clean, **conditions)
        middle, scale = LOG_DEVIATION

        def log_deviation(variance: tf.Tensor) -> tf.Tensor:
            return (0.5 * tf.math.log(variance) - middle) / scale

        def skewness(share: tf.Tensor, electron: tf.Tensor) -> tf.Tensor:
            return (1 - share) * electron

        features = noise.variance.mapped(log_deviation).joined(
            noise.read_share, noise.read_share.mapped(skewness, noise.electron)
        )
        return [features.mixed(tf.constant(self._means, features.values.dtype))]
