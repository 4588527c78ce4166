"""The capture file: the one data format of this library.

An HDF5 file of N captures. `noisy` and `clean` [N, H, W, C] in the same units (any integer or
float type), `iso` [N], `camera` [N] UTF-8; attributes `black_level`, `white_level`,
`quantization_step` (in the units of `noisy`; 0 or absent: continuous), `description`, `origin`,
`licence`, `format_version`. Optional data sets: `black_level`, `white_level`,
`quantization_step` [N] (they override the attributes), `nlf`, `nlf_true` [N, 2] (beta1, beta2),
`cfa`, `scene` [N], and `noisy_repeat` [N, H, W, C], a second noisy image of the same clean one.

Values become (v - black_level) / (white_level - black_level), so that images are fractions of
full scale. Quantised noisy values are dequantised, noisy + step * U(-1/2, 1/2), clean ones never:
a density model of integer codes is only proper after that.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.captures.damage import damage_named
from tfp_noiseflow.captures.deferred_faults import DeferredFaults
from tfp_noiseflow.captures.hdf5 import data_set_of

FORMAT_VERSION = 1

IMAGES = ("noisy", "clean", "noisy_repeat")
LEVELS = ("black_level", "white_level", "quantization_step")
TEXTS = ("camera", "scene", "cfa")
NOISE_LEVEL_FUNCTIONS = ("nlf", "nlf_true")
REQUIRED = ("noisy", "clean", "iso", "camera")

# Files report 0 or less where a camera's read noise was not measured; the SIDD protocol puts this.
SMALLEST_BETA = 1e-6

# One chunk is what one read takes. A chunk of about 1 MiB keeps the cost of a chunk (tens of
# microseconds) far below the cost of its bytes, and fits HDF5's default chunk cache.
CHUNK_BYTES = 1 << 20


@dataclass
class CaptureBlock:
    """Consecutive captures of a file, in fractions of full scale.

    Attributes:
      index: [n] int, the captures' positions in the file.
      noise: [n, H, W, C] float32, dequantised noisy - clean.
      clean: [n, H, W, C] float32.
      iso: [n] float32.
      camera: [n] str.
      noise_repeat: [n, H, W, C] float32, the noise of the second noisy image; None without one.
    """

    index: np.ndarray
    noise: np.ndarray
    clean: np.ndarray
    iso: np.ndarray
    camera: np.ndarray
    noise_repeat: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.index)


class CaptureWriter:
    """Writes a capture file block by block, for data larger than memory.

    A context manager. The file is written beside its final place and renamed on a clean exit, so
    that a crash never leaves a file that looks whole, and an existing one is replaced only then.

    Args:
      path: where the file goes.
      description, origin, licence: free text, stored as attributes.
      process: the name of the process that simulated the captures, where one did.
      black_level, white_level, quantization_step: scalars, in the units of `noisy`.
      compression: None, "gzip" or "lzf", as h5py takes it.

    Raises:
      ValueError: on exit, no captures or invalid values.
      OSError: the file cannot be written whole, the disk is full. Nothing is left of it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        description: str = "",
        origin: str = "",
        licence: str = "",
        process: str = "",
        black_level: float = 0.0,
        white_level: float = 1.0,
        quantization_step: float = 0.0,
        compression: str | None = None,
    ):
        self.path = os.fspath(path)
        self._compression = compression
        self._attributes = {
            "format_version": FORMAT_VERSION,
            "black_level": float(black_level),
            "white_level": float(white_level),
            "quantization_step": float(quantization_step),
            "description": description,
            "origin": origin,
            "licence": licence,
            **({"process": process} if process else {}),
        }
        self._context = contextlib.ExitStack()
        self._file: Any = None  # The h5py.File, once it is entered.
        self._length = 0

    def __enter__(self) -> CaptureWriter:
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with contextlib.ExitStack() as context:
            self._partial_path = context.enter_context(written_beside(self.path))
            self._disk = context.enter_context(DeferredFaults(self._partial_path))
            self._file = context.enter_context(h5py.File(self._disk, "w"))
            self._context = context.pop_all()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._context:
            if error is not None:
                raise error
            if not self._length:
                raise ValueError(f"{self.path}: expected at least one capture, nothing came.")
            self._file.attrs.update(self._attributes)
            self._file.close()
            self._check_disk()
            # Invalid values are found before the rename.
            Captures(self._partial_path, shown_as=self.path).close()

    def append(self, **values: Any) -> None:
        """Appends n captures.

        Args:
          **values: `noisy`, `clean` [n, H, W, C], `iso` [n], `camera` [n] str, and any of the
            optional data sets of the format. Each call names the same ones.

        Raises:
          ValueError: a required one is missing, an unknown one is given, or shapes do not fit.
        """
        values = {name: value for name, value in values.items() if value is not None}
        _check_names(values)
        if self._file is None:
            raise ValueError(f"{self.path}: expected `with CaptureWriter(...) as writer:`.")
        arrays = {name: _as_stored(name, value) for name, value in values.items()}
        _check_shapes(arrays, self.path)
        if self._length and set(arrays) != set(self._file):
            raise ValueError(
                f"{self.path}: expected the data sets of the first block, "
                f"{sorted(self._file)}, received {sorted(arrays)}."
            )
        count = len(arrays["noisy"])
        for name, array in arrays.items():
            if name not in self._file:
                self._create(name, array)
            data_set = self._file[name]
            if name not in TEXTS and not np.can_cast(array.dtype, data_set.dtype, "safe"):
                raise ValueError(
                    f"{self.path}: expected {name} of the first block's dtype {data_set.dtype}, "
                    f"received {array.dtype}, which it cannot hold."
                )
            if data_set.shape[1:] != array.shape[1:]:
                raise ValueError(
                    f"{self.path}: expected {name} of shape {data_set.shape[1:]} per capture, "
                    f"received {array.shape[1:]}."
                )
            data_set.resize(self._length + count, axis=0)
            data_set[self._length :] = array
        self._length += count
        self._check_disk()

    def _check_disk(self) -> None:
        try:
            self._disk.check()
        except OSError as fault:
            raise OSError(
                fault.errno, f"cannot be written whole ({fault.strerror})", self.path
            ) from fault

    def _create(self, name: str, array: np.ndarray) -> None:
        is_text = name in TEXTS
        capture_bytes = max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize)
        captures = 1024 if array.ndim == 1 else max(1, CHUNK_BYTES // capture_bytes)
        self._file.create_dataset(
            name,
            shape=(0, *array.shape[1:]),
            maxshape=(None, *array.shape[1:]),
            dtype=h5py.string_dtype() if is_text else array.dtype,
            chunks=(captures, *array.shape[1:]),
            compression=self._compression if name in IMAGES else None,
            shuffle=bool(self._compression) and name in IMAGES,
        )


def write_captures(
    path: str | os.PathLike,
    noisy: ArrayLike,
    clean: ArrayLike,
    iso: ArrayLike,
    camera: str | ArrayLike,
    *,
    black_level: ArrayLike = 0.0,
    white_level: ArrayLike = 1.0,
    quantization_step: ArrayLike = 0.0,
    description: str = "",
    origin: str = "",
    licence: str = "",
    compression: str | None = None,
    **optional: Any,
) -> None:
    """Writes captures that fit in memory to a capture file.

    Args:
      path: where the file goes; an existing file is replaced once the new one is complete.
      noisy, clean: [N, H, W, C], any integer or float type, the same units.
      iso: [N] or one positive number for all.
      camera: [N] names or one name for all.
      black_level, white_level, quantization_step: in the units of `noisy`; one number (stored as
        an attribute) or [N] (stored as a data set).
      description, origin, licence: free text.
      compression: None, "gzip" or "lzf".
      **optional: `scene`, `cfa` [N] str, `nlf`, `nlf_true` [N, 2], `noisy_repeat` [N, H, W, C].

    Raises:
      ValueError: shapes do not fit, values are not valid; the message names the data set.
    """
    noisy = np.asarray(noisy)
    count = len(noisy) if noisy.ndim else 0
    if isinstance(camera, (str, bytes)):
        camera = [camera] * count
    levels = {
        "black_level": black_level,
        "white_level": white_level,
        "quantization_step": quantization_step,
    }
    per_capture = {name: value for name, value in levels.items() if np.ndim(value)}
    scalars: dict[str, Any] = {
        name: float(np.asarray(value)) for name, value in levels.items() if not np.ndim(value)
    }
    with CaptureWriter(
        path,
        description=description,
        origin=origin,
        licence=licence,
        compression=compression,
        **scalars,
    ) as writer:
        writer.append(
            noisy=noisy,
            clean=clean,
            iso=np.full(count, iso) if not np.ndim(iso) else iso,
            camera=camera,
            **per_capture,
            **optional,
        )


def read_captures(path: str | os.PathLike, *, dequantises: bool = True) -> Captures:
    """Opens a capture file; pixels are read when they are asked for.

    `with nf.read_captures(path) as captures` closes it at the end.

    Args:
      path: a capture file.
      dequantises: whether quantised noisy values are dequantised: for a density; not for a
        denoiser, whose input is what the camera gave.

    Returns:
      Captures.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged or no capture file; names the file and the data set. Or it is
        a folder; names the capture files in it.
    """
    return Captures(path, dequantises=dequantises)


class Captures:
    """The captures of one file, read block by block.

    A context manager, which closes the file on exit.

    Attributes:
      path: the file.
      image_shape: (H, W, C).
      iso: [N] float32. camera: [N] str. scene: [N] str or None.
      nlf, nlf_true: [N, 2] float64 (beta1, beta2) as reported / true, or None.
      cameras: the names, sorted. iso_levels: the ISOs, ascending.
      black_level, white_level, quantization_step: [N] float64, in the units of the file.
      has_repeat: there is a second noisy image of each clean one.
      description, origin, licence: free text.
      process: the name of the process that simulated them; "": not known, or none did.
    """

    def __init__(
        self, path: str | os.PathLike, *, shown_as: str | None = None, dequantises: bool = True
    ):
        path = os.fspath(path)
        self._dequantises = dequantises
        self.path = shown_as or path  # A writer checks a file that is not yet at its place.
        if not os.path.exists(path):
            raise FileNotFoundError(f"{self.path}: no such capture file.")
        if os.path.isdir(path):
            raise ValueError(
                f"{self.path}: expected a capture file, received a folder, which holds "
                f"{_capture_files_in(path) or 'none'}."
            )
        message = (
            f"{self.path}: expected a capture file (HDF5), but it cannot be opened; it is "
            "truncated or of another format"
        )
        with damage_named(message):
            self._file = h5py.File(path, "r")
        self._data_sets = self._find_data_sets()
        self._check_data_sets()
        count, height, width, channels = self._data_sets["noisy"].shape
        self.image_shape = int(height), int(width), int(channels)
        self.iso = np.asarray(self._read_required("iso"), np.float32)
        self.camera = self._as_text("camera", self._read_required("camera"))
        self.scene = self._read_text("scene")
        self.cfa = self._read_text("cfa")
        self.nlf = self._read("nlf")
        self.nlf_true = self._read("nlf_true")
        self.has_repeat = "noisy_repeat" in self._data_sets
        self.black_level = self._level("black_level", 0.0, count)
        self.white_level = self._level("white_level", 1.0, count)
        self.quantization_step = self._level("quantization_step", 0.0, count)
        self.description = str(self._attribute("description", ""))
        self.origin = str(self._attribute("origin", ""))
        self.licence = str(self._attribute("licence", ""))
        self.process = str(self._attribute("process", ""))
        self._rows = np.arange(count)  # Where the captures stand in the file.
        self._name_conditions()
        self._check_values()

    def select(self, rows: ArrayLike) -> Captures:
        """Some of the captures, as captures that read from the same file.

        They keep their dequantisation, which goes by the position in the file.

        Args:
          rows: [N] bool, or positions in ascending order, each once.

        Returns:
          Captures.

        Raises:
          ValueError: no rows, or rows that are not ascending positions among the captures.
        """
        rows = np.asarray(rows)
        if rows.dtype == bool and rows.shape == (len(self),):
            rows = np.flatnonzero(rows)
        is_valid = rows.ndim == 1 and rows.dtype.kind in "ui" and len(rows) > 0
        if not (is_valid and rows[0] >= 0 and rows[-1] < len(self) and (np.diff(rows) > 0).all()):
            raise ValueError(
                f"{self.path}: expected some rows of {len(self)} captures, ascending, each once, "
                f"received {rows}."
            )
        selected = copy.copy(self)
        for name in ("_rows", "iso", *TEXTS, *NOISE_LEVEL_FUNCTIONS, *LEVELS):
            values = getattr(self, name)
            setattr(selected, name, None if values is None else values[rows])
        selected._name_conditions()
        return selected

    def dequantised(self, dequantises: bool) -> Captures:
        """The same captures, dequantised or as they were stored, which read from the same file."""
        if dequantises == self._dequantises:
            return self
        other = copy.copy(self)
        other._dequantises = dequantises
        return other

    @property
    def dequantises(self) -> bool:
        """Whether `read` dequantises."""
        return self._dequantises

    @property
    def rows(self) -> np.ndarray:
        """[N] int64, where the captures stand in the file: their dequantisation goes by it."""
        return self._rows

    @property
    def relative_steps(self) -> np.ndarray:
        """[N], the distance of codes as a fraction of full scale; 0: continuous."""
        return self.quantization_step / (self.white_level - self.black_level)

    def code_steps(self) -> dict[str, float]:
        """The distance of each camera's codes as a fraction of full scale, 1 / (white - black).

        Raises:
          ValueError: captures of a camera without a quantization step, or with several.
        """
        by_camera = {}
        for camera in self.cameras:
            found = np.unique(self.relative_steps[self.camera == camera])
            if len(found) > 1 or not found[0] > 0:
                raise ValueError(
                    f"{self.path}: expected one quantization step above 0 for all captures of "
                    f"{camera!r}, received {found[:5].tolist()} of full scale."
                )
            by_camera[camera] = float(found[0])
        return by_camera

    def __len__(self) -> int:
        return len(self.iso)

    def __repr__(self) -> str:
        return (
            f"Captures({os.path.basename(self.path)!r}, {len(self)} of shape {self.image_shape}, "
            f"cameras {list(self.cameras)}, ISO {[f'{iso:g}' for iso in self.iso_levels]})"
        )

    def __enter__(self) -> Captures:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; captures cannot be read any more, nor those selected of them."""
        self._file.close()

    def blocks(self, size: int = 256, *, seed: int = 0) -> Iterator[CaptureBlock]:
        """All captures in file order, `size` at a time.

        Args:
          size: captures in a block.
          seed: of the dequantisation. A capture's values depend on it and on the capture's
            position alone, not on the size of the block.

        Yields:
          CaptureBlock.
        """
        for start in range(0, len(self), size):
            yield self.read(start, min(start + size, len(self)), seed=seed)

    def read(self, start: int, stop: int, *, seed: int | Sequence[int] = 0) -> CaptureBlock:
        """Captures start to stop - 1, normalised and dequantised.

        Args:
          start, stop: positions in the file.
          seed: of the dequantisation, an integer or two (a run's seed and its epoch).

        Returns:
          CaptureBlock.

        Raises:
          ValueError: pixels that are NaN or infinite (counted, with their captures named).
        """
        if not 0 <= start <= stop <= len(self):
            raise ValueError(
                f"{self.path}: expected captures among 0 to {len(self)}, received {start} to "
                f"{stop}."
            )
        index = np.arange(start, stop)
        clean = self._normalised("clean", index)
        noise = self._dequantised("noisy", index, seed) - clean
        repeat = None
        if self.has_repeat:
            repeat = self._dequantised("noisy_repeat", index, seed) - clean
        return CaptureBlock(index, noise, clean, self.iso[index], self.camera[index], repeat)

    def read_stored(self, name: str, start: int, stop: int) -> np.ndarray:
        """Images of captures start to stop - 1 as the file stores them, in its units and dtype.

        Args:
          name: "noisy", "clean" or "noisy_repeat".
          start, stop: positions.

        Raises:
          ValueError: as `read`.
        """
        index = np.arange(start, stop)
        stored = self._stored(name, index)
        self._check_finite(name, index, stored, stored)
        return stored

    def stored_dtype(self, name: str) -> np.dtype:
        """Of a data set of images."""
        return self._data_sets[name].dtype

    def _normalised(self, name: str, index: np.ndarray) -> np.ndarray:
        # Every pass over the values counts here: training reads on the processors it trains on.
        stored = self._stored(name, index)
        values = stored.astype(np.float32, copy=False)
        self._check_finite(name, index, stored, values)
        black = self.black_level[index]
        scale = 1.0 / (self.white_level[index] - black)
        if np.any(black != 0):
            values -= black.astype(np.float32)[:, None, None, None]
        if np.any(scale != 1):
            values *= scale.astype(np.float32)[:, None, None, None]
        return values

    def _check_finite(
        self, name: str, index: np.ndarray, stored: np.ndarray, values: np.ndarray
    ) -> None:
        # The sum of finite values is finite: float64 has room for as many.
        if stored.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
            is_bad = ~np.isfinite(values)
            captures = index[is_bad.any(axis=(1, 2, 3))]
            raise ValueError(
                f"{self.path}: expected finite pixels, data set {name!r} holds "
                f"{int(is_bad.sum())} that are NaN or infinite, in {len(captures)} captures: "
                f"{captures[:10].tolist()}{' ...' if len(captures) > 10 else ''}."
            )

    def _stored(self, name: str, index: np.ndarray) -> np.ndarray:
        """Rows of a data set as the file holds them."""
        if not self._file:
            raise ValueError(f"{self.path}: expected an open capture file, it was closed.")
        rows = self._rows[index]
        start, stop = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
        # HDF5 is slow to pick rows one by one, and reads whole chunks anyway.
        is_dense = stop - start <= 8 * len(rows)
        message = (
            f"{self.path}: data set {name!r} is damaged in the {len(index)} captures "
            f"from {start} on"
        )
        with damage_named(message):
            if not is_dense:
                return self._data_sets[name][rows]
            values = self._data_sets[name][start:stop]
            return values if len(values) == len(rows) else values[rows - start]

    def _dequantised(self, name: str, index: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
        values = self._normalised(name, index)
        steps = self.relative_steps[index]
        key = np.zeros(2, np.uint64)
        key[: np.size(seed)] = np.atleast_1d(seed)
        for value, step, capture in zip(values, steps, self._rows[index], strict=True):
            if step > 0 and self._dequantises:
                # A generator a capture: its draw does not depend on how captures are grouped.
                counter = (0, 0, IMAGES.index(name), int(capture))
                generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
                offset = generator.random(value.shape, np.float32)
                offset -= np.float32(0.5)
                offset *= np.float32(step)
                value += offset
        return values

    def _find_data_sets(self) -> dict[str, h5py.Dataset]:
        """The data sets of the format that the file holds, by name."""
        with damage_named(f"{self.path}: the names of its data sets are damaged"):
            names = sorted(self._file)
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise ValueError(
                f"{self.path}: expected the data sets {list(REQUIRED)} of a capture file, "
                f"missing {missing}; it holds {names}."
            )
        known = (*REQUIRED, *IMAGES, *LEVELS, *TEXTS, *NOISE_LEVEL_FUNCTIONS)
        found = {}
        for name in (name for name in names if name in known):
            with damage_named(f"{self.path}: data set {name!r} is damaged"):
                # h5py reads shape and dtype when they are asked for, and keeps them.
                found[name] = data_set_of(self._file, name)
        return found

    def _attribute(self, name: str, default: Any) -> Any:
        # Not `get`, which takes a damage for an attribute that is not there.
        with damage_named(f"{self.path}: attribute {name!r} is damaged"):
            if name in self._file.attrs:
                return self._file.attrs[name]
        return default

    def _check_data_sets(self) -> None:
        version = self._attribute("format_version", FORMAT_VERSION)
        if not (isinstance(version, (int, np.integer)) and version <= FORMAT_VERSION):
            raise ValueError(
                f"{self.path}: expected format_version {FORMAT_VERSION} or lower, "
                f"received {version!r}; a newer release of the library may have written it."
            )
        for name, data_set in self._data_sets.items():
            if (data_set.dtype.kind in "OS") != (name in TEXTS) or data_set.dtype.kind in "cV":
                raise ValueError(
                    f"{self.path}: expected {'text' if name in TEXTS else 'numbers'} in data set "
                    f"{name!r}, received dtype {data_set.dtype}."
                )
        for name in LEVELS:
            value = self._attribute(name, 0.0)
            if np.ndim(value) or np.asarray(value).dtype.kind not in "uif":
                raise ValueError(
                    f"{self.path}: expected one number in attribute {name!r} (values per capture "
                    f"are a data set), received {value!r}."
                )
        _check_shapes(self._data_sets, self.path)

    def _name_conditions(self) -> None:
        self.cameras = tuple(sorted(set(self.camera.tolist())))
        self.iso_levels = tuple(float(iso) for iso in np.unique(self.iso))

    def _check_values(self) -> None:
        is_bad = ~(np.isfinite(self.iso) & (self.iso > 0))
        if is_bad.any():
            raise ValueError(
                f"{self.path}: expected positive ISOs in data set 'iso', received "
                f"{self.iso[is_bad][0]} at capture {np.flatnonzero(is_bad)[0]}."
            )
        is_finite = np.isfinite(self.white_level) & np.isfinite(self.black_level)
        is_bad = ~((self.white_level > self.black_level) & is_finite)
        if is_bad.any():
            first = np.flatnonzero(is_bad)[0]
            raise ValueError(
                f"{self.path}: expected finite white_level > black_level, received white_level "
                f"{self.white_level[first]} and black_level {self.black_level[first]} "
                f"at capture {first}."
            )
        is_bad = ~(np.isfinite(self.quantization_step) & (self.quantization_step >= 0))
        if is_bad.any():
            first = np.flatnonzero(is_bad)[0]
            raise ValueError(
                f"{self.path}: expected finite quantization_step >= 0, received "
                f"{self.quantization_step[first]} at capture {first}."
            )
        if "" in self.cameras:
            raise ValueError(f"{self.path}: expected camera names, data set 'camera' holds ''.")

    def _read_required(self, name: str) -> np.ndarray:
        with damage_named(f"{self.path}: data set {name!r} is damaged"):
            return self._data_sets[name][()]

    def _read(self, name: str) -> np.ndarray | None:
        return self._read_required(name) if name in self._data_sets else None

    def _read_text(self, name: str) -> np.ndarray | None:
        values = self._read(name)
        return None if values is None else self._as_text(name, values)

    def _as_text(self, name: str, values: np.ndarray) -> np.ndarray:
        try:
            return _as_stored(name, values)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error

    def _level(self, name: str, default: float, count: int) -> np.ndarray:
        values = self._read(name)
        if values is None:
            values = np.full(count, self._attribute(name, default))
        return np.asarray(values, np.float64)


def _capture_files_in(folder: str) -> list[str]:
    """Names of a folder's files that have the data sets of a capture file."""
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file() and h5py.is_hdf5(entry.path):
            with contextlib.suppress(OSError, RuntimeError), h5py.File(entry.path, "r") as file:
                if set(REQUIRED) <= set(file):
                    found.append(entry.name)
    return found


def _as_text(name: str, text: Any) -> str:
    if isinstance(text, bytes):
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"expected UTF-8 in {name!r}, received {text!r}.") from error
    return str(text)


def _as_stored(name: str, value: ArrayLike) -> np.ndarray:
    if name in TEXTS:
        return np.array([_as_text(name, text) for text in np.atleast_1d(value)], object)
    array = np.asarray(value)
    if array.dtype.kind not in "uif":
        raise ValueError(f"expected numbers for {name!r}, received dtype {array.dtype}.")
    return array


def _check_names(values: Collection[str]) -> None:
    missing = [name for name in REQUIRED if name not in values]
    if missing:
        raise ValueError(f"expected {list(REQUIRED)}, missing {missing}.")
    known = (*REQUIRED, *IMAGES, *LEVELS, *TEXTS, *NOISE_LEVEL_FUNCTIONS)
    unknown = [name for name in values if name not in known]
    if unknown:
        raise ValueError(f"expected data sets among {sorted(set(known))}, received {unknown}.")


def _check_shapes(arrays: Mapping[str, Any], path: str) -> None:
    shape = tuple(arrays["noisy"].shape)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(
            f"{path}: expected 'noisy' of shape [N, H, W, C] with no dimension of 0, "
            f"received {list(shape)}."
        )
    expected: tuple[int, ...]
    for name, array in arrays.items():
        if name in IMAGES:
            expected = shape
        elif name in NOISE_LEVEL_FUNCTIONS:
            expected = (shape[0], 2)
        else:
            expected = (shape[0],)
        if tuple(array.shape) != expected:
            raise ValueError(
                f"{path}: expected data set {name!r} of shape {list(expected)} to go with "
                f"'noisy' {list(shape)}, received {list(array.shape)}."
            )
