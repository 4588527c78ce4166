"""The cameras and ISO levels that a model knows, and the indices of cameras."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.conditions import known_in_python, require


def camera_indices(camera, cameras: tuple[str, ...]) -> tf.Tensor:
    """Cameras as indices into `cameras`.

    Args:
      camera: names (str, list, NumPy array, tf.string tensor) or integer indices, of any shape.
      cameras: the names that are known.

    Returns:
      Integers of the shape of `camera`. Indices are returned as they are, not checked.

    Raises:
      ValueError: a name that is not known; lists those that are. InvalidArgumentError where only
        the graph knows the name.
    """
    with known_in_python(camera):
        return _indices(camera, cameras)


def _indices(camera, cameras: tuple[str, ...]) -> tf.Tensor:
    try:
        camera = tf.convert_to_tensor(_without_objects(camera))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected camera as names or integer indices, received {camera!r}."
        ) from error
    if camera.dtype.is_integer:
        return camera
    if camera.dtype != tf.string:
        raise ValueError(
            f"expected camera as names or integer indices, received dtype {camera.dtype.name}."
        )
    is_same = equals_names(camera, cameras)
    require(
        tf.reduce_all(tf.reduce_any(is_same, axis=-1)),
        f"camera to be one of the known cameras ({', '.join(cameras)})",
        camera,
    )
    return tf.argmax(is_same, axis=-1, output_type=tf.int32)


def equals_names(camera: tf.Tensor, cameras: tuple[str, ...]) -> tf.Tensor:
    """[.., M] bool: which of the M known cameras each name is."""
    return tf.equal(camera[..., tf.newaxis], tf.constant(cameras))


def _without_objects(camera):
    """Strings in NumPy object arrays, as capture files give them, are refused by TensorFlow."""
    if isinstance(camera, np.ndarray) and camera.dtype == object:
        return camera.astype(str)
    return camera


def checked_cameras(cameras, *, is_needed: bool) -> tuple[str, ...] | None:
    """Camera names as a tuple, None for none; ValueError where one is empty or repeated."""
    if isinstance(cameras, str):
        raise ValueError(f"expected a list of camera names, received the text {cameras!r}.")
    names = () if cameras is None else tuple(str(camera) for camera in cameras)
    if len(set(names)) < len(names) or "" in names or (is_needed and not names):
        raise ValueError(f"expected camera names, each once, received {cameras}.")
    return names or None


def checked_iso_levels(iso_levels, *, is_needed: bool) -> tuple[float, ...] | None:
    """ISO levels as a tuple, None for none; ValueError where one is repeated or not positive."""
    levels = () if iso_levels is None else tuple(float(iso) for iso in iso_levels)
    is_valid = len(set(levels)) == len(levels) and all(0 < iso < np.inf for iso in levels)
    if not is_valid or (is_needed and not levels):
        raise ValueError(f"expected positive ISO levels, each once, received {iso_levels}.")
    return levels or None
