"""Between raw and sRGB: the inverse of a camera's image processing. NumPy; knows no model."""

from tfp_noiseflow.imaging.inverse_isp import (
    CameraColors,
    apply_exposure,
    draw_camera_colors,
    invert_tone_curve,
    linear_srgb_to_camera,
    mosaic_rggb,
    srgb_to_linear,
    unprocess,
)

__all__ = [
    "CameraColors",
    "apply_exposure",
    "draw_camera_colors",
    "invert_tone_curve",
    "linear_srgb_to_camera",
    "mosaic_rggb",
    "srgb_to_linear",
    "unprocess",
]
