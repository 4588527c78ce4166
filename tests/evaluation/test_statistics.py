"""Statistics of noise, against processes whose statistics are known."""

import numpy as np
import pytest

from tfp_noiseflow.evaluation.statistics import (
    STRUCTURE,
    NoiseStatistics,
    clean_level_edges,
    resampling_weights,
)


def statistics_of(noise, clean=None, group=None, groups=1):
    noise = np.asarray(noise)
    clean = np.full(noise.shape, 0.1) if clean is None else clean
    group = np.zeros(len(noise), np.int64) if group is None else group
    statistics = NoiseStatistics(
        groups, clean_level_edges(clean.min(), clean.max()), noise.shape[-1]
    )
    statistics.add(noise, clean, group)
    return statistics


def test_autocorrelation_of_a_moving_average_is_its_own():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=[40, 32, 33, 4])
    noise = draws[:, :, 1:] + 0.5 * draws[:, :, :-1]
    statistics = statistics_of(noise)
    # a / (1 + a**2); 160,000 values give a standard error of 0.0025.
    assert statistics.autocorrelation("horizontal") == pytest.approx([0.4], abs=0.01)
    assert statistics.autocorrelation("vertical") == pytest.approx([0.0], abs=0.01)


def test_vertical_is_along_rows_of_the_image():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=[40, 33, 32, 1])
    statistics = statistics_of(draws[:, 1:] - 0.5 * draws[:, :-1])
    assert statistics.autocorrelation("vertical") == pytest.approx([-0.4], abs=0.02)
    assert statistics.autocorrelation("horizontal") == pytest.approx([0.0], abs=0.02)


def test_a_constant_offset_is_no_correlation():
    rng = np.random.default_rng(2)
    statistics = statistics_of(rng.normal(5.0, 1.0, [40, 32, 32, 2]))
    assert statistics.autocorrelation("horizontal") == pytest.approx([0.0], abs=0.02)
    assert statistics.channel_correlation()[0, 0, 1] == pytest.approx(0.0, abs=0.02)


def test_channel_correlation_of_known_mixing():
    rng = np.random.default_rng(3)
    draws = rng.normal(size=[40, 32, 32, 2])
    noise = np.stack([draws[..., 0], 0.6 * draws[..., 0] + 0.8 * draws[..., 1]], axis=-1)
    # 40,960 pixels: standard error 0.004.
    np.testing.assert_allclose(
        statistics_of(noise).channel_correlation(), [[[1, 0.6], [0.6, 1]]], atol=0.015
    )


def test_photon_transfer_returns_the_law_of_the_noise():
    rng = np.random.default_rng(4)
    clean = np.exp(rng.uniform(np.log(1e-3), 0, [60, 32, 32, 4]))
    noise = rng.normal(size=clean.shape) * np.sqrt(1e-3 * clean + 1e-6)
    curve = statistics_of(noise, clean).photon_transfer()
    assert curve["values"].sum() == clean.size
    law = 1e-3 * curve["clean"] + 1e-6
    # 10,000 values a bin: standard error of a variance 1.4 %, of 24 of them up to 4 %.
    np.testing.assert_allclose(curve["variance"], law, rtol=0.06)


def test_bins_of_few_values_are_left_out():
    clean = np.full([1, 16, 16, 4], 0.5)
    clean[0, 0, 0, 0] = 0.01
    curve = statistics_of(np.random.default_rng(5).normal(size=clean.shape), clean)
    curve = curve.photon_transfer()
    assert np.isfinite(curve["variance"]).sum() == 1
    assert curve["values"].sum() == clean.size


def test_kurtosis_at_a_clean_level_does_not_see_the_spread_of_levels():
    rng = np.random.default_rng(6)
    clean = np.exp(rng.uniform(np.log(1e-3), 0, [80, 32, 32, 4]))
    noise = rng.normal(size=clean.shape) * np.sqrt(1e-3 * clean)
    statistics = statistics_of(noise, clean)
    assert statistics.excess_kurtosis()[0] > 2, "variances of many levels together have tails"
    assert statistics.excess_kurtosis_given_clean() == pytest.approx([0.0], abs=0.06)


