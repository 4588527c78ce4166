"""Checks of values that are errors in Python where they can be, and in the graph elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.types import TensorLike


def known_in_python(value: TensorLike) -> contextlib.AbstractContextManager:
    """A context in which what is no tensor of a graph is checked eagerly, also while one is traced.

    Then a wrong value in the Python code of a `tf.function` is a ValueError when it is traced.
    """
    is_eager = isinstance(value, tf.__internal__.EagerTensor)
    if tf.is_tensor(value) and not is_eager:
        return contextlib.nullcontext()
    return tf.init_scope()


def require(
    holds: tf.Tensor, expected: str, received: tf.Tensor | Callable[[], tf.Tensor]
) -> tf.Operation | None:
    """Raises unless `holds`: ValueError where that is known in Python, else an op of the graph.

    Args:
      holds: bool scalar.
      expected: what was expected, in words.
      received: a tensor that shows what came, or a function that gives it, which is called only
        where `holds` is false.

    Returns:
      Of a graph the op that checks a `received` tensor: what must not run before it can depend on
      it. Else None.

    Raises:
      ValueError: eagerly; InvalidArgumentError when the graph runs.
    """
    message = f"expected {expected}, received"
    known = tf.get_static_value(holds)
    if known is None and callable(received):

        def fail() -> tf.Operation:
            return tf.raw_ops.Assert(condition=holds, data=[message, received()], summarize=16)

        # What tf.debugging.Assert makes too, but for `received` within the branch.
        tf.cond(holds, tf.no_op, fail, name="AssertGuard")
    elif known is None:
        return tf.debugging.Assert(holds, [message, received], summarize=16)
    elif not known:
        received = received() if callable(received) else received
        value = tf.get_static_value(received)
        raise ValueError(f"{message} {received if value is None else _as_written(value)}.")
    return None


def _as_written(value: Any) -> Any:
    """Names as text in quotes, not as the bytes that TensorFlow holds; numbers as they are."""
    if isinstance(value, bytes):
        return repr(value.decode(errors="replace"))
    if isinstance(value, np.ndarray) and value.dtype == object:
        return np.array([name.decode(errors="replace") for name in value.flat]).reshape(value.shape)
    return value


def as_float(name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
    """`value` as a tensor of `dtype`; numbers are converted, other floating tensors refused."""
    if tf.is_tensor(value) and value.dtype.is_integer:
        value = tf.cast(value, dtype)
    try:
        return tf.convert_to_tensor(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        received = value.dtype.name if tf.is_tensor(value) else repr(value)
        raise ValueError(f"expected {name} of dtype {dtype.name}, received {received}.") from error


def check_fits(name: str, image: tf.Tensor, x: tf.Tensor) -> None:
    """Raises unless `image` has x's H, W, C and its batch dimensions broadcast with x's."""
    if image.shape.rank is None or x.shape.rank is None:
        return
    message = f"expected {name} of x's shape {x.shape}, received {image.shape}."
    if image.shape.rank < 3:
        raise ValueError(f"{message} It needs at least the dimensions [H, W, C].")
    if not image.shape[-3:].is_compatible_with(x.shape[-3:]):
        raise ValueError(message)
    try:
        tf.broadcast_static_shape(image.shape[:-3], x.shape[:-3])
    except ValueError as error:
        raise ValueError(message) from error
    if not (image.shape[-3:].is_fully_defined() and x.shape[-3:].is_fully_defined()):
        # Two different sizes fail by themselves later, but a size of 1 would be broadcast.
        require(
            tf.reduce_all(tf.equal(tf.shape(image)[-3:], tf.shape(x)[-3:])),
            f"{name} of x's height, width and channels",
            tf.stack([tf.shape(image)[-3:], tf.shape(x)[-3:]]),
        )
