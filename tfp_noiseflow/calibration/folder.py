"""A folder of raw frames: what each of them is, and which belong together.

The kind of a frame is a folder's name in its path, by one of these names, whatever their case:

- flats: flats, flat, flatfield, flatfields, flat_field, flat_fields, uniform
- darks: darks, dark, bias, biases, black, blacks, offset, offsets, zero, lenscap
- scenes: scenes, scene, bursts, burst, static, charts, chart

ISO and exposure time are what the file says, else a folder's name such as `iso800`, or `1_60s` or
`0.01s`, else what is given for all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfp_noiseflow.captures.source import fingerprint_of
from tfp_noiseflow.imaging.raw_file import (
    CAMERA_FORMATS,
    MOSAIC_FORMATS,
    NPZ,
    read_raw_file,
)

FLATS, DARKS, SCENES = "flats", "darks", "scenes"
KINDS = {
    FLATS: "flats flat flatfield flatfields flat_field flat_fields uniform",
    DARKS: "darks dark bias biases black blacks offset offsets zero lenscap",
    SCENES: "scenes scene bursts burst static charts chart",
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}
FORMATS = (NPZ, *CAMERA_FORMATS, *MOSAIC_FORMATS)
# What is no raw frame but often beside some; anything else is no matter of a calibration.
PICTURES = (".jpg", ".jpeg", ".heic", ".gif", ".bmp", ".webp")
ISO_FOLDER = re.compile(r"iso[ _-]?(\d+(?:\.\d+)?)", re.IGNORECASE)
TIME_FOLDER = re.compile(r"(?:(\d+)_(\d+)|(\d+(?:\.\d+)?))s", re.IGNORECASE)
# What is wrong with a file itself.
FAULTS = (FileNotFoundError, ValueError)


@dataclass(frozen=True)
class Given:
    """What files do not say, or what is to be taken instead; None: what they say.

    Attributes:
      black_level: in codes, a number. white_level: a number. cfa: a name. iso: a number.
    """

    black_level: float | None = None
    white_level: float | None = None
    cfa: str | None = None
    iso: float | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a folder, without its codes.

    Attributes:
      path: the file. name: its path in the folder, by which it is told.
      kind: "flats", "darks" or "scenes".
      iso, exposure_time: of the shot; time None: not known.
      cfa, white_level: of the sensor. black_level: [2, 2].
      camera: what the file says, or "".
      fingerprint: of the file's content.
    """

    path: str
    name: str
    kind: str
    iso: float
    exposure_time: float | None
    cfa: str
    black_level: np.ndarray
    white_level: float
    camera: str
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Group:
    """Frames that differ in noise alone: of a kind, an ISO, an exposure and a scene."""

    kind: str
    iso: float
    exposure_time: float | None
    frames: tuple[Frame, ...]

    def __str__(self) -> str:
        time = "" if self.exposure_time is None else f", {self.exposure_time:.4g} s"
        return f"{self.kind} at ISO {self.iso:g}{time} ({self.frames[0].name} and others)"