def test_mean_of_bright_pixels_is_a_channels_own():
    generator = np.random.default_rng(0)
    clean = generator.choice([0.01, 0.4], (4, 64, 64, 2))
    noise = 0.1 * generator.standard_normal(clean.shape)
    noise[..., 1] += np.where(clean[..., 1] > 0.1, 0.03, -0.5)
    statistics = NoiseStatistics(2, clean_level_edges(0.01, 0.4), 2)
    statistics.add(noise, clean, np.zeros(4, int))
    # 8000 values: a standard error of 0.011. No captures of the second group.
    np.testing.assert_allclose(statistics.bright_mean(), [[0, 0.3], [np.nan, np.nan]], atol=0.04)


def test_kurtosis_of_a_laplace_distribution_is_three():
    noise = np.random.default_rng(7).laplace(size=[100, 32, 32, 4])
    statistics = statistics_of(noise)
    # Standard error of the sample kurtosis of 400,000 Laplace values is about 0.06.
    assert statistics.excess_kurtosis() == pytest.approx([3.0], abs=0.2)
    assert statistics.excess_kurtosis_given_clean() == pytest.approx([3.0], abs=0.2)


def test_groups_are_kept_apart_and_blocks_make_no_difference():
    rng = np.random.default_rng(8)
    draws = rng.normal(size=[60, 16, 17, 3])
    group = rng.integers(0, 2, 60)
    slope = np.where(group == 0, 0.0, 1.0)[:, None, None, None]
    noise = draws[:, :, 1:] + slope * draws[:, :, :-1]
    clean = rng.uniform(0.01, 1, noise.shape)
    edges = clean_level_edges(clean.min(), clean.max())
    at_once = NoiseStatistics(2, edges, 3)
    at_once.add(noise, clean, group)
    in_blocks = NoiseStatistics(2, edges, 3)
    for start in range(0, 60, 7):
        part = slice(start, start + 7)
        in_blocks.add(noise[part], clean[part], group[part])
    correlation = at_once.autocorrelation("horizontal")
    np.testing.assert_allclose(correlation, [0.0, 0.5], atol=0.03)
    np.testing.assert_allclose(in_blocks.autocorrelation("horizontal"), correlation, rtol=1e-9)
    np.testing.assert_allclose(
        in_blocks.channel_correlation(), at_once.channel_correlation(), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        in_blocks.excess_kurtosis_given_clean(), at_once.excess_kurtosis_given_clean(), rtol=1e-6
    )


def test_images_of_one_column_have_no_horizontal_neighbours():
    noise = np.random.default_rng(9).normal(size=[5, 8, 1, 1])
    assert np.isnan(statistics_of(noise).autocorrelation("horizontal")).all()


