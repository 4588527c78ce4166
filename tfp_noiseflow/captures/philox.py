"""NumPy's Philox generator in TensorFlow ops: the numbers of a capture's dequantisation, anywhere.

`np.random.Generator(np.random.Philox(key=key, counter=(0, 0, image, capture))).random(n, float32)`
bit for bit, for many captures at once: where captures are kept on a device, their dequantisation is
computed there and is that of the stream.

Reference: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# Philox4x64-10: multipliers and the constants that the key grows by, of the reference.
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS = 10

# A block of four words of 64 bits is eight float32 numbers.
NUMBERS_IN_BLOCK = 8


# Compiled as one: some 300 operations on integers, of which each would be a pass over memory.
@tf.function(jit_compile=True, reduce_retracing=True)
def uniform(captures: tf.Tensor, key: tf.Tensor, image: tf.Tensor, count: int) -> tf.Tensor:
    """The first numbers of the generators of captures.

    Args:
      captures: int [B], the last word of each generator's counter.
      key: uint64 [2] of all of them.
      image: uint64, the third word of all counters.
      count: how many numbers.

    Returns:
      [B, count] float32 in [0, 1).
    """
    # The counter grows by one before each block.
    block = 1 + tf.range(-(-count // NUMBERS_IN_BLOCK), dtype=tf.int64)
    block = tf.cast(block, tf.uint64)[tf.newaxis]
    capture = tf.cast(captures, tf.uint64)[:, tf.newaxis]
    zeros = tf.zeros_like(capture + block)
    words = tf.stack(_philox([zeros + block, zeros, zeros + image, zeros + capture], key), axis=-1)
    low = tf.bitwise.bitwise_and(words, _constant(0xFFFFFFFF))
    halves = tf.stack([low, tf.bitwise.right_shift(words, _constant(32))], axis=-1)
    bits = tf.bitwise.right_shift(tf.reshape(halves, [tf.shape(captures)[0], -1]), _constant(8))
    # 24 bits are exact in float32.
    numbers = tf.cast(tf.cast(bits, tf.int32), tf.float32) * np.float32(2.0**-24)
    return numbers[:, :count]


def _philox(counter: list[tf.Tensor], key: tf.Tensor) -> tuple[tf.Tensor, ...]:
    first, second, third, fourth = counter
    key0, key1 = key[0], key[1]
    for number in range(ROUNDS):
        if number:
            key0, key1 = key0 + _constant(WEYL[0]), key1 + _constant(WEYL[1])
        high0, low0 = _product(MULTIPLIERS[0], first)
        high1, low1 = _product(MULTIPLIERS[1], third)
        first, second, third, fourth = (
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high1, second), key0),
            low1,
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high0, fourth), key1),
            low0,
        )
    return first, second, third, fourth


def _product(multiplier: int, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The upper and the lower 64 bits of a product."""
    mask, half = _constant(0xFFFFFFFF), _constant(32)
    low, high = _constant(multiplier & 0xFFFFFFFF), _constant(multiplier >> 32)
    values_low = tf.bitwise.bitwise_and(values, mask)
    values_high = tf.bitwise.right_shift(values, half)
    middle = tf.bitwise.right_shift(low * values_low, half) + high * values_low
    carry = tf.bitwise.bitwise_and(middle, mask) + low * values_high
    upper = high * values_high + tf.bitwise.right_shift(middle, half)
    return upper + tf.bitwise.right_shift(carry, half), _constant(multiplier) * values


def _constant(value: int) -> tf.Tensor:
    return tf.constant(np.uint64(value))
