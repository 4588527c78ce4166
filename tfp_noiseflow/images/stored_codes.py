"""What a sensor would have stored of a noisy image."""

from __future__ import annotations

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
      quantization_step: codes' distance as a fraction of full scale; 0: not rounded. A number, or
        a tensor that broadcasts with `noisy`.
      clips_black, clips_white: whether to clip at 0 and at 1, after rounding.

    Returns:
      The shape of both together.
    """
    step = tf.convert_to_tensor(quantization_step, noisy.dtype)
    is_rounded = step > 0
    distance = tf.where(is_rounded, step, 1)
    noisy = tf.where(is_rounded, tf.round(noisy / distance) * distance, noisy)
    noisy = tf.maximum(noisy, 0.0) if clips_black else noisy
    return tf.minimum(noisy, 1.0) if clips_white else noisy