@pytest.mark.parametrize("channels", [4, 1])
def test_row_correlation_is_the_share_of_an_offset_that_a_row_of_the_mosaic_has(channels):
    rng = np.random.default_rng(10)
    rows = 0.2 * rng.normal(size=[60, 32, 1, channels // 2 or 1, 1])
    own = rng.normal(size=[60, 32, 32, channels // 2 or 1, min(channels, 2)])
    noise = (own + rows).reshape(60, 32, 32, channels)
    # Of 1920 to 3840 offsets a variance is known to 3.2 %; 0.0385 is 0.2^2 / (1 + 0.2^2).
    expected = pytest.approx([0.0385], rel=0.12)
    assert statistics_of(noise).row_correlation() == expected
    # A mean that all have is no correlation, and rows of other channels have none in common.
    assert statistics_of(noise + 3).row_correlation() == expected
    if channels == 4:
        crossed = noise[..., [0, 2, 1, 3]]
        # A third of the pairs are of one channel and so of one row: (31 of 63).
        assert statistics_of(crossed).row_correlation() == pytest.approx([0.0385 / 2], rel=0.15)


def test_images_of_one_value_a_row_have_no_row_correlation():
    noise = np.random.default_rng(11).normal(size=[5, 8, 1, 1])
    assert np.isnan(statistics_of(noise).row_correlation()).all()


def test_levels_tell_mean_and_deviation_of_each_channel():
    rng = np.random.default_rng(12)
    clean = np.exp(rng.uniform(np.log(1e-3), 0, [60, 32, 32, 2]))
    scale = np.array([1.0, 3.0])
    noise = scale * (0.25 + np.sqrt(clean) * rng.normal(size=clean.shape))
    found = statistics_of(noise, clean).channel_levels()
    assert found["mean"].shape == (1, 2, 8) and found["values"].sum() == clean.size
    for channel in range(2):
        values = found["values"][0, channel]
        law = scale[channel] * np.sqrt(found["clean"][0, channel])
        # Five standard errors; 7680 values a level.
        error = np.abs(found["mean"][0, channel] - 0.25 * scale[channel])
        assert (error < 5 * law / np.sqrt(values)).all()
        np.testing.assert_allclose(found["deviation"][0, channel], law, rtol=5 * 7680**-0.5 / 1.4)
    few = statistics_of(noise[:2], clean[:2]).channel_levels()
    assert np.isnan(few["mean"]).all(), "some 256 values a level"


def test_parts_together_are_the_whole():
    rng = np.random.default_rng(13)
    noise = rng.normal(size=[40, 8, 8, 4])
    clean = rng.uniform(0.01, 1, noise.shape)
    group, part = np.arange(40) % 2, np.arange(40) // 2 % 5
    edges = clean_level_edges(clean.min(), clean.max(), bins=3)
    whole, parts = NoiseStatistics(2, edges, 4), NoiseStatistics(2, edges, 4, parts=5)
    whole.add(noise, clean, group)
    parts.add(noise, clean, group, part)
    twice, once = NoiseStatistics(2, edges, 4), parts.resampled(np.ones([5, 2]))
    # Part 3 of group 1 counts twice, part 0 not at all.
    weights = np.ones([5, 2])
    weights[[0, 3], 1] = 0, 2
    rows = np.concatenate([np.flatnonzero((group == 0) | (part > 0)), np.flatnonzero(part == 3)])
    rows = rows[~((group[rows] == 0) & (np.arange(len(rows)) >= len(rows) - 8))]
    twice.add(noise[rows], clean[rows], group[rows])
    for compute in (*STRUCTURE.values(), NoiseStatistics.bright_mean):
        expected = compute(whole)
        np.testing.assert_allclose(compute(parts), expected, rtol=1e-9)
        np.testing.assert_allclose(compute(once), expected, rtol=1e-9)
        np.testing.assert_allclose(compute(parts.resampled(weights)), compute(twice), rtol=1e-9)


def test_resamples_vary_as_much_as_patches_say():
    rng = np.random.default_rng(14)
    # Patches whose variances differ: their sums vary more than those of single values.
    noise = rng.normal(size=[320, 8, 8, 1]) * np.exp(0.5 * rng.normal(size=[320, 1, 1, 1]))
    clean = np.full(noise.shape, 0.1)
    part = np.arange(320) % 32
    statistics = NoiseStatistics(1, clean_level_edges(0.1, 0.1), 1, parts=32)
    statistics.add(noise, clean, np.zeros(320, int), part)
    patches = np.bincount(part)[:, None]
    weights = resampling_weights(patches, 400, seed=0)
    assert (weights.sum(1) == 32).all()
    found = [statistics.resampled(w).autocorrelation("horizontal")[0] for w in weights]
    # The patches' products, each of its own variance, over the sum of squares.
    products = (noise[:, :, 1:] * noise[:, :, :-1]).sum((1, 2, 3))
    expected = np.sqrt(np.square(products).sum()) / np.square(noise[:, :, 1:]).sum()
    # 32 parts tell a standard deviation to 13 %.
    assert np.std(found) == pytest.approx(expected, rel=0.35)
    empty = resampling_weights(np.array([[3], [0], [5]]), 50, seed=0)
    assert (empty[:, 1] == 0).all() and (empty.sum((1, 2)) == 2).all()
