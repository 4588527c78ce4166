"""What a raw file holds: codes, their levels, and what the camera says of the shot."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tfp_noiseflow.imaging.damage import check_is_held, damage_named, opened
from tfp_noiseflow.imaging.picture import check_is_file

NPZ = ".npz"
# Of cameras, as LibRaw reads them.
CAMERA_FORMATS = (
    ".dng", ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef",
    ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf",
    ".srw",
)  # fmt: skip
# Codes alone.
MOSAIC_FORMATS = (".npy", ".tif", ".tiff", ".png")
# LibRaw's `flip` as quarter turns counterclockwise.
QUARTER_TURNS = {0: 0, 3: 2, 5: 1, 6: 3}
MAKE, MODEL, UNIQUE_CAMERA_MODEL = 271, 272, 50708
_LOOKS = ("white_balance", "srgb_to_camera", "exposure", "quarter_turns")
_NPZ_NAMES = ("raw", "cfa", "black", "white", "iso", "exposure_time", "camera", *_LOOKS)

# Of a frame, some ten times those of the largest cameras; of what else a file says.
MOST_PIXELS = 1 << 30
MOST_NUMBERS = 1 << 12


@dataclass(frozen=True, eq=False)
class RawFile:
    """The content of a raw file; None: it does not say.

    Attributes:
      codes: [H, W] as they are stored; None where they were not read.
      cfa: four letters such as "RGGB". black_level: a number or [2, 2]. white_level: a number.
      iso, exposure_time: of the shot, seconds.
      camera: its name, or "".
      margins: rows and columns of the sensor above and left of the codes that are not among them.
      looks: what a picture is made with, as `frame_of_codes` takes it.
    """

    codes: np.ndarray | None
    cfa: str | None = None
    black_level: np.ndarray | None = None
    white_level: np.ndarray | float | None = None
    iso: float | None = None
    exposure_time: float | None = None
    camera: str = ""
    looks: dict = field(default_factory=dict)
    margins: tuple[int, int] = (0, 0)


def read_raw_file(path: str | os.PathLike, *, has_codes: bool = True) -> RawFile:
    """Reads a raw file.

    Args:
      path: .npz with `raw` [H, W] and, where they are known, `black`, `white`, `cfa`, `iso`,
        `exposure_time`, `camera` and what `frame_of_codes` takes; a camera's file, with the extra
        `dng`; a mosaic of 16 bits as .png or .tif, or of any integers as .npy.
      has_codes: False leaves them out, which takes most of the time.

    Raises:
      FileNotFoundError: no such file.
      ValueError: a file that is damaged, of another form, or of 8 bits or colours, which is no raw
        file; names it.
      ImportError: a camera's file without rawpy, a TIFF without tifffile.
    """
    path = os.fspath(path)
    check_is_file(path, (NPZ, *CAMERA_FORMATS, *MOSAIC_FORMATS))
    extension = os.path.splitext(path)[1].lower()
    if extension == NPZ:
        return _read_npz(path, has_codes)
    if extension in CAMERA_FORMATS:
        return _read_with_libraw(path, has_codes)
    if not has_codes:
        return RawFile(None)
    return RawFile(_checked_mosaic(path, _read_mosaic(path, extension)))


def _read_npz(path: str, has_codes: bool) -> RawFile:
    with damage_named(f"{path}: expected a whole .npz file"), _opened_npz(path) as file:
        names = file.files
        wanted = [name for name in _NPZ_NAMES if name in names and (has_codes or name != "raw")]
        for name in wanted:
            _check_size(file, name)
        values = {name: file[name] for name in wanted}
    if "raw" not in names:
        raise ValueError(f"{path}: expected raw, the file holds {sorted(names)}.")
    numbers = {}
    for name in ("iso", "exposure_time"):
        value = values.get(name)
        if value is not None and (value.dtype.kind not in "uif" or value.size != 1):
            raise ValueError(
                f"{path}: expected one number in {name}, received {value.dtype} of shape "
                f"{value.shape}."
            )
        numbers[name] = None if value is None else float(value.reshape(()))
    return RawFile(
        values.get("raw"),
        str(values["cfa"]) if "cfa" in values else None,
        values.get("black"),
        values.get("white"),
        numbers["iso"],
        numbers["exposure_time"],
        str(values.get("camera", "")),
        {name: values[name] for name in _LOOKS if name in values},
    )


@contextlib.contextmanager
def _opened_npz(path: str) -> Iterator[np.lib.npyio.NpzFile]:
    with opened(path) as content:
        file = np.load(content)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array without a name")
        yield file


def _check_size(file: np.lib.npyio.NpzFile, name: str) -> None:
    """Raises ValueError for numbers beside the frame that are more than a few, before reading."""
    assert file.zip is not None  # It is open.
    with file.zip.open(f"{name}.npy") as entry:
        version = np.lib.format.read_magic(entry)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(entry)
    most = MOST_PIXELS if name == "raw" else MOST_NUMBERS
    if math.prod(shape) * max(dtype.itemsize, 1) > 8 * most:
        raise ValueError(f"expected at most {most} numbers in {name}, its shape is {shape}")


def _read_with_libraw(path: str, has_codes: bool) -> RawFile:
    try:
        import rawpy
    except ImportError as error:
        raise ImportError(
            f"{path}: expected rawpy to read DNG files and others of cameras: "
            "pip install tfp_noiseflow[dng]."
        ) from error
    try:
        with rawpy.imread(path) as raw:
            pattern, names = raw.raw_pattern, raw.color_desc.decode()
            if pattern is None or pattern.shape != (2, 2):
                raise ValueError(f"{path}: expected a Bayer mosaic, received another pattern.")
            codes = raw.raw_image_visible.copy() if has_codes else None
            black = np.array(raw.black_level_per_channel, np.float64)[pattern]
            white = raw.white_level
            balance = np.array(raw.camera_whitebalance, np.float64)[:3]
            # Camera RGB -> sRGB from the file's ColorMatrix, for white-balanced images.
            matrix = np.array(raw.color_matrix, np.float64)[:, :3]
            flip = raw.sizes.flip
            margins = (raw.sizes.top_margin, raw.sizes.left_margin)
            shot = getattr(raw, "other", None)
    except rawpy.LibRawError as error:
        raise ValueError(
            f"{path}: expected a DNG file or another of a camera, but it cannot be read; it is "
            f"damaged or of another format ({error})."
        ) from error
    if flip not in QUARTER_TURNS:
        raise ValueError(f"{path}: expected a frame that is at most turned, received a mirror.")
    has_matrix, has_balance = np.linalg.matrix_rank(matrix) == 3, np.all(balance > 0)
    return RawFile(
        codes,
        "".join(names[position] for position in pattern.ravel()),
        black,
        white,
        getattr(shot, "iso_speed", None) or None,
        getattr(shot, "shutter_speed", None) or None,
        _camera_of_tiff(path),
        {
            "srgb_to_camera": np.linalg.inv(matrix) if has_matrix else None,
            "white_balance": balance[[0, 2]] / balance[1] if has_balance else None,
            "quarter_turns": QUARTER_TURNS[flip],
        },
        margins,
    )


def _camera_of_tiff(path: str) -> str:
    """The model that DNG, NEF, ARW and others state as TIFF tags; "" where it cannot be read."""
    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            unique = tags.get(UNIQUE_CAMERA_MODEL)
            found = [unique] if unique else [tags.get(MAKE), tags.get(MODEL)]
            return " ".join(str(tag.value).strip() for tag in found if tag is not None)
    except Exception:  # tifffile has many errors for what is no TIFF.
        return ""


def _read_mosaic(path: str, extension: str) -> np.ndarray:
    if extension == ".npy":
        with damage_named(f"{path}: expected a whole .npy file"):
            return np.load(path)
    if extension == ".png":
        # Here: reading other formats needs no TensorFlow.
        import tensorflow as tf

        with open(path, "rb") as file:
            encoded = file.read()
        if encoded[24:25] == b"\x08":
            raise ValueError(f"{path}: expected codes of 16 bits, received a PNG of 8.")
        with damage_named(f"{path}: expected a whole PNG file"):
            return tf.io.decode_png(encoded, dtype=tf.uint16).numpy()
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"{path}: expected tifffile to read this format: "
            "pip install tfp_noiseflow[photographs]."
        ) from error
    with (
        damage_named(f"{path}: expected a whole TIFF file"),
        opened(path) as content,
        tifffile.TiffFile(content) as file,
    ):
        check_is_held(file.series[0].nbytes, path)
        return file.series[0].asarray()


def _checked_mosaic(path: str, codes: np.ndarray) -> np.ndarray:
    if codes.ndim == 3 and codes.shape[2] == 1:
        codes = codes[..., 0]
    if codes.ndim != 2:
        raise ValueError(
            f"{path}: expected a mosaic [H, W], received shape {list(codes.shape)}: a processed "
            "picture in colours is no raw file."
        )
    if codes.dtype.kind not in "uif" or codes.dtype.itemsize < 2:
        raise ValueError(
            f"{path}: expected codes of 16 bits, received {codes.dtype}: pictures of 8 bits are "
            "processed, and their noise is not the sensor's."
        )
    return codes
