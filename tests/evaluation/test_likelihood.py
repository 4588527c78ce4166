"""Likelihoods of captures and differences between models."""

import numpy as np
import pytest

from tfp_noiseflow.captures import read_captures, write_captures
from tfp_noiseflow.evaluation import likelihood, negative_log_likelihood
from tfp_noiseflow.models import CameraNLF, GaussianNoise, NoiseFlow


@pytest.fixture
def captures(tmp_path):
    rng = np.random.default_rng(0)
    clean = rng.uniform(0, 0.5, [11, 4, 6, 4])
    noise = rng.normal(0, 0.02, clean.shape)
    write_captures(
        tmp_path / "captures.h5",
        noisy=clean + noise,
        clean=clean,
        iso=[100, 400] * 5 + [100],
        camera=["A", "B", "A", "A", "B", "B", "A", "B", "A", "B", "A"],
    )
    return read_captures(tmp_path / "captures.h5")


def test_nll_of_gaussian_noise_is_the_closed_form(captures):
    noise = captures.read(0, len(captures)).noise.astype(np.float64)
    sigma = 0.03
    expected = 0.5 * np.log(2 * np.pi * sigma**2) + np.square(noise).mean((1, 2, 3)) / (
        2 * sigma**2
    )
    nll = negative_log_likelihood(GaussianNoise(sigma), captures)
    # log_prob is a float32 sum of 96 terms.
    np.testing.assert_allclose(nll, expected, atol=2e-6)


def test_nll_takes_each_capture_at_its_own_camera_and_iso(captures):
    beta1 = np.array([[1e-3, 4e-3], [2e-3, 8e-3]])
    beta2 = np.array([[1e-5, 4e-4], [2e-5, 8e-4]])
    model = CameraNLF(["B", "A"], [100, 400], beta1, beta2)
    block = captures.read(0, len(captures))
    rows = [["B", "A"].index(camera) for camera in block.camera]
    columns = [[100, 400].index(iso) for iso in block.iso]
    variance = (
        beta1[rows, columns][:, None, None, None] * block.clean
        + beta2[rows, columns][:, None, None, None]
    )
    expected = np.mean(
        0.5 * np.log(2 * np.pi * variance) + np.square(block.noise) / (2 * variance), (1, 2, 3)
    )
    nll = negative_log_likelihood(model, captures)
    np.testing.assert_allclose(nll, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nll_does_not_depend_on_the_batch_size(captures, dtype):
    flow = NoiseFlow("S-G-CAM", captures.cameras, captures.iso_levels, seed=0, dtype=dtype)
    at_once = negative_log_likelihood(flow, captures)
    in_fours = negative_log_likelihood(flow, captures, batch_size=4)
    assert at_once.shape == (11,)
    np.testing.assert_allclose(in_fours, at_once, rtol=1e-6)


def test_an_unknown_camera_is_an_error_that_lists_both_sets(captures):
    model = CameraNLF(["A", "Q"], [100, 400], np.ones([2, 2]), np.ones([2, 2]))
    with pytest.raises(ValueError, match=r"\['A', 'Q'\].*\['A', 'B'\].*unknown: \['B'\]"):
        negative_log_likelihood(model, captures)


def test_an_unknown_iso_is_an_error_that_lists_both_sets(captures):
    model = CameraNLF(["A", "B"], [100, 800], np.ones([2, 2]), np.ones([2, 2]))
    with pytest.raises(ValueError, match=r"ISOs 100, 800 that.*ISOs 100, 400\."):
        negative_log_likelihood(model, captures)


def test_paired_standard_error_is_that_of_the_differences():
    rng = np.random.default_rng(1)
    patches = rng.normal(-3, 1.0, 200)
    model, baseline = patches + rng.normal(-0.1, 0.01, [2, 200])
    baseline = baseline + 0.42
    row = likelihood.paired_difference(model, baseline)
    difference = model - baseline
    assert row["nll"] == pytest.approx(difference.mean())
    assert row["paired_standard_error"] == pytest.approx(difference.std(ddof=1) / np.sqrt(200))
    assert row["paired_standard_error"] < 0.01 * patches.std()


def test_042_nats_are_an_improvement_of_52_percent():
    row = likelihood.paired_difference([-3.521, -3.521], [-3.101, -3.101])
    assert row["relative_improvement"] == pytest.approx(0.52, abs=0.005)


def test_a_single_patch_has_no_standard_error():
    assert likelihood.mean_and_standard_error([2.0]) == (2.0, None)
    assert likelihood.paired_difference([1.0], [2.0])["paired_standard_error"] is None


def test_a_difference_beyond_numbers_has_no_improvement():
    assert likelihood.paired_difference([0.0, 0.0], [1e4, 1e4])["relative_improvement"] is None
