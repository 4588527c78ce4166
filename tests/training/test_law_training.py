"""Cameras' laws (L) learned from captures whose ISOs are all different."""

import json
import shutil

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.models.model_directory import save_model

LAWS = {
    "a": nf.CameraLaw((2e-4, 1e-5), (2e-7, 0, 2e-6), camera="a"),
    "b": nf.CameraLaw((4e-4, 4e-5), (8e-7, 0, 2e-6), camera="b"),
    "new": nf.CameraLaw((1e-4, 1e-5), (1e-7, 1e-7, 3e-7), camera="new"),
}
SCHEDULE = nf.Schedule(epochs=25, batch_size=20, learning_rate=0.1)


def write(path, cameras, count, seed):
    """Captures at log-uniform ISOs."""
    generator = np.random.default_rng(seed)
    camera = np.resize(cameras, count)
    iso = np.exp(generator.uniform(np.log(100), np.log(3200), count))
    clean = generator.uniform(0, 0.2, (count, 16, 16, 4)) ** 2
    beta1, beta2 = np.array([LAWS[c](i) for c, i in zip(camera, iso, strict=True)]).T
    variance = beta1[:, None, None, None] * clean + beta2[:, None, None, None]
    noise = np.sqrt(variance) * generator.standard_normal(clean.shape)
    clean = clean.astype(np.float32)
    nf.write_captures(path, (clean + noise).astype(np.float32), clean, iso, camera)
    return nf.read_captures(path)


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    return write(folder / "train.h5", ["a", "b"], 80, 0), write(folder / "v.h5", ["a", "b"], 20, 1)


@pytest.fixture(scope="module")
def trained(captures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    nf.train_noise_model(nf.NoiseFlow("L", ["a", "b"]), *captures, folder, SCHEDULE, verbose=0)
    return folder


def excess_nll(model, camera, iso):
    """How much worse than the truth the model expects noise to be, nats per dimension."""
    clean = np.linspace(0, 0.2, 50) ** 2
    beta1, beta2 = LAWS[camera](iso)
    variance = model.layers["signal_dependent"].variance(
        np.float32(clean.reshape(1, -1, 1)),
        iso=np.float32(iso),
        camera=model.cameras.index(camera),
    )
    ratio = (beta1 * clean + beta2) / np.ravel(variance)
    return 0.5 * np.mean(ratio - 1 - np.log(ratio))


def test_laws_are_found_from_isos_that_are_all_different(trained):
    model = nf.load_model(trained)
    assert model.iso_levels is None
    # Five numbers from 41,000 values: some 5 / 82,000 = 6e-5 by chance, more at the ends. A wrong
    # exponent of ISO would cost more than 0.05.
    for camera in ("a", "b"):
        assert max(excess_nll(model, camera, iso) for iso in (200, 640, 2000)) < 2e-3
        # Beyond the captures' ISOs, too.
        assert max(excess_nll(model, camera, iso) for iso in (50, 6400)) < 1e-2


def test_the_range_of_the_captures_is_kept_and_told(captures, trained):
    isos = captures[0].iso
    expected = [float(isos.min()), float(isos.max())]
    config = json.loads((trained / "config.json").read_text())
    assert config["iso_levels"] is None
    assert config["training_data"]["iso_range"] == expected
    assert nf.load_model(trained).trained_iso_range == tuple(expected)


def test_a_training_whose_folder_does_not_say_the_range_goes_on(captures, trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / "m") / "config.json"
    config = json.loads(path.read_text())
    del config["training_data"]["iso_range"]
    path.write_text(json.dumps(config))
    flow = nf.NoiseFlow("L", ["a", "b"])
    nf.train_noise_model(flow, *captures, tmp_path / "m", SCHEDULE, verbose=0)


@pytest.mark.slow  # Two trainings.
def test_a_new_camera_gets_a_law_of_its_own_and_the_others_keep_theirs(trained, tmp_path):
    captures = write(tmp_path / "new.h5", ["new"], 64, seed=2)
    model = nf.finetune_camera(trained, captures, "new", tmp_path / "all", verbose=0)
    # As above, from 66,000 values.
    assert max(excess_nll(model, "new", iso) for iso in (200, 640, 2000)) < 2e-3
    known = nf.load_model(trained)
    for before, after in zip(known.variables, model.variables, strict=True):
        np.testing.assert_array_equal(after[:2], before)
    assert model.trained_iso_range == nf.load_model(tmp_path / "all").trained_iso_range
    low, high = known.trained_iso_range
    assert model.trained_iso_range[0] <= low and model.trained_iso_range[1] >= high


def test_a_new_camera_of_a_model_that_says_no_range_says_none(tmp_path):
    captures = write(tmp_path / "new.h5", ["new"], 8, seed=2)
    save_model(nf.NoiseFlow("L", ["a"]), tmp_path / "known", {"origin": "", "licence": ""})
    schedule = nf.Schedule(epochs=1)
    model = nf.finetune_camera(
        tmp_path / "known", captures, "new", tmp_path / "all", schedule=schedule, verbose=0
    )
    assert model.trained_iso_range is None
