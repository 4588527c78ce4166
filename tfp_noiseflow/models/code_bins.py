"""The bins of stored codes, carried to a standard normal number for each value."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.models.normal_interval import (
    HALF_LOG_2PI,
    OPEN,
    log_interval_probability,
    truncated_normal,
)

# For the sign of a number that is 0 not to be 0.
SMALLEST = 1e-30


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
        self._is_continuous = step is None
        half_step = tf.zeros([], noise.dtype) if step is None else 0.5 * step
        carry = _Scaling if bijector.is_scaling else _Monotone
        self._carry = carry(bijector, noise, half_step)
        below = self._carry.middle - self._carry.half_width
        above = self._carry.middle + self._carry.half_width
        width = 2 * self._carry.half_width

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
            of_point = self._carry.log_slope() - 0.5 * tf.square(self._carry.middle) - HALF_LOG_2PI
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
        return self._carry.back(self._sign * latent)


class _Scaling:
    """To the base by a bijector that only scales.

    The width of a bin is no difference of its edges, which would lose digits where bins are narrow.
    """

    def __init__(self, bijector, noise, half_step):
        scale, self._log_det = bijector.inverse_and_log_det(tf.ones_like(noise))
        self._scale = tf.abs(scale)
        self.middle, self.half_width = noise * self._scale, half_step * self._scale

    def log_slope(self):
        return tf.math.log(self._scale)

    def back(self, latent):
        return latent / self._scale, latent, -self._log_det


class _Monotone:
    """To the base by any pixel-wise bijector; the base's numbers are negated where it falls."""

    def __init__(self, bijector, noise, half_step):
        self._bijector, self._noise = bijector, noise
        below, above = bijector.inverse(noise - half_step), bijector.inverse(noise + half_step)
        rises = above - below if tf.get_static_value(half_step) != 0 else self._slope()
        self._direction = tf.where(rises < 0, -tf.ones_like(rises), 1)
        self.middle = 0.5 * self._direction * (below + above)
        self.half_width = 0.5 * tf.abs(above - below)

    def _slope(self):
        with tf.GradientTape() as tape:
            tape.watch(self._noise)
            latent = self._bijector.inverse(self._noise)
        # Each value depends on its own noise alone.
        return tape.gradient(latent, self._noise)

    def log_slope(self):
        return tf.math.log(tf.abs(self._slope()))

    def back(self, latent):
        latent *= self._direction
        noise, log_det = self._bijector.forward_and_log_det(latent)
        return noise, latent, log_det
