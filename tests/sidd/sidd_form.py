"""Trees of files in the form of SIDD: MATLAB 7.3 images and MATLAB 5 metadata, made by code."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

import h5py
import numpy as np
import scipy.io

from tfp_noiseflow.sidd.layout import CAMERA_MAKES, ISO_LEVELS

# SIDD's cameras as their files have them; GBRG is in none of them and stands in for one, so that
# all four orders occur.
CFAS = {"IP": "RGGB", "GP": "BGGR", "S6": "GRBG", "N6": "BGGR", "G4": "GBRG"}
MODELS = {"IP": "iPhone 7", "GP": "Pixel", "S6": "SM-G925I", "N6": "Nexus 6", "G4": "LG-H815"}

# Row and column of R, Gr, Gb and B in the 2x2 block, written out by hand.
POSITIONS = {
    "RGGB": [(0, 0), (0, 1), (1, 0), (1, 1)],
    "GRBG": [(0, 1), (0, 0), (1, 1), (1, 0)],
    "GBRG": [(1, 0), (1, 1), (0, 0), (0, 1)],
    "BGGR": [(1, 1), (1, 0), (0, 1), (0, 0)],
}

# Black and white level. That of the S6 is as in its file.
LEVELS = {"IP": (528, 4095), "GP": (64, 1023), "S6": (0, 1023), "N6": (64, 1023), "G4": (0, 1023)}

# beta1 and beta2 at ISO 100. The S6 reports a beta2 of 0.
NLFS = {
    "IP": (7e-4, 3e-6),
    "GP": (2.3e-4, 2e-6),
    "S6": (4.8e-4, 0.0),
    "N6": (4.7e-4, 3e-6),
    "G4": (7.4e-4, 2e-6),
}


@dataclass(frozen=True)
class Written:
    """What was written for an image: upright mosaics, CFA and noise level function."""

    noisy: np.ndarray
    clean: np.ndarray
    camera: str
    iso: int
    cfa: str
    nlf: tuple[float, float]


def folder_name(instance: int, camera: str, iso: int, scene: int = 1) -> str:
    return f"{instance:04d}_{scene:03d}_{camera}_{iso:05d}_00060_3200_L"


def write_mat73(path: pathlib.Path, upright: np.ndarray, name: str = "x") -> None:
    """A MATLAB 7.3 file of one array: HDF5 behind a header of 512 bytes, transposed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        array = file.create_dataset(name, data=upright.T, chunks=True, compression="gzip")
        array.attrs["MATLAB_class"] = np.bytes_("single" if upright.itemsize == 4 else "double")
        file.create_group("#refs#")
    text = b"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Thu Sep 27 10:48:01 2018 HDF5 "
    with open(path, "r+b") as file:
        file.write((text + b"schema 1.00 .").ljust(116) + bytes(8) + b"\x00\x02IM")


