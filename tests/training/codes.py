"""Captures of 8-bit codes of two cameras, for trainings of seconds."""

import numpy as np

import tfp_noiseflow as nf

CAMERAS, ISOS = ("a", "b"), (100.0, 400.0)


def write_codes(path, count: int) -> None:
    """A capture file of small patches with white noise of 0.02."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.02, 0.5, (count, 8, 8, 4)).astype(np.float32)
    noisy = np.rint(255 * np.clip(clean + rng.normal(0, 0.02, clean.shape), 0, 1))
    nf.write_captures(
        path,
        noisy.astype(np.uint8),
        np.rint(255 * clean).astype(np.uint8),
        rng.choice(ISOS, count),
        rng.choice(CAMERAS, count),
        white_level=255.0,
        quantization_step=1.0,
    )
