"""Random crops of frames that keep the phase of their mosaic."""

from __future__ import annotations

import tensorflow as tf

from tfp_noiseflow.conditions.checks import require

# One algorithm on all devices: an export draws what the model draws.
ALGORITHM = "philox"


def random_crop(
    frames: tf.Tensor | tf.Variable,
    first: tf.Tensor,
    count: tf.Tensor,
    size: tf.Tensor,
    seed: tf.Tensor,
    *,
    has_flips: bool = False,
) -> tf.Tensor:
    """A crop of one of some frames, at a random position.

    A colour of the mosaic falls where that colour is: frames of packed images have a colour for
    each channel, and crops of a mosaic (one channel) begin at even rows and columns. Where one is
    flipped it begins at an odd one, so that the mirror image has the phase too.

    Args:
      frames: [F, H, W, C].
      first, count: int, the frames from which one is drawn, `count` > 0 of them from `first` on.
      size: int [2], rows and columns of the crop, at most H and W; of a mosaic even, unless they
        are H and W.
      seed: int [2].
      has_flips: whether the crop is mirrored, left to right and top to bottom, each by half a
        chance. Of a mosaic one that has no room to begin at an odd row (column) is not.

    Returns:
      [h, w, C].
    """
    shape, size = tf.shape(frames), tf.convert_to_tensor(size, tf.int32)
    period = 2 if frames.shape[-1] == 1 else 1
    draws = tf.random.stateless_uniform([5], seed, alg=ALGORITHM)
    index = first + _drawn(draws[0], count)
    room = shape[1:3] - size
    is_flipped = tf.zeros([2], tf.bool)
    if has_flips:
        is_flipped = draws[3:5] < 0.5
        if period == 2:
            is_flipped = tf.logical_and(is_flipped, tf.logical_and(room > 0, size % 2 == 0))
    odd = tf.cast(is_flipped, tf.int32) * (period - 1)
    # Positions odd, odd + period, .., up to room.
    start = odd + period * _drawn(draws[1:3], (room - odd) // period + 1)
    begin = tf.concat([[index], start, [0]], axis=0)
    extent = tf.concat([[1], size, shape[-1:]], axis=0)
    crop = tf.slice(frames, begin, extent)[0]
    if has_flips:
        for axis in (0, 1):
            crop = tf.where(is_flipped[axis], tf.reverse(crop, [axis]), crop)
    return crop


def size_with_room(frames: tf.Tensor | tf.Variable, size: tf.Tensor, what: str) -> tf.Tensor:
    """The size of crops, which fit frames.

    Args:
      frames: [F, H, W, C].
      size: int [2], rows and columns.
      what: the frames, for messages.

    Returns:
      `size`; in a graph only once it is known to fit.

    Raises:
      ValueError: it does not; InvalidArgumentError where only the graph knows.
    """
    rows, columns = frames.shape[1:3]
    check = require(
        tf.reduce_all(size <= tf.shape(frames)[1:3]),
        f"images of at most {rows} rows and {columns} columns, as {what} has",
        size,
    )
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(size)


def _drawn(uniform: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Integers from 0 to count - 1 of numbers in [0, 1)."""
    drawn = tf.cast(uniform * tf.cast(count, uniform.dtype), tf.int32)
    # A product may round up to count.
    return tf.minimum(drawn, count - 1)
