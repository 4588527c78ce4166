"""What decoders make of a damaged file, as one error that names it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import BinaryIO

import tensorflow as tf

# Deflate makes at most some 1030 bytes of one.
LARGEST_RATIO = 2000


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


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file, whose reader may be sent by a damage to places that there are not.

    Raises:
      ValueError: such a place. OSError: the operating system's own.
    """
    with open(path, "rb") as file:
        try:
            yield file
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):
                raise
            raise ValueError(str(error)) from error


def check_is_held(declared: int, path: str) -> None:
    """Raises ValueError where an image declares more bytes than the file can hold, packed.

    Args:
      declared: bytes of its pixels. path: of the file.
    """
    held = os.path.getsize(path)
    if not 0 < declared <= LARGEST_RATIO * held:
        raise ValueError(f"its image of {declared} bytes is not in a file of {held}")
