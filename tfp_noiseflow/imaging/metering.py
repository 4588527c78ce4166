"""Colours and brightness for raw frames that bring no metadata of their own."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.imaging.inverse_isp import XYZ_TO_CAMERA, CameraColors, srgb_to_camera

# What is on its way to saturation says nothing about the colour of the light.
SATURATED = 0.95
# The brightest percent may become white.
HIGHLIGHTS = 0.99
# White balance gains of daylight to candle light, with room for a tinted scene.
GAIN_RANGE = (0.8, 4.0)


def estimate_colors(mosaic: np.ndarray, cfa: str = "RGGB") -> CameraColors:
    """Grey-world white balance, and the mean of four real cameras' colour matrices.

    Args:
      mosaic: [H, W] in fractions of full scale, H and W even.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".

    Returns:
      CameraColors of one frame: its gains make the mean of unsaturated pixels grey.
    """
    planes = np.stack([mosaic[k // 2 :: 2, k % 2 :: 2] for k in range(4)], axis=-1)
    kept = planes[planes.max(axis=-1) < SATURATED]
    if not len(kept):
        kept = planes.reshape(-1, 4)
    means = np.maximum(kept.mean(axis=0, dtype=np.float64), 1e-6)
    level = {c: np.mean([m for m, own in zip(means, cfa, strict=True) if own == c]) for c in "RGB"}
    red, blue = (np.clip(level["G"] / level[color], *GAIN_RANGE) for color in "RB")
    return CameraColors(
        srgb_to_camera=srgb_to_camera(XYZ_TO_CAMERA.mean(axis=0))[None],
        red_gain=np.array([red]),
        blue_gain=np.array([blue]),
    )


def metered_exposure(mosaic: np.ndarray) -> float:
    """The exposure that makes the brightest percent of a frame white.

    Args:
      mosaic: [H, W] in fractions of full scale.

    Returns:
      A fraction of full scale in (0, 1], for `process`.
    """
    return float(np.clip(np.quantile(mosaic, HIGHLIGHTS), 1e-4, 1.0))
