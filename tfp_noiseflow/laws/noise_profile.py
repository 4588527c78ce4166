"""The NoiseProfile of DNG files (tag 51041): to tables, and from laws.

It holds beta1, beta2 at the file's ISO in fractions of full scale, one pair for all colours or one
for each of R, G, B.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfp_noiseflow.captures.capture_file import SMALLEST_BETA
from tfp_noiseflow.laws.camera_law import CameraLaw, check_fractions, check_iso
from tfp_noiseflow.laws.camera_table import ALL_CHANNELS, CameraTable
from tfp_noiseflow.sidd.metadata import NOISE_PROFILE, profile_pairs

MAKE, MODEL, UNIQUE_CAMERA_MODEL = 271, 272, 50708
EXIF = 34665
# ISOSpeedRatings has 16 bits; above that it is 65535 and the ISO is in one of the others.
ISO_TAGS = {34855: "ISOSpeedRatings", 34866: "RecommendedExposureIndex", 34867: "ISOSpeed"}
ISO_OF_OTHER_TAG = 65535
CHANNELS = {1: (ALL_CHANNELS,), 3: ("R", "G", "B")}


def read_noise_profiles(path: str | os.PathLike) -> tuple[CameraTable, ...]:
    """Reads what DNG files say of their noise.

    Files of one camera at several ISOs make a table that a law can be fitted to
    (`CameraTable.fit`). One file, or files of one ISO, make a table of that ISO alone: a law needs
    three, or fewer terms.

    Args:
      path: a DNG file, or a folder of them.

    Returns:
      A table for each camera, by ISO; its origin says that it is of DNG files. Files that say the
      same make one row. beta2 of 0 or less is 1e-6, with a warning.

    Raises:
      FileNotFoundError: no such file or folder, or no DNG in it.
      ValueError: a file that is no DNG, lacks the tag or the ISO, or whose numbers make no noise
        level function; files of a camera that have pairs for other colours. Names the file.
      ImportError: tifffile is not installed.
    """
    cameras: dict[str, dict[tuple, str]] = {}
    for file in _files(os.fspath(path)):
        camera, iso, pairs = _read(file)
        row = (iso, tuple(map(tuple, pairs.tolist())))
        rows = cameras.setdefault(camera, {})
        other = next(iter(rows), row)
        if len(other[1]) != len(pairs):
            raise ValueError(
                f"{file}: expected a NoiseProfile of {len(other[1])} pairs, as in {rows[other]}, "
                f"received {len(pairs)}."
            )
        rows.setdefault(row, file)
    return tuple(_table(camera, sorted(rows)) for camera, rows in cameras.items())


def noise_profile(law: CameraLaw, iso: float, channels: int = 3) -> np.ndarray:
    """The numbers of a NoiseProfile.

    Args:
      law: a camera's. iso: the image's, > 0.
      channels: 1, a pair for all colours, or 3, a pair for each of R, G, B (`law.in_channels`).

    Returns:
      [2 channels] float64: beta1, beta2 of each.

    Raises:
      ValueError: an ISO that is not above 0 or is several, other channels.
    """
    if channels not in CHANNELS:
        raise ValueError(f"expected pairs for 1 or 3 channels, received {channels}.")
    if np.ndim(iso):
        raise ValueError(f"expected one ISO, received shape {np.shape(iso)}.")
    pairs = np.stack(law.in_channels(channels)(iso), axis=-1)
    return np.broadcast_to(pairs, (channels, 2)).ravel()


def _files(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise FileNotFoundError(f"{path}: expected a DNG file or a folder, there is none.")
    names = sorted(name for name in os.listdir(path) if name.lower().endswith(".dng"))
    if not names:
        raise FileNotFoundError(f"{path}: expected DNG files (.dng) in the folder, found none.")
    return [os.path.join(path, name) for name in names]


def _read(path: str) -> tuple[str, float, np.ndarray]:
    """A file's camera, ISO and pairs [1 or 3, 2]."""
    tags = _tags(path)
    try:
        if NOISE_PROFILE not in tags:
            raise ValueError(f"expected the tag {NOISE_PROFILE} (NoiseProfile), there is none.")
        pairs, is_floored = profile_pairs(np.atleast_1d(tags[NOISE_PROFILE]))
        check_fractions(pairs[:, 0])
        iso = _iso(tags)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if is_floored:
        warnings.warn(
            f"{path}: expected beta2 > 0 in the NoiseProfile, received "
            f"{np.ravel(tags[NOISE_PROFILE])[1::2].tolist()}; {SMALLEST_BETA:g} is taken for 0 and "
            "less.",
            stacklevel=4,
        )
    camera = tags.get(UNIQUE_CAMERA_MODEL) or " ".join(
        str(tags[tag]).strip() for tag in (MAKE, MODEL) if tag in tags
    )
    return str(camera).strip(), iso, pairs


def _tags(path: str) -> dict[int, Any]:
    """The tags of all images of a file, the first one's before those of its others."""
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"{path}: expected tifffile to read DNG files: pip install tfp_noiseflow[photographs]."
        ) from error
    tags: dict[int, Any] = {}
    try:
        with tifffile.TiffFile(path) as file:
            for image in _images(file.pages):
                for tag in image.tags:
                    tags.setdefault(tag.code, tag.value)
    except Exception as error:  # struct and NumPy have errors of their own for a damaged file.
        if getattr(error, "errno", None):
            raise  # The operating system's: the file may be whole.
        raise ValueError(f"{path}: expected a DNG file, received {error!r}.") from error
    return tags


def _images(pages: Any) -> Iterator:
    # A preview is often the first, and the raw image one of those below it.
    for page in pages:
        yield page
        yield from _images(page.pages or ())


def _iso(tags: dict[int, Any]) -> float:
    exif = tags.get(EXIF)
    exif = exif if isinstance(exif, dict) else {}
    found = {}
    for tag, name in ISO_TAGS.items():
        value = tags.get(tag, exif.get(name))
        # Some cameras write several numbers, the first of which is the ISO.
        if value is not None and np.size(value) and np.asarray(value).dtype.kind in "uif":
            found[tag] = float(np.ravel(value)[0])
    if not found:
        raise ValueError("expected an ISO (EXIF tag 34855), there is none.")
    known = [iso for iso in found.values() if iso != ISO_OF_OTHER_TAG] or list(found.values())
    return float(check_iso(known[0]))


def _table(camera: str, rows: list[tuple]) -> CameraTable:
    pairs = np.array([pairs for _, pairs in rows])
    pairs = pairs[:, 0] if pairs.shape[1] == 1 else pairs
    iso = np.array([iso for iso, _ in rows])
    channels = CHANNELS[1 if pairs.ndim == 2 else 3]
    return CameraTable(
        camera, iso, pairs[..., 0], pairs[..., 1], channels, "NoiseProfile of DNG files"
    )
