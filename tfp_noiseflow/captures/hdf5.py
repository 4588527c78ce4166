"""Data sets of HDF5 files that come from anywhere: what is read is in the file, and no more."""

from __future__ import annotations

import math

import h5py

# Deflate makes at most some 1030 bytes of one.
LARGEST_RATIO = 2000
# Of a data set that is smaller, in bytes.
LARGEST_CHUNK = 1 << 22


def data_set_of(file: h5py.File, name: str) -> h5py.Dataset:
    """A data set whose values lie in the file itself.

    HDF5 lets a data set be a link to another file, lie in one, or be put together of others, and
    declare more values than the file holds, which reading makes zeros of.

    Args:
      file: open. name: of a data set in it.

    Raises:
      ValueError: a group, a link, a data set in other files, or one that declares more than the
        file holds.
    """
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"expected {name!r} in the file itself, it is a link")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"expected {name!r} to be a data set, it is a group")
    if found.external or found.is_virtual:
        raise ValueError(f"expected {name!r} in the file itself, its values lie in others")
    held, declared = found.id.get_storage_size(), found.size * found.dtype.itemsize
    # What is small lies beside its description, and counts as nothing held.
    is_packed = found.compression is not None or found.scaleoffset is not None
    if declared > max(1 << 16, held * (LARGEST_RATIO if is_packed else 1)):
        raise ValueError(
            f"expected {name!r} to hold what its shape {list(found.shape)} says, {declared} bytes, "
            f"it holds {held}"
        )
    # Values are read by whole chunks.
    chunk = math.prod(found.chunks or (0,)) * found.dtype.itemsize
    if chunk > max(LARGEST_CHUNK, 4 * declared):
        raise ValueError(
            f"expected {name!r} in chunks of its size, {declared} bytes, received {found.chunks}"
        )
    return found


def data_sets_in(file: h5py.File) -> list[h5py.Dataset]:
    """All data sets at the top of a file that are in it, other entries left out.

    Raises:
      ValueError: one in other files, or one that declares more than the file holds.
    """
    own = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    return [data_set_of(file, name) for name in own if isinstance(file[name], h5py.Dataset)]
