"""Convolutions of images with any leading dimensions."""

from __future__ import annotations

import tensorflow as tf


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Zero-padded 2-D convolution.

    Args:
      images: [.., H, W, C]; no, one or several leading dimensions; H and W may be dynamic.
      kernel: [h, w, C, D], h and w odd.

    Returns:
      [.., H, W, D].
    """
    kernel = tf.convert_to_tensor(kernel)
    if images.shape.rank == 4:
        return tf.nn.conv2d(images, kernel, strides=1, padding="SAME")
    shape = tf.shape(images)
    flat = tf.reshape(images, tf.concat([[-1], shape[-3:]], axis=0))
    flat.set_shape([None, *images.shape[-3:]])
    convolved = tf.nn.conv2d(flat, kernel, strides=1, padding="SAME")
    result = tf.reshape(convolved, tf.concat([shape[:-1], [kernel.shape[-1]]], axis=0))
    result.set_shape([*images.shape[:-1], kernel.shape[-1]])
    return result