def metadata_struct(camera: str, iso: int, nlf, cfa: str | None = None, name: str = "") -> dict:
    """The fields of the real file (a Galaxy S6's), in its order, as `imfinfo` gives them.

    Nexus 6 and LG G4 report an NLF for each colour; the iPhone's raw image is its DNG's second,
    and its EXIF stands apart.
    """
    black, white = LEVELS[camera]
    cfa = cfa or CFAS[camera]
    codes = np.array([["RGB".index(color) for color in cfa]], np.uint8)
    pairs = 1 if camera == "GP" else 3
    profile = np.array([list(nlf) * pairs], np.float64)
    tags = _tags(
        (33421, np.array([[2, 2]], np.uint8)),
        (33422, codes),
        (37398, np.array([[1, 0, 0, 0]], np.uint8)),
        (50964, np.eye(3).reshape(1, 9)),
        (50965, np.eye(3).reshape(1, 9)),
        (51009, np.zeros((1, 388), np.uint8)),
        (51022, np.zeros((1, 4), np.uint8)),
        (51041, profile),
    )
    nothing = np.zeros((1, 0))
    fields = {
        "Filename": f"D:\\_New_Dataset\\{name}\\DNG\\DSC_9324.DNG",
        "FileModDate": "19-Apr-2018 21:29:50",
        "FileSize": np.int32(31993836),
        "Format": "tif",
        "FormatVersion": nothing,
        "Width": np.uint16(5328),
        "Height": np.uint16(3000),
        "BitDepth": np.uint8(16),
        "ColorType": "CFA",
        "FormatSignature": np.array([[73, 73, 42, 0]], np.uint8),
        "ByteOrder": "little-endian",
        "NewSubFileType": np.uint8(0),
        "BitsPerSample": np.uint8(16),
        "Compression": "Uncompressed",
        "PhotometricInterpretation": "CFA",
        "StripOffsets": np.arange(3000, dtype=np.int32)[None],
        "SamplesPerPixel": np.uint8(1),
        "RowsPerStrip": np.uint8(1),
        "StripByteCounts": np.full((1, 3000), 10656, np.uint16),
        "XResolution": np.uint8(72),
        "YResolution": np.uint8(72),
        "ResolutionUnit": "Inch",
        "Colormap": nothing,
        "PlanarConfiguration": "Chunky",
        "TileWidth": nothing,
        "TileLength": nothing,
        "TileOffsets": nothing,
        "TileByteCounts": nothing,
        "Orientation": np.uint8(3),
        "FillOrder": np.uint8(1),
        "GrayResponseUnit": 0.01,
        "MaxSampleValue": np.uint16(65535),
        "MinSampleValue": np.uint8(0),
        "Thresholding": np.uint8(1),
        "Offset": np.uint8(8),
        "ImageDescription": "Camera FV-5",
        "Make": CAMERA_MAKES[camera],
        "Model": MODELS[camera],
        "Software": "release-keys",
        "DateTime": "2017:08:17 19:48:13",
        "Copyright": "",
        "ExposureTime": 1 / 60,
        "FNumber": 1.9,
        "ISOSpeedRatings": np.uint16(iso),
        "DateTimeOriginal": "2017:08:17 19:48:13",
        "FocalLength": 4.3,
        "DNGVersion": np.array([[1, 4, 0, 0]], np.uint8),
        "DNGBackwardVersion": np.array([[1, 1, 0, 0]], np.uint8),
        "UniqueCameraModel": MODELS[camera],
        "CFAPlaneColor": np.array([[0, 1, 2]], np.uint8),
        "CFALayout": np.uint8(1),
        "BlackLevelRepeatDim": np.array([[2, 2]], np.uint8),
        "BlackLevel": np.full((1, 4), black, np.uint16 if black > 255 else np.uint8),
        "WhiteLevel": np.uint16(white),
        "DefaultScale": np.array([[1, 1]], np.uint8),
        "DefaultCropOrigin": np.array([[8, 8]], np.uint8),
        "DefaultCropSize": np.array([[5312, 2984]], np.uint16),
        "ColorMatrix1": np.eye(3).reshape(1, 9),
        "ColorMatrix2": np.eye(3).reshape(1, 9),
        "CameraCalibration1": np.eye(3, dtype=np.uint8).reshape(1, 9),
        "CameraCalibration2": np.eye(3, dtype=np.uint8).reshape(1, 9),
        "AsShotNeutral": np.array([[0.55, 1.0, 0.48]]),
        "CalibrationIlluminant1": np.uint8(21),
        "CalibrationIlluminant2": np.uint8(17),
        "ActiveArea": np.array([[0, 0, 3000, 5328]], np.uint16),
        "UnknownTags": tags,
    }
    if camera == "IP":
        # The first image is a preview: CFA and levels are the raw image's, the ISO the EXIF's.
        fields["UnknownTags"] = _tags((51041, profile))
        sub_image = np.empty((1, 1), object)
        sub_image[0, 0] = {
            "Width": np.uint16(4032),
            "BlackLevel": fields.pop("BlackLevel"),
            "WhiteLevel": fields.pop("WhiteLevel"),
            "UnknownTags": _tags((33422, codes)),
        }
        fields["SubIFDs"] = sub_image
        fields["DigitalCamera"] = {"ISOSpeedRatings": fields.pop("ISOSpeedRatings")}
    return fields


