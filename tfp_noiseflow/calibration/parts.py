"""Measures of groups on disk, so that a calibration goes on where it was stopped.

A part is an .npz file of the arrays of a measure and a text of JSON that says where they stand.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from typing import Any

import numpy as np

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.calibration.dark_codes import CodeDistribution
from tfp_noiseflow.calibration.darks import DarkNoise
from tfp_noiseflow.calibration.folder import Group
from tfp_noiseflow.calibration.measure import ChannelTransfer, DarkMeasure, LitMeasure
from tfp_noiseflow.photon_transfer.line import LevelSums

CLASSES = {
    kind.__name__: kind
    for kind in (CodeDistribution, DarkNoise, ChannelTransfer, DarkMeasure, LitMeasure, LevelSums)
}
# Of what is measured and how: parts of another version are made anew.
VERSION = 3


def part_path(folder: str, group: Group, about) -> str:
    """Where a group's measure goes: its name says of which files and settings it is."""
    frames = [
        [f.name, f.fingerprint, f.cfa, f.black_level.tolist(), f.white_level] for f in group.frames
    ]
    text = json.dumps([VERSION, group.kind, group.iso, group.exposure_time, frames, about])
    return os.path.join(folder, f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz")


def write_part(path: str, measure) -> None:
    """Writes a measure, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    content: dict[str, Any] = {"tree": json.dumps(_tree(measure, arrays)), **arrays}
    with written_beside(path) as partial, open(partial, "wb") as file:
        np.savez(file, **content)


def read_part(path: str):
    """The measure of a part, in a list; None where there is none, or a damaged one."""
    if not os.path.exists(path):
        return None
    faults = (ValueError, KeyError, OSError, zipfile.BadZipFile, TypeError)
    with contextlib.suppress(*faults), np.load(path) as file:
        return [_built(json.loads(str(file["tree"])), file)]
    return None


def _tree(value, arrays: dict[str, np.ndarray]):
    if dataclasses.is_dataclass(value):
        fields = {f.name: _tree(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"class": type(value).__name__, "fields": fields}
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": [[key, _tree(item, arrays)] for key, item in value.items()]}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_tree(item, arrays) for item in value], "list": isinstance(value, list)}
    return value


def _built(tree, arrays):
    if not isinstance(tree, dict):
        return tree
    if "class" in tree:
        fields = {name: _built(item, arrays) for name, item in tree["fields"].items()}
        return CLASSES[tree["class"]](**fields)
    if "array" in tree:
        return arrays[tree["array"]]
    if "dict" in tree:
        return {key: _built(item, arrays) for key, item in tree["dict"]}
    items = [_built(item, arrays) for item in tree["tuple"]]
    return items if tree["list"] else tuple(items)
