"""Names of cameras, and their indices."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.checks import known_in_python, require
from tfp_noiseflow.conditions.conditions import Rule
from tfp_noiseflow.types import TensorLike


def checked_cameras(cameras: Iterable | None) -> tuple[str, ...] | None:
    """Camera names as a tuple, None for none; ValueError where one is empty or repeated."""
    if isinstance(cameras, str):
        raise ValueError(f"expected a list of camera names, received the text {cameras!r}.")
    names = () if cameras is None else tuple(str(camera) for camera in cameras)
    if len(set(names)) < len(names) or "" in names:
        raise ValueError(f"expected camera names, each once, received {cameras}.")
    return names or None


def camera_indices(camera: TensorLike, cameras: tuple[str, ...]) -> tf.Tensor:
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


def _indices(camera: TensorLike, cameras: tuple[str, ...]) -> tf.Tensor:
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
    rule = name_rule(camera, cameras)
    require(tf.reduce_all(rule.is_valid), rule.text, camera)
    return tf.argmax(_equals(camera, cameras), axis=-1, output_type=tf.int32)


def name_rule(camera: tf.Tensor, cameras: tuple[str, ...]) -> Rule:
    """That names, tf.string, are among those of known cameras."""
    is_known = tf.reduce_any(_equals(camera, cameras), axis=-1)
    return Rule("camera to be one of the known cameras", ("camera",), is_known, ", ".join(cameras))


def _equals(camera: tf.Tensor, cameras: tuple[str, ...]) -> tf.Tensor:
    """[.., M] bool: which of the M known cameras each name is."""
    return tf.equal(camera[..., tf.newaxis], tf.constant(cameras))


def _without_objects(camera: TensorLike) -> TensorLike:
    """Strings in NumPy object arrays, as capture files give them, are refused by TensorFlow."""
    if isinstance(camera, np.ndarray) and camera.dtype == object:
        return camera.astype(str)
    return camera
