"""What a sensor would have stored of a noisy image."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def as_stored(
    noisy: tf.Tensor,
    quantization_step: float | tf.Tensor,
    *,
    clips_black: bool,
    clips_white: bool,
) -> tf.Tensor:
    """Rounds to codes and clips.

    Args:
      noisy: any shape, fractions of full scale.
      quantization_step: codes' distance as a fraction of full scale, a number, or a tensor of
        positive ones that broadcasts with `noisy`. 0: not rounded.
      clips_black, clips_white: whether to clip at 0 and at 1, after rounding.

    Returns:
      The shape of both together.
    """
    known = tf.get_static_value(quantization_step)
    if known is None or np.any(known):
        noisy = tf.round(noisy / quantization_step) * quantization_step
    noisy = tf.maximum(noisy, 0.0) if clips_black else noisy
    return tf.minimum(noisy, 1.0) if clips_white else noisy
