"""A model from a table, without captures, by its command."""

import re

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.scripts import run

LAWS = [
    nf.CameraLaw(beta1=(2e-4, 1e-5), beta2=(1e-7, 2e-8, 1e-6), camera="A"),
    nf.CameraLaw(beta1=(1e-4, 3e-5), beta2=(4e-8, 1e-8, 2e-7), camera="B"),
]


def write_table(path, laws):
    isos = np.array([100.0, 400.0, 1600.0, 3200.0])
    nf.write_camera_tables(path, [nf.CameraTable(law.camera, isos, *law(isos)) for law in laws])


def variance(model, camera, iso):
    return model(np.full((1, 2, 2, 4), 0.3, np.float32), iso=iso, camera=camera).variance()


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laws")
    write_table(folder / "table.csv", LAWS)
    done = run("law_model", table=folder / "table.csv", output_model_dir=folder / "model")
    assert done.returncode == 0, done.stderr
    assert "A: beta1 [2.e-04 1.e-05], beta2 [1.e-07 2.e-08 1.e-06]" in done.stdout
    assert re.search(r"ISO 1600, law minus table: beta1 [+-]0.0 %, beta2 [+-]0.0 %", done.stdout)
    return folder / "model"


def test_the_model_has_the_tables_noise_between_its_isos_too(model_dir):
    model = nf.load_model(model_dir)
    assert model.cameras == ("A", "B") and model.origin.endswith("table.csv")
    for law in LAWS:
        beta1, beta2 = law(640)
        # The fit stops at residuals of some 1e-6, and float32.
        expected = pytest.approx(0.3 * beta1 + beta2, rel=1e-3)
        assert variance(model, law.camera, 640).numpy().flat[0] == expected


def test_a_camera_is_added_to_a_trained_flow(model_dir, tmp_path):
    law = nf.CameraLaw(beta1=(5e-4, 1e-5), beta2=(2e-7, 2e-8, 1e-6), camera="C")
    write_table(tmp_path / "c.csv", [law])
    flags = {"table": tmp_path / "c.csv", "add_to": model_dir}
    done = run("law_model", **flags, output_model_dir=tmp_path / "all")
    assert done.returncode == 0, done.stderr
    known, all_of_them = nf.load_model(model_dir), nf.load_model(tmp_path / "all")
    assert all_of_them.cameras == ("A", "B", "C")
    before, after = (variance(model, "B", 250) for model in (known, all_of_them))
    np.testing.assert_array_equal(before, after)
    beta1, beta2 = law(250)
    # The steps' variance is measured on samples, to half a percent.
    assert variance(all_of_them, "C", 250).numpy().flat[0] == pytest.approx(
        0.3 * beta1 + beta2, rel=0.01
    )


def test_a_table_or_dng_files_are_asked_for(tmp_path):
    done = run("law_model", output_model_dir=tmp_path / "model")
    assert done.returncode != 0 and "table" in done.stderr and "dng" in done.stderr
