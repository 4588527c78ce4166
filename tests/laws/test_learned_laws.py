"""Laws of TensorFlow: tables, interpolated tables, polynomials in ISO and their sums."""

import numpy as np
import pytest
import tensorflow as tf

from tests.registry import BY_CHANNEL, CAMERAS, LAWS, LAWS_BY_CHANNEL, moved
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.laws import CameraLaw, laws_of_cameras
from tfp_noiseflow.laws.polynomial_law import LOG_OF_ZERO
from tfp_noiseflow.simulation.phones import PHONES

ISOS = np.array([50.0, 100.0, 273.0, 640.0, 3200.0, 25600.0])


def phone_laws():
    """The true laws of the five phones, in units of ISO 100."""
    return [
        CameraLaw(
            np.array(phone.true.beta1) * [100, 1],
            np.array(phone.true.beta2) * [1e4, 100, 1],
            camera=phone.name,
        )
        for phone in PHONES
    ]


def every_pair(count, isos=ISOS):
    """ISOs and cameras, each with each."""
    iso, camera = np.meshgrid(isos, np.arange(count))
    return iso.ravel(), camera.ravel().astype(np.int32)


# float32: the logarithms are up to 30, whose rounding is 1e-6.
@pytest.mark.parametrize(("dtype", "rtol"), [(tf.float64, 1e-13), (tf.float32, 5e-6)])
def test_the_laws_of_the_five_phones_are_held(dtype, rtol):
    laws = laws_of_cameras(phone_laws(), dtype=dtype)
    iso, camera = every_pair(len(PHONES))
    found = [np.exp(law(iso=tf.constant(iso, dtype), camera=camera)) for law in laws]
    expected = np.array([PHONES[m].true(value) for value, m in zip(iso, camera, strict=True)])
    np.testing.assert_allclose(found[0], expected[:, 0], rtol=rtol)
    np.testing.assert_allclose(found[1], expected[:, 1], rtol=rtol)


def test_a_term_of_zero_is_held_with_finite_gradients_and_stays_zero():
    law = CameraLaw((2e-4, 0.0), (0.0, 0.0, 3e-6))
    for number, beta in enumerate(laws_of_cameras([law], is_by_camera=False, dtype=tf.float64)):
        iso = tf.constant(ISOS, tf.float64)
        with tf.GradientTape() as tape:
            value = beta(iso=iso)
        np.testing.assert_allclose(np.exp(value), law(ISOS)[number], rtol=1e-14)
        gradient = tape.gradient(value, beta.log_coefficients).numpy()
        assert np.isfinite(gradient).all()
        is_zero = beta.log_coefficients.numpy() == LOG_OF_ZERO
        np.testing.assert_array_equal(gradient[is_zero] < 1e-30, True)
        assert (gradient[~is_zero] > 1).all()


def test_without_cameras_one_law_holds_for_all():
    (law, _) = laws_of_cameras(LAWS[:1], is_by_camera=False, dtype=tf.float64)
    assert set(law.conditions) == {"iso"}
    assert law.camera_variables == ()
    np.testing.assert_allclose(np.exp(law(iso=tf.constant(640.0, tf.float64))), LAWS[0](640)[0])


def test_each_channel_has_a_law_of_its_own():
    laws = laws_of_cameras(LAWS_BY_CHANNEL, channels=4, dtype=tf.float64)
    iso, camera = every_pair(3)
    for number, law in enumerate(laws):
        assert law.channels == 4
        found = np.exp(law(iso=tf.constant(iso), camera=camera))
        expected = [LAWS[m](value)[number] for value, m in zip(iso, camera, strict=True)]
        by_channel = np.outer(expected, BY_CHANNEL ** (1 + number))
        np.testing.assert_allclose(found, by_channel, rtol=1e-13)


def test_a_law_for_all_channels_stands_beside_one_by_channel():
    laws = laws_of_cameras([LAWS[0], LAWS_BY_CHANNEL[1]], channels=4, dtype=tf.float64)
    found = np.exp(laws[0](iso=tf.constant(200.0, tf.float64), camera=tf.constant([0, 1])))
    expected = [np.full(4, LAWS[0](200)[0]), LAWS[1](200)[0] * BY_CHANNEL]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    with pytest.raises(ValueError, match="expected a law for all channels"):
        laws_of_cameras(LAWS_BY_CHANNEL)
    with pytest.raises(ValueError, match="expected an image of 4 channels"):
        laws_of_cameras(LAWS_BY_CHANNEL, channels=7)


