"""Captures of SIDD, the Smartphone Image Denoising Data set, at the protocol of Noise Flow.

A noisy image and its ground truth are MATLAB 7.3 files, that is HDF5: one array in [0, 1], black
level subtracted, stored transposed (MATLAB's columns are HDF5's rows). Here images stand upright,
as the sensor has them, and are packed to R, Gr, Gb, B by the CFA of their metadata. (The released
code of Noise Flow packs the array as stored and ignores the CFA; `interop` knows that order.)

As in the paper NaN becomes 0 and both images are clipped to [0, 1]; an image that is mostly NaN
or holds infinities is damaged. A noisy image keeps its camera's codes: where its metadata tell how
many there are from black to white, and its pixels are multiples of 1 / of that, its captures have
this quantization step. Another's is that of the storage. The patches of an image are the first
2898 tiles of a grid without overlap, row by row of the array as stored, that is column by column
of the image. `camera` is the code of the folder's name, `scene` its scene.

Abdelhamed, Lin, Brown: A High-Quality Denoising Dataset for Smartphone Cameras, CVPR 2018.
Abdelhamed, Brubaker, Brown: Noise Flow, ICCV 2019, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import h5py
import numpy as np

from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.captures.damage import damage_named
from tfp_noiseflow.captures.hdf5 import data_sets_in
from tfp_noiseflow.captures.source import fingerprint_of
from tfp_noiseflow.sidd.layout import CAMERA_MAKES, SiddImage
from tfp_noiseflow.sidd.metadata import SiddMetadata, read_metadata

ORIGIN = "SIDD (raw), Abdelhamed, Lin, Brown: A High-Quality Denoising Dataset, CVPR 2018."
LICENCE = "MIT, as SIDD's authors state."

PATCHES_PER_IMAGE = 2898  # 63 x 46, what the grid of the smallest of SIDD's images gives.


@dataclass(frozen=True)
class Storage:
    """How pixels in [0, 1] are kept: multiplied by `white_level`, as `dtype`.

    Attributes:
      dtype, white_level: of the file.
      noisy_step, clean_step: what noisy and clean values are multiples of, in units of the file;
        0: as they are.
    """

    dtype: type
    white_level: float
    noisy_step: float
    clean_step: float

    def of_codes(self, codes: int) -> Storage:
        """The same for noisy images of so many codes from black to white, which it keeps."""
        if not self.clean_step:
            return replace(self, noisy_step=self.white_level / codes)
        # Several steps of the clean image, the mean of many, to a code.
        steps = int(self.white_level / self.clean_step) // codes
        return replace(
            self, white_level=steps * codes * self.clean_step, noisy_step=steps * self.clean_step
        )


# With 16 bits the noise is wrong by one step, 1.5e-5, at most (half a step in either image), under
# 1/50 of the smallest standard deviation of noise in the protocol, 1e-3 (beta2 = 1e-6).
STORAGES = {
    "uint16": Storage(np.uint16, 65535.0, 1.0, 1.0),
    "float32": Storage(np.float32, 1.0, 0.0, 0.0),
}
STEPS = ("camera", "storage")
# Pixels that are no multiples of the camera's step: a sensor's defects may have been filled in.
LARGEST_SHARE_OFF_CODES = 1e-3
SAMPLINGS = ("grid", "random")


@dataclass(frozen=True)
class Patches:
    """Which patches of an image are taken and how they are stored.

    Attributes:
      patch_size: side in packed pixels.
      patches_per_image: the most that are taken of an image; a grid may have fewer.
      sampling: "grid", tiles without overlap; "random", anywhere, at even rows and columns.
      storage: "uint16" or "float32".
      seed: of the random positions.
      steps: "camera", the quantization step is that of the camera's codes where the images have
        them; "storage": that of the storage, so that values count as continuous as in the paper.

    Raises:
      ValueError: a number below 1, an unknown sampling, storage or kind of steps.
    """

    patch_size: int = 32
    patches_per_image: int = PATCHES_PER_IMAGE
    sampling: str = "grid"
    storage: str = "uint16"
    seed: int = 0
    steps: str = "camera"

    def __post_init__(self):
        for name in ("patch_size", "patches_per_image"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} >= 1, received {getattr(self, name)}.")
        choices = {"sampling": SAMPLINGS, "storage": tuple(STORAGES), "steps": STEPS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"expected {name} among {list(known)}, received {getattr(self, name)!r}."
                )

    @property
    def bytes_per_patch(self) -> int:
        """Of the noisy and the clean image, not compressed."""
        return 2 * 4 * self.patch_size**2 * np.dtype(STORAGES[self.storage].dtype).itemsize

    def corners(self, shape: tuple[int, int], image: SiddImage) -> np.ndarray:
        """The patches' first pixels.

        Args:
          shape: of the mosaic as stored, [W, H].
          image: seeds the random positions.

        Returns:
          [n, 2] even positions in the array as stored; n = 0 where no patch fits.
        """
        side = 2 * self.patch_size
        if min(shape) < side:
            return np.zeros((0, 2), int)
        if self.sampling == "grid":
            rows, columns = (np.arange(0, length - side + 1, side) for length in shape)
            grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
            return grid.reshape(-1, 2)[: self.patches_per_image]
        generator = np.random.default_rng([self.seed, image.instance, image.number])
        last = np.array([(length - side) // 2 for length in shape])
        return 2 * generator.integers(0, last + 1, (self.patches_per_image, 2))


@dataclass(frozen=True)
class CheckedImage:
    """An image of which all that can be known without reading pixels is right.

    Attributes:
      image: where it is. metadata: what its file says.
      shape: [W, H] of the mosaic as stored.
      fingerprint: tells its files from others, wherever they lie.
    """

    image: SiddImage
    metadata: SiddMetadata
    shape: tuple[int, int]
    fingerprint: str


def check_image(image: SiddImage) -> CheckedImage:
    """Reads an image's metadata and sizes.

    Args:
      image: of a SIDD tree.

    Returns:
      CheckedImage.

    Raises:
      FileNotFoundError: one of its three files is missing.
      OSError: a file cannot be read for another reason than its content.
      ValueError: one of them is damaged, the metadata lack something or contradict the folder's
        name, or the ground truth is of another size.
    """
    metadata = read_metadata(image.metadata)
    make = CAMERA_MAKES[image.camera]
    if metadata.make.strip().lower() != make.lower():
        raise ValueError(
            f"{image.metadata}: expected the Make {make!r} of camera {image.camera} that the "
            f"folder's name says, received {metadata.make!r}."
        )
    if metadata.iso != image.iso:
        raise ValueError(
            f"{image.metadata}: expected the ISO {image.iso} that the folder's name says, "
            f"received {metadata.iso:g}."
        )
    shape, clean_shape = _shape(image.noisy), _shape(image.clean)
    if shape != clean_shape:
        raise ValueError(
            f"{image.clean}: expected the ground truth of the noisy image's height and width "
            f"{list(shape[::-1])}, received {list(clean_shape[::-1])}."
        )
    fingerprint = fingerprint_of(
        f"{image.scene} {image.camera} {image.iso}", (image.noisy, image.clean, image.metadata)
    )
    return CheckedImage(image, metadata, shape, fingerprint)


def patches_of(checked: CheckedImage, patches: Patches) -> dict[str, np.ndarray]:
    """The captures of an image, as `CaptureWriter.append` takes them.

    Args:
      checked: an image of SIDD.
      patches: which patches, and how they are stored.

    Returns:
      `noisy`, `clean` [n, S, S, 4], `iso` [n], `camera`, `scene`, `cfa` [n] str, `nlf` [n, 2],
      `white_level`, `quantization_step` [n], in units of `noisy`.

    Raises:
      ValueError: an image is damaged or not in [0, 1], or too small for a patch.
      OSError: a file cannot be read for another reason than its content.
    """
    image, metadata = checked.image, checked.metadata
    corners = patches.corners(checked.shape, image)
    count = len(corners)
    side = 2 * patches.patch_size
    if not count:
        raise ValueError(
            f"{image.noisy}: expected an image of at least {side} x {side} pixels for a patch of "
            f"{patches.patch_size} packed ones, received {list(checked.shape[::-1])}."
        )
    # A grid that stops early needs only a part of the image.
    needed = int(corners[:, 0].max()) + side

    noisy, storage = _read(image.noisy, needed), STORAGES[patches.storage]
    if patches.steps == "camera" and metadata.codes and _has_codes(noisy, metadata.codes):
        storage = storage.of_codes(metadata.codes)

    def packed(mosaic: np.ndarray, step: float) -> np.ndarray:
        mosaic = _in_storage(mosaic, storage, step)
        upright = np.stack([mosaic[x : x + side, y : y + side].T for x, y in corners])
        return pack_bayer(upright, metadata.cfa)

    return {
        "noisy": packed(noisy, storage.noisy_step),
        "clean": packed(_read(image.clean, needed), storage.clean_step),
        "iso": np.full(count, image.iso, np.float32),
        "camera": np.full(count, image.camera, object),
        "scene": np.full(count, image.scene, object),
        "cfa": np.full(count, metadata.cfa, object),
        "nlf": np.tile(metadata.nlf, (count, 1)),
        "white_level": np.full(count, storage.white_level),
        "quantization_step": np.full(count, storage.noisy_step),
    }


def _shape(path: str) -> tuple[int, int]:
    return _with_array(path, lambda array: array.shape)


def _read(path: str, rows: int) -> np.ndarray:
    """The first rows of the array as stored, NaN as 0, clipped to [0, 1], float32."""
    values = _with_array(path, lambda array: array.astype(np.float32)[:rows])
    is_nan = np.isnan(values)
    if (nans := np.count_nonzero(is_nan)) > values.size // 2:
        raise ValueError(
            f"{path}: expected an image in [0, 1], received {nans} NaN among {values.size} pixels."
        )
    if (infinite := np.count_nonzero(np.isinf(values))) > 0:
        raise ValueError(
            f"{path}: expected an image in [0, 1], {infinite} of its pixels are infinite."
        )
    if np.count_nonzero(values > 1) > values.size // 2:
        raise ValueError(
            f"{path}: expected an image in [0, 1], most of its pixels are above 1, "
            f"up to {np.nanmax(values):g}."
        )
    values[is_nan] = 0.0
    return np.clip(values, 0.0, 1.0, out=values)


def _has_codes(values: np.ndarray, codes: int) -> bool:
    """Whether values are multiples of 1 / codes, but for float32's roundings and a few pixels."""
    tolerance = 4 * codes * np.finfo(np.float32).eps
    off = values * np.float32(codes)
    off -= np.rint(off)
    return bool(np.count_nonzero(np.abs(off) > tolerance) <= LARGEST_SHARE_OFF_CODES * values.size)


def _in_storage(values: np.ndarray, storage: Storage, step: float) -> np.ndarray:
    """`values`, which are overwritten, as they are stored, as multiples of a step."""
    if step:
        values *= np.float32(storage.white_level / step)
        np.rint(values, out=values)
        values *= np.float32(step)
    return values.astype(storage.dtype, copy=False)


def _with_array(path: str, function):
    """`function` of the first array of a MATLAB 7.3 file."""
    try:
        # Tells a file that is not there from one that may not be read.
        with open(path, "rb"):
            pass
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such file.") from error
    message = (
        f"{path}: expected a MATLAB 7.3 file, but it cannot be read; it is truncated or of "
        "another format"
    )
    with damage_named(message), h5py.File(path, "r") as file:
        arrays = data_sets_in(file)
        if arrays and arrays[0].ndim == 2 and arrays[0].dtype.kind == "f":
            return function(arrays[0])
        found = [(entry.name, entry.shape, entry.dtype.name) for entry in arrays]
    raise ValueError(
        f"{path}: expected an image [H, W] of floating point numbers, the file holds {found}."
    )
