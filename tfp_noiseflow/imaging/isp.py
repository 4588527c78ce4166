"""From a raw frame to an sRGB picture: a camera's image processing, in TensorFlow, differentiable.

White balance and exposure, demosaicking, colour matrix, sRGB transfer curve, tone curve: the
inverse of `inverse_isp.py`, step by step, with the same colour metadata.

A photograph that is unprocessed and processed comes back with 32.8, 36.4 and 39.9 dB
(scikit-image's coffee, astronaut and chelsea; the same at exposure 1 and 0.5;
`python -m benchmarks.round_trip`): the mosaic holds a third of the colours and the others are
interpolated. Without the mosaic it comes back to rounding but where a colour is outside of what the
camera's primaries make, which is clipped, or is a tinted highlight, whose way to saturation
(`apply_exposure`) is not undone: 0.3 % of coffee's pixels (62.5 dB), 0.02 % of astronaut's (72 dB),
none of chelsea's.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.imaging.demosaic import checked_mosaic, demosaic
from tfp_noiseflow.imaging.inverse_isp import (
    CameraColors,
    apply_matrix,
    raw_per_camera_rgb,
)
from tfp_noiseflow.types import TensorLike


def balance(
    mosaic: TensorLike, colors: CameraColors, exposure: float | np.ndarray = 1.0, cfa: str = "RGGB"
) -> tf.Tensor:
    """White balance and brightening: each colour of the mosaic divided by what white is there.

    Args:
      mosaic: [n, H, W] float in fractions of full scale, H and W even and at
        least 10.
      colors: of n frames.
      exposure: [n] or scalar, the fraction of full scale that a green of 1 reaches, > 0.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".

    Returns:
      [n, H, W], at most 1 and at most what a saturated pixel of the least amplified colour becomes:
      what is saturated on the sensor is neutral, whatever its colour. It is white unless exposure
      is above 1 or above a gain.
    """
    mosaic = checked_mosaic(mosaic, cfa)
    gains = (1.0 / raw_per_camera_rgb(colors, exposure)).astype(mosaic.dtype.as_numpy_dtype)
    cell = gains[:, ["RGB".index(color) for color in cfa]].reshape(-1, 2, 1, 2)
    shape = tf.shape(mosaic)
    cells = tf.reshape(mosaic, [shape[0], shape[1] // 2, 2, shape[2] // 2, 2])
    balanced = tf.reshape(cells * cell[:, None], shape)
    white = np.minimum(gains.min(axis=1), 1.0)[:, None, None]
    return tf.ensure_shape(tf.minimum(balanced, white), mosaic.shape)


def camera_to_linear_srgb(camera_rgb: TensorLike, srgb_to_camera: np.ndarray) -> tf.Tensor:
    """Applies the colour matrix, the inverse of `linear_srgb_to_camera`.

    Args:
      camera_rgb: [n, H, W, 3] white-balanced camera RGB.
      srgb_to_camera: [n, 3, 3].

    Returns:
      [n, H, W, 3] linear sRGB, clipped to [0, 1].
    """
    camera_rgb = tf.convert_to_tensor(camera_rgb)
    return tf.clip_by_value(apply_matrix(camera_rgb, np.linalg.inv(srgb_to_camera)), 0.0, 1.0)


def linear_to_srgb(linear: TensorLike) -> tf.Tensor:
    """The sRGB transfer curve (IEC 61966-2-1), the inverse of `srgb_to_linear`.

    Args:
      linear: any shape, clipped to [0, 1].

    Returns:
      The same shape, in [0, 1].
    """
    linear = tf.clip_by_value(tf.convert_to_tensor(linear), 0.0, 1.0)
    # The branch that is not taken must not be infinitely steep, or its gradient is NaN.
    curved = 1.055 * tf.maximum(linear, 1e-3) ** (1.0 / 2.4) - 0.055
    return tf.where(linear <= 0.0031308, 12.92 * linear, curved)


def apply_tone_curve(image: TensorLike) -> tf.Tensor:
    """The S-shaped tone curve 3 x^2 - 2 x^3 (Brooks et al., section 3.5).

    Args:
      image: any shape, clipped to [0, 1].

    Returns:
      The same shape, in [0, 1].
    """
    image = tf.clip_by_value(tf.convert_to_tensor(image), 0.0, 1.0)
    return image * image * (3.0 - 2.0 * image)


def process(
    mosaic: TensorLike, colors: CameraColors, exposure: float | np.ndarray = 1.0, cfa: str = "RGGB"
) -> tf.Tensor:
    """All steps: raw mosaics to sRGB pictures.

    Args:
      mosaic: [n, H, W] float in fractions of full scale, black level subtracted; H and W even and
        at least 10. Noise may put it below 0.
      colors: of n frames.
      exposure: [n] or scalar, the fraction of full scale that a green of 1 reaches, > 0.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".

    Returns:
      [n, H, W, 3] sRGB in [0, 1].

    Raises:
      ValueError: another shape, an unknown CFA, an exposure that is not positive.
    """
    if not np.all(np.asarray(exposure) > 0):
        raise ValueError(f"expected positive exposures, received {np.min(exposure)}.")
    camera_rgb = demosaic(balance(mosaic, colors, exposure, cfa), cfa)
    linear = camera_to_linear_srgb(camera_rgb, colors.srgb_to_camera)
    return apply_tone_curve(linear_to_srgb(linear))
