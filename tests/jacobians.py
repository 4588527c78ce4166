"""Jacobians by automatic differentiation, which the tests compare with those of the equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def jacobian_by_autodiff(function: Callable, image: tf.Tensor) -> np.ndarray:
    """[D, D], the Jacobian of a function of one image of D numbers.

    All rows of the Jacobian come of one gradient, each from a copy of the image of its own:
    `tf.GradientTape.jacobian` would build a graph first, which takes most of a test's time.

    Args:
      function: of a batch [D, H, W, C], one row independent of the others, to the same shape.
      image: [H, W, C], of D numbers.
    """
    size = image.shape.num_elements()
    copies = tf.tile(image[tf.newaxis], [size, 1, 1, 1])
    outputs = tf.reshape(tf.eye(size, dtype=image.dtype), copies.shape)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        y = function(copies)
    return np.reshape(tape.gradient(y, copies, output_gradients=outputs), [size, size])


def log_det_by_autodiff(function: Callable, image: tf.Tensor) -> float:
    """log |det| of `jacobian_by_autodiff`."""
    return np.linalg.slogdet(jacobian_by_autodiff(function, image))[1]


def repeated(conditions: dict, image: tf.Tensor) -> dict:
    """Conditions of an image, for each of its copies in `jacobian_by_autodiff`."""
    size = image.shape.num_elements()
    return {name: np.stack([value] * size) for name, value in conditions.items()}