def _tags(*tags: tuple[int, np.ndarray]) -> np.ndarray:
    array = np.empty((len(tags), 1), [("ID", object), ("Offset", object), ("Value", object)])
    for row, (number, value) in enumerate(tags):
        array[row, 0] = (np.uint16(number), np.uint16(0), value)
    return array


def write_metadata(path: pathlib.Path, fields: dict) -> None:
    """A MATLAB 5 file of the struct `metadata`."""
    scipy.io.savemat(path, {"metadata": fields}, do_compression=True)


def write_instance(
    root: pathlib.Path,
    instance: int,
    *,
    camera: str,
    iso: int,
    scene: int = 1,
    numbers: Iterable[int] = (10, 11),
    shape: tuple[int, int] = (70, 102),
    cfa: str | None = None,
    is_full_layout: bool = False,
    dtype=np.float32,
    has_codes: bool = False,
) -> dict[str, Written]:
    """One instance's folder; returns what was written by image name.

    Clean images are slopes from black to some half of full scale, the noise is Gaussian of the
    NLF that the file reports at ISO 100, times ISO / 100. Some noisy pixels come out below 0 or
    NaN, as they do in the real files. With `has_codes` noisy values are the camera's codes, black
    level subtracted, as shares of white minus black.
    """
    name = folder_name(instance, camera, iso, scene)
    cfa = cfa or CFAS[camera]
    nlf = (NLFS[camera][0] * iso / 100, NLFS[camera][1] * (iso / 100) ** 2)
    written = {}
    for number in numbers:
        generator = np.random.default_rng([instance, number])
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        clean = generator.uniform(0.1, 0.5) * (rows + 2 * columns) / (shape[0] + 2 * shape[1])
        clean *= generator.uniform(0.8, 1.0, shape)
        deviation = np.sqrt(nlf[0] * clean + max(nlf[1], 1e-6))
        noisy = (clean + deviation * generator.standard_normal(shape)).astype(dtype)
        clean = clean.astype(dtype)
        if has_codes:
            codes = LEVELS[camera][1] - LEVELS[camera][0]
            noisy = (np.round(noisy.astype(np.float64) * codes) / codes).astype(dtype)
        noisy[generator.integers(0, shape[0], 3), generator.integers(0, shape[1], 3)] = np.nan
        for kind, write in (
            ("NOISY", lambda path, noisy=noisy: write_mat73(path, noisy)),
            ("GT", lambda path, clean=clean: write_mat73(path, clean, name="gt_raw")),
            (
                "METADATA",
                lambda path: write_metadata(path, metadata_struct(camera, iso, nlf, cfa, name)),
            ),
        ):
            folder = root / name
            if is_full_layout:
                folder /= f"{instance:04d}_{kind}_RAW"
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / f"{instance:04d}_{kind}_RAW_{number:03d}.MAT")
        written[f"{instance:04d}_{number:03d}"] = Written(noisy, clean, camera, iso, cfa, nlf)
    return written


def expected_patch(mosaic, cfa, column_of_tiles, row_of_tiles, size):
    """The patch of a tile that SIDD's importer owes, one packed pixel after the other."""
    patch = np.zeros((size, size, 4))
    for row in range(size):
        for column in range(size):
            for channel, (down, right) in enumerate(POSITIONS[cfa]):
                y = 2 * (row_of_tiles * size + row) + down
                x = 2 * (column_of_tiles * size + column) + right
                value = mosaic[y, x]
                patch[row, column, channel] = 0 if np.isnan(value) else min(max(value, 0), 1)
    return patch


def write_tree(root: pathlib.Path, instances: Iterable[int], **options) -> dict[str, Written]:
    """Instances that go through all cameras and then through all ISOs.

    Scenes follow each other as in SIDD, whose 200 instances show ten scenes in order.
    """
    written = {}
    for position, instance in enumerate(instances):
        camera = list(CFAS)[position % len(CFAS)]
        iso = ISO_LEVELS[(position + position // len(CFAS)) % len(ISO_LEVELS)]
        scene = (instance - 1) // 20 + 1
        written |= write_instance(root, instance, camera=camera, iso=iso, scene=scene, **options)
    return written
