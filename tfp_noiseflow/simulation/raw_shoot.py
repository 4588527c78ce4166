"""What is shot of a simulated camera, and what is wrong with the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfp_noiseflow.simulation.sensor import RAW_SENSOR


@dataclass(frozen=True)
class RawShoot:
    """What is shot, and what is wrong with the camera.

    Attributes:
      iso_levels: ISOs. shape: [H, W] of the mosaic, even.
      flat_exposures, flats: exposures, and frames of each. darks: frames. scenes, burst: scenes
        and frames of each. All at every ISO.
      bits: of the codes. black_level: the black level that files give, in codes.
      black_drift: the true one is above it by this many codes at the highest gain, by none at the
        lowest; goes with the logarithm of ISO.
      shading: the row and the column profile of the dark, codes from end to end.
      prnu: standard deviation of the pixels' gains.
      dsnu: standard deviation of the pixels' offsets, as a share of the read noise's.
      hot_pixels: share of pixels that are hot, by 10 to 100 standard deviations of the dark noise.
      flicker: the light of one frame of each burst is off by this share.
      shake: one other frame of each burst is shifted by this many pixels of the mosaic, both ways.
      row_share: of the read noise.
      lowest_code: at which codes end below; the black level for a camera that cuts off there.
    """

    iso_levels: Sequence[int] = (100, 400, 1600, 6400)
    shape: tuple[int, int] = (512, 768)
    flat_exposures: int = 6
    flats: int = 2
    darks: int = 10
    scenes: int = 1
    burst: int = 10
    bits: int = 10
    black_level: int = 64
    black_drift: float = 0.4
    shading: float = 0.3
    prnu: float = 0.01
    dsnu: float = 0.1
    hot_pixels: float = 2e-4
    flicker: float = 0.005
    shake: int = 2
    row_share: float = RAW_SENSOR.row_share
    lowest_code: int = RAW_SENSOR.lowest_code
