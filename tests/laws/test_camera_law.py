"""Laws of cameras: five numbers, at any ISO, and from tables."""

import json
import warnings

import numpy as np
import pytest

from tfp_noiseflow.captures.capture_file import SMALLEST_BETA
from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.simulation.phones import PHONES

ISOS = np.array([50.0, 100, 200, 640, 3200, 12800])
# Arithmetic in float64 only.
EXACT = {"rtol": 1e-12}

LAW = CameraLaw((2.194e-4, 8.7e-6), (1.73e-7, 3e-8, 1.7e-6), "Pixel", "a table", (100, 3200))
BY_CHANNEL = CameraLaw(
    ([2e-4, 3e-4, 4e-4], [1e-5, 2e-5, 3e-5]), ([1e-7, 2e-7, 3e-7], 0.0, [1e-6, 2e-6, 4e-6])
)


def test_a_law_is_linear_and_quadratic_in_iso():
    beta1, beta2 = LAW(ISOS)
    np.testing.assert_allclose(beta1, 2.194e-6 * ISOS + 8.7e-6, **EXACT)
    np.testing.assert_allclose(beta2, 1.73e-11 * ISOS**2 + 3e-10 * ISOS + 1.7e-6, **EXACT)
    assert beta1.dtype == beta2.dtype == np.float64


@pytest.mark.parametrize("shape", [(), (6,), (2, 3)])
def test_the_iso_can_have_any_shape_and_channels_come_last(shape):
    iso = np.resize(ISOS, shape)
    for beta, beta_by_channel in zip(LAW(iso), BY_CHANNEL(iso), strict=True):
        assert beta.shape == shape
        assert beta_by_channel.shape == (*shape, 3)
    np.testing.assert_allclose(BY_CHANNEL(iso)[0][..., 2], 4e-6 * iso + 3e-5, **EXACT)


@pytest.mark.parametrize("phone", PHONES, ids=lambda phone: phone.name)
def test_the_laws_of_the_five_phones_are_such_laws(phone):
    p, q = phone.true.beta1
    r, s, t = phone.true.beta2
    law = CameraLaw((100 * p, q), (1e4 * r, 100 * s, t))
    np.testing.assert_allclose(np.stack(law(ISOS), -1), phone.true(ISOS), **EXACT)


def test_laws_are_equal_by_their_numbers_and_can_be_keys():
    same = CameraLaw(
        np.array([2.194e-4, 8.7e-6]), [1.73e-7, 3e-8, 1.7e-6], "Pixel", "a table", [100, 3200]
    )
    assert {LAW: 1}[same] == 1
    assert CameraLaw(LAW.beta1, LAW.beta2) != LAW


def test_one_channel_has_the_same_law_as_none():
    assert CameraLaw(([1e-4], [1e-5]), ([0.0], [0.0], [1e-6])) == CameraLaw(
        (1e-4, 1e-5), (0.0, 0.0, 1e-6)
    )


@pytest.mark.parametrize("law", [LAW, BY_CHANNEL], ids=["for all channels", "by channel"])
def test_a_law_survives_json(law):
    assert CameraLaw.from_config(json.loads(json.dumps(law.to_config()))) == law


@pytest.mark.parametrize("law", [LAW, BY_CHANNEL], ids=["for all channels", "by channel"])
def test_the_five_logarithms_make_the_law_again(law):
    logs = law.five_numbers()
    assert logs.shape == (5, *np.shape(law.beta1[0]))
    again = CameraLaw.from_five_numbers(logs)
    for beta, expected in zip(again(ISOS), law(ISOS), strict=True):
        # A number that is 0 stands as a term of at most 1e-6 of the others.
        np.testing.assert_allclose(beta, expected, rtol=1.01e-6)


def test_a_zero_stands_as_a_term_that_is_seen_at_no_iso():
    flat = CameraLaw((0.0, 7e-4), (0.0, 0.0, 3e-6))
    assert np.isfinite(flat.five_numbers()).all()
    again = CameraLaw.from_five_numbers(flat.five_numbers())
    iso = np.array([25.0, 100, 25600, 409600])
    np.testing.assert_allclose(again(iso)[0], 7e-4, rtol=1.01e-6)
    # beta2 has two such terms.
    np.testing.assert_allclose(again(iso)[1], 3e-6, rtol=2.02e-6)
    assert CameraLaw.from_five_numbers([-np.inf, np.log(7e-4), -np.inf, -np.inf, np.log(3e-6)])(
        640
    ) == pytest.approx(flat(640))


