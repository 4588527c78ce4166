"""A camera's fixed pattern: the dark shading at each ISO and the hot pixels; one HDF5 file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.captures.bayer import CHANNEL_POSITIONS, pack_bayer
from tfp_noiseflow.captures.damage import damage_named
from tfp_noiseflow.captures.hdf5 import data_set_of

FORMAT_VERSION = 1
REQUIRED = ("iso", "dark_shading", "hot_pixels", "hot_values")
TEXTS = ("camera", "cfa", "origin", "licence")

# ISOs come from files in float32.
ISO_TOLERANCE = 1e-5
# Of a mean of dark frames: a pixel so many robust standard deviations from its colour's median is
# hot. Of normal numbers one in 10^15 is as far.
HOT_DEVIATIONS = 8.0
# The standard deviation of normal numbers over their median absolute deviation.
MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class FixedPattern:
    """What every dark frame of a camera shows at the same place, by ISO.

    It is added to a frame before codes are made of it. Between its ISOs nothing is interpolated:
    dark current's part grows with the ISO, that of the readout does not, and the black level
    drifts either way.

    Attributes:
      camera: its name.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR", the 2x2 cell at the top left of the map; "": none, the
        sensor has no colours.
      iso_levels: K ISOs.
      dark_shading: [K, H, W] float32, the mosaic's shading over the black level, fractions of full
        scale; H and W are even.
      hot_pixels: [n, 2] int, row and column in the mosaic, each once.
      hot_values: [K, n] float32, by how much they are above the dark shading.
      origin, licence: free text.

    Raises:
      ValueError: shapes that do not fit, numbers that are not finite, positions outside of the map
        or twice, ISOs that are not positive or twice, an unknown CFA.
    """

    camera: str
    cfa: str
    iso_levels: tuple[float, ...]
    dark_shading: np.ndarray
    hot_pixels: np.ndarray = field(default_factory=lambda: np.zeros([0, 2], np.int32))
    hot_values: np.ndarray | None = None
    origin: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        isos = tuple(float(iso) for iso in np.ravel(self.iso_levels))
        shading = _numbers("dark_shading", self.dark_shading, 3)
        pixels = np.asarray(self.hot_pixels)
        values = self.hot_values
        values = np.zeros([len(isos), len(pixels)]) if values is None else values
        values = _numbers("hot_values", values, 2)
        if not self.camera:
            raise ValueError("expected the name of a camera, received ''.")
        if self.cfa not in ("", *CHANNEL_POSITIONS):
            raise ValueError(
                f"expected a CFA among {list(CHANNEL_POSITIONS)}, or '' for none, received "
                f"{self.cfa!r}."
            )
        if not isos or len(set(isos)) < len(isos) or not all(0 < iso < np.inf for iso in isos):
            raise ValueError(f"expected positive ISOs, each once, received {isos}.")
        is_even = not (shading.shape[1] % 2 or shading.shape[2] % 2)
        if len(shading) != len(isos) or not is_even or 0 in shading.shape:
            raise ValueError(
                f"expected dark_shading of shape [{len(isos)}, H, W], a map for each ISO, H and W "
                f"even, received {list(shading.shape)}."
            )
        if pixels.ndim != 2 or pixels.shape[1] != 2 or pixels.dtype.kind not in "ui":
            raise ValueError(
                f"expected hot_pixels [n, 2], integers, received {pixels.dtype} of shape "
                f"{list(pixels.shape)}."
            )
        is_inside = (pixels >= 0) & (pixels < shading.shape[1:])
        if not is_inside.all() or len(np.unique(pixels, axis=0)) < len(pixels):
            raise ValueError(
                f"expected hot_pixels within {list(shading.shape[1:])}, each once, received "
                f"{pixels[~is_inside.all(axis=1)][:5].tolist() or 'some twice'}."
            )
        if values.shape != (len(isos), len(pixels)):
            raise ValueError(
                f"expected hot_values of shape {[len(isos), len(pixels)]}, a value for each ISO "
                f"and hot pixel, received {list(values.shape)}."
            )
        for name, value in (
            ("iso_levels", isos),
            ("dark_shading", shading),
            ("hot_pixels", pixels.astype(np.int32)),
            ("hot_values", values),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def of_dark_frames(
        cls, mean: np.ndarray, iso_levels: Sequence[float], **about: Any
    ) -> FixedPattern:
        """The pattern of dark frames' means.

        A pixel of a mean farther than eight robust standard deviations from the median of its
        colour, at any ISO, is hot; the dark shading has that median in its place.

        Args:
          mean: [K, H, W], the mean of many dark frames at each ISO, black level subtracted,
            fractions of full scale.
          iso_levels: K ISOs.
          **about: camera, cfa, origin, licence.
        """
        mean = _numbers("mean", mean, 3)
        is_hot = np.zeros(mean.shape[1:], bool)
        shading = mean.copy()
        cells = [
            (slice(row, None, 2), slice(column, None, 2)) for row in (0, 1) for column in (0, 1)
        ]
        for cell in cells:
            for image in mean:
                off = np.abs(image[cell] - np.median(image[cell]))
                is_hot[cell] |= off > HOT_DEVIATIONS * MAD_TO_DEVIATION * np.median(off)
        for cell in cells:
            for image, smooth in zip(mean, shading, strict=True):
                smooth[cell] = np.where(is_hot[cell], np.median(image[cell]), image[cell])
        pixels = np.argwhere(is_hot)
        values = (mean - shading)[:, is_hot]
        return cls(
            iso_levels=tuple(iso_levels),
            dark_shading=shading,
            hot_pixels=pixels,
            hot_values=values,
            **about,
        )

    def mosaic(self, iso: float) -> np.ndarray:
        """[H, W] float32: dark shading and hot pixels at an ISO.

        Raises:
          ValueError: an ISO that it does not have.
        """
        levels = np.array(self.iso_levels)
        is_level = np.abs(levels - iso) <= ISO_TOLERANCE * levels
        if not is_level.any():
            raise ValueError(
                f"expected an ISO among {', '.join(f'{level:g}' for level in levels)}, which the "
                f"fixed pattern of {self.camera!r} has, received {iso:g}."
            )
        index = int(np.argmax(is_level))
        mosaic = self.dark_shading[index].copy()
        rows, columns = self.hot_pixels.T
        assert self.hot_values is not None  # `__post_init__` has put zeros there.
        mosaic[rows, columns] += self.hot_values[index]
        return mosaic

    def image(self, iso: float, image_shape: Sequence[int | None]) -> np.ndarray:
        """[H, W, C] float32: dark shading and hot pixels at an ISO as an image.

        Args:
          iso: of iso_levels.
          image_shape: (H, W, C): 4 channels, packed, or 1, a mosaic; H and W None: those of the
            map.

        Raises:
          ValueError: an ISO that it does not have; another size; channels packed of no CFA.
        """
        *size, channels = image_shape
        mosaic = self.mosaic(iso)
        if channels == 1:
            image = mosaic[..., None]
        elif channels == 4 and self.cfa:
            image = pack_bayer(mosaic, self.cfa)
        else:
            raise ValueError(
                f"expected images of 1 channel{' or 4' if self.cfa else ''} for the fixed pattern "
                f"of {self.camera!r} (CFA {self.cfa!r}), received {channels}."
            )
        if any(given not in (None, own) for given, own in zip(size, image.shape, strict=False)):
            raise ValueError(
                f"expected images of {list(image.shape)}, the size of the fixed pattern of "
                f"{self.camera!r}, received {list(image_shape)}."
            )
        return image


def pattern_of(patterns: Sequence[FixedPattern], camera: str | None) -> FixedPattern:
    """The pattern of a camera.

    Raises:
      ValueError: there is none, or several.
    """
    found = [pattern for pattern in patterns if pattern.camera == camera]
    if len(found) != 1:
        raise ValueError(
            f"expected one fixed pattern of the camera {camera!r}, received those of "
            f"{[pattern.camera for pattern in patterns]}."
        )
    return found[0]


def write_fixed_pattern(path: str | os.PathLike, pattern: FixedPattern) -> None:
    """Writes a fixed pattern to one HDF5 file, whole or not at all.

    Data sets `iso` [K], `dark_shading` [K, H, W], `hot_pixels` [n, 2] (row, column), `hot_values`
    [K, n]; attributes `camera`, `cfa`, `origin`, `licence`, `format_version`.
    """
    with written_beside(path) as partial, h5py.File(partial, "w") as file:
        file["iso"] = np.array(pattern.iso_levels)
        file.create_dataset(
            "dark_shading",
            data=pattern.dark_shading,
            chunks=(1, *pattern.dark_shading.shape[1:]),
            compression="gzip",
            shuffle=True,
        )
        file["hot_pixels"] = pattern.hot_pixels
        file["hot_values"] = pattern.hot_values
        file.attrs.update({name: getattr(pattern, name) for name in TEXTS})
        file.attrs["format_version"] = FORMAT_VERSION


def read_fixed_pattern(path: str | os.PathLike) -> FixedPattern:
    """Reads what `write_fixed_pattern` wrote.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged or holds no fixed pattern; names the file.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path}: no such file; expected a fixed pattern (HDF5).")
    message = f"{path}: expected a fixed pattern (HDF5), but it cannot be read"
    with damage_named(message), h5py.File(path, "r") as file:
        names, attributes = set(file), dict(file.attrs)
        found = {name: data_set_of(file, name)[()] for name in REQUIRED if name in names}
    missing = [name for name in REQUIRED if name not in found]
    missing += [name for name in TEXTS if name not in attributes]
    if missing:
        raise ValueError(f"{path}: expected {[*REQUIRED, *TEXTS]} of a fixed pattern, missing "
                         f"{missing}; it holds {sorted(names)}.")  # fmt: skip
    version = attributes.get("format_version", FORMAT_VERSION)
    if not (isinstance(version, (int, np.integer)) and version <= FORMAT_VERSION):
        raise ValueError(
            f"{path}: expected format_version {FORMAT_VERSION} or lower, received {version}; a "
            "newer release of the library may have written it."
        )
    try:
        return FixedPattern(
            iso_levels=found.pop("iso"), **found, **{name: attributes[name] for name in TEXTS}
        )
    # Of numbers in the place of texts too.
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _numbers(name: str, values: ArrayLike, ndim: int) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "uif" or array.ndim != ndim or not np.isfinite(array).all():
        raise ValueError(
            f"expected {name}: finite numbers of {ndim} dimensions, received {array.dtype} of "
            f"shape {list(array.shape)}{', some not finite' if array.dtype.kind == 'f' else ''}."
        )
    return array.astype(np.float32)
