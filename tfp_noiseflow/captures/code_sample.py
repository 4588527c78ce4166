"""A sample of the pixels of captures as the codes that were stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures

# Of a camera and ISO. A variance is known to 0.6 % from as many pixels, and the NLL of a noise
# level function that is fitted to them is 1.5e-5 nats/dim above that of one fitted to all.
PIXELS = 1 << 16
# They come from as many captures, so that a large file is not read as a whole.
CAPTURES = 128


@dataclass(frozen=True, eq=False)
class CodePixels:
    """Pixels of a camera at an ISO, whose noise fell in the bins of their codes.

    Attributes:
      clean: [n] float64, fractions of full scale; below 0 counts as 0.
      lower, upper: [n] float64, the edges of each pixel's bin minus its clean value; infinite where
        the code is that of an end at which values are clipped.
      step: the width of the other bins.
    """

    clean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    step: float


def sample_codes(
    captures: Captures,
    *,
    clips_black: bool,
    clips_white: bool,
    pixels: int = PIXELS,
    seed: int = 0,
) -> dict[tuple[str, float], CodePixels]:
    """Pixels of every camera and ISO of captures, drawn at random.

    Args:
      captures: with a quantization step, the same for all captures of a camera.
      clips_black, clips_white: whether values end at 0 and at 1.
      pixels: of a camera and ISO at most.
      seed: of the choice.

    Returns:
      (camera, ISO) to CodePixels, in the order of names and ISOs.

    Raises:
      ValueError: captures without a quantization step, which hold no codes, or of a camera with
        several.
    """
    captures = captures.dequantised(False)
    step_of = captures.code_steps()
    rng = np.random.default_rng([seed, 0])
    size = int(np.prod(captures.image_shape))
    found = {}
    for camera in captures.cameras:
        step = step_of[camera]
        for iso in captures.iso_levels:
            rows = np.flatnonzero((captures.camera == camera) & (captures.iso == np.float32(iso)))
            if not len(rows):
                continue
            rows = np.sort(rng.permutation(rows)[:CAPTURES])
            count = min(size, -(-pixels // len(rows)))
            parts = []
            for block in captures.select(rows).blocks():
                for noise, clean in zip(block.noise, block.clean, strict=True):
                    chosen = rng.choice(size, count, replace=False)
                    parts.append(np.stack([noise.ravel()[chosen], clean.ravel()[chosen]]))
            noise, clean = np.concatenate(parts, axis=1).astype(np.float64)
            noisy = noise + clean
            lower, upper = noise - step / 2, noise + step / 2
            lower[clips_black & (noisy < step / 2)] = -np.inf
            upper[clips_white & (noisy > 1 - step / 2)] = np.inf
            found[camera, iso] = CodePixels(np.maximum(clean, 0), lower, upper, step)
    return found
