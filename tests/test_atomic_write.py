"""What is written beside and renamed."""

import os

import pytest

from tfp_noiseflow.atomic_write import write_text, written_beside


@pytest.fixture
def calls(monkeypatch):
    """What is flushed to the disk and renamed, in order, by its inode."""
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (calls.append(("flush", os.fstat(fd).st_ino)), fsync(fd))
    )
    monkeypatch.setattr(
        os, "replace", lambda a, b: (calls.append(("rename", os.stat(a).st_ino)), replace(a, b))
    )
    return calls


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path, calls):
    write_text(tmp_path / "file.txt", "content")
    inode, folder = (tmp_path / "file.txt").stat().st_ino, tmp_path.stat().st_ino
    assert calls == [("flush", inode), ("rename", inode), ("flush", folder)]


def test_all_files_of_a_folder_are_on_the_disk_before_it_takes_its_place(tmp_path, calls):
    with written_beside(tmp_path / "folder") as partial:
        os.makedirs(os.path.join(partial, "inner"))
        for name in ("a", os.path.join("inner", "b")):
            with open(os.path.join(partial, name), "w") as file:
                file.write(name)
    renamed = calls.index(("rename", (tmp_path / "folder").stat().st_ino))
    for name in ("a", "inner", "inner/b"):
        assert ("flush", (tmp_path / "folder" / name).stat().st_ino) in calls[:renamed]


def test_a_system_that_cannot_flush_folders_writes_too(tmp_path, monkeypatch):
    fsync = os.fsync

    def files_alone(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError("not for folders")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_alone)
    write_text(tmp_path / "file.txt", "content")
    assert (tmp_path / "file.txt").read_text() == "content"
