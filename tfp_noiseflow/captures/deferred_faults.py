"""Files whose faults show when asked, for writers that cannot bear them."""

from __future__ import annotations

import io
from typing import Any


class DeferredFaults(io.FileIO):
    """A new file whose writes never fail: what was wrong is raised by `check`.

    For HDF5. After a write that fails, such as on a full disk, its library cannot close the file,
    and the process crashes when it ends (h5py issue 914).

    Args:
      path: of the file, which is made, or emptied where it is there.
    """

    def __init__(self, path: str):
        super().__init__(path, "w+")
        self._fault: OSError | None = None

    def check(self) -> None:
        """Raises the first fault, if there was one, as OSError."""
        if self._fault is not None:
            raise self._fault

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        count = len(rest)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as fault:
            self._fault = self._fault or fault
            self.seek(len(rest), io.SEEK_CUR)
        return count

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as fault:
            self._fault = self._fault or fault
            return self.tell() if size is None else size
