"""Picture files: PNG, JPEG and TIFF to sRGB arrays, and sRGB arrays to PNG."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.imaging.contact_sheet import as_uint8
from tfp_noiseflow.imaging.damage import check_is_held, damage_named

# Grey with white as 0, grey, RGB, and YCbCr, which the decoder makes RGB.
TIFF_PHOTOMETRICS = (0, 1, 2, 6)
TIFF_REFUSED = {3: "a palette", 5: "CMYK", 8: "CIE Lab"}
FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Reads a photograph.

    Args:
      path: .png, .jpg, .jpeg, .tif or .tiff, of 8 or 16 bits, or floating in [0, 1]; grey or
        colour. Transparency and embedded colour profiles are ignored: values are taken as sRGB. A
        JPEG's orientation is applied, a TIFF's must be upright. CMYK is converted in a JPEG and
        refused in a TIFF, as are palettes.

    Returns:
      [H, W, 3] float32 in [0, 1].

    Raises:
      FileNotFoundError: no such file.
      ValueError: a format that is not known, a folder, a damaged file, other channels or values;
        names the file.
      ImportError: imageio is not installed.
    """
    path = os.fspath(path)
    check_is_file(path, FORMATS)
    # Pillow, which imageio reads PNG with, makes 8 bits of colour PNGs of 16.
    pixels = _decode_png(path) if path.lower().endswith(".png") else _read_with_imageio(path)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise ValueError(f"{path}: expected [H, W, 1 to 4], received shape {pixels.shape}.")
    if pixels.dtype.kind == "u":
        pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
    colour = pixels[..., :3] if pixels.shape[2] > 2 else np.repeat(pixels[..., :1], 3, axis=2)
    if not (colour.min() >= 0 and colour.max() <= 1):
        raise ValueError(f"{path}: expected values in [0, 1] or unsigned integers.")
    return np.ascontiguousarray(colour, np.float32)


def write_png(picture: np.ndarray, path: str | os.PathLike) -> None:
    """Writes [H, W, 3] in [0, 1] or uint8 as a PNG of 8 bits."""
    data = tf.io.encode_png(as_uint8(picture)).numpy()
    with written_beside(path) as partial, open(partial, "wb") as file:
        file.write(data)


def check_is_file(path: str, formats: Sequence[str]) -> None:
    """Checks that there is a file of one of some formats, by its name.

    Raises:
      FileNotFoundError: no such file.
      ValueError: a folder, or another format.
    """
    expected = f"{path}: expected a file among {list(formats)}"
    if os.path.isdir(path):
        raise ValueError(f"{expected}, received a folder.")
    extension = os.path.splitext(path)[1].lower()
    if extension not in formats:
        raise ValueError(f"{expected}, received {extension!r}.")
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file.")


def _decode_png(path: str) -> np.ndarray:
    with open(path, "rb") as file:
        content = file.read()
    with damage_named(f"{path}: expected a whole picture"):
        return tf.io.decode_png(content, dtype=tf.uint16).numpy()


def _read_with_imageio(path: str) -> np.ndarray:
    try:
        import imageio.v3 as imageio
    except ImportError as error:
        raise ImportError(
            f"{path}: expected imageio to read this format: pip install tfp_noiseflow[photographs]."
        ) from error
    expected = f"{path}: expected a whole picture"
    if path.lower().endswith((".jpg", ".jpeg")):
        with damage_named(expected):
            return imageio.imread(path, plugin="pillow", rotate=True, mode="RGB")
    with damage_named(expected):
        opened = imageio.imopen(path, "r", plugin="tifffile")
    with opened as file:
        with damage_named(expected):
            tags = file.metadata(index=0)
        # Numbers say nothing of their meaning: inks and places in a palette would be read as
        # colours.
        photometric = tags.get("PhotometricInterpretation", 2)
        if photometric not in TIFF_PHOTOMETRICS:
            raise ValueError(
                f"{path}: expected a picture in RGB or grey, received a TIFF of "
                f"{TIFF_REFUSED.get(photometric, photometric)}."
            )
        if tags.get("Orientation", 1) != 1:
            raise ValueError(
                f"{path}: expected an upright picture, received a TIFF that is to be turned by its "
                "viewer."
            )
        with damage_named(expected):
            shown = file.properties(index=0)
            check_is_held(math.prod(shown.shape) * np.dtype(shown.dtype).itemsize, path)
            pixels = file.read(index=0)
    if photometric == 0:  # White is zero.
        pixels = (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1) - pixels
    return pixels
