"""What decoders make of a damaged file, as one error that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def damage_named(expected: str) -> Iterator[None]:
    """Turns what a decoder raises inside into a ValueError.

    Args:
      expected: the error's beginning: names the file, or what it was expected to be.

    Raises:
      ValueError: whatever the decoder raised.
      ImportError: as it is. OSError: the operating system's own, as it is: the file may be whole.
    """
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # Every decoder has errors of its own for a damaged file.
        if getattr(error, "errno", None):
            raise
        # TensorFlow's own text says which operation failed, which is no matter of the file.
        said = error.message if isinstance(error, tf.errors.OpError) else str(error)
        said = said.split("}} ")[-1].split(" [Op:")[0].rstrip(".") or repr(error)
        raise ValueError(
            f"{expected}, but it cannot be read; it is damaged or of another format ({said})."
        ) from error
