"""What several test modules share."""

import pathlib
import tempfile

import pytest


@pytest.fixture(scope="module")
def folder():
    """A folder in memory, where there is one: files are flushed to the disk as they are written."""
    memory = pathlib.Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield pathlib.Path(path)
