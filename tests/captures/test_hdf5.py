"""Capture files whose values lie elsewhere, or that declare more than they hold."""

import h5py
import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.training.codes import write_codes

COUNT = 4


def other(path):
    with h5py.File(path, "w") as file:
        file["iso"] = np.full(COUNT, 100.0)
    return path


def change(name, make):
    """A change of a capture file: its data set is replaced by what `make` makes."""

    def changed(path, folder):
        with h5py.File(path, "a") as file:
            del file[name]
            make(file, name, folder)

    return changed


def external_link(file, name, folder):
    file[name] = h5py.ExternalLink(str(other(folder / "other.h5")), "iso")


def soft_link(file, name, folder):
    file[name] = h5py.SoftLink("/clean")


def external_values(file, name, folder):
    np.full(COUNT, 100.0).tofile(folder / "bytes")
    file.create_dataset(name, (COUNT,), "f8", external=[(str(folder / "bytes"), 0, 8 * COUNT)])


def virtual(file, name, folder):
    layout = h5py.VirtualLayout((COUNT,), "f8")
    layout[:] = h5py.VirtualSource(str(other(folder / "other.h5")), "iso", (COUNT,))
    file.create_virtual_dataset(name, layout)


def bomb(file, name, folder):
    file.create_dataset(name, (2**33,), "f8", chunks=(1024,))


def packed_bomb(file, name, folder):
    file.create_dataset(name, (2**33,), "f8", chunks=(1024,), compression="gzip")


def large_chunk(file, name, folder):
    file.create_dataset(name, (COUNT,), "f8", chunks=(2**24,), maxshape=(None,))


def group(file, name, folder):
    file.create_group(name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external_link, "expected 'iso' in the file itself, it is a link"),
        (soft_link, "expected 'iso' in the file itself, it is a link"),
        (external_values, "expected 'iso' in the file itself, its values lie in others"),
        (virtual, "expected 'iso' in the file itself, its values lie in others"),
        (bomb, "expected 'iso' to hold what its shape"),
        (packed_bomb, "expected 'iso' to hold what its shape"),
        (large_chunk, "expected 'iso' in chunks of its size"),
        (group, "expected 'iso' to be a data set, it is a group"),
    ],
)
def test_what_is_not_in_the_file_is_refused(tmp_path, make, message):
    path = tmp_path / "captures.h5"
    write_codes(path, COUNT)
    change("iso", make)(path, tmp_path)
    with pytest.raises(ValueError, match=f"{path}.*{message}"):
        nf.read_captures(path)


@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_files_that_say_what_they_hold_are_read(tmp_path, compression):
    # As well packed as can be.
    images = np.zeros([40, 64, 64, 4], np.uint8)
    nf.write_captures(tmp_path / "c.h5", images, images, 100, "a", compression=compression)
    assert len(nf.read_captures(tmp_path / "c.h5")) == 40
