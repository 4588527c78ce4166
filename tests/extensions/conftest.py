"""Captures for the trainings of all extensions."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS


@pytest.fixture(scope="session")
def captures(tmp_path_factory):
    """To train on and to validate: noise that grows with the signal and ISO, with long tails."""
    folder = tmp_path_factory.mktemp("captures")

    def write(name, count, seed):
        generator = np.random.default_rng(seed)
        iso = np.resize(np.repeat(ISO_LEVELS, len(CAMERAS)), count)
        clean = generator.uniform(0, 1, (count, 8, 8, 4)).astype(np.float32)
        slope = 1e-5 * iso[:, None, None, None]
        noise = generator.standard_t(5, clean.shape) * np.sqrt(slope * clean + 4 * slope**2)
        path = folder / f"{name}.h5"
        nf.write_captures(
            path,
            noisy=(clean + noise).astype(np.float32),
            clean=clean,
            iso=iso,
            camera=np.resize(CAMERAS, count),
        )
        return nf.read_captures(path)

    # 10 steps of 18 captures an epoch.
    return write("train", 180, 0), write("validation", 36, 1)
