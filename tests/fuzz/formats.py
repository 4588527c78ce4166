"""The files that this library reads: how an honest one is made, and read as its users read it."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import h5py
import numpy as np
import tensorflow as tf

import tfp_noiseflow as nf
from tests.fuzz import mutations
from tests.imaging.test_raw_frame import XYZ_TO_CAMERA, write_dng
from tests.interop import synthetic_checkpoint
from tests.registry import moved
from tests.sidd import sidd_form
from tfp_noiseflow.captures.import_record import claim
from tfp_noiseflow.imaging.picture import read_picture
from tfp_noiseflow.imaging.raw_file import read_raw_file
from tfp_noiseflow.imaging.raw_frame import read_raw
from tfp_noiseflow.models.model_directory import load_baselines, read_history, write_baselines
from tfp_noiseflow.sidd.images import Patches, check_image, patches_of
from tfp_noiseflow.sidd.layout import images_of
from tfp_noiseflow.sidd.metadata import read_metadata

GENERATOR = np.random.default_rng(0)
CODES = GENERATOR.integers(64, 1024, (64, 96)).astype(np.uint16)


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
      share: of 10,000 files, how many are of this kind.
      write: writes an honest one in a folder and returns the path that is read.
      read: reads it to its end; whatever it returns is compared.
      structure: changes one in its own terms.
      target: of a folder, the file that is changed; None: the path that is read.
      structured: the part of the files that are changed in their structure, not in their bytes.
    """

    share: int
    write: Callable[[pathlib.Path], pathlib.Path]
    read: Callable[[pathlib.Path], object]
    structure: Callable[[pathlib.Path, np.random.Generator], None]
    target: str | None = None
    structured: float = 0.5


def _write_captures(folder: pathlib.Path) -> pathlib.Path:
    clean = GENERATOR.uniform(64, 1023, (6, 8, 10, 4)).astype(np.float32)
    nf.write_captures(
        folder / "captures.h5",
        GENERATOR.integers(64, 1024, clean.shape).astype(np.uint16),
        clean,
        np.resize([100.0, 800.0], 6),
        list(np.resize(["Pixel", "Nexus 6é"], 6)),
        black_level=64,
        white_level=1023,
        quantization_step=1,
        nlf=np.full((6, 2), 1e-4),
        scene=list("aabbcc"),
        origin="drawn",
        compression="gzip",
    )
    return folder / "captures.h5"


def _write_plain_captures(folder: pathlib.Path) -> pathlib.Path:
    """As users write them: data sets of one piece, texts of a fixed length."""
    with h5py.File(folder / "plain.h5", "w") as file:
        file["clean"] = GENERATOR.uniform(0, 1, (5, 6, 6, 1))
        file["noisy"] = file["clean"][()] + 0.01
        file["iso"] = np.full(5, 400)
        file["camera"] = np.array([b"mine"] * 5)
        file["black_level"] = np.zeros(5)
        file.attrs["white_level"] = 1
    return folder / "plain.h5"


def _read_captures(path: pathlib.Path):
    with nf.read_captures(path) as captures:
        blocks = [(block.noise, block.clean) for block in captures.blocks(4)]
        about = (captures.description, captures.origin, captures.licence, captures.process)
        levels = (captures.black_level, captures.white_level, captures.quantization_step)
        return (captures.iso, captures.camera, captures.scene, captures.nlf, about, levels, blocks)


def _write_fixed_pattern(folder: pathlib.Path) -> pathlib.Path:
    pattern = nf.FixedPattern(
        "A7S2", "RGGB", (100, 8000), GENERATOR.normal(0, 1e-3, (2, 16, 20)), [[0, 1], [5, 7]],
        [[0.1, 0.2], [0.3, 0.4]], "drawn", "none",
    )  # fmt: skip
    nf.write_fixed_pattern(folder / "pattern.h5", pattern)
    return folder / "pattern.h5"


def _read_fixed_pattern(path: pathlib.Path):
    pattern = nf.read_fixed_pattern(path)
    isos = pattern.iso_levels
    return (pattern.camera, pattern.cfa, isos, [pattern.mosaic(iso) for iso in isos],
            pattern.origin, pattern.licence)  # fmt: skip


def _write_sidd(folder: pathlib.Path) -> pathlib.Path:
    """An image of SIDD; of its three files the noisy one or the metadata are changed."""
    sidd_form.write_instance(folder, 1, camera="S6", iso=100, numbers=(10,))
    return next(folder.iterdir())


SIDD_FOLDER = sidd_form.folder_name(1, "S6", 100)


def _read_sidd(path: pathlib.Path):
    (image,) = images_of(path, numbers=(10,))
    return patches_of(check_image(image), Patches(8, 4))


