"""Convolutions of images with few channels and any leading dimensions.

A convolution of 2 to 8 channels leaves most of a processor's vector units idle. Four neighbouring
pixels of a row are four times as many channels without moving a byte: [B, H, W, C] and
[B, H, W / 4, 4 C] are the same memory. The kernel becomes a banded one, mostly zeros, and the
convolution faster in spite of multiplying them (BUILD_NOTES.md has the figures).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# Pixels of a row that become one.
FOLD = 4


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Zero-padded 2-D convolution.

    Args:
      images: [.., H, W, C]; no, one or several leading dimensions; H and W may be dynamic.
      kernel: [h, w, C, D], h and w odd, w <= 2 FOLD + 1.

    Returns:
      [.., H, W, D].
    """
    kernel = tf.convert_to_tensor(kernel)
    if images.shape.rank == 4:
        return _convolve_batch(images, kernel)
    shape = tf.shape(images)
    flat = tf.reshape(images, tf.concat([[-1], shape[-3:]], axis=0))
    flat.set_shape([None, *images.shape[-3:]])
    convolved = _convolve_batch(flat, kernel)
    result = tf.reshape(convolved, tf.concat([shape[:-1], [kernel.shape[-1]]], axis=0))
    result.set_shape([*images.shape[:-1], kernel.shape[-1]])
    return result


def _convolve_batch(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    width = images.shape[2]
    if width is None:
        convolved = tf.cond(
            tf.equal(tf.shape(images)[2] % FOLD, 0),
            lambda: convolve_folded(images, kernel),
            lambda: convolve_plain(images, kernel),
        )
        convolved.set_shape([*images.shape[:3], kernel.shape[-1]])
        return convolved
    return (convolve_plain if width % FOLD else convolve_folded)(images, kernel)


def convolve_plain(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """[B, H, W, C] by [h, w, C, D], pixel by pixel: what `convolve_folded` equals to rounding."""
    return tf.nn.conv2d(images, kernel, strides=1, padding="SAME")


def convolve_folded(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """[B, H, W, C] by [h, w, C, D] for W divisible by FOLD."""
    shape = tf.shape(images)
    height, width, channels = images.shape[1:]
    folded = tf.reshape(images, [shape[0], shape[1], shape[2] // FOLD, FOLD * channels])
    folded.set_shape([images.shape[0], height, width and width // FOLD, FOLD * channels])
    convolved = tf.nn.conv2d(folded, folded_kernel(kernel), strides=1, padding="SAME")
    result = tf.reshape(convolved, [shape[0], shape[1], shape[2], kernel.shape[-1]])
    result.set_shape([images.shape[0], height, width, kernel.shape[-1]])
    return result


def folded_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """The kernel [h, 1 or 3, FOLD C, FOLD D] of folded images.

    Output pixel p of a group takes input pixel q of the group J to the left or right where the
    kernel's column is FOLD J + q - p.
    """
    height, width, channels, outputs = kernel.shape
    reach = width // 2
    groups = 0 if width == 1 else 1
    place = np.zeros((width, 2 * groups + 1, FOLD, FOLD))  # column, J, q, p
    for p in range(FOLD):
        for column in range(width):
            position = p + column - reach
            place[column, groups + position // FOLD, position % FOLD, p] = 1
    place = tf.constant(place, kernel.dtype)
    folded = tf.einsum("ijco,jJqp->iJqcpo", kernel, place)
    return tf.reshape(folded, [height, 2 * groups + 1, FOLD * channels, FOLD * outputs])