@dataclass(frozen=True, eq=False)
class Folder:
    """The frames of a folder.

    Attributes:
      path: of it. groups: of its frames, by ISO, kind and exposure.
      left_out: file's name to the reason.
    """

    path: str
    groups: tuple[Group, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def iso_levels(self) -> tuple[float, ...]:
        """ISOs, ascending."""
        return tuple(sorted({group.iso for group in self.groups}))


def read_folder(
    path: str | os.PathLike, given: Given = Given(), *, skip_bad: bool = False
) -> Folder:
    """Finds the frames of a folder and what they say of themselves.

    Args:
      path: the folder; frames lie anywhere below it.
      given: what they do not say.
      skip_bad: leave files out that cannot be read, by name; else they are an error.

    Returns:
      Folder.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: no raw frames in it (pictures are named), files that cannot be read, an ISO, a
        CFA or levels that nothing says, frames of several cameras or CFAs, one file twice in a
        group.
    """
    path = os.fspath(path)
    if not os.path.isdir(path):
        raise FileNotFoundError(f"{path}: expected a folder of raw frames, there is none.")
    names, pictures = _files(path)
    if not names:
        found = (
            f"{pictures} pictures (JPEG and the like), which are processed: their noise is not the "
            "sensor's"
            if pictures
            else "none"
        )
        raise ValueError(
            f"{path}: expected raw frames ({', '.join(FORMATS)}) in folders flats, darks and "
            f"scenes, received {found}."
        )
    frames, left_out = [], {}
    for name in names:
        kind = _kind(name)
        if kind is None:
            left_out[name] = (
                "in none of the folders flats, darks, scenes (or others of their names)"
            )
            continue
        try:
            frames.append(frame_of(path, name, kind, given))
        except FAULTS as fault:
            if not skip_bad:
                raise ValueError(
                    f"{fault} (--on_bad_file=skip, or skip_bad=True, leaves such files out.)"
                ) from fault
            left_out[name] = str(fault)
    if not frames:
        raise ValueError(
            f"{path}: expected raw frames in folders flats, darks or scenes, received "
            f"{len(names)} files, of which none can be used; the first: {left_out[names[0]]}."
        )
    _check_one_camera(path, frames)
    return Folder(path, _groups(frames, left_out), left_out)


def read_codes(frame: Frame) -> np.ndarray:
    """[H, W] codes of a frame, H and W even.

    Raises:
      FileNotFoundError, ValueError: as `read_raw_file`.
    """
    codes = read_raw_file(frame.path).codes
    assert codes is not None  # They were read.
    return codes[: codes.shape[0] // 2 * 2, : codes.shape[1] // 2 * 2]


def _files(path: str) -> tuple[list[str], int]:
    names, pictures = [], 0
    for folder, folders, files in os.walk(path):
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith(FORMATS):
                names.append(os.path.relpath(os.path.join(folder, file), path))
            pictures += file.lower().endswith(PICTURES)
    return names, pictures


def _kind(name: str) -> str | None:
    """The last folder of a path that tells it."""
    kinds = [KIND_OF[part] for part in _folders(name) if part in KIND_OF]
    return kinds[-1] if kinds else None


def _folders(name: str) -> list[str]:
    return os.path.dirname(name).lower().replace("-", "_").split(os.sep)


def frame_of(folder: str, name: str, kind: str, given: Given) -> Frame:
    """A frame of a folder, of its file, its folders' names and what is given.

    Args:
      folder: all frames' folder. name: the file's path in it. kind: of the frame.
      given: what the file does not say.

    Raises:
      FileNotFoundError, ValueError: as `read_raw_file`; an ISO, a CFA or levels that nothing says.
    """
    path = os.path.join(folder, name)
    file = read_raw_file(path, has_codes=False)
    iso = given.iso or file.iso or _matched(name, _iso_of)
    needed: dict[str, tuple[Any, str]] = {
        "ISO": (iso, "--iso, or a folder such as iso800"),
        "CFA": (given.cfa or file.cfa, "--cfa"),
        "black level": (_first(given.black_level, file.black_level), "--black_level"),
        "white level": (_first(given.white_level, file.white_level), "--white_level"),
    }
    missing = [f"{what} ({how})" for what, (value, how) in needed.items() if value is None]
    if iso is None or missing:
        raise ValueError(f"{path}: expected {', '.join(missing)}, the file does not say.")
    if not iso > 0:
        raise ValueError(f"{path}: expected an ISO above 0, received {iso}.")
    return Frame(
        path,
        name,
        kind,
        float(iso),
        file.exposure_time or _matched(name, _time_of),
        _checked_cfa(path, needed["CFA"][0]),
        *_checked_levels(path, needed["black level"][0], needed["white level"][0]),
        file.camera,
        fingerprint_of("", [path]),
    )


def _first(*values):
    return next((value for value in values if value is not None), None)


def _checked_cfa(path: str, cfa: str) -> str:
    if cfa not in ("RGGB", "GRBG", "GBRG", "BGGR"):
        raise ValueError(f"{path}: expected a Bayer CFA such as RGGB, received {cfa!r}.")
    return cfa


def _checked_levels(path: str, black, white) -> tuple[np.ndarray, float]:
    black, white = np.asarray(black, np.float64), np.asarray(white, np.float64)
    if black.shape not in ((), (2, 2)) or white.size != 1:
        raise ValueError(
            f"{path}: expected a black level or [2, 2] and a white level, received shapes "
            f"{black.shape} and {white.shape}."
        )
    white = float(white.reshape(()))
    if not np.all(black < white):
        raise ValueError(
            f"{path}: expected white above black, received {white} and {black.tolist()}."
        )
    return np.broadcast_to(black, (2, 2)), white


def _matched(name: str, number_of) -> float | None:
    found = [number_of(part) for part in os.path.dirname(name).split(os.sep)]
    return next((value for value in reversed(found) if value is not None), None)


def _iso_of(part: str) -> float | None:
    match = ISO_FOLDER.fullmatch(part)
    return float(match[1]) if match else None


def _time_of(part: str) -> float | None:
    match = TIME_FOLDER.fullmatch(part)
    if not match:
        return None
    return float(match[1]) / float(match[2]) if match[1] else float(match[3])


def _check_one_camera(path: str, frames: list[Frame]) -> None:
    for what, value_of in (
        ("camera", lambda frame: frame.camera),
        ("CFA", lambda frame: frame.cfa),
        ("white level", lambda frame: frame.white_level),
    ):
        first: dict = {}
        for frame in frames:
            first.setdefault(value_of(frame), frame.name)
        if what == "camera":
            first.pop("", None)
        if len(first) > 1:
            found = "; ".join(f"{value} ({name})" for value, name in list(first.items())[:4])
            raise ValueError(f"{path}: expected frames of one {what}, received {found}.")


def _is_constant(frame: Frame) -> bool:
    try:
        codes = read_codes(frame)
    except FAULTS:
        return False
    return bool(codes.min() == codes.max())


def _groups(frames: list[Frame], left_out: dict[str, str]) -> tuple[Group, ...]:
    groups: dict[tuple, list[Frame]] = {}
    for frame in frames:
        # A burst is the files of a folder whose names differ by their last number.
        burst = ""
        if frame.kind == SCENES:
            burst = re.sub(r"\d+(\.\w+)?$", "", frame.name)
        elif frame.kind == FLATS and frame.exposure_time is None:
            burst = os.path.dirname(frame.name)
        time = None if frame.kind == DARKS else frame.exposure_time
        groups.setdefault((frame.iso, frame.kind, time or 0.0, burst), []).append(frame)
    result = []
    for (iso, kind, time, _), members in sorted(groups.items(), key=lambda item: item[0]):
        by_content: dict[str, Frame] = {}
        if len({frame.fingerprint for frame in members}) == 1 and _is_constant(members[0]):
            # Flats that are saturated everywhere are alike and no less different frames.
            result.append(Group(kind, iso, time or None, tuple(members)))
            continue
        for frame in members:
            first = by_content.setdefault(frame.fingerprint, frame)
            if first is not frame:
                left_out[frame.name] = f"the same file as {first.name}"
        if len(by_content) == 1 and len(members) > 1:
            raise ValueError(
                f"expected different frames of the {kind} at ISO {iso:g}, received one file "
                f"{len(members)} times: {', '.join(frame.name for frame in members[:4])}."
            )
        result.append(Group(kind, iso, time or None, tuple(by_content.values())))
    return tuple(result)
