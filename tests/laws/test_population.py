"""Generic cameras: drawn from the population that the fit describes, and never implausible."""

import numpy as np
import pytest

from tfp_noiseflow.laws import population
from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.camera_table import CameraTable, read_camera_tables
from tfp_noiseflow.laws.population import COVARIANCE, LIMITS, MEAN, RELATIVE, generic_cameras
from tfp_noiseflow.laws.population_fit import fit_population
from tfp_noiseflow.simulation.phones import PHONES

ISOS = np.array([100.0, 200, 400, 800, 1600, 3200])


def test_a_seed_gives_the_same_cameras_and_more_of_them_begin_with_those():
    cameras = generic_cameras(3, 20)
    assert cameras[:5] == generic_cameras(3, 5)
    assert cameras[:5] != generic_cameras(4, 5)
    assert [law.camera for law in cameras[:2]] == ["generic 0", "generic 1"]
    assert len({law.beta1 for law in cameras}) == 20
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"n of 1 or more, received {n}"):
            generic_cameras(0, n)


def test_generic_cameras_lie_within_the_limits_and_on_both_sides_of_real_ones():
    cameras = generic_cameras(0, 200)
    for index, iso in enumerate(population.LIMIT_ISOS):
        betas = np.array([law(iso) for law in cameras])
        assert (betas >= LIMITS[index, :, 0]).all()
        assert (betas <= LIMITS[index, :, 1]).all()
        for phone in PHONES:
            # No phone is an extreme of the population: at least one camera in fifty on each side.
            share = (betas < phone.true(iso)).mean(axis=0)
            assert (share > 0.02).all(), (phone.name, iso)
            assert (share < 0.98).all(), (phone.name, iso)


def test_without_limits_the_draws_have_the_fitted_mean_and_covariance(monkeypatch):
    monkeypatch.setattr(population, "LIMITS", np.array([0.0, np.inf]))
    logs = np.array([law.five_numbers() for law in generic_cameras(0, 4000)]) @ RELATIVE.T
    # Five standard errors of 4000 draws.
    deviations = np.sqrt(np.diag(COVARIANCE))
    np.testing.assert_array_less(np.abs(logs.mean(axis=0) - MEAN), 5 * deviations / 4000**0.5)
    error = np.abs(np.cov(logs.T) - COVARIANCE)
    np.testing.assert_array_less(error, 5 * 1.5 * np.outer(deviations, deviations) / 4000**0.5)


def tables_of(laws):
    return [CameraTable(law.camera, ISOS, *law(ISOS)) for law in laws]


def test_the_fit_finds_the_population_that_cameras_were_drawn_from(monkeypatch):
    monkeypatch.setattr(population, "LIMITS", np.array([0.0, np.inf]))
    laws = generic_cameras(1, 300)
    fitted = fit_population(tables_of(laws))
    assert len(fitted.laws) == 300
    assert not fitted.left_out
    # The gain is seen in every table: 5 standard errors of 300 draws. Terms too small to be seen
    # in their camera's table come back larger than they were, so the others are not compared.
    deviation = np.sqrt(COVARIANCE[0, 0])
    assert abs(fitted.mean[0] - MEAN[0]) < 5 * deviation / 300**0.5
    # The relative standard error of a variance of 300 draws is sqrt(2 / 299) = 0.08.
    np.testing.assert_allclose(fitted.covariance[0, 0], COVARIANCE[0, 0], rtol=0.4)


def test_cameras_that_tell_too_little_are_left_out_and_named():
    laws = generic_cameras(0, 8)
    beta1, beta2 = CameraLaw((2e-4, 1e-5), (1e-7, 0.0, 1e-6))(ISOS)
    floors = CameraTable("floors", ISOS, beta1, np.array([2e-6, 0, -1e-7, 1e-8, 1e-5, 4e-5]))
    flat = CameraTable("flat", ISOS, np.full(6, 7e-4), beta2)
    falling = CameraTable("falling", ISOS, beta1, np.array([1e-5, 1e-6, 1e-6, 1e-6, 2e-6, 9e-6]))
    fitted = fit_population([*tables_of(laws), floors, flat, falling])
    assert [law.camera for law in fitted.laws] == [law.camera for law in laws]
    assert fitted.left_out == {
        "floors": "ISOs at which beta2 was measured: 2",
        "flat": "beta1 does not rise with ISO",
        "falling": "ISOs at which beta2 was measured: 2",
    }
    with pytest.raises(ValueError, match=r"seven cameras or more, received 6; .*'flat'"):
        fit_population([*tables_of(laws[:6]), flat])


def test_the_numbers_are_those_of_the_table_and_of_the_best_form(shared_data):
    fitted = fit_population(
        read_camera_tables(shared_data / "noise_parameters" / "real_nlf_table.csv")
    )
    # Written with three digits.
    np.testing.assert_allclose(fitted.mean, MEAN, rtol=6e-3)
    np.testing.assert_allclose(fitted.covariance, COVARIANCE, rtol=6e-3)
    np.testing.assert_allclose(fitted.limits, LIMITS, rtol=6e-3)
    likelihood = {form: values.mean() for form, values in fitted.likelihoods.items()}
    assert max(likelihood, key=likelihood.get) == ("relative to the gain", 0.5)
    assert "| relative to the gain | 50% | -10.75 | 0.00 +- 0.00 |" in str(fitted)


def test_beta1_at_an_iso_tells_what_to_expect_of_the_rest():
    for phone in PHONES:
        beta1, beta2 = phone.true(400)
        law, factor = population.expected_law(400, beta1)
        found1, found2 = law(400)
        assert found1 == pytest.approx(beta1, rel=1e-6)
        # Its read noise is that of the population: within two standard deviations of the five.
        assert found2 / factor**2 < beta2 < found2 * factor**2
        assert 1.5 < factor < 10
        assert law(1600)[0] > 2 * found1
