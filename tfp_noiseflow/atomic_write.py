"""Files and folders that are either whole or not there."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[str]:
    """A path beside `path` to write a file or folder at, renamed to `path` on a clean exit.

    After an error what was written is removed, and what stood at `path` before is untouched. A
    folder that stands at `path` already cannot be replaced.

    Args:
      path: where it goes; the parent folder is made where it is missing.

    Yields:
      The path to write at.
    """
    path = os.path.abspath(os.fspath(path))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.{uuid.uuid4().hex[:8]}.partial"
    try:
        yield partial
        # A rename may reach the disk before the content does: after a power cut an empty file would
        # stand where a whole one was.
        for folder, _, names in os.walk(partial):
            for name in names:
                _flush(os.path.join(folder, name))
            _flush_folder(folder)
        if os.path.isfile(partial):
            _flush(partial)
        os.replace(partial, path)
        _flush_folder(os.path.dirname(path))
    finally:
        if os.path.isdir(partial):
            shutil.rmtree(partial)
        elif os.path.exists(partial):
            os.remove(partial)


def _flush(path: str) -> None:
    """Returns when a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(path: str) -> None:
    """Not every system and file system can flush a folder; its files are whole without it."""
    with contextlib.suppress(OSError):
        _flush(path)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file (UTF-8), whole or not at all."""
    with written_beside(path) as partial, open(partial, "w", encoding="utf-8") as file:
        file.write(text)


def write_json(path: str | os.PathLike, values) -> None:
    """Writes strict JSON (NaN and infinity raise ValueError), whole or not at all."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def remove_partials(path: str | os.PathLike) -> None:
    """Removes what killed processes left of `path` while they wrote it.

    To call where no other process is writing it.
    """
    for partial in glob.glob(f"{glob.escape(os.path.abspath(os.fspath(path)))}.*.partial"):
        os.remove(partial)
