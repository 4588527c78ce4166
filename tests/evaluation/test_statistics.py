"""Statistics of noise, against processes whose statistics are known."""

import numpy as np
import pytest

from tfp_noiseflow.evaluation.statistics import NoiseStatistics, clean_level_edges


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
