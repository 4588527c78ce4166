"""train.denoiser on captures so few that a run takes seconds."""

import json

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.scripts import run
from tests.training.workers import finish, two_workers


def write(path, scene, channels, count=4):
    image = np.full((count, 16, 16, channels), 0.5)
    noise = 0.01 * np.random.default_rng(0).standard_normal(image.shape)
    about = {"iso": 100, "camera": "Alpha", "scene": [scene] * count}
    nf.write_captures(path, noisy=image + noise, clean=image, **about)
    return path


# Five processes, a minute and more.
@pytest.mark.slow
def test_exports_come_before_what_may_fail_and_are_of_the_seed_that_is_asked_for(tmp_path):
    nf.save_model(nf.GaussianNoise(0.01), tmp_path / "m", {"validation_scenes": ["c"]})
    flags = {
        "model_dir": tmp_path / "m",
        "train_captures": write(tmp_path / "train.h5", "a", 1),
        "test_captures": write(tmp_path / "test.h5", "b", 1),
        "output_dir": tmp_path / "out",
        "depth": 2,
        "filters": 2,
    }
    # Before any training: a source that is none, and one whose model is not there.
    for sources, message in (("real,nothing", "a source among"), ("real,recalibrated_nlf", "none")):
        done = run("denoiser", **flags, sources=sources, seeds=0)
        assert done.returncode != 0 and message in done.stderr
        assert not (tmp_path / "out").exists()
    exports = tmp_path / "out" / "saved_models" / "real"
    for seed, versions in ((0, {"1"}), (0, {"1"}), (1, {"1", "2"})):
        done = run("denoiser", **flags, sources="real", seeds=seed)
        assert done.returncode == 0, done.stderr
        assert "does not name the scenes it was trained on: not checked" in done.stdout
        # One plane has no colours to show.
        assert "No figure" in done.stdout
        assert {path.name for path in exports.iterdir()} == versions


@pytest.mark.slow  # Three processes that import TensorFlow and train.
def test_two_workers_train_the_denoisers_of_one(tmp_path):
    nf.save_model(nf.GaussianNoise(0.01), tmp_path / "m", {"validation_scenes": ["c"]})
    flags = {
        "model_dir": tmp_path / "m",
        "train_captures": write(tmp_path / "train.h5", "a", 1, 48),
        "test_captures": write(tmp_path / "test.h5", "b", 1, 16),
        "sources": "real,noise_flow",
        "seeds": 0,
        "depth": 3,
        "filters": 4,
        "epochs": 6,
        "verbose": 0,
    }
    done = run("denoiser", **flags, output_dir=tmp_path / "one")
    assert done.returncode == 0, done.stderr
    workers = two_workers("denoiser", flags | {"output_dir": tmp_path / "two"}, tmp_path)
    finish(workers, tmp_path)
    one, two = (json.loads((tmp_path / n / "table.json").read_text()) for n in ("one", "two"))
    for source in ("real", "noise_flow"):
        psnr = one[source][0]["psnr"]
        # Training has done something; gradients are summed in another order, for 72 steps.
        assert psnr > one["noisy"]["psnr"] + 0.3
        assert two[source][0]["psnr"] == pytest.approx(psnr, abs=0.01)
        assert (tmp_path / "two" / "saved_models" / source / "1").is_dir()
