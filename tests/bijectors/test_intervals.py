"""Intervals of single values through layers, as the bins of codes go."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.registry import LAYERS, conditions, images, moved, needed
from tfp_noiseflow import bijectors as nb

tfb = tfp.bijectors

PIXELWISE = [name for name, (build, _) in LAYERS.items() if build(tf.float32).is_pixelwise]
WIDTHS = (1e-3, 1e-2, 0.1, 0.3, 3.0)


def case(name, dtype, width):
    """A layer, intervals of widths in units of the carried ones at 0, and conditions."""
    build, channels = LAYERS[name]
    layer, shape = moved(build(dtype)), (2, 8, 6, channels)
    given = needed(layer, conditions((2,), shape[1:], dtype=dtype.as_numpy_dtype))
    scale = layer.forward(tf.ones(shape, dtype), **given)
    middle = scale * tf.constant(images(shape, scale=2.0), dtype)
    return layer, middle, 0.5 * width * tf.abs(scale) * tf.ones(shape, dtype), given


@pytest.mark.parametrize("name", PIXELWISE)
def test_an_interval_goes_where_its_edges_go(name):
    for width in WIDTHS:
        layer, middle, half, given = case(name, tf.float64, width)
        below, above = (layer.inverse(edge, **given) for edge in (middle - half, middle + half))
        carried, carried_half = layer.inverse_interval(middle, half, **given)
        np.testing.assert_allclose(carried, (below + above) / 2, rtol=1e-9, atol=1e-12)
        # What the difference of the edges keeps: some roundings of numbers up to 100.
        np.testing.assert_allclose(carried_half, (above - below) / 2, rtol=1e-8, atol=2e-14)


@pytest.mark.parametrize("name", PIXELWISE)
def test_half_the_width_keeps_its_digits_in_float32(name):
    for width in WIDTHS:
        layer, middle, half, given = case(name, tf.float32, width)
        same = LAYERS[name][0](tf.float64)
        for variable, value in zip(same.variables, layer.variables, strict=True):
            variable.assign(tf.cast(value, tf.float64))
        wide = {k: v if k == "camera" else np.float64(v) for k, v in given.items()}
        actual = [np.float64(part) for part in layer.inverse_interval(middle, half, **given)]
        interval = (tf.cast(part, tf.float64) for part in (middle, half))
        expected = [part.numpy() for part in same.inverse_interval(*interval, **wide)]
        # The variance's logarithms, of up to 17, cost a few roundings of themselves; where no
        # closed form is known the rule's own error is added, w^4 / 4320 of a fourth derivative of
        # some 10.
        np.testing.assert_allclose(actual[1], expected[1], rtol=2e-5)
        size = 1 + np.abs(expected[0]) + np.abs(expected[1])
        np.testing.assert_array_less(np.abs(actual[0] - expected[0]) / size, 5e-6)


def test_a_difference_of_edges_would_not_keep_them():
    """What the above guards against: at a width of 0.001 three digits are left of seven."""
    layer, middle, half, given = case("marginal_shape", tf.float32, 1e-3)
    below, above = (layer.inverse(edge, **given) for edge in (middle - half, middle + half))
    exact = layer.inverse_interval(middle, half, **given)[1]
    assert np.max(np.abs((above - below) / 2 / exact - 1)) > 1e-4


def test_a_bijector_that_falls_gives_a_negative_half_width():
    scale = nb.Unconditional(tfb.Scale(np.float64(-2.0)), dtype=tf.float64)
    bend = nb.Unconditional(tfb.SinhArcsinh(np.float64(0.3), np.float64(1.2)), dtype=tf.float64)
    chain = nb.ConditionalChain([bend, scale], dtype=tf.float64)
    middle, half = (tf.fill([2, 2, 1], np.float64(value)) for value in (1.5, 0.25))
    carried, carried_half = chain.inverse_interval(middle, half)
    below, above = chain.inverse(middle - half), chain.inverse(middle + half)
    assert np.all(above < below) and np.all(carried_half < 0)
    np.testing.assert_allclose(carried_half, (above - below) / 2, rtol=1e-12)
    np.testing.assert_allclose(carried, (above + below) / 2, rtol=1e-12)


@pytest.mark.parametrize("name", ["marginal_shape", "power_tailed_shape"])
def test_gradients_go_through_an_interval(name):
    layer, middle, half, given = case(name, tf.float64, 0.1)
    single = LAYERS[name][0](tf.float32)
    for variable, value in zip(single.variables, layer.variables, strict=True):
        variable.assign(tf.cast(value, tf.float32))
    narrow = {k: v if k == "camera" else np.float32(v) for k, v in given.items()}

    def total(layer=layer, middle=middle, half=half, given=given):
        carried, carried_half = layer.inverse_interval(middle, half, **given)
        return tf.reduce_sum(carried) + 100 * tf.reduce_sum(carried_half)

    with tf.GradientTape(persistent=True) as tape:
        value = total()
        rounded = total(single, tf.cast(middle, tf.float32), tf.cast(half, tf.float32), narrow)
    for number in layer.first_numbers:
        variable = getattr(layer, number).values
        slope = tape.gradient(value, variable)
        ends = []
        for change in (1e-5, -2e-5, 1e-5):
            variable.assign_add(change)
            ends.append(total())
        # A difference by steps of 1e-5 is off by their square.
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-5, rtol=1e-6, atol=1e-6)
        # Sums of hundreds of values, some of which cancel.
        in_float32 = tape.gradient(rounded, getattr(single, number).values)
        np.testing.assert_allclose(in_float32, slope, rtol=1e-3, atol=1e-3)


def test_a_bijector_that_mixes_values_carries_none():
    layer = nb.InvertibleConv1x1(4, seed=0)
    with pytest.raises(ValueError, match="invertible_conv1x1: expected a bijector that acts on"):
        layer.inverse_interval(tf.zeros([2, 2, 4]), tf.ones([2, 2, 4]))
