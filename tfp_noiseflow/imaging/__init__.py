"""Between raw and sRGB: a camera's image processing and its inverse. Knows no model."""

from tfp_noiseflow.imaging.demosaic import demosaic
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
from tfp_noiseflow.imaging.isp import process
from tfp_noiseflow.imaging.metering import meter
from tfp_noiseflow.imaging.raw_frame import RawFrame, frame_of_photograph

__all__ = [
    "CameraColors",
    "RawFrame",
    "apply_exposure",
    "demosaic",
    "draw_camera_colors",
    "frame_of_photograph",
    "invert_tone_curve",
    "linear_srgb_to_camera",
    "meter",
    "mosaic_rggb",
    "process",
    "srgb_to_linear",
    "unprocess",
]
