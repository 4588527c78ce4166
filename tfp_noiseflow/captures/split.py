"""Splits of a capture file by scene: no two of them share one."""

from __future__ import annotations

import os
from collections.abc import Mapping

import h5py
import numpy as np

from tfp_noiseflow.captures.capture_file import TEXTS, CaptureWriter, read_captures

# Captures that are copied at once.
BLOCK = 256


def split_by_scene(
    path: str | os.PathLike, outputs: Mapping[str | os.PathLike, float], *, seed: int = 0
) -> None:
    """Copies the captures of a file to several, every scene to one of them.

    Values, levels and texts are copied as they are stored. Scenes are dealt out in random order,
    each to the file that lacks most of its share of captures, so that shares are met as well as
    scenes allow; every file gets a scene.

    Args:
      path: a capture file with the data set `scene`.
      outputs: paths of the new files to their shares, which add up to 1.
      seed: of the order of the scenes.

    Raises:
      ValueError: no `scene`, fewer scenes than files, or shares that do not add up to 1.
    """
    captures = read_captures(path)
    if abs(sum(outputs.values()) - 1) > 1e-6 or min(outputs.values()) <= 0:
        raise ValueError(f"expected positive shares that add up to 1, received {dict(outputs)}.")
    if captures.scene is None:
        raise ValueError(
            f"{path}: expected the data set scene, which captures are split by; there is none."
        )
    scenes, number = np.unique(captures.scene.astype(str), return_counts=True)
    if len(scenes) < len(outputs):
        raise ValueError(
            f"{path}: expected at least {len(outputs)} scenes to split by, received {len(scenes)}."
        )
    wanted = np.array(list(outputs.values())) * len(captures)
    place = {}
    order = np.random.default_rng(seed).permutation(len(scenes))
    for turn, scene in enumerate(order):
        empty = [k for k in range(len(wanted)) if k not in place.values()]
        left = len(order) - turn
        chosen = empty[0] if empty and left <= len(empty) else int(np.argmax(wanted))
        place[scenes[scene]] = chosen
        wanted[chosen] -= number[scene]
    file_of = np.array([place[scene] for scene in captures.scene.astype(str)])
    for k, output in enumerate(outputs):
        _copy(path, output, np.flatnonzero(file_of == k))


def _copy(path, output, rows: np.ndarray) -> None:
    with h5py.File(path, "r") as source:
        attributes = dict(source.attrs)
        attributes.pop("format_version", None)
        compression = source["noisy"].compression
        with CaptureWriter(output, compression=compression, **attributes) as writer:
            for start in range(0, len(rows), BLOCK):
                # h5py takes increasing positions; a slice that holds them reads faster.
                chosen = rows[start : start + BLOCK]
                first = chosen[0]
                writer.append(
                    **{
                        name: (data.asstr() if name in TEXTS else data)[first : chosen[-1] + 1][
                            chosen - first
                        ]
                        for name, data in source.items()
                    }
                )
