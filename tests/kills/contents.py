"""What a job left in its folder: whether files are whole, and whether two runs left the same.

Two runs are equal bit for bit but for what tells the time or another number that is new in each:

- logs/: TensorBoard's files have the time and the process in their names.
- a checkpoint's state file holds times, its name the number of saves, as does its `save_counter`:
  checkpoints are compared by their variables, optimizer and epochs, under their kind.
- fingerprint.pb of a SavedModel has a random id; a version's number counts the exports that ended.
"""

from __future__ import annotations

import csv
import hashlib
import json
import pathlib
import re

import h5py
import numpy as np
import tensorflow as tf

import tfp_noiseflow as nf
from tfp_noiseflow.imaging.picture import read_picture

# Files on their way: of `written_beside` and of reports, of TensorFlow's checkpoints.
TEMPORARY = re.compile(r"\.partial(/|$)|_temp/|/checkpoint\.tmp\w+$|\.tempstate\d+$")
CHECKPOINT = re.compile(r"(.*/)?checkpoints(?:-2)?/(?P<kind>\w+)/(?P<name>[^/]+)$")
VERSION = re.compile(r"(?P<base>.*?)/(?P<number>\d+)/(?P<name>.+)$")


def temporary(folder: pathlib.Path) -> list[str]:
    """Names of the files that are on their way, or were when their process was killed."""
    return sorted(name for name in _names(folder) if TEMPORARY.search(name))


def contents(folder: pathlib.Path) -> dict[str, str]:
    """Digests of all that two runs have in common, by name."""
    found = {}
    for name in _files(folder):
        checkpoint, version = CHECKPOINT.match(name), VERSION.match(name)
        if checkpoint is not None:
            directory = (folder / name).parent
            latest = tf.train.latest_checkpoint(str(directory))
            if latest is not None:
                kind = f"{checkpoint[1] or ''}checkpoint {checkpoint['kind']}"
                found[kind] = _digest_of_checkpoint(latest)
        elif version is not None:
            # All versions are whole and of one model, or they would differ here.
            if version["name"] != "fingerprint.pb":
                found.setdefault(_of_any_version(name), set()).add(_digest(folder / name))
        else:
            found[name] = _digest(folder / name)
    return {
        name: " ".join(sorted(value)) if isinstance(value, set) else value
        for name, value in found.items()
    }


def faults(folder: pathlib.Path, whole: dict[str, str]) -> list[str]:
    """Files that are neither absent nor whole, with what is wrong with them.

    Args:
      folder: what a killed job left.
      whole: contents of an uninterrupted run. A file that is not in it, or another, is on its way
        to it, and is read.
    """
    found = []
    for name in _files(folder):
        path = folder / name
        try:
            # Those are read by models and exports, below.
            if CHECKPOINT.match(name) or path.name == "fingerprint.pb":
                continue
            if whole.get(_of_any_version(name)) != _digest(path):
                _read(path)
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {error}")
    for config in folder.rglob("config.json"):
        for kind in ("best", "best_kl", "last"):
            try:
                nf.load_model(config.parent, kind=kind)
            except FileNotFoundError as error:
                if "expected a checkpoint" not in str(error):
                    found.append(f"{config.parent.name} {kind}: {error}")
            except Exception as error:
                found.append(f"{config.parent.name} {kind}: {type(error).__name__}: {error}")
    for version in folder.rglob("saved_model.pb"):
        if not TEMPORARY.search(f"{version.relative_to(folder)}"):
            try:
                tf.saved_model.load(str(version.parent))
            except Exception as error:
                found.append(f"{version}: {type(error).__name__}: {error}")
    return found


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """In what two runs differ."""
    return [
        *(f"{name}: missing" for name in sorted(expected.keys() - found.keys())),
        *(f"{name}: one more" for name in sorted(found.keys() - expected.keys())),
        *(
            f"{n}: other content"
            for n in sorted(found.keys() & expected)
            if found[n] != expected[n]
        ),
    ]


def _names(folder: pathlib.Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _files(folder: pathlib.Path) -> list[str]:
    """Names of all files that have taken their places, but for logs."""
    return [
        name
        for name in _names(folder)
        if not TEMPORARY.search(name) and "logs" not in pathlib.PurePosixPath(name).parts
    ]


def _of_any_version(name: str) -> str:
    """A file's name without the number of a SavedModel's version."""
    return VERSION.sub(r"\g<base>/VERSION/\g<name>", name)


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_of_checkpoint(path: str) -> str:
    digest = hashlib.sha256()
    reader = tf.train.load_checkpoint(path)
    for name in sorted(reader.get_variable_to_shape_map()):
        if not name.startswith("save_counter"):
            digest.update(f"{name} {np.asarray(reader.get_tensor(name)).tobytes()!r}".encode())
    return digest.hexdigest()


def _read(path: pathlib.Path) -> None:
    """Reads a file to its end; raises where it is not whole."""
    if path.suffix == ".h5":
        if path.name.startswith("fixed_pattern"):
            nf.read_fixed_pattern(path)
            return
        with nf.read_captures(path) as captures:
            for block in captures.blocks():
                block.noise.sum()
        with h5py.File(path) as file:
            file.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)
    elif path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".csv":
        header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
        if any(len(row) != len(header) for row in rows):
            raise ValueError(f"expected rows of {len(header)} cells, received {rows[-1]}")
    elif path.suffix == ".npz":
        with np.load(path) as file:
            for name in file.files:
                file[name].sum() if file[name].dtype.kind in "uif" else file[name]
    elif path.suffix == ".png":
        read_picture(path)
    else:
        raise ValueError("expected the file of the uninterrupted run, received another one")
