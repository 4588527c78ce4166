"""One pass over captures gathers what the baselines are fitted to."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.captures.noise_statistics import LEVELS, NoiseStatistics, noise_statistics


@pytest.fixture
def captures(tmp_path):
    """Six captures of two cameras at two ISOs, one of which only one camera has."""
    generator = np.random.default_rng(0)
    clean = generator.uniform(-0.01, 1, (6, 8, 8, 4)).astype(np.float32)
    noise = generator.normal(0, 0.05, clean.shape).astype(np.float32)
    path = tmp_path / "captures.h5"
    nf.write_captures(path, clean + noise, clean, [100, 100, 100, 400, 400, 400], list("aabbbb"))
    return nf.read_captures(path)


def test_statistics_are_the_sums_over_all_captures(captures):
    (block,) = captures.blocks()
    found = NoiseStatistics(captures.blocks(size=4))
    assert found.count == block.noise.size
    # Float64 sums of 1536 values.
    np.testing.assert_allclose(found.square_sum, np.sum(block.noise.astype(float) ** 2), rtol=1e-12)
    assert set(found.by_condition) == {("a", 100.0), ("b", 100.0), ("b", 400.0)}
    for (camera, iso), sums in found.by_condition.items():
        of_condition = (block.camera == camera) & (block.iso == iso)
        clean, noise = block.clean[of_condition], block.noise[of_condition].astype(float)
        assert sums.shape == (3, LEVELS)
        expected = [clean.size, np.maximum(clean, 0).sum(dtype=float), np.sum(noise**2)]
        # The squares are of float32.
        np.testing.assert_allclose(sums.sum(axis=1), expected, rtol=1e-6)
        # The levels are even in the square root.
        levels = np.sqrt(np.clip(clean, 0, 1)) * (LEVELS - 1)
        np.testing.assert_array_equal(np.flatnonzero(sums[0]), np.unique(levels.astype(int)))


def test_baselines_are_fitted_to_statistics_as_to_their_captures(captures):
    statistics = noise_statistics(captures)
    assert noise_statistics(statistics) is statistics
    for model in (nf.GaussianNoise, nf.CameraNLF):
        assert model.fit(statistics).get_config() == model.fit(captures).get_config()
    fitted = nf.CameraNLF.fit(statistics)
    assert (fitted.cameras, fitted.iso_levels) == (("a", "b"), (100.0, 400.0))
    np.testing.assert_array_equal(np.isnan(fitted.beta1), [[False, True], [False, False]])
