"""Camera names and their indices."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.conditions import require


def camera_indices(camera, cameras: tuple[str, ...]) -> tf.Tensor:
    """Cameras as indices into `cameras`.

    Args:
      camera: names (str, list, NumPy array, tf.string tensor) or integer indices, of any shape.
      cameras: the names that are known.

    Returns:
      int32 of the shape of `camera`. Indices are returned as they are; the layers check them.

    Raises:
      ValueError: a name that is not known; lists those that are. InvalidArgumentError where only
        the graph knows the name.
    """
    camera = tf.convert_to_tensor(_without_objects(camera))
    if camera.dtype.is_integer:
        return tf.cast(camera, tf.int32)
    if camera.dtype != tf.string:
        raise ValueError(
            f"expected camera as names or integer indices, received dtype {camera.dtype.name}."
        )
    is_same = tf.equal(camera[..., tf.newaxis], tf.constant(cameras))
    require(
        tf.reduce_all(tf.reduce_any(is_same, axis=-1)),
        f"camera to be one of the known cameras ({', '.join(cameras)})",
        camera,
    )
    return tf.argmax(is_same, axis=-1, output_type=tf.int32)


def _without_objects(camera):
    """Strings in NumPy object arrays, as capture files give them, are refused by TensorFlow."""
    if isinstance(camera, np.ndarray) and camera.dtype == object:
        return camera.astype(str)
    return camera
