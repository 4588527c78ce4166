"""Laws by maximum likelihood on captures: right, as sure as they say, and open about the rest."""

import warnings

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.captures.capture_file import CaptureBlock
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics
from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.capture_fit import log_likelihood
from tfp_noiseflow.simulation.phones import PHONES

DOZEN = np.geomspace(100, 6400, 12).round()
# All five numbers are of the same size somewhere among these ISOs.
FIVE = CameraLaw((2e-4, 2e-4), (2e-7, 1e-6, 4e-6), "five")


def law_of(phone):
    (p, q), (r, s, t) = phone.true.beta1, phone.true.beta2
    return CameraLaw((100 * p, q), (1e4 * r, 100 * s, t), phone.name)


LAWS = [law_of(phone) for phone in PHONES]


def block(law, isos=DOZEN, *, seed=0, pixels=1 << 15, darkest=1e-4, brightest=1.0):
    """One capture at each ISO, clean values log-uniform."""
    generator = np.random.default_rng(seed)
    shape = (len(isos), 1, pixels // 4, 4)
    clean = np.exp(generator.uniform(*np.log([darkest, brightest]), shape))
    beta1, beta2 = (np.reshape(beta, (-1, 1, 1, 1)) for beta in law(isos))
    noise = generator.standard_normal(shape) * np.sqrt(beta1 * clean + beta2)
    return CaptureBlock(
        np.arange(len(isos)),
        noise.astype(np.float32),
        clean.astype(np.float32),
        np.asarray(isos, np.float32),
        np.array([law.camera] * len(isos)),
    )


def fit(law, isos=DOZEN, **how):
    statistics = NoiseStatistics([block(law, isos, **how)])
    return nf.fit_camera_laws(statistics)[law.camera]


def numbers(law):
    return np.array([*law.beta1, *law.beta2])


def likelihoods(law, found, statistics):
    sums = {iso: cell for (_, iso), cell in statistics.by_condition.items()}
    return log_likelihood(law, sums), log_likelihood(found.law, sums)


def test_the_laws_of_five_phones_are_found_within_four_standard_errors():
    statistics = NoiseStatistics(block(law, seed=seed) for seed, law in enumerate(LAWS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = nf.fit_camera_laws(statistics)
    assert list(found) == sorted(law.camera for law in LAWS)
    for law in LAWS:
        estimate = found[law.camera]
        assert estimate.law.camera == law.camera
        assert estimate.law.iso_range == (100, 6400)
        assert estimate.pixels == 12 << 15
        deviation = np.abs(numbers(estimate.law) - numbers(law))
        np.testing.assert_array_less(deviation, 4 * estimate.standard_errors)
        # Of the beta at every ISO, 4 standard errors of a camera alone at that ISO are 4 %.
        for beta, true in zip(estimate.law(DOZEN), law(DOZEN), strict=True):
            np.testing.assert_allclose(beta, true, rtol=0.04)


@pytest.mark.parametrize("law", [*LAWS, FIVE], ids=lambda law: law.camera)
def test_no_law_is_more_likely_than_the_fitted_one(law):
    statistics = NoiseStatistics([block(law, seed=3)])
    estimate = nf.fit_camera_laws(statistics)[law.camera]
    true, found = likelihoods(law, estimate, statistics)
    # Half a chi squared of at most 5 degrees of freedom: above 15 once in a hundred thousand.
    assert 0 <= found - true < 15
    assert found == pytest.approx(estimate.log_likelihood, abs=1e-6)
    generator = np.random.default_rng(0)
    for _ in range(50):
        moved = numbers(estimate.law) + estimate.standard_errors * generator.normal(0, 0.1, 5)
        moved = np.maximum(moved, 0)
        other = CameraLaw(moved[:2], moved[2:])
        sums = {iso: cell for (_, iso), cell in statistics.by_condition.items()}
        assert log_likelihood(other, sums) <= found + 1e-4


def test_the_likelihood_is_that_of_independent_gaussians():
    given = block(FIVE, DOZEN[:2], pixels=1 << 10)
    sums = {iso: cell for (_, iso), cell in NoiseStatistics([given]).by_condition.items()}
    beta1, beta2 = (np.reshape(beta, (-1, 1, 1, 1)) for beta in FIVE(DOZEN[:2]))
    variance = beta1 * given.clean + beta2
    expected = -0.5 * np.sum(given.noise**2 / variance + np.log(2 * np.pi * variance))
    # Within a bin of clean levels the variance differs by up to a percent.
    assert log_likelihood(FIVE, sums) == pytest.approx(expected, rel=2e-4)


def test_standard_errors_are_the_scatter_over_captures():
    estimates = [fit(FIVE, seed=seed, pixels=1 << 13) for seed in range(200)]
    found = np.array([numbers(estimate.law) for estimate in estimates])
    errors = np.array([estimate.standard_errors for estimate in estimates])
    # The scatter of 200 is known to 5 %: four of that. The bound at 0 is 15 errors away.
    ratio = found.std(axis=0, ddof=1) / errors.mean(axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.2)
    # The mean of 200 deviations in standard errors is known to 1 / 200^0.5 = 0.07: four of that.
    bias = ((found - numbers(FIVE)) / errors).mean(axis=0)
    np.testing.assert_allclose(bias, 0, atol=0.28)


def test_captures_at_two_hundred_isos_need_no_listed_levels(tmp_path):
    isos = np.unique(np.random.default_rng(0).uniform(50, 12800, 200).astype(np.float32))
    given = block(FIVE, isos, pixels=1 << 10)
    path = tmp_path / "captures.h5"
    nf.write_captures(path, given.clean + given.noise, given.clean, isos, "five")
    estimate = nf.fit_camera_laws(nf.read_captures(path))["five"]
    assert estimate.pixels == 200 << 10
    deviation = np.abs(numbers(estimate.law) - numbers(FIVE))
    np.testing.assert_array_less(deviation, 4 * estimate.standard_errors)


def test_one_iso_determines_the_betas_there_alone():
    with pytest.warns(UserWarning, match="five: captures at ISO 800 alone"):
        estimate = fit(FIVE, [800])
    assert np.isinf(estimate.standard_errors).all()
    # 32768 pixels determine beta1 and beta2 to 1 % and 2 %: four of that.
    np.testing.assert_allclose(np.array(estimate.law(800)), np.array(FIVE(800)), rtol=0.08)
    assert "p 0.00" in str(estimate) and "unknown" in str(estimate)


def test_two_isos_determine_beta1_and_not_all_of_beta2():
    with pytest.warns(UserWarning, match="ISO 100 and 1600 alone: of beta2, r and t"):
        estimate = fit(FIVE, [100, 1600])
    np.testing.assert_array_equal(
        np.isinf(estimate.standard_errors), [False, False, True, True, True]
    )
    assert estimate.law.beta2[1] == 0


def test_isos_that_are_near_each_other_do_not_tell_how_noise_goes_with_iso():
    with pytest.warns(
        UserWarning, match="ISO 795 to 805 do not tell how beta1 goes with ISO.*beta2"
    ):
        estimate = fit(FIVE, [795, 800, 805])
    # 98304 pixels determine beta1 and beta2 to 0.7 % and 1.2 %: four of that.
    np.testing.assert_allclose(np.array(estimate.law(800)), np.array(FIVE(800)), rtol=0.05)


@pytest.mark.parametrize("pixels", [1 << 10, 1 << 17])
def test_without_dark_pixels_read_noise_is_an_extrapolation(pixels):
    bright = CameraLaw((2e-4, 1e-5), (1e-7, 0, 1e-6), "bright")
    with pytest.warns(UserWarning, match=r"bright: no dark pixels: .* of clean value 0\.5"):
        fit(bright, darkest=0.5, pixels=pixels)


def test_dark_frames_do_not_determine_shot_noise():
    dark = block(FIVE)
    dark.clean[:] = 0
    with pytest.warns(UserWarning, match="no bright pixels: the clean values, up to 0"):
        estimate = nf.fit_camera_laws(NoiseStatistics([dark]))["five"]
    np.testing.assert_array_equal(
        np.isinf(estimate.standard_errors), [True, True, False, False, False]
    )


def test_a_number_that_is_not_seen_is_named_without_alarm():
    law = CameraLaw((2e-4, 2e-4), (2e-7, 0, 4e-6), "no s")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimates = [fit(law, seed=seed) for seed in range(8)]
    # s is 0 in half of them, and above one standard error in a sixth.
    assert any(estimate.law.beta2[1] == 0 for estimate in estimates)
    named = [any("s = " in text for text in estimate.warnings) for estimate in estimates]
    assert sum(named) >= 4


def other_law(iso):
    """Shaped unlike FIVE."""
    return CameraLaw((3e-4, iso * 1e-7), (1e-6, 2e-6, 1e-6), "other")


def test_what_captures_determine_is_not_completed_by_others():
    estimate = fit(FIVE, pixels=1 << 13)
    assert not estimate.unseen | estimate.seen_at_one_iso
    assert estimate.completed_by(other_law) is estimate.law


@pytest.mark.parametrize("isos", [[800], [795, 800, 805]], ids=len)
@pytest.mark.filterwarnings("ignore:five. captures at ISO")
def test_a_law_that_is_seen_at_one_iso_goes_on_as_another_law(isos):
    estimate = fit(FIVE, isos)
    assert estimate.seen_at_one_iso == {"beta1", "beta2"} and not estimate.unseen
    law = estimate.completed_by(other_law)
    assert law.camera == "five" and law.iso_range == (isos[0], isos[-1])
    assert "completed" in law.origin
    middle = np.sqrt(isos[0] * isos[-1])
    np.testing.assert_allclose(np.array(law(middle)), np.array(estimate.law(middle)), rtol=1e-9)
    for beta, there, other, whole in zip(
        law(DOZEN), law(middle), other_law(middle)(DOZEN), other_law(middle)(middle), strict=True
    ):
        np.testing.assert_allclose(beta / there, other / whole, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*(bright|dark) pixels")
def test_a_beta_that_is_not_seen_is_that_of_another_law():
    dark = block(FIVE)
    dark.clean[:] = 0
    estimate = nf.fit_camera_laws(NoiseStatistics([dark]))["five"]
    law = estimate.completed_by(other_law)
    assert estimate.unseen == {"beta1"}
    assert law.beta2 == estimate.law.beta2
    # The middle of ISO 100 to 6400.
    assert law.beta1 == pytest.approx(other_law(800).beta1)
    bright = fit(CameraLaw((2e-4, 1e-5), (1e-7, 0, 1e-6), "bright"), darkest=0.5)
    assert bright.unseen == {"beta2"} and not bright.seen_at_one_iso
    assert bright.completed_by(other_law).beta1 == bright.law.beta1
    assert bright.completed_by(other_law).beta2 == other_law(800).beta2


def test_captures_that_are_no_noise_are_refused_with_their_camera_and_iso():
    given = block(FIVE, DOZEN[:3])
    given.noise[1] = 0
    with pytest.raises(ValueError, match=f"five at ISO {DOZEN[1]:g}: expected noise, all of it"):
        nf.fit_camera_laws(NoiseStatistics([given]))
    given.noise[1] = np.nan
    with pytest.raises(ValueError, match=f"five at ISO {DOZEN[1]:g}: expected finite values"):
        nf.fit_camera_laws(NoiseStatistics([given]))


def test_digital_numbers_are_refused():
    given = block(FIVE)
    given.noise[:] *= 1023
    with pytest.raises(ValueError, match="Digital numbers"):
        nf.fit_camera_laws(NoiseStatistics([given]))
