"""The code in docstrings runs as it stands, where its names are what their text says of them."""

import ast
import doctest
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfp_noiseflow as nf
from tests.calibration import shoot
from tests.documents import ROOT
from tests.laws.dng import write_dng
from tfp_noiseflow import shipped_models
from tfp_noiseflow.bijectors.conditioner import ConvolutionalConditioner
from tfp_noiseflow.captures.cached_captures import CachedCaptures
from tfp_noiseflow.conditions.conditions import CleanImage, Iso
from tfp_noiseflow.evaluation.measurement import measure
from tfp_noiseflow.laws.camera_table import CameraTable, write_camera_tables
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.models import architecture, model_directory
from tfp_noiseflow.progress import Progress

# Tested where there is what they need: a server (tests/serving), PyTorch's own process, Keras 3
# (tests/frameworks), and raw frames of half a minute (tests/calibration).
ELSEWHERE = {
    "serving/client.py",
    "frameworks/pytorch.py",
    "frameworks/keras3.py",
    "calibration/outputs.py",
}


ISOS = (100, 400, 1600)


def docstrings():
    """(file, code) of each example."""
    for path in sorted((ROOT / "tfp_noiseflow").rglob("*.py")):
        name = path.relative_to(ROOT / "tfp_noiseflow").as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
                    if name not in ELSEWHERE:
                        yield pytest.param(code, id=f"{name}:{getattr(node, 'name', 'module')}")


# Without end where they stand.
SHORTER = (("batch_size=138, seed=0)", "batch_size=138, seed=0).take(1)"),)


def write_dark_frames(path, law, iso=3200.0):
    """Of a law's camera."""
    generator = np.random.default_rng(0)
    noise = np.sqrt(law(iso)[1]) * generator.standard_normal((4, 16, 16, 4))
    clean = np.full(noise.shape, 0.1, np.float32)
    noisy = (clean + noise).astype(np.float32)
    nf.write_captures(path, noisy, clean, np.full(4, iso), [law.camera] * 4, black_level=0.1)


@pytest.fixture
def names(tmp_path, monkeypatch):
    """What the examples take for granted, and the files that they read."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    phones = nf.load_model("phones")
    model = nf.NoiseFlow("S-G-CAM", phones.cameras, (100.0, 800.0), seed=0)
    clean = generator.uniform(0.05, 0.6, (40, 16, 16, 4)).astype(np.float32)
    given = {"iso": np.tile([100.0, 800.0], 20), "camera": np.repeat(model.cameras, 8)}
    noise = phones(clean, **given).sample(seed=(0, 0)).numpy()
    nf.write_captures("captures.h5", clean + noise, clean, *given.values())
    law = nf.CameraLaw((1.4e-4, 2e-6), (4e-8, 4e-8, 1.2e-6), camera="A7S2")
    nf.save_model(nf.NoiseFlow.from_laws(law), "model_dir", {})
    write_dark_frames("darks.h5", law)
    table = CameraTable("Mine", np.array(ISOS), *np.multiply.outer([1e-6, 1e-9], ISOS))
    write_camera_tables("my_camera.csv", [table])
    os.mkdir("my_phone")
    for iso in ISOS:
        write_dng(pathlib.Path("my_phone") / f"{iso}.dng", [1e-6 * iso, 1e-9 * iso], iso)
    camera = shoot.camera(iso_levels=(800,), shape=(128, 192))
    # What an example registers is forgotten.
    monkeypatch.setattr(architecture, "LETTERS", dict(architecture.LETTERS))
    monkeypatch.setattr(model_directory, "MODELS", dict(model_directory.MODELS))
    # Stored by a camera of 10 bits; its clean values are as they are.
    codes = np.rint(1023 * np.clip(clean + noise, 0, 1)) / 1023
    clean, noise, codes = clean[::8], noise[::8], codes[::8]
    given = {name: values[::8] for name, values in given.items()}
    batch = {"noise": noise, "clean": clean, "iso": given["iso"].astype(np.float32)}
    batch["camera"] = np.arange(5, dtype=np.int32)
    return {
        "Law": Law,
        "Iso": Iso,
        "CleanImage": CleanImage,
        "ConvolutionalConditioner": ConvolutionalConditioner,
        "CachedCaptures": CachedCaptures,
        "Progress": Progress,
        "InvertibleConv1x1": nf.bijectors.InvertibleConv1x1,
        "measure": measure,
        "nf": nf,
        "np": np,
        "tf": tf,
        "tf_keras": tf_keras,
        "captures": nf.read_captures("captures.h5"),
        "dataset": tf.data.Dataset.from_tensors(batch),
        "model": model,
        "flow": phones,
        "laws": [law],
        "clean": clean,
        "noisy": clean + noise,
        "codes": codes,
        "observed_noise": noise,
        "my_samples": generator.permuted(noise, axis=0),
        "clean_batches": tf.data.Dataset.from_tensors(clean),
        **{name: camera.shoot_frame(camera.scene(0), 800, generator) for name in ("a", "b")},
    }


def test_there_are_examples_to_run():
    # Else the next test has no case, which is no failure.
    assert len([*docstrings()]) >= 15


@pytest.mark.parametrize("code", docstrings())
def test_examples_run(code, names):
    for endless, short in SHORTER:
        code = code.replace(endless, short)
    exec(code, names)


def test_prompts_give_what_they_show():
    outcome = doctest.testmod(shipped_models)
    assert outcome.attempted and not outcome.failed
