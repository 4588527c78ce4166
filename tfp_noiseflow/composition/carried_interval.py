"""Intervals of single values, carried by a monotone function that is only known by its values."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

# By dtype: the width of a carried interval below which it is taken from slopes. A difference of
# edges keeps its size divided by some rounding of 1; slopes at the two points of Gauss and
# Legendre's rule are off by w^4 / 4320 of the fourth derivative of the slope.
NARROW = {tf.float32: 0.2, tf.float64: 1e-3}


def carried_interval(
    function: Callable[[tf.Tensor], tf.Tensor], middle: tf.Tensor, half_width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The middle and half the width of what intervals are carried to.

    In float32 half the width is right to some 1e-5 of itself however narrow the interval is, where
    the function bends on a scale of 1 or more; in float64 to 1e-12.

    Args:
      function: of each value by itself, monotone, of the tensor's shape.
      middle, half_width: of the intervals, of one shape.

    Returns:
      Two tensors of their shape; the second is negative where the function falls.
    """
    below, above = function(middle - half_width), function(middle + half_width)
    half = 0.5 * (above - below)
    offset = half_width / math.sqrt(3.0)
    slope = 0.5 * (_slope(function, middle - offset) + _slope(function, middle + offset))
    is_narrow = tf.abs(half) < 0.5 * NARROW[middle.dtype]
    return 0.5 * (below + above), tf.where(is_narrow, half_width * slope, half)


def _slope(function: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(values)
        carried = function(values)
    # Each carried value depends on its own value alone.
    return tape.gradient(carried, values)
