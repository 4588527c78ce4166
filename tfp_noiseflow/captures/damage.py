"""What h5py makes of a damaged file, as one error that names it."""

from __future__ import annotations

from types import TracebackType


class damage_named:
    """Turns what h5py raises inside into a ValueError.

    Args:
      message: names the file and what of it is read; what h5py says is put behind it.

    Raises:
      ValueError: whatever h5py raised.
      OSError: the operating system's own, as it is: the file may be whole.
    """

    # No generator of `contextlib.contextmanager`: since Python 3.12 the error's frames hold each
    # other and so the open file, of which HDF5 gives the old content to who reads it again.

    def __init__(self, message: str):
        self._message = message

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What h5py makes of a damage depends on where it is.
        if not isinstance(error, (OSError, RuntimeError, LookupError, ValueError, TypeError)):
            return
        if not getattr(error, "errno", None):
            raise ValueError(f"{self._message} ({error}).") from error
