"""What h5py makes of a damaged file, as one error that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def damage_named(message: str) -> Iterator[None]:
    """Turns what h5py raises inside into a ValueError.

    Args:
      message: names the file and what of it is read; what h5py says is put behind it.

    Raises:
      ValueError: whatever h5py raised.
      OSError: the operating system's own, as it is: the file may be whole.
    """
    try:
        yield
    # What h5py makes of a damage depends on where it is.
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        if getattr(error, "errno", None):
            raise
        raise ValueError(f"{message} ({error}).") from error
