"""Colours and brightness for raw frames that bring no metadata of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.imaging.inverse_isp import (
    BLUE_GAIN_RANGE,
    RED_GAIN_RANGE,
    XYZ_TO_CAMERA,
    CameraColors,
    srgb_to_camera,
)

# What is on its way to saturation says nothing about the colour of the light.
SATURATED = 0.95
# The light is judged by the brightest tenth: highlights have the colour of the light, and far less
# noise. Of these by what is near grey under the light of the published ranges' middle, so that a
# red flower that fills the frame does not turn grey; 0.35 is a factor of 1.4 either way.
BRIGHTEST = 0.1
NEAR_GREY = 0.35
# Of full scale in linear light: what a grey card reflects.
MIDDLE_GREY = 0.18
# So much of a frame may be saturated in the picture.
HIGHLIGHTS = 0.03


def meter(
    mosaic: np.ndarray, cfa: str = "RGGB", white_balance: Sequence[float] | None = None
) -> tuple[CameraColors, float]:
    """White balance by near-grey highlights, a mean colour matrix, and an exposure.

    Args:
      mosaic: [H, W] in fractions of full scale, H and W even.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".
      white_balance: the gains of red and blue where they are known, which then are not metered.

    Returns:
      CameraColors of one frame, with the mean of four real cameras' matrices; and the exposure in
      (0, 1] for `process`: the balanced frame's mean becomes middle grey, unless more than
      HIGHLIGHTS of it would then be saturated in some colour.
    """
    planes = [mosaic[k // 2 :: 2, k % 2 :: 2] for k in range(4)]
    rgb = np.stack(
        [np.mean([planes[k] for k in range(4) if cfa[k] == color], axis=0) for color in "RGB"],
        axis=-1,
    )
    red_gain, blue_gain = _gains(rgb.reshape(-1, 3)) if white_balance is None else white_balance
    colors = CameraColors(
        srgb_to_camera=srgb_to_camera(XYZ_TO_CAMERA.mean(axis=0))[None],
        red_gain=np.array([red_gain]),
        blue_gain=np.array([blue_gain]),
    )
    balanced = rgb * [red_gain, 1.0, blue_gain]
    brightest = np.quantile(balanced.max(axis=-1), 1.0 - HIGHLIGHTS)
    exposure = max(balanced.mean() / MIDDLE_GREY, brightest)
    return colors, float(np.clip(exposure, 1e-4, 1.0))


def _gains(rgb: np.ndarray) -> np.ndarray:
    middle = np.mean([RED_GAIN_RANGE, BLUE_GAIN_RANGE], axis=1)
    rgb = rgb[(rgb.max(axis=1) < SATURATED) & (rgb.min(axis=1) > 0)]
    if not len(rgb):
        return middle
    rgb = rgb[rgb[:, 1] >= np.quantile(rgb[:, 1], 1.0 - BRIGHTEST)]
    gains = np.log(rgb[:, 1:2] / rgb[:, ::2])
    is_near_grey = np.all(np.abs(gains - np.log(middle)) < NEAR_GREY, axis=1)
    return np.exp(gains[is_near_grey].mean(axis=0)) if is_near_grey.any() else middle
