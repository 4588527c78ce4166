"""A dark frame as a sensor and models of it make one: banding, tails, and the end at black."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import numpy as np

from tfp_noiseflow.captures.bayer import unpack_bayer
from tfp_noiseflow.imaging.contact_sheet import write_contact_sheet
from tfp_noiseflow.models.noise_model import NoiseModel

# Pixels of a row whose mean shows what they share: white noise becomes a quarter of itself.
PIXELS_TOGETHER = 16
# Grey levels span so many standard deviations of the sensor's own frame, around its mean.
CONTRAST = 2.5


def sampler(model: NoiseModel, camera: str, iso: float, *, seed: int = 0) -> Callable:
    """What makes a noisy packed image [H, W, 4] of a clean one, by a model."""

    def sample(clean: np.ndarray) -> np.ndarray:
        noise = model(clean[None], iso=iso, camera=camera).sample(seed=(seed, 0))
        # What a picture of it shows: nothing is darker than black.
        return np.maximum(clean + noise[0].numpy(), 0)

    return sample


def plot_dark_frames(
    samplers: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    path: str | os.PathLike,
    *,
    size: int = 96,
    scale: int = 2,
) -> dict[str, float]:
    """Writes a PNG: one dark frame of each, as it is and with neighbours of a row averaged.

    Args:
      samplers: by title, a clean packed image [H, W, 4] -> a noisy one, fractions of full scale;
        the first sets the contrast.
      path: of the PNG.
      size: sides in packed pixels.
      scale: each pixel becomes a square of so many pixels.

    Returns:
      By title the standard deviation of the means of rows of the mosaic, in full scale.
    """
    clean = np.zeros((size, size, 4), np.float32)
    frames = {title: unpack_bayer(make(clean), "RGGB") for title, make in samplers.items()}
    views = {
        "as stored": frames,
        f"mean of {PIXELS_TOGETHER} pixels\nof a row": {
            title: _averaged(frame) for title, frame in frames.items()
        },
    }
    rows = []
    for name, pictures in views.items():
        first = next(iter(pictures.values()))
        low, span = first.mean() - CONTRAST * first.std(), 2 * CONTRAST * first.std()
        grey = {
            title: np.repeat(np.clip((frame - low) / span, 0, 1)[..., None], 3, axis=-1)
            for title, frame in pictures.items()
        }
        rows.append((name, grey))
    write_contact_sheet(rows, path, scale=scale)
    return {title: float(frame.mean(axis=1).std()) for title, frame in frames.items()}


def _averaged(frame: np.ndarray) -> np.ndarray:
    """Means of neighbouring pixels of a row, each in the place of all of them."""
    height, width = frame.shape
    means = frame.reshape(height, width // PIXELS_TOGETHER, PIXELS_TOGETHER).mean(axis=-1)
    return np.repeat(means, PIXELS_TOGETHER, axis=1)
