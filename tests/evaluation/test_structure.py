"""Intervals of the noise's structure by camera and ISO."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfp_noiseflow.evaluation.statistics import STRUCTURE, NoiseStatistics, clean_level_edges
from tfp_noiseflow.evaluation.structure import levels, structure

PATCHES = 64


@pytest.fixture(scope="module")
def found():
    """Two conditions, the second of five patches; a perfect model and one without row noise."""
    rng = np.random.default_rng(0)
    group = np.r_[np.zeros(PATCHES, int), np.ones(5, int)]
    part = np.r_[np.arange(PATCHES) % 32, np.arange(5)]
    clean = np.full([len(group), 24, 24, 4], 0.2)

    def draw(rows):
        noise = rng.normal(size=clean.shape).reshape(-1, 24, 24, 2, 2)
        return (noise + rows * rng.normal(size=[len(group), 24, 1, 2, 1])).reshape(clean.shape)

    statistics = {}
    for name, rows in (("real", 0.15), ("perfect", 0.15), ("white", 0.0)):
        statistics[name] = NoiseStatistics(2, clean_level_edges(0.2, 0.2), 4, parts=32)
        statistics[name].add(draw(rows), clean, group, part)
    survey = SimpleNamespace(conditions=[("A", 100.0), ("B", 800.0)], group=group, part=part)
    return survey, statistics


def test_intervals_tell_a_model_with_row_noise_from_one_without(found):
    rows = structure(*found, seed=0)
    assert [(row["camera"], row["source"]) for row in rows] == [
        (camera, source) for camera in "AB" for source in ("real", "perfect", "white")
    ]
    real, perfect, white = (row["row_correlation"] for row in rows[:3])
    assert real["value"] == pytest.approx(0.022, rel=0.15)
    assert real["interval"][0] < real["value"] < real["interval"][1]
    assert "difference_interval" not in real
    low, high = perfect["difference_interval"]
    assert low < 0 < high
    assert white["difference_interval"][1] < -0.015
    # A row of 48 has a sum S of variance 48 + 0.0225 x 48^2 = 100, and S^2 a standard deviation of
    # 141: over its 47 x 48 pairs and the 3072 rows 1.13e-3. 32 parts tell it to 13 %.
    assert (real["interval"][1] - real["interval"][0]) / 4 == pytest.approx(1.13e-3, rel=0.35)


def test_few_patches_have_values_but_no_intervals(found):
    for row in structure(*found, seed=0)[3:]:
        for figure in STRUCTURE:
            assert np.isfinite(row[figure]["value"])
            assert row[figure]["interval"] is None
            assert row[figure].get("difference_interval") is None


def test_the_same_seed_gives_the_same_intervals(found):
    assert structure(*found, seed=1) == structure(*found, seed=1)
    assert structure(*found, seed=1) != structure(*found, seed=2)


def test_levels_have_all_sources_at_the_same_clean_levels(found):
    rows = levels(*found)
    assert [(row["camera"], row["channel"]) for row in rows] == [
        (camera, channel) for camera in "AB" for channel in range(4)
    ]
    for row in rows:
        assert row["clean"] == [pytest.approx(0.2)]
        assert row["values"] == [576 * (PATCHES if row["camera"] == "A" else 5)]
        for name in ("real", "perfect", "white"):
            # Five standard errors, those of the row offsets the larger ones.
            assert abs(row["mean"][name][0]) < 5 * (row["values"][0] / 5) ** -0.5
            scale = 1.0 if name == "white" else np.sqrt(1 + 0.15**2)
            assert row["deviation"][name][0] == pytest.approx(scale, rel=0.08)
