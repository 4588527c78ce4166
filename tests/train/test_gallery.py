"""train.gallery says what it lacks."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.scripts import run
from tests.sheets import cells
from tfp_noiseflow.imaging.picture import read_picture, write_png
from tfp_noiseflow.models.model_directory import write_baselines


def test_a_model_without_cameras_and_isos_takes_those_of_the_captures(tmp_path):
    pytest.importorskip("PIL")
    model = nf.GaussianNoise(0.02)
    nf.save_model(model, tmp_path / "m", {})
    generator = np.random.default_rng(0)
    clean = generator.uniform(0.1, 0.5, (2, 24, 24, 4))
    noisy = clean + 0.02 * generator.standard_normal(clean.shape)
    nf.write_captures(tmp_path / "c.h5", noisy, clean, [100, 400], "Alpha")
    write_png(generator.uniform(0.2, 0.8, (40, 60, 3)), tmp_path / "p.png")
    flags = {
        "model_dir": tmp_path / "m",
        "captures": tmp_path / "c.h5",
        "photograph": tmp_path / "p.png",
        "crop": 20,
        "output_dir": tmp_path / "out",
    }
    done = run("gallery", **flags)
    assert done.returncode != 0 and "expected baselines.json with the Gaussian" in done.stderr
    assert not (tmp_path / "out").exists()
    write_baselines(tmp_path / "m", {"gaussian": model})
    done = run("gallery", **flags)
    assert done.returncode == 0, done.stderr
    ((clean, *noisy),) = cells(read_picture(tmp_path / "out" / "contact_sheet.png"), columns=3)
    assert all((picture - clean).std() > 0.01 for picture in noisy)
