"""Intervals of a standard normal number: their log-probability, and draws from them.

An interval is [lower, lower + width] with its middle at 0 or above: any other one is the mirror
image of such a one. `OPEN` is a width without an upper end.

```none
P     = Q(lower) - Q(lower + width),  Q(x) = 1 - Phi(x)
draw  = Q^-1(Q(lower) - u P)
```

Both are made of few operations, because they run over every value of every image in training:
a difference of `erfc`s as it is, a midpoint rule with its first correction where they would cancel,
and a continued fraction where they underflow.

Accuracy in float32, against float64 at the same arguments: log P to 1e-5 or 4e-7 of itself,
whichever is larger, for widths of 0.01 and more and lower ends up to 40 and beyond; a width w below
0.01 in the tail costs 1e-7 / w. Draws have the share of the interval that they were asked for to
2e-3, mostly to 1e-4. Compiled by XLA, whose inverse of Phi is less accurate in float32, those above
3.5 are off by up to 0.01, those from 5 to 6 by up to 0.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

OPEN = 1e4

# By dtype: the width, in units of the scale on which the density changes, below which the midpoint
# rule is the more accurate one, and the lower end above which the continued fraction is.
NARROW = {tf.float32: 0.2, tf.float64: 1e-3}
FAR = {tf.float32: 7.0, tf.float64: 30.0}

# The lower end above which draws come from the tail's expansion, and what other draws do
# not pass: XLA's inverse of Phi is infinite above 5.4.
FAR_DRAW = 5.0
LARGEST_DRAW = 6.0

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@tf.custom_gradient
def log_interval_probability(lower: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """log(Phi(lower + width) - Phi(lower)).

    Args:
      lower: float, any shape; at least -width / 2.
      width: positive, of the same shape.

    Returns:
      The same shape, finite where lower^2 is.
    """
    dtype = lower.dtype
    middle = lower + 0.5 * width
    decay = width * middle  # Of log density from end to end.
    log_density = -0.5 * tf.square(lower) - HALF_LOG_2PI
    near = tf.math.log(_near_probability(lower, width, middle, decay))
    is_far = lower > FAR[dtype]

    def with_far() -> tuple[tf.Tensor, tf.Tensor]:
        fall = _mills_ratio(lower) - tf.exp(-decay) * _mills_ratio(lower + width)
        log_fall = tf.math.log(tf.maximum(fall, dtype.as_numpy_dtype(1e-30)))
        return (
            tf.where(is_far, log_density + log_fall, near),
            tf.where(is_far, log_fall, near - log_density),
        )

    log_probability, log_fall = tf.cond(
        tf.reduce_any(is_far), with_far, lambda: (near, near - log_density)
    )

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # phi(lower) / P, and phi(upper) / P without a cancellation of the two.
        ratio = tf.exp(-log_fall)
        by_lower = upstream * ratio * tf.math.expm1(-decay)
        return by_lower, upstream * ratio + by_lower

    return log_probability, gradient


def _near_probability(
    lower: tf.Tensor, width: tf.Tensor, middle: tf.Tensor, decay: tf.Tensor
) -> tf.Tensor:
    """P, where it does not underflow."""
    dtype = lower.dtype
    scale = math.sqrt(0.5)
    difference = 0.5 * (tf.math.erfc(scale * lower) - tf.math.erfc(scale * (lower + width)))
    bend = (tf.square(decay) - tf.square(width)) / 24
    density = tf.exp(-0.5 * tf.square(middle) - HALF_LOG_2PI)
    midpoint = width * density * (1 + bend)
    probability = tf.where(tf.maximum(width, decay) < NARROW[dtype], midpoint, difference)
    return tf.maximum(probability, np.finfo(dtype.as_numpy_dtype).tiny)


def _mills_ratio(x: tf.Tensor) -> tf.Tensor:
    """Q(x) / phi(x) for large x: five levels of Laplace's continued fraction."""
    x = tf.maximum(x, 1.0)
    s = 1 / tf.square(x)
    return (1 + s * (9 + 8 * s)) / (x * (1 + s * (10 + 15 * s)))


def truncated_normal(lower: tf.Tensor, width: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """A number in each interval that is distributed there as a normal one.

    Args:
      lower, width: as for `log_interval_probability`.
      uniform: in (0, 1), of a shape that broadcasts with theirs; 0 is the lower end.

    Returns:
      The shape of `lower`, reparameterised: gradients by lower and width are those of the draw.
    """
    # Only what depends on them has a gradient; the uniform numbers have none.
    return _truncated_normal(tf.stop_gradient(uniform))(lower, width)


def _truncated_normal(uniform: tf.Tensor) -> Callable:
    @tf.custom_gradient
    def draw(lower: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        upper = lower + width
        scale = math.sqrt(0.5)
        q_lower, q_upper = tf.math.erfc(scale * lower), tf.math.erfc(scale * upper)
        q = 0.5 * (q_lower - uniform * (q_lower - q_upper))
        z = tf.clip_by_value(-tf.math.ndtri(q), -LARGEST_DRAW, LARGEST_DRAW)
        is_far = lower > FAR_DRAW
        z = tf.cond(
            tf.reduce_any(is_far),
            lambda: tf.where(is_far, _far_draw(lower, width, uniform), z),
            lambda: z,
        )

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            by_upper = uniform * tf.exp(0.5 * (z - upper) * (z + upper))
            by_lower = (1 - uniform) * tf.exp(0.5 * (z - lower) * (z + lower))
            return upstream * (by_lower + by_upper), upstream * by_upper

        return z, gradient

    return draw


def _far_draw(lower: tf.Tensor, width: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """The draw for lower ends far out, from Q(x) = phi(x) M(x) with M(x) about x / (x^2 + 1)."""
    lower = tf.maximum(lower, FAR_DRAW)
    square = tf.square(lower)
    # log of M falls by width / lower, nearly, beside that of phi.
    fall = width * (lower + 0.5 * width) + width * lower / (square + 1)
    first = square - 2 * tf.math.log1p(uniform * tf.math.expm1(-fall))  # z^2 for a constant M.
    return tf.sqrt(first - (1 - 3 / (square + 2)) * tf.math.log(first / square))
