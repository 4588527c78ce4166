"""The two marginal divergences, against hand computation, closed forms and DESIGN's floors."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_noiseflow.evaluation import histograms


def as_patches(values):
    """[n] numbers as noise [1, n, 1, 1]."""
    return np.reshape(np.asarray(values, np.float32), [1, -1, 1, 1])


def counts_of(values, standard_deviation=1.0):
    counts = histograms.pooled_counts(
        tf.constant(as_patches(values)), tf.constant([0]), tf.constant([standard_deviation])
    )
    return counts.numpy()[0]


def test_kl_adds_half_a_count_to_every_bin():
    expected = 0.7 * np.log(0.7 / 0.5) + 0.3 * np.log(0.3 / 0.5)
    assert histograms.kl_smoothed([3, 1], [1, 1]) == pytest.approx(expected, abs=1e-12)


def test_kl_of_histograms_of_unequal_size_compares_frequencies():
    # (10 + 0.5) / 12 and so on: the smoothing is on counts, the comparison on frequencies.
    p = np.array([10.5, 1.5]) / 12
    q = np.array([80.5, 80.5]) / 161
    value = histograms.kl_smoothed([10, 1], [80, 80])
    assert value == pytest.approx(np.sum(p * np.log(p / q)), abs=1e-12)


def test_kl_pays_for_a_bin_that_the_model_leaves_empty():
    assert histograms.kl_smoothed([500, 500], [1000, 0]) > 2.5


@pytest.mark.parametrize(
    ("value", "expected_bin"),
    [(-7.0, 0), (-6.0, 1), (-5.99, 1), (0.0, 65), (0.09, 65), (0.1, 66), (5.99, 128), (6.0, 129)],
)
def test_pooled_counts_put_a_value_in_its_bin(value, expected_bin):
    counts = counts_of([value])
    assert counts.shape == (130,)
    assert np.flatnonzero(counts).tolist() == [expected_bin]


def test_pooled_counts_agree_with_numpy_for_each_group():
    rng = np.random.default_rng(0)
    deviation = np.array([0.01, 0.2, 3.0])
    group = np.array([2, 0, 1, 0, 2], np.int32)
    noise = (rng.standard_t(3, [4, 5, 6, 6, 2]) * deviation[group][:, None, None, None]).astype(
        np.float32
    )
    counts = histograms.pooled_counts(
        tf.constant(noise), tf.constant(group), tf.constant(deviation, tf.float32)
    ).numpy()
    for g in range(3):
        edges = np.concatenate([[-np.inf], histograms.kl_edges(deviation[g]), [np.inf]])
        expected, _ = np.histogram(noise[:, group == g], edges)
        # float32 may put a value at an edge on its other side.
        assert np.abs(counts[g] - expected).sum() <= 2, "group's histogram differs from NumPy's"


def test_pooled_counts_refuse_noise_that_is_not_finite():
    with pytest.raises(tf.errors.InvalidArgumentError, match="finite"):
        counts_of([0.0, np.nan])
    with pytest.raises(tf.errors.InvalidArgumentError, match="finite"):
        counts_of([0.0, np.inf])


def test_kl_of_two_gaussians_is_near_the_closed_form():
    rng = np.random.default_rng(1)
    size = 1_000_000
    real, model = rng.normal(size=size), 1.2 * rng.normal(size=size)
    closed_form = np.log(1.2) + 1 / (2 * 1.2**2) - 0.5
    value = histograms.kl_smoothed(counts_of(real), counts_of(model))
    # Bins of 0.09 standard deviations lose 1e-4; chance adds about bins / (2 size) = 1e-4.
    assert value == pytest.approx(closed_form, abs=5e-4)


def test_kl_paper_drops_bins_that_either_leaves_empty():
    real = as_patches([0.0, 0.0, 0.05, 0.05])
    model = as_patches([0.05, 0.05, 0.05, 0.05])
    # The bin at 0 is empty in the model and costs nothing: 0.5 log(0.5 / 1), below zero.
    assert histograms.kl_paper(real, model) == pytest.approx([0.5 * np.log(0.5)])
    assert histograms.kl_paper(as_patches([0.0]), as_patches([0.05])) == pytest.approx([0.0])


def test_kl_paper_by_hand():
    real = as_patches([0.0, 0.0, 0.0, 0.05])
    model = as_patches([0.0, 0.05, 0.05, 0.05])
    expected = 0.75 * np.log(3.0) + 0.25 * np.log(1 / 3)
    assert histograms.kl_paper(real, model) == pytest.approx([expected])


def test_kl_paper_has_two_open_ends():
    real = as_patches([-0.5, -0.11, 0.11, 0.9])
    model = as_patches([-0.2, 0.2, 0.3, 30.0])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert histograms.kl_paper(real, model) == pytest.approx([expected])


def test_kl_paper_follows_the_published_procedure():
    """Against the steps as FACTS give them, with NumPy's own histogram."""
    rng = np.random.default_rng(2)
    real = rng.normal(0, 0.02, [6, 16, 16, 4])
    model = rng.normal(0, 0.03, [6, 16, 16, 4])
    edges = np.concatenate([[-1000.0], np.linspace(-0.1, 0.1, 65), [1000.0]])
    expected = []
    for a, b in zip(real, model, strict=True):
        p = np.histogram(a, edges)[0] / a.size
        q = np.histogram(b, edges)[0] / b.size
        keep = (p > 0) & (q > 0)
        expected.append(np.sum(p[keep] * (np.log(p[keep]) - np.log(q[keep]))))
    np.testing.assert_allclose(histograms.kl_paper(real, model), expected, rtol=1e-12)


def test_unpacking_to_the_mosaic_changes_no_histogram():
    rng = np.random.default_rng(3)
    real, model = rng.normal(0, 0.02, [2, 3, 8, 8, 4])
    mosaics = [
        noise.reshape(3, 8, 8, 2, 2).transpose(0, 1, 3, 2, 4).reshape(3, 16, 16, 1)
        for noise in (real, model)
    ]
    np.testing.assert_array_equal(histograms.kl_paper(real, model), histograms.kl_paper(*mosaics))


@pytest.mark.parametrize(("deviation", "floor"), [(0.0015, 0.001), (0.01, 0.005), (0.03, 0.014)])
def test_kl_paper_of_a_perfect_model_is_the_known_floor(deviation, floor):
    rng = np.random.default_rng(4)
    real, model = rng.normal(0, deviation, [2, 300, 32, 32, 4])
    mean = histograms.kl_paper(real, model).mean()
    # The floors are given to three decimals; the mean of 300 patches is good to 2e-4.
    assert mean == pytest.approx(floor, abs=0.0008)


def test_kl_paper_refuses_noise_of_another_shape():
    with pytest.raises(ValueError, match=r"\[1, 2, 1, 1\].*\[1, 3, 1, 1\]"):
        histograms.kl_paper(as_patches([0, 0]), as_patches([0, 0, 0]))
