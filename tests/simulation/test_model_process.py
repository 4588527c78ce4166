"""Captures with a model's noise: at its levels, or at ISOs that are asked for."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.scripts import run
from tfp_noiseflow.simulation.model_process import ModelProcess

LAW = nf.CameraLaw(beta1=(2e-4, 1e-5), beta2=(1e-7, 2e-8, 1e-6), camera="A")


def test_a_model_of_any_iso_gives_captures_at_isos_that_are_asked_for(tmp_path):
    nf.save_model(nf.NoiseFlow.from_laws(LAW), tmp_path / "model", {"licence": "CC0"})
    done = run(
        "simulate_captures",
        model_dir=tmp_path / "model",
        iso_levels="250,6400",
        patches_per_combination=4,
        validation_patches_per_combination=1,
        test_patches_per_combination=1,
        output_dir=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with nf.read_captures(tmp_path / "train.h5") as captures:
        assert captures.iso_levels == (250, 6400) and captures.cameras == ("A",)
        for block in captures.blocks():
            for iso in (250, 6400):
                clean, noise = block.clean[block.iso == iso], block.noise[block.iso == iso]
                beta1, beta2 = LAW(iso)
                # 16,384 values: the standard error of a mean square is 1.1 %.
                mean_square = np.mean(noise**2 / (beta1 * np.maximum(clean, 0) + beta2))
                assert mean_square == pytest.approx(1, abs=0.05), iso


def test_isos_that_a_model_does_not_know_are_refused():
    levels = nf.NoiseFlow("S-G-CAM", ("A",), (100, 400))
    assert ModelProcess(levels).iso_levels == (100, 400)
    assert ModelProcess(levels, iso_levels=[400]).iso_levels == (400,)
    with pytest.raises(ValueError, match="ISOs among 100, 400, received 'A' at ISO 640"):
        ModelProcess(levels, iso_levels=[640])
    with pytest.raises(ValueError, match="ISOs where it has no levels"):
        ModelProcess(nf.NoiseFlow.from_laws(LAW))
    with pytest.raises(ValueError, match="knows its cameras"):
        ModelProcess(nf.GaussianNoise(0.1), iso_levels=[100])
