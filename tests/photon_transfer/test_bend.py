"""Variance that bends away from its line has a slope at no light, which is the gain."""

import numpy as np
import pytest

from tfp_noiseflow.photon_transfer.bend import common_bend
from tfp_noiseflow.photon_transfer.line import level_sums
from tfp_noiseflow.photon_transfer.noise_level import noise_level
from tfp_noiseflow.photon_transfer.tiles import Tiles

SCALE = 10_000.0
READ = 16.0


def level_of(gain, bend, seed, start=0.0):
    """Tiles of levels up to full scale, with the variance of a bent line."""
    rng = np.random.default_rng(seed)
    level = SCALE * rng.uniform(start, 1, 100_000)
    variance = gain * level * (1 + bend * level / SCALE) + READ
    squares = variance * rng.chisquare(6, len(level))
    freedom, none = np.full(len(level), 6.0), np.zeros(len(level))
    sums = level_sums(Tiles(level, level, none, squares, freedom, none, none, 6), SCALE)
    return noise_level(sums, SCALE, 100, dark=(READ, 0.02))


def test_the_slope_at_no_light_is_found():
    gains = (0.40, 0.41, 0.39)
    # The last has no dark parts, and alone would not tell a bend.
    levels = [level_of(g, -0.05, n, 0.7 * (n == 2)) for n, g in enumerate(gains)]
    found = common_bend(
        [level.misses for level in levels], [(level.beta1, level.beta2) for level in levels]
    )
    assert found.is_clear and found.bend == pytest.approx(-0.05, abs=4 * found.error)
    for level, gain, slope, error in zip(
        levels, gains, found.slopes, found.slope_errors, strict=True
    ):
        assert level.beta1 * SCALE < 0.99 * gain, "the line's slope is too low"
        assert level.beta1 * SCALE * slope == pytest.approx(gain, rel=4 * error)
        assert error < 0.005


def test_a_straight_line_has_no_bend():
    levels = [level_of(0.4, 0.0, n) for n in range(2)]
    found = common_bend(
        [level.misses for level in levels], [(level.beta1, level.beta2) for level in levels]
    )
    assert not found.is_clear and abs(found.bend) < 4 * found.error < 0.03
    one = levels[0].misses[:2]
    assert common_bend([one], [(levels[0].beta1, levels[0].beta2)]) is None