@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize("num_cameras", [None, 3])
def test_interpolated_table_is_linear_in_log_iso_and_constant_outside(num_cameras, channels):
    knots = (800.0, 100.0, 3200.0)
    table = nb.InterpolatedTable(
        0.0, iso_levels=knots, num_cameras=num_cameras, channels=channels, dtype=tf.float64
    )
    iso, camera = every_pair(3)
    np.testing.assert_array_equal(table(iso=tf.constant(iso), camera=camera), 0)
    values = moved(table).values.numpy()
    values = values if num_cameras else np.stack([values] * 3)
    values = values if channels else values[..., np.newaxis]
    order = np.argsort(knots)
    expected = np.array(
        [
            [np.interp(np.log(i), np.log(np.sort(knots)), row) for row in values[m][order].T]
            for i, m in zip(iso, camera, strict=True)
        ]
    )
    found = table(iso=tf.constant(iso), camera=camera)
    np.testing.assert_allclose(found, expected if channels else expected[:, 0], atol=1e-14)


def test_interpolated_table_of_one_iso_is_constant():
    table = nb.InterpolatedTable(0.7, iso_levels=(400,), dtype=tf.float64)
    np.testing.assert_array_equal(table(iso=tf.constant(ISOS)), np.full(len(ISOS), 0.7))


def test_knots_add_their_interpolated_correction_to_a_law():
    law, _ = laws_of_cameras(LAWS, dtype=tf.float64)
    table = nb.InterpolatedTable(0.0, iso_levels=(100, 800), num_cameras=3, dtype=tf.float64)
    corrected = nb.Sum(law, table)
    iso, camera = every_pair(3)
    given = {"iso": tf.constant(iso), "camera": camera}
    np.testing.assert_array_equal(corrected(**given), law(**given))
    moved(table)
    np.testing.assert_allclose(corrected(**given), law(**given) + table(**given), rtol=1e-14)
    assert {v.ref() for v in corrected.camera_variables} == {
        law.log_coefficients.ref(),
        table.values.ref(),
    }


@pytest.mark.parametrize("make", [
    lambda: laws_of_cameras(LAWS)[0],
    lambda: nb.InterpolatedTable(0.0, iso_levels=(100, 800), num_cameras=3),
])  # fmt: skip
def test_what_no_law_can_have_is_nan_where_xla_drops_the_checks(make):
    law = tf.function(make(), jit_compile=True)
    iso = tf.constant([100.0, 0.0, -1.0, np.nan, 100.0, 100.0])
    found = law(iso=iso, camera=tf.constant([0, 0, 0, 0, 3, -1]))
    np.testing.assert_array_equal(np.isnan(found)[[0, 3, 4, 5]], [False, True, True, True])
    assert not (np.isfinite(found)[1:3] & (np.array(found)[1:3] > 0)).any()


@pytest.mark.parametrize("channels", [None, 2])
def test_table_by_channel_is_looked_up_by_camera_and_iso(channels):
    shape = (3, 2) if channels is None else (3, 2, channels)
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    values[1, 0] = np.nan
    table = nb.ConditionTable(
        values, num_cameras=3, iso_levels=(100, 400), channels=channels, dtype=tf.float64
    )
    iso, camera = tf.constant([100.0, 400.0, 400.0], tf.float64), tf.constant([0, 2, 1])
    np.testing.assert_array_equal(table(iso=iso, camera=camera), values[[0, 2, 1], [0, 1, 1]])
    assert table.conditions["camera"].iso_levels == ((100, 400), (400,), (100, 400))


def test_reports_show_a_law_at_full_stops_and_by_channel():
    law, _ = laws_of_cameras(LAWS_BY_CHANNEL, channels=4, dtype=tf.float64)
    labels, given = law.shown(CAMERAS)
    assert labels[:2] == ["(Alpha, ISO 100, channel 0)", "(Alpha, ISO 100, channel 1)"]
    assert "(Gamma, ISO 6400, channel 3)" in labels
    assert len(labels) == np.size(law(**given))


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match=r"expected logarithms of shape \[3, 2\]"):
        nb.PolynomialLaw(np.zeros([2, 2]), (1, 0), num_cameras=3)
    with pytest.raises(ValueError, match="expected logarithms"):
        nb.PolynomialLaw([np.nan, 0.0], (1, 0))
    with pytest.raises(ValueError, match="expected finite values"):
        nb.InterpolatedTable([np.nan, 0.0], iso_levels=(100, 400))
    with pytest.raises(ValueError, match="expected positive ISO levels"):
        nb.InterpolatedTable(0.0, iso_levels=(100, -400))
    with pytest.raises(ValueError, match="expected laws of the same channels"):
        nb.Sum(
            nb.InterpolatedTable(0.0, iso_levels=(100,), channels=3),
            nb.InterpolatedTable(0.0, iso_levels=(100,), channels=4),
        )
    with pytest.raises(ValueError, match="expected laws for all channels"):
        nb.Gain(log_u=nb.InterpolatedTable(0.0, iso_levels=(100,), channels=3))
