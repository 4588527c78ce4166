"""A whole raw frame with a camera's noise."""

from __future__ import annotations

import zlib

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.bayer import pack_bayer, unpack_bayer
from tfp_noiseflow.imaging.raw_frame import RawFrame
from tfp_noiseflow.models.noise_model import NoiseModel, sample_noise


def noisy_frame(
    noise_model: NoiseModel, frame: RawFrame, camera: str | None, iso: float, *, seed: int = 0
) -> RawFrame:
    """Adds a camera's noise to a frame, all of it at once: there are no tiles and so no seams.

    Args:
      noise_model: of packed images, or of mosaics (one channel).
      frame: clean.
      camera, iso: that the model knows.
      seed: the noise of a frame depends on it and on its camera and ISO.

    Returns:
      The frame with noisy pixels, at most 1; below black they stay negative.

    Raises:
      ValueError: as for the model's call.
    """
    is_mosaic = noise_model.channels == 1
    image = frame.mosaic[..., None] if is_mosaic else pack_bayer(frame.mosaic, frame.cfa)
    clean = tf.constant(image[None], noise_model.dtype)
    # So that frames of one seed do not share their noise, whichever others are made with them.
    own = zlib.crc32(f"{camera}|{iso:g}".encode()) & 0x7FFFFFFF
    noise = sample_noise(noise_model, clean, iso, camera, seeds=[[seed, own]])
    noisy = np.minimum((clean + noise)[0].numpy().astype(np.float32), 1.0)
    return frame.with_mosaic(noisy[..., 0] if is_mosaic else unpack_bayer(noisy, frame.cfa))
