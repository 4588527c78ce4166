"""The code of the README and of the guides runs as it stands, and their links lead somewhere."""

import re

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.documents import ROOT, documents, examples
from tests.training.codes import write_codes
from tfp_noiseflow.simulation.raw_folder import RawCamera
from tfp_noiseflow.simulation.raw_shoot import RawShoot

# Long trainings and chains, made short.
SHORTER = (
    ("S-Ax4-G-Ax4-CAM", "S-Ax1-G-CAM"),
    ("epochs=12", "epochs=1"),
    ("steps_per_epoch=86", "steps_per_epoch=1"),
    ("500, start", "5, start"),
    ("num_burnin_steps=300", "num_burnin_steps=2"),
    ("num_adaptation_steps=200", "num_adaptation_steps=1"),
)
# That of PyTorch wants a process of its own: tests/frameworks.
WITH_CODE = [path for path in documents() if examples(path) and path.name != "pytorch.md"]


def test_there_is_code_to_run():
    assert {path.name for path in WITH_CODE} >= {
        "README.md", "index.md", "tensorflow.md", "any_iso.md", "augment.md", "calibrate.md",
        "serve.md",
    }  # fmt: skip


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.name)
def test_examples_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_codes(tmp_path / "captures.h5", 40)
    (tmp_path / "saved_models").mkdir()
    (tmp_path / "saved_models" / "noise_flow").symlink_to(ROOT / "saved_models" / "noise_flow")
    # What a calibration leaves, and two frames of a camera.
    law = nf.CameraLaw((1.4e-4, 2e-6), (4e-8, 4e-8, 1.2e-6), camera="Mine")
    nf.save_model(nf.StoredNoise(nf.NoiseFlow.from_laws(law), 1 / 959), "model", {})
    camera = RawCamera("Pixel", RawShoot(iso_levels=(800,), shape=(128, 192)))
    rng = np.random.default_rng(0)
    names = {name: camera.shoot_frame(camera.scene(0), 800, rng) for name in ("a", "b")}
    for example in examples(path):
        # The one that needs a server is run in tests/serving.
        if "NoiseClient" in example:
            continue
        for long, short in SHORTER:
            example = example.replace(long, short)
        exec(example, names)
    if path.name == "README.md":
        assert (tmp_path / "saved_models" / "mine" / "1" / "saved_model.pb").exists()
        noisy = names["clean"] + names["noise"].sample(seed=(0, 1))
        assert 0.001 < np.std(noisy) < 0.1


@pytest.mark.parametrize("path", [*documents(), ROOT / "CONTRIBUTING.md", ROOT / "BUILD_NOTES.md"],
                         ids=lambda path: path.name)  # fmt: skip
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    for link in links:
        if not link.startswith(("http", "mailto")):
            assert (path.parent / link).exists(), link


def test_readme_is_read_in_five_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130