def test_channels_become_those_of_the_image():
    packed = BY_CHANNEL.in_channels(4)
    for beta, expected in zip(packed(640), BY_CHANNEL(640), strict=True):
        np.testing.assert_allclose(beta, expected[[0, 1, 1, 2]], **EXACT)
    for beta, expected in zip(packed.in_channels(3)(640), BY_CHANNEL(640), strict=True):
        np.testing.assert_allclose(beta, expected, **EXACT)
    for law in (BY_CHANNEL, packed):
        for beta, expected in zip(law.in_channels(1)(640), packed(640), strict=True):
            np.testing.assert_allclose(beta, expected.mean(), **EXACT)
    assert LAW.in_channels(4) is LAW
    with pytest.raises(ValueError, match=r"image of 3 channels.*received 5"):
        BY_CHANNEL.in_channels(5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1e-4,), (0, 0, 1e-6)), r"beta1 as \('p', 'q'\)"),
        (((1e-4, 0), (0, 1e-6)), r"beta2 as \('r', 's', 't'\)"),
        (((1e-4, "a"), (0, 0, 1e-6)), r"beta1 as \('p', 'q'\)"),
        ((1e-4, (0, 0, 1e-6)), r"beta1 as \('p', 'q'\)"),
        (((-1e-4, 1e-3), (0, 0, 1e-6)), "beta1 of numbers >= 0"),
        (((1e-4, 0), (0, np.nan, 1e-6)), "beta2 of numbers >= 0"),
        (((0, 0), (0, 0, 1e-6)), "beta1 with a term above 0"),
        (((1e-4, 0), ([0, 1e-7], 0, 0)), "beta2 with a term above 0"),
        ((([1e-4, 2e-4], 0), ([1e-7] * 3, 0, 0)), "received 2 and 3"),
        (((3.0, 0.5), (0, 0, 12.0)), "Digital numbers"),
        (((1e-4, 0), (0, 0, 1e-6), "", "", (3200, 100)), "lowest and the highest ISO"),
        (((1e-4, 0), (0, 0, 1e-6), "", "", (0, 100)), "ISOs above 0, received 0"),
    ],
)
def test_numbers_that_make_no_law_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CameraLaw(*arguments)


@pytest.mark.parametrize("iso", [0, -100, np.nan, np.inf, [100, 0]])
def test_an_iso_that_is_none_is_refused(iso):
    with pytest.raises(ValueError, match="ISOs above 0"):
        LAW(iso)
    with pytest.raises(ValueError, match="ISOs above 0"):
        CameraLaw.from_table(np.resize(iso, 3), [1e-4] * 3, [1e-6] * 3)


def test_a_config_with_other_names_is_refused():
    with pytest.raises(ValueError, match=r"received the names .*'psi'"):
        CameraLaw.from_config(LAW.to_config() | {"psi": 1})


@pytest.mark.parametrize("law", [LAW, BY_CHANNEL], ids=["for all channels", "by channel"])
def test_a_table_of_a_law_gives_the_law_back(law):
    fit = CameraLaw.from_table(ISOS, *law(ISOS), camera="Pixel", origin="here")
    # The steps of the fit end when its loss falls by less than 1e-13 of itself.
    np.testing.assert_allclose(fit.law.beta1, law.beta1, rtol=1e-6)
    np.testing.assert_allclose(fit.law.beta2, law.beta2, rtol=1e-6, atol=1e-14)
    assert np.abs(fit.relative_residual_beta1).max() < 1e-7
    assert np.abs(fit.relative_residual_beta2).max() < 1e-7
    assert fit.relative_residual_beta1.shape == law(ISOS)[0].shape
    assert (fit.law.camera, fit.law.origin) == ("Pixel", "here")
    assert fit.law.iso_range == (50, 12800)


