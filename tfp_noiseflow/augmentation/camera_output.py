"""What a camera gives of a clean image: noise, fixed pattern, digital gain, then codes."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfp_noiseflow.conditions.checks import as_float, require
from tfp_noiseflow.images.image import over_image
from tfp_noiseflow.models.noise_distribution import NoiseDistribution
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.types import TensorLike


def camera_output(
    noise_model: NoiseModel,
    clean: tf.Tensor,
    iso: TensorLike,
    camera: TensorLike,
    *,
    draw: Callable[[NoiseDistribution], tf.Tensor],
    pattern: Callable[[NoiseDistribution], tf.Tensor] | None = None,
    digital_gain: TensorLike = 1.0,
) -> tf.Tensor:
    """Noisy images in the order in which a camera makes them.

    ```none
    noisy = stored(clean + g * (noise + pattern)),  noise of clean / g at the analogue ISO
    ```

    The sensor sees clean / g, and the digital gain g multiplies all that it read; codes and
    clipping come after it. So var = g * beta1 * clean + g^2 * beta2 of the analogue ISO's beta1 and
    beta2.

    Args:
      noise_model: any noise model.
      clean: [.., H, W, C], as it is after the digital gain, fractions of full scale.
      iso, camera: as for the model's call; the analogue ISO.
      draw: of the distribution of the noise before it is stored, the noise [.., H, W, C].
      pattern: of the same, what is at a fixed place of the sensor.
      digital_gain: at least 1, a scalar or of the batch shape.

    Returns:
      [.., H, W, C]; of a noise model of codes on codes, and clipped where it clips.

    Raises:
      ValueError: as for the model's call; a digital gain below 1 or not finite;
        InvalidArgumentError where only the graph knows.
    """
    gain = over_image(checked_gain(digital_gain, clean.dtype))
    distribution = noise_model(clean / gain, iso=iso, camera=camera)
    noise = draw(distribution.unstored)
    if pattern is not None:
        noise += pattern(distribution.unstored)
    return distribution.as_stored(clean + gain * noise)


def checked_gain(digital_gain: TensorLike, dtype: tf.DType) -> tf.Tensor:
    """A digital gain as a tensor.

    Raises:
      ValueError: below 1 or not finite; InvalidArgumentError where only the graph knows.
    """
    gain = as_float("digital_gain", digital_gain, dtype)
    is_valid = tf.reduce_all(tf.logical_and(gain >= 1, gain <= gain.dtype.max))
    require(is_valid, "digital_gain of at least 1, and finite", gain)
    return gain
