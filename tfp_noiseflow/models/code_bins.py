"""The bins of stored codes, carried to a standard normal number for each value."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.images.image import summed_over_image
from tfp_noiseflow.models.normal_interval import (
    HALF_LOG_2PI,
    OPEN,
    log_interval_probability,
    truncated_normal,
)

# For the sign of a number that is 0 not to be 0.
SMALLEST = 1e-30

# Half the width of an interval that stands for a point: its carried width over this is the slope.
POINT = 1e-12


class CodeBins:
    """Intervals of N(0, I) that a pixel-wise bijector carries to the bins of codes.

    Values are mirrored where that brings the middle of their interval above 0: the base is
    symmetric, and one tail is enough.

    Args:
      bijector: base -> noise, pixel-wise, bound to its conditions.
      noise: [.., H, W, C], of codes.
      clean: [.., H, W, C].
      step: codes' distance, [.., 1, 1, 1] or a scalar; None: values are continuous, and the bin of
        one that is not clipped is a point.
      clips_black, clips_white: whether the bins of values at 0 and at 1 are open.

    Attributes:
      log_density: [.., H, W, C], the log-probability of each bin, per step where there is one; of a
        point its log-density.
    """

    def __init__(
        self,
        bijector: ConditionalBijector,
        noise: tf.Tensor,
        clean: tf.Tensor,
        step: tf.Tensor | None,
        *,
        clips_black: bool,
        clips_white: bool,
    ):
        self._bijector, self._is_continuous = bijector, step is None
        half_step = tf.zeros([], noise.dtype) if step is None else 0.5 * step
        self._half = POINT if self._is_continuous else half_step
        middle, half_width = bijector.inverse_interval(noise, tf.zeros_like(noise) + self._half)
        # The base's numbers are negated where the bijector falls.
        self._direction = tf.sign(half_width)
        middle, self._half_width = self._direction * middle, tf.abs(half_width)
        width = tf.zeros_like(noise) if self._is_continuous else 2 * self._half_width
        below, above = middle - 0.5 * width, middle + 0.5 * width

        # Ends are made open by arithmetic: tf.where takes three times as long. A value without a
        # step is at black or white where it is so but for rounding.
        noisy = tf.stop_gradient(clean + noise)
        margin = tf.maximum(half_step, 4 * np.finfo(noise.dtype.as_numpy_dtype).eps)
        per_margin = OPEN / margin
        if clips_black:
            opening = (margin - noisy) * per_margin  # OPEN for the code at black, else negative.
            below, width = tf.minimum(below, -opening), tf.maximum(width, opening)
        if clips_white:
            opening = (noisy - (1 - margin)) * per_margin
            above, width = tf.maximum(above, opening), tf.maximum(width, opening)
        if self._is_continuous:
            self._is_open = width > 0
            width = tf.maximum(width, 1)
        # The end that is nearer to the middle of the base, and on which side the interval is.
        self._lower, self._width = tf.maximum(below, -above), width
        self._sign = tf.sign(below + above + SMALLEST)

        self.log_density = log_interval_probability(self._lower, self._width)
        if self._is_continuous:
            of_point = tf.math.log(self._slope()) - 0.5 * tf.square(middle) - HALF_LOG_2PI
            self.log_density = tf.where(self._is_open, self.log_density, of_point)
        else:
            self.log_density -= tf.math.log(step)

    def draw(self, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Noise in each bin, distributed there as the bijector's noise.

        Args:
          uniform: in (0, 1), [H, W, C].

        Returns:
          Noise [.., H, W, C], the latent that becomes it, and log|det d noise / d latent| [..].
        """
        latent = truncated_normal(self._lower, self._width, uniform)
        if self._is_continuous:
            latent = tf.where(self._is_open, latent, self._lower)
        latent *= self._sign
        if self._bijector.is_scaling:
            # The slope is the scale: the bijector need not run again.
            slope = self._slope()
            return latent / slope, latent, -summed_over_image(tf.math.log(slope))
        latent *= self._direction
        noise, log_det = self._bijector.forward_and_log_det(latent)
        return noise, latent, log_det

    def _slope(self) -> tf.Tensor:
        """The size of d latent / d noise, on average over a bin."""
        return self._half_width / self._half
