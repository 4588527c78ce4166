"""From an sRGB photograph back to the linear raw mosaic a camera could have made it from.

The steps undo a camera's image processing, last one first: tone curve, sRGB transfer curve,
colour matrix, white balance and exposure, demosaicking. Steps and ranges are those of Brooks et
al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019), section 3, but for the transfer
curve, which is here the standard's piecewise one. `isp.py` holds the way forward.

Every step takes NumPy arrays and TensorFlow tensors and gives what it was given; tensors have
gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.types import TensorLike

# XYZ (D65) -> camera RGB of the four cameras of the Darmstadt Noise Dataset, as Adobe publishes
# them in DNG files (ColorMatrix2) and Brooks et al. use them.
XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
# IEC 61966-2-1.
LINEAR_SRGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
# White balance gains in daylight to warm indoor light, relative to green.
RED_GAIN_RANGE = (1.9, 2.4)
BLUE_GAIN_RANGE = (1.5, 1.9)
# Above this mean of the three colours a pixel counts as on its way to saturation.
HIGHLIGHT_START = 0.9
# The inverse tone curve is infinitely steep at black and white; its gradient ends here.
STEEPEST = 100.0


@dataclass(frozen=True)
class CameraColors:
    """The colour metadata of n frames.

    Attributes:
      srgb_to_camera: [n, 3, 3], linear sRGB -> white-balanced camera RGB; rows sum to 1, so that
        neutral stays neutral.
      red_gain, blue_gain: [n], the white balance gains relative to green, > 0.
    """

    srgb_to_camera: np.ndarray
    red_gain: np.ndarray
    blue_gain: np.ndarray


def draw_camera_colors(number: int, rng: np.random.Generator) -> CameraColors:
    """Draws the colour metadata of frames.

    The matrix is a random convex combination of four real cameras' matrices; the gains are
    uniform in their published ranges (Brooks et al., sections 3.2 and 3.4).

    Args:
      number: of frames, n.
      rng: random numbers.

    Returns:
      CameraColors of n frames.
    """
    weights = rng.random((number, len(XYZ_TO_CAMERA)))
    weights /= weights.sum(axis=1, keepdims=True)
    return CameraColors(
        srgb_to_camera=srgb_to_camera(np.einsum("nk,kij->nij", weights, XYZ_TO_CAMERA)),
        red_gain=rng.uniform(*RED_GAIN_RANGE, number),
        blue_gain=rng.uniform(*BLUE_GAIN_RANGE, number),
    )


def srgb_to_camera(xyz_to_camera: np.ndarray) -> np.ndarray:
    """The colour matrix of a camera for white-balanced images.

    Args:
      xyz_to_camera: [.., 3, 3], XYZ (D65) -> camera RGB, as in DNG files.

    Returns:
      [.., 3, 3], linear sRGB -> white-balanced camera RGB; rows sum to 1.
    """
    matrices = xyz_to_camera @ LINEAR_SRGB_TO_XYZ
    return matrices / matrices.sum(axis=-1, keepdims=True)


def invert_tone_curve(image: np.ndarray) -> np.ndarray:
    """Undoes the S-shaped tone curve 3 x^2 - 2 x^3 (Brooks et al., section 3.5).

    Args:
      image: any shape, clipped to [0, 1].

    Returns:
      The same shape, in [0, 1].
    """
    if tf.is_tensor(image):
        return _invert_tone_curve_of_tensor(image)
    return 0.5 - np.sin(np.arcsin(1.0 - 2.0 * np.clip(image, 0.0, 1.0)) / 3.0)


@tf.custom_gradient
def _invert_tone_curve_of_tensor(image: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    clipped = tf.clip_by_value(image, 0.0, 1.0)
    # float64: near white 1 - 2 x loses what float32 has.
    angle = tf.asin(1.0 - 2.0 * tf.cast(clipped, tf.float64)) / 3.0
    inverse = tf.cast(0.5 - tf.sin(angle), image.dtype)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        slope = 1.0 / tf.maximum(6.0 * inverse * (1.0 - inverse), 1.0 / STEEPEST)
        return upstream * tf.where(tf.equal(image, clipped), slope, tf.zeros_like(slope))

    return inverse, gradient


def srgb_to_linear(image: np.ndarray) -> np.ndarray:
    """Undoes the sRGB transfer curve (IEC 61966-2-1).

    Args:
      image: any shape, clipped to [0, 1].

    Returns:
      The same shape, linear light in [0, 1].
    """
    xp = _namespace(image)
    image = xp.clip(image, 0.0, 1.0)
    return xp.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)


def linear_srgb_to_camera(linear: np.ndarray, srgb_to_camera: np.ndarray) -> np.ndarray:
    """Applies the inverse colour matrix.

    Args:
      linear: [n, H, W, 3] linear sRGB in [0, 1].
      srgb_to_camera: [n, 3, 3].

    Returns:
      [n, H, W, 3] white-balanced camera RGB, clipped to [0, 1]: saturated sRGB colours can lie
      outside what the camera's primaries make.
    """
    return _namespace(linear).clip(apply_matrix(linear, srgb_to_camera), 0.0, 1.0)


def apply_matrix(image: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Applies a colour matrix to every pixel of each image.

    Args:
      image: [n, H, W, 3].
      matrices: [n, 3, 3], for column vectors.

    Returns:
      [n, H, W, 3].
    """
    transposed = np.swapaxes(matrices, -1, -2)
    if tf.is_tensor(image):
        return tf.einsum("nhwi,nij->nhwj", image, tf.constant(transposed, image.dtype))
    flat = image.reshape(image.shape[0], -1, 3)
    return (flat @ transposed.astype(image.dtype)).reshape(image.shape)


