"""AutoGraph left out, types kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

Function = TypeVar("Function", bound=Callable[..., Any])


def not_converted(function: Function) -> Function:
    """`tf.autograph.experimental.do_not_convert`, of which a type checker knows nothing.

    Args:
      function: to decorate; in a `tf.function` its Python is run as it is.

    Returns:
      The function, with the arguments and the result that it says.
    """
    return tf.autograph.experimental.do_not_convert(function)
