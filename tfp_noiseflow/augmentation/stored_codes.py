"""What a sensor would have stored of a noisy image."""

from __future__ import annotations

import tensorflow as tf


def as_stored(noisy: tf.Tensor, quantization_step: float, clips: bool) -> tf.Tensor:
    """Rounds to codes and clips.

    Args:
      noisy: any shape, fractions of full scale.
      quantization_step: codes' distance as a fraction of full scale; 0: not rounded.
      clips: whether to clip to [0, 1], after rounding.

    Returns:
      The same shape.
    """
    if quantization_step:
        noisy = tf.round(noisy / quantization_step) * quantization_step
    return tf.clip_by_value(noisy, 0.0, 1.0) if clips else noisy