def _read_metadata(path: pathlib.Path):
    (file,) = path.glob("*METADATA*")
    return read_metadata(file)


def _mat5(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Fields of other types, without compression, which would hide them from a change of bytes."""
    import scipy.io

    fields = sidd_form.metadata_struct("S6", 100, (4.8e-4, 1e-6), None, "name")
    if generator.integers(3):
        names = ("Make", "ISOSpeedRatings", "UnknownTags", "WhiteLevel", "BlackLevel", "Width")
        values = (
            *(
                np.nan,
                -1,
                0,
                "text",
                "x" * 100_000,
                np.zeros((0, 0)),
                np.zeros([3, 3, 3]),
                1j,
                True,
            ),
            {"a": {"b": {"c": 1.0}}},
            np.array([["a", 1, [2.0, 3.0]]], object),
            np.array([[{"ID": 33422, "Value": "x"}]], object),
        )
        fields[names[generator.integers(len(names))]] = values[generator.integers(len(values))]
    scipy.io.savemat(path, {"metadata": fields}, do_compression=bool(generator.integers(2)))
    if generator.integers(2):
        mutations.of_bytes(path, generator)


def _write_npz(folder: pathlib.Path) -> pathlib.Path:
    np.savez(
        folder / "frame.npz", raw=CODES, black=64, white=1023, cfa="RGGB", iso=100.0,
        exposure_time=0.01, white_balance=[2.0, 1.5], camera="Mine",
    )  # fmt: skip
    return folder / "frame.npz"


def _write_npy(folder: pathlib.Path) -> pathlib.Path:
    np.save(folder / "frame.npy", CODES)
    return folder / "frame.npy"


def _write_dng(folder: pathlib.Path) -> pathlib.Path:
    write_dng(folder / "frame.dng", CODES, XYZ_TO_CAMERA[1], [0.5, 1.0, 0.625], shot=(400, 0.01))
    return folder / "frame.dng"


def _write_tiff(compression: str | None, name: str):
    def write(folder: pathlib.Path) -> pathlib.Path:
        import tifffile

        tifffile.imwrite(folder / name, CODES, compression=compression, rowsperstrip=16)
        return folder / name

    return write


def _write_png(folder: pathlib.Path) -> pathlib.Path:
    (folder / "frame.png").write_bytes(tf.io.encode_png(CODES[..., None]).numpy())
    return folder / "frame.png"


def _write_jpeg(folder: pathlib.Path) -> pathlib.Path:
    picture = tf.cast(GENERATOR.uniform(0, 255, (48, 64, 3)), tf.uint8)
    (folder / "picture.jpg").write_bytes(tf.io.encode_jpeg(picture).numpy())
    return folder / "picture.jpg"


def _read_frame(path: pathlib.Path):
    frame = read_raw(path)
    return (frame.mosaic, frame.cfa, frame.black_level, frame.white_level, frame.exposure,
            frame.quarter_turns)  # fmt: skip


def _read_mosaic(path: pathlib.Path):
    return read_raw_file(path).codes


def _write_model(folder: pathlib.Path) -> pathlib.Path:
    flow = nf.NoiseFlow(
        "S-Ax1-G-CAM", cameras=("A", "B"), iso_levels=(100, 400), hidden_channels=2, seed=0
    )
    nf.save_model(moved(flow), folder, {"file": "t.h5", "licence": "CC0", "iso_range": [100, 400]})
    write_baselines(
        folder,
        {
            "gaussian": nf.GaussianNoise(0.02),
            "law": nf.NoiseFlow.from_laws(nf.CameraLaw((1e-4, 1e-6), (1e-7, 0, 1e-6), "A")),
            "codes": nf.StoredNoise(nf.NoiseFlow("L-R-P", cameras=("A",)), 1 / 255),
        },
    )
    (folder / "history.csv").write_text("epoch,step,loss,val_loss\n0,10,1.5,1.4\n1,20,0.5,0.4\n")
    return folder


def _read_model(path: pathlib.Path):
    model = nf.load_model(path)
    # A changed list of names or ISOs is an honest one of others.
    camera, iso = model.known.pairs()[-1]
    given = {"clean": np.full([1, 4, 4, 4], 0.2, np.float32), "iso": iso, "camera": camera}
    about = (model.licence, model.origin, model.trained_iso_range)
    return model(**given).log_prob(np.zeros([1, 4, 4, 4], np.float32)).numpy(), about


def _read_baselines(path: pathlib.Path):
    return {name: model.get_config() for name, model in load_baselines(path).items()}


def _write_released(folder: pathlib.Path) -> pathlib.Path:
    steps = (1, 1)
    values, names = synthetic_checkpoint.variables(steps), synthetic_checkpoint.layer_names(steps)
    synthetic_checkpoint.write_checkpoint(folder, values, names)
    return folder


def _read_released(path: pathlib.Path):
    return [variable.numpy() for variable in nf.load_released_checkpoint(path).variables]


def _layers(path: pathlib.Path, generator: np.random.Generator) -> None:
    lines = path.read_text().splitlines()
    lines[generator.integers(len(lines))] = ("x", "unc_1", "sdn_0\n" * 5000, "é", "")[
        generator.integers(5)
    ]
    path.write_text("\n".join(lines))


def _write_record(folder: pathlib.Path) -> pathlib.Path:
    record = {
        "settings": {"patch_size": 8},
        "fingerprints": {"train": {"0001": "ab" * 32}},
        "files": {"train": {"captures": 4, "images": 1, "scenes": {"a": 1}, "bad": {}}},
    }
    (folder / "import.json").write_text(json.dumps(record))
    (folder / "train.h5").write_bytes(b"")
    return folder


def _read_record(path: pathlib.Path):
    return claim(path, {"patch_size": 8}, ["scenes"])


def _write_table(extension: str):
    def write(folder: pathlib.Path) -> pathlib.Path:
        laws = nf.generic_cameras(0, 2)
        isos = np.array([100.0, 400.0, 1600.0])
        tables = [nf.CameraTable(law.camera, isos, *law(isos), origin="drawn") for law in laws]
        nf.write_camera_tables(folder / f"table{extension}", tables)
        return folder / f"table{extension}"

    return write


def _read_table(path: pathlib.Path):
    tables = nf.read_camera_tables(path)
    return [(t.camera, t.iso, t.beta1, t.beta2, t.channels, t.origin) for t in tables]


def _unchanged(path: pathlib.Path, generator: np.random.Generator) -> None:
    mutations.of_bytes(path, generator)


BEST = "checkpoints/best"
FORMATS: dict[str, Format] = {
    "capture file": Format(1800, _write_captures, _read_captures, mutations.hdf5),
    "capture file, plain": Format(800, _write_plain_captures, _read_captures, mutations.hdf5),
    "fixed pattern": Format(500, _write_fixed_pattern, _read_fixed_pattern, mutations.hdf5),
    "MAT 7.3 (SIDD image)": Format(
        800, _write_sidd, _read_sidd, mutations.hdf5, "0001_NOISY_RAW_010.MAT"
    ),
    "MAT 5 (SIDD metadata)": Format(
        900, _write_sidd, _read_metadata, _mat5, "0001_METADATA_RAW_010.MAT", 0.7
    ),
    "raw .npz": Format(700, _write_npz, _read_frame, mutations.npz),
    "raw .npy": Format(300, _write_npy, _read_mosaic, mutations.npy),
    "raw .dng": Format(800, _write_dng, _read_frame, mutations.tiff),
    "raw .tif": Format(400, _write_tiff(None, "frame.tif"), _read_mosaic, mutations.tiff),
    "raw .tif, deflated": Format(
        300, _write_tiff("zlib", "frame.tif"), _read_mosaic, mutations.tiff
    ),
    "raw .png": Format(200, _write_png, _read_mosaic, _unchanged),
    "picture .tif": Format(200, _write_tiff(None, "picture.tif"), read_picture, mutations.tiff),
    "picture .jpg": Format(200, _write_jpeg, read_picture, _unchanged),
    "config.json": Format(400, _write_model, _read_model, mutations.as_json, "config.json", 0.8),
    "baselines.json": Format(
        300, _write_model, _read_baselines, mutations.as_json, "baselines.json", 0.8
    ),
    "history.csv": Format(200, _write_model, read_history, mutations.table, "history.csv"),
    "checkpoint, which one": Format(
        200, _write_model, _read_model, mutations.checkpoint_state, f"{BEST}/checkpoint"
    ),
    "checkpoint, index": Format(
        200, _write_model, _read_model, _unchanged, f"{BEST}/ckpt-1.index", 0
    ),
    "checkpoint, data": Format(
        200, _write_model, _read_model, _unchanged, f"{BEST}/ckpt-1.data-00000-of-00001", 0
    ),
    "released checkpoint": Format(
        150, _write_released, _read_released, _unchanged, "model.ckpt.best.index", 0
    ),
    "released checkpoint, layers": Format(
        50, _write_released, _read_released, _layers, "hps.txt", 0.7
    ),
    "import.json": Format(200, _write_record, _read_record, mutations.as_json, "import.json", 0.8),
    "camera table .csv": Format(150, _write_table(".csv"), _read_table, mutations.table),
    "camera table .json": Format(150, _write_table(".json"), _read_table, mutations.as_json),
}


def write_honest(name: str, folder: pathlib.Path) -> pathlib.Path:
    """Writes an honest file of a format in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return FORMATS[name].write(folder)
