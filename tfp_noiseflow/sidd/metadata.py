"""What the METADATA files of SIDD say of an image: camera, ISO, CFA, noise level function, codes.

They are MATLAB 5 files of one struct, `metadata`, as MATLAB's `imfinfo` gives it for a DNG file.
Tags that `imfinfo` does not know stand in `UnknownTags`, a struct array of ID, Offset and Value. A
DNG whose raw image is not its first has these in `SubIFDs`, and one that keeps its EXIF apart has
the ISO in `DigitalCamera`.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.io

from tfp_noiseflow.captures.bayer import CHANNEL_POSITIONS
from tfp_noiseflow.captures.capture_file import SMALLEST_BETA

CFA_PATTERN = 33422
NOISE_PROFILE = 51041

COLORS = {0: "R", 1: "G", 2: "B"}  # What the numbers of a CFA pattern mean.
NUMBERS = "uif"  # NumPy's kinds of dtype.
MOST_CODES = 65535  # A raw value has 16 bits at most.


@dataclass(frozen=True)
class SiddMetadata:
    """Of one image.

    Attributes:
      make: the maker of the camera. iso: as the camera set it.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR", of the image as the sensor has it.
      nlf: (beta1, beta2), in fractions of full scale, the mean over the pixels of a 2x2 block.
      is_floored: beta2 of a colour was 0 or less in the file and is 1e-6 here.
      codes: from black to white, white level - black level: what the values' steps would be 1 / of;
        None where the file does not say it, or not one whole number of at most 65535 for all
        colours.
    """

    make: str
    iso: float
    cfa: str
    nlf: tuple[float, float]
    is_floored: bool
    codes: int | None


def read_metadata(path: str | os.PathLike) -> SiddMetadata:
    """Reads a METADATA file.

    Args:
      path: `.._METADATA_RAW_...MAT`.

    Returns:
      SiddMetadata.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is damaged, lacks one of the four or holds something else in its place, or its
        beta1 is not positive; the message names the file and what is wrong.
      OSError: it cannot be read for another reason than its content.
    """
    path = os.fspath(path)
    structs = list(_structs(_load(path)))
    try:
        nlf, is_floored = _noise_level_function(_tag(structs, NOISE_PROFILE, "NoiseProfile"))
        return SiddMetadata(
            make=_text(_field(structs, "Make"), "Make"),
            iso=float(_numbers(_field(structs, "ISOSpeedRatings"), "ISOSpeedRatings")[0]),
            cfa=_cfa(_tag(structs, CFA_PATTERN, "CFA pattern")),
            nlf=nlf,
            is_floored=is_floored,
            codes=_codes(structs),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _codes(structs) -> int | None:
    """White minus black, where both are told and all colours have the same."""
    try:
        white, black = (
            _numbers(_field(structs, name), name).astype(np.float64)
            for name in ("WhiteLevel", "BlackLevel")
        )
    except ValueError:
        return None  # The file is whole without them.
    found = np.unique(white[:, None] - black)
    is_known = len(found) == 1 and 1 <= found[0] <= MOST_CODES and found[0] == np.round(found[0])
    return int(found[0]) if is_known else None


def _load(path: str) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            content = _content(file, path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path}: expected the image's metadata, there is no such file."
        ) from error
    metadata = content.get("metadata")
    if metadata is None or metadata.dtype.names is None:
        names = [name for name in content if not name.startswith("__")]
        raise ValueError(f"{path}: expected a struct 'metadata', the file holds {names}.")
    return metadata


def _content(file, path: str) -> dict:
    # What SciPy raises depends on where a file ends or is damaged: a MemoryError where a size is
    # wrong, an UnboundLocalError or ZeroDivisionError where a type is.
    try:
        return scipy.io.loadmat(file)
    except Exception as error:
        if getattr(error, "errno", None):
            raise  # The operating system's: the file may be whole.
        raise ValueError(
            f"{path}: expected a MATLAB 5 file, but it cannot be read; it is truncated or of "
            f"another format ({error})."
        ) from error


def _structs(value) -> Iterator[np.void]:
    """All structs within a value, outer ones first."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "OV":
        return
    records = list(value.flat)
    if value.dtype.names:
        yield from records
        records = [record[name] for record in records for name in value.dtype.names]
    for record in records:
        yield from _structs(record)


def _field(structs, name: str) -> np.ndarray:
    """The values of the first struct that has any under a name."""
    for struct in structs:
        if name in struct.dtype.names and np.size(struct[name]):
            return np.ravel(struct[name])
    raise ValueError(f"expected a field {name}, there is none.")


def _tag(structs, number: int, name: str) -> np.ndarray:
    for struct in structs:
        if {"ID", "Value"} <= set(struct.dtype.names) and np.size(struct["Value"]):
            identity = np.ravel(struct["ID"])
            # One that is no number is no tag that is asked for.
            if identity.dtype.kind in NUMBERS and identity.tolist() == [number]:
                return _numbers(np.ravel(struct["Value"]), f"{name} (tag {number})")
    raise ValueError(f"expected the tag {number} ({name}) in UnknownTags, there is none.")


def _text(values: np.ndarray, name: str) -> str:
    if values.dtype.kind != "U":
        raise ValueError(f"expected text in {name}, received {reprlib.repr(values.tolist())}.")
    return str(values[0])


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    # A struct, a cell or a sparse matrix is an array of objects here.
    if values.dtype.kind not in NUMBERS:
        raise ValueError(f"expected numbers in {name}, received {reprlib.repr(values.tolist())}.")
    return values


def _cfa(codes: np.ndarray) -> str:
    cfa = "".join(COLORS.get(code, "?") for code in codes.tolist())
    if cfa not in CHANNEL_POSITIONS:
        raise ValueError(
            f"expected a CFA pattern (tag {CFA_PATTERN}) of {list(CHANNEL_POSITIONS)}, received "
            f"{codes.tolist()}."
        )
    return cfa


def profile_pairs(profile: np.ndarray) -> tuple[np.ndarray, bool]:
    """What a NoiseProfile says.

    Args:
      profile: the numbers of the tag: beta1, beta2 for all colours, or for each of R, G, B.

    Returns:
      [1, 2] or [3, 2] float64, beta1 and beta2 in fractions of full scale, and whether a beta2 was
      0 or less and is 1e-6 here.

    Raises:
      ValueError: other counts, numbers that are not finite, beta1 that is not positive.
    """
    if profile.size not in (2, 6) or not np.isfinite(profile).all():
        raise ValueError(
            f"expected a NoiseProfile (tag {NOISE_PROFILE}) of beta1, beta2 for all colours or "
            f"for each of three, received {profile.tolist()}."
        )
    pairs = profile.astype(np.float64).reshape(-1, 2)
    if not (pairs[:, 0] > 0).all():
        raise ValueError(
            f"expected beta1 > 0 in the NoiseProfile (tag {NOISE_PROFILE}), received "
            f"{profile.tolist()}."
        )
    is_floored = pairs[:, 1] <= 0
    pairs[:, 1] = np.where(is_floored, SMALLEST_BETA, pairs[:, 1])
    return pairs, bool(is_floored.any())


def _noise_level_function(profile: np.ndarray) -> tuple[tuple[float, float], bool]:
    """beta1 and beta2 over the pixels."""
    pairs, is_floored = profile_pairs(profile)
    # Half of the pixels are green.
    share = [1.0] if len(pairs) == 1 else [0.25, 0.5, 0.25]
    beta1, beta2 = np.dot(share, pairs)
    return (float(beta1), float(beta2)), is_floored
