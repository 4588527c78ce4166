"""Capture files of drawn numbers, of the size that a benchmark wants."""

from __future__ import annotations

import os

import numpy as np

from tfp_noiseflow.captures.capture_file import CaptureWriter

PATCH = (32, 32, 4)
CAMERAS = ("IP", "GP", "S6", "N6", "G4")
ISOS = (100.0, 400.0, 800.0, 1600.0, 3200.0)


def write_captures(path: str | os.PathLike, number: int, *, is_coded: bool) -> None:
    """Writes one; the same images come again every 4096 captures.

    Args:
      path: where.
      number: of captures, rounded up to the next 4096.
      is_coded: whether images are 16-bit codes, as SIDD's, and not float32.
    """
    rng = np.random.default_rng(0)
    block = 4096
    clean = rng.uniform(0.02, 0.6, (block, *PATCH)).astype(np.float32)
    noisy = clean + 0.02 * rng.standard_normal((block, *PATCH)).astype(np.float32)
    levels = {}
    if is_coded:
        levels = {"white_level": 65535.0, "quantization_step": 1.0}
        clean, noisy = (
            np.rint(65535 * np.clip(images, 0, 1)).astype(np.uint16) for images in (clean, noisy)
        )
    with CaptureWriter(path, description="benchmark", **levels) as writer:
        for _ in range(-(-number // block)):
            writer.append(
                noisy=noisy,
                clean=clean,
                iso=rng.choice(ISOS, block).astype(np.float32),
                camera=rng.choice(CAMERAS, block),
            )