def test_the_residual_is_what_the_law_misses():
    factors = np.array([1.1, 0.9, 1.05, 1.0, 0.95, 1.02])
    beta1, beta2 = LAW(ISOS)
    fit = CameraLaw.from_table(ISOS, beta1 * factors, beta2 * factors)
    found1, found2 = fit.law(ISOS)
    np.testing.assert_allclose(fit.relative_residual_beta1, found1 / (beta1 * factors) - 1)
    np.testing.assert_allclose(fit.relative_residual_beta2, found2 / (beta2 * factors) - 1)
    # Errors of 10 % move the law by as much at most.
    assert np.abs(found1 / beta1 - 1).max() < 0.1


def test_one_wrong_row_does_not_bend_the_law_away_from_the_others():
    iso = np.array([50.0, 100, 200, 400, 800, 1600, 3200, 6400, 12800])
    beta1, beta2 = LAW(iso)
    beta2[4] = 1e-8
    residual = CameraLaw.from_table(iso, beta1, beta2).relative_residual_beta2
    # One row in nine, three orders of magnitude off: under squares of logarithms the law would be
    # 27 to 66 % too low elsewhere, under the loss it moves by 3 % at most.
    assert np.abs(np.delete(residual, 4)).max() < 0.04
    assert residual[4] > 100


def test_fewer_isos_than_terms_are_refused_unless_fewer_terms_are_named():
    beta1, beta2 = LAW(ISOS[:2])
    with pytest.raises(ValueError, match=r"2 different ISOs for beta1 and 3 for beta2.*received 2"):
        CameraLaw.from_table(ISOS[:2], beta1, beta2)
    with pytest.raises(ValueError, match="received 2"):
        CameraLaw.from_table(ISOS[[0, 1, 1]], beta1[[0, 1, 1]], beta2[[0, 1, 1]])
    fit = CameraLaw.from_table(ISOS[:2], beta1, beta2, terms="pqrt")
    assert fit.law.beta2[1] == 0
    # Two terms through two rows.
    assert np.abs(fit.relative_residual_beta2).max() < 1e-6
    assert CameraLaw.from_table([100], [1e-4], [1e-6], terms="pr").law.beta1 == pytest.approx(
        (1e-4, 0)
    )
    with pytest.raises(ValueError, match="terms among 'pqrst'"):
        CameraLaw.from_table(ISOS, *LAW(ISOS), terms="pqx")
    with pytest.raises(ValueError, match="one of r, s, t"):
        CameraLaw.from_table(ISOS, *LAW(ISOS), terms="pq")


def test_a_read_noise_of_nothing_becomes_a_floor_and_is_told():
    beta1 = LAW(ISOS)[0]
    with pytest.warns(UserWarning, match=r"Pixel: .*received -2e-07; 6 of 6.*as 1e-06"):
        fit = CameraLaw.from_table(ISOS, beta1, np.full(6, -2e-7), camera="Pixel")
    np.testing.assert_allclose(fit.law(ISOS)[1], SMALLEST_BETA, **EXACT)
    with pytest.warns(UserWarning, match="1 of 6 values of 0 or less are taken as 3e-07"):
        fit = CameraLaw.from_table(ISOS, beta1, [0] + [3e-7] * 5)
    np.testing.assert_allclose(fit.law(ISOS)[1], 3e-7, **EXACT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CameraLaw.from_table(ISOS, beta1, np.full(6, 1e-9))


@pytest.mark.parametrize(
    ("iso", "beta1", "beta2", "message"),
    [
        ([100, 200, 400], [1e-4, 0, 4e-4], [1e-6] * 3, "beta1 > 0, received 0"),
        ([100, 200, 400], [0.4, 0.8, 1.6], [3.0] * 3, r"1.6, above 1. Digital numbers\?"),
        ([100, 200, 400], [1e-4, np.nan, 4e-4], [1e-6] * 3, "beta1 of finite numbers"),
        ([100, 200, 400], [1e-4, 2e-4], [1e-6] * 3, r"beta1 \[n\]"),
        ([100, 200, 400], np.full([3, 4], 1e-4), [1e-6] * 3, r"as many channels"),
        (100, 1e-4, 1e-6, r"expected iso \[n\]"),
    ],
)
def test_tables_that_make_no_law_are_refused(iso, beta1, beta2, message):
    with pytest.raises(ValueError, match=message):
        CameraLaw.from_table(iso, beta1, beta2)
