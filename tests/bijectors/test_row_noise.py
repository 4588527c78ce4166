"""R: what the pixels of a row of the sensor share."""

import numpy as np
import pytest
import tensorflow as tf

from tests.jacobians import jacobian_by_autodiff
from tests.registry import images
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.images.folded import FoldedImage
from tfp_noiseflow.images.plain import PlainImage

TAU = 0.02
PACKED = (0, 0, 1, 1)


def noise(dtype=tf.float64):
    return nb.SignalDependent(log_beta1=-6.0, log_beta2=-8.0, dtype=dtype)


def rows(mosaic_rows=PACKED, tau=TAU, dtype=tf.float64):
    return nb.RowNoise(noise(dtype), 2 * np.log(tau), mosaic_rows=mosaic_rows, dtype=dtype)


def clean_image(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).uniform(-0.05, 1, shape).astype(dtype)


@pytest.mark.parametrize(
    ("mosaic_rows", "channels"), [(PACKED, 4), ((1, 0, 0, 1), 4), (None, 1), (None, 3)]
)
def test_white_noise_becomes_noise_with_an_offset_of_each_row(mosaic_rows, channels):
    """In units of full scale: the law's variance and tau^2 among the pixels of a row."""
    shape = (2, 3, channels)
    clean = clean_image(shape)
    layer, law = rows(mosaic_rows), noise()
    jacobian = jacobian_by_autodiff(
        lambda x: law.forward(layer.forward(x, clean=clean), clean=clean),
        tf.zeros(shape, tf.float64),
    )
    row = np.arange(2)[:, None, None] + np.zeros(shape)
    if mosaic_rows is not None:
        row = 2 * row + np.array(mosaic_rows)
    shares = row.ravel()[:, None] == row.ravel()[None]
    expected = np.diag(np.ravel(law.variance(clean))) + TAU**2 * shares
    np.testing.assert_allclose(jacobian @ jacobian.T, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("tau", [1e-12, 1e-4, 0.1, 100.0])
def test_both_directions_are_right_from_no_rows_to_nothing_but_rows_in_float32(tau):
    shape = (8, 300, 4)
    clean = clean_image(shape)
    x = images(shape)
    y, log_det = rows(tau=tau).forward_and_log_det(x, clean=clean)
    single = rows(tau=tau, dtype=tf.float32)
    given = {"clean": clean.astype(np.float32)}
    found, found_log_det = single.forward_and_log_det(x.astype(np.float32), **given)
    # Sums over 600 values of both signs, in float32: 1e-6 of the largest, which may be 1e4.
    size = np.abs(y).max()
    np.testing.assert_allclose(found, y, atol=2e-6 * size)
    np.testing.assert_allclose(found_log_det, log_det, rtol=1e-5, atol=1e-5)
    back, _ = rows(tau=tau).inverse_and_log_det(y, clean=clean)
    np.testing.assert_allclose(back, x, atol=1e-9 * size)


def test_tau_is_the_same_for_frames_of_any_width():
    """Row means of many pixels at one brightness vary as tau says, and what the pixels leave."""
    for width in (4, 64, 1000):
        shape = (400, width, 4)
        clean = np.full(shape, 0.2, np.float32)
        x = tf.constant(images(shape, dtype=np.float32, seed=width))
        layer, law = rows(dtype=tf.float32), noise(tf.float32)
        values = law.forward(layer.forward(x, clean=clean), clean=clean).numpy()
        of_rows = values.reshape(400, width, 2, 2).mean(axis=(1, 3)).ravel()
        variance = np.exp(-6) * 0.2 + np.exp(-8)
        expected = TAU**2 + variance / (2 * width)
        # 800 rows: a variance is known to 5 %.
        assert of_rows.var() == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("blocks", [(4,), (2, 2), (1, 3)])
def test_sums_of_rows_and_their_way_back_are_those_of_the_plain_form(blocks):
    x = tf.constant(images((3, 5, 8, 4)))
    plain, folded = PlainImage(x), FoldedImage.fold(x).in_blocks(blocks)
    sums = plain.summed_by_row()
    np.testing.assert_allclose(sums, np.sum(x, axis=2), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(folded.summed_by_row(), sums, rtol=1e-12, atol=1e-12)
    for numbers in (sums, sums[..., :1]):
        spread = [
            image.mapped(lambda values, rows: 0 * values + rows, image.with_values(rows))
            for image, rows in (
                (plain, plain.spread_rows(numbers)),
                (folded, folded.spread_rows(numbers)),
            )
        ]
        np.testing.assert_array_equal(spread[1].unfold(), spread[0].values)


@pytest.mark.parametrize("mosaic_rows", [PACKED, None])
def test_it_folds_between_flow_steps(mosaic_rows):
    law, layer = noise(), rows(mosaic_rows)
    steps = [
        step
        for k in (1, 2)
        for step in (
            nb.InvertibleConv1x1(4, seed=k, dtype=tf.float64, name=f"conv1x1_{k}"),
            nb.AffineCoupling(4, seed=k, dtype=tf.float64, name=f"coupling_{k}"),
        )
    ]
    members = [law, *steps[:2], layer, *steps[2:]]
    chain = nb.ConditionalChain(members, dtype=tf.float64)
    x, clean = tf.constant(images((2, 4, 8, 4))), clean_image((2, 4, 8, 4))
    expected, total = x, 0.0
    for member in members:
        given = {"clean": clean} if member.conditions else {}
        expected, log_det = member.inverse_and_log_det(expected, **given)
        total += log_det
    value, log_det = chain.inverse_and_log_det(x, clean=clean)
    np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(log_det, total, rtol=1e-12)


def test_xla_gives_what_eager_gives():
    layer = rows(dtype=tf.float32)
    x = tf.constant(images((2, 4, 6, 4), dtype=np.float32))
    clean = tf.constant(clean_image((2, 4, 6, 4), dtype=np.float32))
    compiled = tf.function(lambda x: layer.inverse_and_log_det(x, clean=clean), jit_compile=True)
    for got, expected in zip(compiled(x), layer.inverse_and_log_det(x, clean=clean), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_other_channels_than_the_rows_are_given_for_are_refused():
    x = images((4, 6, 3))
    with pytest.raises(ValueError, match=r"row_noise: expected images of 4 channels.*received 3"):
        rows().forward(x, clean=clean_image(x.shape))
    by_channel = nb.ConditionTable(np.zeros(4), channels=4, dtype=tf.float64, name="log_tau")
    with pytest.raises(ValueError, match="row_noise: expected a law for all channels"):
        nb.RowNoise(noise(), by_channel, dtype=tf.float64)
    with pytest.raises(ValueError, match="a row for each channel, received none"):
        rows(mosaic_rows=())


def test_tau_is_told():
    (value,) = rows().physical_parameters().values()
    assert value.numpy() == pytest.approx(TAU)
