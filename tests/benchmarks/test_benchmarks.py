"""The benchmarks run; what they measure says nothing at these sizes."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import tfp_noiseflow as nf

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Minutes together, and nothing of the library depends on them.
pytestmark = pytest.mark.slow


def run(module, *flags):
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *flags],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_speed(tmp_path):
    run("speed", "--rounds=1", "--seconds=1", "--cases=patches of 32", f"--output_dir={tmp_path}")
    text = (tmp_path / "speed.md").read_text()
    for operation in ("training step", "NLL", "sample"):
        for form in ("library", "plain", "stock"):
            assert f"| patches of 32, {operation} | {form} |" in text


@pytest.mark.parametrize("storage", ["float32", "uint16"])
def test_pipeline(tmp_path, storage):
    flags = ("--gigabytes=0.14", "--steps=10", "--rounds=1", f"--folder={tmp_path}")
    text = run("pipeline", *flags, f"--storage={storage}")
    assert re.search(r"fit takes [+-]\d", text)
    assert not list(tmp_path.iterdir())


def test_start_up():
    text = run("start_up", "--rounds=1")
    assert len(re.findall(r"^import tfp_noiseflow, after .*: \d+\.\d\d s", text, re.M)) == 2
    assert re.search(r"^first training step.*: \d+\.\d\d s", text, re.M)


def test_augmentation():
    text = run("augmentation", "--batch_size=2", "--repeats=1", "--depth=3", "--filters=8")
    assert "noise and step" in text


def test_import_sidd():
    text = run("import_sidd", "--images=1", "--height=64", "--width=96", "--processes=1")
    assert "megapixels" in text


def test_serving(tmp_path):
    export = nf.export_saved_model(nf.NoiseFlow("S-G-CAM"), tmp_path / "small")
    assert "up to 256 x 256" in run("serving", f"--export={export}", "--rounding")
