"""The benchmarks run; what they measure says nothing at these sizes."""

import re

import pytest

import tfp_noiseflow as nf
from tests.native.program import compiler
from tests.scripts import run_python

# Minutes together, and nothing of the library depends on them.
pytestmark = pytest.mark.slow


def run(module, *flags, in_child=False):
    done = run_python("-m", f"benchmarks.{module}", *flags, in_child=in_child)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_speed(tmp_path):
    forms = ("library", "unfolded", "plain", "stock")
    names = ",".join(forms)
    flags = ("--rounds=1", "--seconds=1", "--cases=patches of 32", "--settings=scripts'")
    run("speed", *flags, f"--forms={names}", f"--output_dir={tmp_path}")
    text = (tmp_path / "speed.md").read_text()
    for operation in ("training step", "NLL", "sample"):
        for form in forms:
            assert f"| patches of 32, {operation} | {form} |" in text


@pytest.mark.parametrize("storage", ["float32", "uint16"])
def test_pipeline(tmp_path, storage):
    flags = ("--gigabytes=0.14", "--blocks=1", "--rounds=1", f"--folder={tmp_path}")
    text = run("pipeline", *flags, f"--storage={storage}")
    for cache in ("none", "memory"):
        assert re.search(rf"^\| {cache} (\| \d+ ){{3}}\| [+-]\d", text, re.M)
    assert not list(tmp_path.iterdir())


def test_scaling():
    flags = ("--architecture=S-G-CAM", "--batch_size=4", "--steps=2", "--rounds=1")
    text = run("scaling", *flags, in_child=True)
    for workers, batch_size in ((1, 4), (2, 4), (2, 8)):
        assert re.search(rf"^\| {workers} \| {batch_size} (\| \d+ ){{2}}\| \d", text, re.M)


def test_precision():
    text = run("precision", "--tables=iso,clean,shape,bound", "--models=phones_paper,Gaussian")
    number = r"\de-\d\d \(\de-\d\d\)"
    assert re.search(rf"trained \| 1600 (\| {number} ){{2}}\|  (\| {number} ){{2}}\|", text)
    assert "| 25 | refused: expected iso to be one of the known levels (100" in text
    assert "| one pixel, 1 x 1 |" in text
    assert re.search(rf"\| Gaussian \| {number} \| {number} \|", text)


def test_start_up():
    text = run("start_up", "--rounds=1")
    assert len(re.findall(r"^import tfp_noiseflow, after .*: \d+\.\d\d s", text, re.M)) == 2
    assert re.search(r"^first training step.*: \d+\.\d\d s", text, re.M)


def test_augmentation():
    text = run("augmentation", "--batch_size=2", "--repeats=1", "--depth=3", "--filters=8")
    assert "noise and step" in text


def test_compare():
    text = run("compare", "--other=.", "--processes=1", "--pairs=2")
    for operation in ("nll", "sample", "train"):
        assert re.search(rf"^\| {operation} (\| \d+\.\d ){{2}}\| \d\.\d+ \|", text, re.M)


def test_import_sidd():
    text = run("import_sidd", "--images=1", "--height=64", "--width=96", "--processes=1")
    assert "megapixels" in text


def exports(folder):
    """A flow, a model that takes any camera and ISO, and one that does not know its first pair."""
    beta = [[float("nan"), 1e-4]]
    models = {
        "flow": nf.NoiseFlow("S-G-CAM"),
        "gaussian": nf.GaussianNoise(0.01),
        "nlf": nf.CameraNLF(("A",), (100, 400), beta, beta),
    }
    return [nf.export_saved_model(model, folder / name) for name, model in models.items()]


def test_serving(tmp_path):
    for export in exports(tmp_path):
        assert "up to 256 x 256" in run(
            "serving", f"--export={export}", "--rounding", in_child=True
        )


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")
def test_serving_in_cpp(tmp_path):
    for export in exports(tmp_path):
        text = run("serving", f"--export={export}", "--shapes=2x8x8x100,1x16x16x5", in_child=True)
        for signature in ("serving_default", "sample_noise", "log_prob"):
            assert re.search(rf"\| `{signature}` \| 2 \| 8 x 8 \| 100 \| [\d.]+ \| \d", text), text
            assert re.search(rf"\| `{signature}` \| 1 \| 16 x 16 \| 5 \| [\d.]+ \| max \d", text)
    text = run("serving", f"--export={export}", "--soak=4000")
    assert "4000 requests" in text and "40 errors" in text
    assert re.search(r"from 5 % of the requests to the end: [+-]\d+\.\d MB", text)


def test_round_trip():
    """What isp.py states: of the photograph that loses most and of that which loses least."""
    text = run("round_trip", "--photographs=coffee,chelsea", "--exposures=0.5")
    rows = re.findall(r"0.5: (.*) dB; without the mosaic (.*) dB, (.*) %", text)
    coffee, chelsea = (list(map(float, row)) for row in rows)
    assert coffee[0] > 32 and 60 < coffee[1] < 65 and 0.2 < coffee[2] < 0.4
    assert chelsea[0] > 39 and chelsea[1] > 100 and chelsea[2] == 0
