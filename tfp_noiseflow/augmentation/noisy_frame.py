"""A whole raw frame with a camera's noise."""

from __future__ import annotations

import zlib

import numpy as np
import tensorflow as tf

from tfp_noiseflow.augmentation.camera_output import camera_output
from tfp_noiseflow.captures.bayer import pack_bayer, unpack_bayer
from tfp_noiseflow.captures.fixed_pattern import FixedPattern, pattern_of
from tfp_noiseflow.imaging.raw_frame import RawFrame
from tfp_noiseflow.models.noise_distribution import NoiseDistribution
from tfp_noiseflow.models.noise_model import NoiseModel


def noisy_frame(
    noise_model: NoiseModel,
    frame: RawFrame,
    camera: str | None,
    iso: float,
    *,
    fixed_pattern: FixedPattern | None = None,
    digital_gain: float = 1.0,
    seed: int = 0,
) -> RawFrame:
    """Adds a camera's noise to a frame, all of it at once: there are no tiles and so no seams.

    Args:
      noise_model: of packed images, or of mosaics (one channel).
      frame: clean, as it is after the digital gain.
      camera, iso: that the model knows; with a digital gain the analogue ISO.
      fixed_pattern: of the camera at the ISO; it is added at its place, before codes are made.
      digital_gain: by which the camera multiplies its values, see `camera_output`.
      seed: the noise of a frame depends on it and on its camera and ISO.

    Returns:
      The frame with noisy pixels, at most 1; below black they stay negative.

    Raises:
      ValueError: as for the model's call; a fixed pattern of another camera, ISO, size or CFA; a
        digital gain below 1.
    """
    is_mosaic = noise_model.channels == 1
    image = frame.mosaic[..., None] if is_mosaic else pack_bayer(frame.mosaic, frame.cfa)
    clean = tf.constant(image[None], noise_model.dtype)
    # So that frames of one seed do not share their noise, whichever others are made with them.
    own = zlib.crc32(f"{camera}|{iso:g}".encode()) & 0x7FFFFFFF
    pattern = None
    if fixed_pattern is not None:
        at_its_place = _pattern_of_frame(fixed_pattern, frame, camera, iso, image.shape)

        def pattern(distribution: NoiseDistribution) -> tf.Tensor:
            return tf.constant(at_its_place, distribution.dtype)

    noisy = camera_output(
        noise_model,
        clean,
        iso,
        camera,
        draw=lambda unstored: unstored.sample_rows(
            tf.constant([[seed, own]], tf.int64), tf.ones([], clean.dtype)
        ),
        pattern=pattern,
        digital_gain=digital_gain,
    )
    noisy = np.minimum(noisy[0].numpy().astype(np.float32), 1.0)
    return frame.with_mosaic(noisy[..., 0] if is_mosaic else unpack_bayer(noisy, frame.cfa))


def _pattern_of_frame(
    pattern: FixedPattern, frame: RawFrame, camera: str | None, iso: float, shape: tuple[int, ...]
) -> np.ndarray:
    if pattern.cfa not in ("", frame.cfa):
        raise ValueError(
            f"expected a frame of the CFA {pattern.cfa!r}, as the fixed pattern of "
            f"{pattern.camera!r} has, received {frame.cfa!r}."
        )
    return pattern_of([pattern], camera).image(iso, shape)