def apply_exposure(
    camera_rgb: np.ndarray, colors: CameraColors, exposure: float | np.ndarray
) -> np.ndarray:
    """Undoes white balance and brightening, with saturated pixels left saturated.

    A white that the photograph shows as full scale was saturated on the sensor in every colour;
    dividing it by the gains would leave a tinted grey. So the divisor fades to 1 between
    `HIGHLIGHT_START` and full scale, as in Brooks et al., section 3.4, equation (8).

    Args:
      camera_rgb: [n, H, W, 3] white-balanced camera RGB in [0, 1].
      colors: of n frames.
      exposure: [n] or scalar, the fraction of full scale that a green of 1 reaches, > 0.

    Returns:
      [n, H, W, 3] raw RGB in [0, 1].
    """
    xp = _namespace(camera_rgb)
    gains = raw_per_camera_rgb(colors, exposure)
    gains = gains[:, None, None, :].astype(_numpy_dtype(camera_rgb))
    gray = xp.mean(camera_rgb, axis=-1, keepdims=True)
    fade = (xp.maximum(gray - HIGHLIGHT_START, 0.0) / (1.0 - HIGHLIGHT_START)) ** 2
    return xp.clip(camera_rgb * xp.maximum(fade + (1.0 - fade) * gains, gains), 0.0, 1.0)


def raw_per_camera_rgb(colors: CameraColors, exposure: float | np.ndarray = 1.0) -> np.ndarray:
    """What a white-balanced value of 1 is on the sensor, below the highlights.

    Args:
      colors: of n frames.
      exposure: [n] or scalar, > 0.

    Returns:
      [n, 3] float64: exposure / gain of red, green and blue.
    """
    green = np.broadcast_to(np.asarray(exposure, np.float64), np.shape(colors.red_gain))
    return np.stack([green / colors.red_gain, green, green / colors.blue_gain], axis=-1)


def mosaic_rggb(rgb: np.ndarray) -> np.ndarray:
    """Samples one colour a pixel, as an RGGB sensor does.

    Args:
      rgb: [.., H, W, 3], H and W even.

    Returns:
      [.., H, W].

    Raises:
      ValueError: not three channels, or odd H or W.
    """
    known = [side for side in rgb.shape[-3:-1] if side is not None]
    if rgb.ndim < 3 or rgb.shape[-1] != 3 or any(side % 2 for side in known):
        raise ValueError(
            "expected an image of shape [.., H, W, 3] with H and W even, "
            f"received shape {list(rgb.shape)}."
        )
    xp = _namespace(rgb)
    rows = [
        xp.stack([rgb[..., 0::2, 0::2, 0], rgb[..., 0::2, 1::2, 1]], axis=-1),
        xp.stack([rgb[..., 1::2, 0::2, 1], rgb[..., 1::2, 1::2, 2]], axis=-1),
    ]
    # [.., H/2, 2, W/2, 2]: a cell's row beside the cells' rows.
    shape = tf.shape(rgb)[:-1] if tf.is_tensor(rgb) else rgb.shape[:-1]
    return xp.reshape(xp.stack(rows, axis=-3), shape)


def unprocess(
    srgb: np.ndarray, colors: CameraColors, exposure: float | np.ndarray = 1.0
) -> np.ndarray:
    """All steps: sRGB photographs to linear raw mosaics.

    Args:
      srgb: [n, H, W, 3] in [0, 1], H and W even; of a tensor they may be dynamic.
      colors: of n frames.
      exposure: [n] or scalar, the fraction of full scale that a green of 1 reaches, > 0.

    Returns:
      [n, H, W] RGGB mosaics in [0, 1], black level subtracted.

    Raises:
      ValueError: not [n, H, W, 3], odd H or W, or an exposure that is not positive.
    """
    srgb = srgb if tf.is_tensor(srgb) else np.asarray(srgb)
    if srgb.ndim != 4 or srgb.shape[-1] != 3:
        raise ValueError(f"expected images [n, H, W, 3], received shape {list(srgb.shape)}.")
    if not np.all(np.asarray(exposure) > 0):
        raise ValueError(f"expected positive exposures, received {np.min(exposure)}.")
    linear = srgb_to_linear(invert_tone_curve(srgb))
    camera_rgb = linear_srgb_to_camera(linear, colors.srgb_to_camera)
    return mosaic_rggb(apply_exposure(camera_rgb, colors, exposure))


def _namespace(image: TensorLike) -> Any:
    return tf.experimental.numpy if tf.is_tensor(image) else np


def _numpy_dtype(image: TensorLike) -> np.dtype:
    return image.dtype.as_numpy_dtype if tf.is_tensor(image) else image.dtype
