"""Outer quantiles of noise, against distributions whose quantiles are known."""

import numpy as np
import pytest
import scipy.stats

from tfp_noiseflow.evaluation.tails import LIMIT, TailCounts

VALUES = 3_000_000


def quantiles_of(values):
    tails = TailCounts()
    for part in np.array_split(values, 3):
        tails.add(part)
    return {row["share"]: row for row in tails.quantiles()}


@pytest.mark.parametrize("name", ["norm", "laplace"])
def test_quantiles_of_known_distributions(name):
    law = getattr(scipy.stats, name)()
    found = quantiles_of(law.rvs(VALUES, random_state=np.random.default_rng(0)))
    for share, row in found.items():
        # Of n values a quantile has the standard error sqrt(share / n) / density.
        for side, tail in (("absolute", share / 2), ("upper", share), ("lower", share)):
            expected = law.isf(tail)
            error = np.sqrt(share / VALUES) / (law.pdf(expected) * (1 + (side == "absolute")))
            value = -row[side] if side == "lower" else row[side]
            assert value == pytest.approx(expected, abs=4 * error + 0.01), (share, side)


def test_skew_shows_in_the_sides():
    row = quantiles_of(np.random.default_rng(1).exponential(size=100_000))[1e-3]
    assert row["upper"] == pytest.approx(np.log(1000), abs=0.5)
    assert row["lower"] is None, "no value is below 0"
    assert row["absolute"] == row["upper"]


def test_too_few_values_have_no_quantiles():
    found = quantiles_of(np.random.default_rng(2).normal(size=20_000))
    assert found[1e-3]["absolute"] == pytest.approx(3.29, abs=0.4)
    assert found[1e-5]["absolute"] is None, "0.2 of 20,000"
    assert quantiles_of(np.zeros(100))[1e-3]["upper"] is None


def test_values_beyond_all_bins_count_as_the_last():
    values = np.concatenate([np.zeros(9000), np.full(500, 1e9), np.full(500, -1e9)])
    row = quantiles_of(values)[1e-3]
    assert row["upper"] == pytest.approx(LIMIT, abs=0.011)
    assert row["lower"] == pytest.approx(-LIMIT, abs=0.011)
