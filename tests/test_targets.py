"""What trained models must reach: minutes each, so `make test-all` alone runs them.

docs/results.md prints the figures of the full runs.
"""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.models.new_camera import flow_of_new_camera
from tfp_noiseflow.simulation.simulate_captures import make_process, simulate_captures

pytestmark = pytest.mark.slow

# 696 steps on the reference process, 1008 by default.
SHORT = nf.Schedule(epochs=8)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    paths = {}
    for split, patches in (("train", 480), ("validation", 20), ("test", 80)):
        paths[split] = folder / f"{split}.h5"
        simulate_captures(
            paths[split], process="reference", split=split, patches_per_combination=patches
        )
    return {split: nf.read_captures(path) for split, path in paths.items()}


def trained(architecture, captures, model_dir, schedule=SHORT):
    model = nf.NoiseFlow(
        architecture,
        cameras=captures["train"].cameras,
        iso_levels=captures["train"].iso_levels,
        channels=captures["train"].image_shape[-1],
        seed=0,
    )
    return nf.train_noise_model(
        model, captures["train"], captures["validation"], model_dir, schedule, verbose=0
    )


def excess(model, captures):
    """Nats per dimension above the true density."""
    truth = nf.CameraNLF.from_true(captures)
    return np.mean(
        negative_log_likelihood(model, captures) - negative_log_likelihood(truth, captures)
    )


def test_s_g_cam_finds_the_reference_process(reference, tmp_path):
    model = trained("S-G-CAM", reference, tmp_path / "model", nf.Schedule())
    assert excess(model, reference["test"]) < 0.0005
    truth = make_process("reference", 0)
    values = {name: float(value) for name, value in model.physical_parameters().items()}
    gamma = np.array([values[f"gamma(ISO {iso:g})"] for iso in truth.iso_levels])
    psi = np.array([values[f"psi({camera})"] for camera in truth.cameras])
    expected = truth.u * truth.iso_levels
    np.testing.assert_allclose(gamma / gamma[0], expected / expected[0], rtol=0.02)
    np.testing.assert_allclose(psi / psi[0], truth.psi / truth.psi[0], rtol=0.02)
    ratio = values["beta2"] / values["beta1"] ** 2
    assert ratio == pytest.approx(truth.beta2 / truth.beta1**2, rel=0.05)


def test_full_flow_loses_little_on_the_reference_process(reference, tmp_path):
    model = trained("S-Ax4-G-Ax4-CAM", reference, tmp_path / "model")
    assert excess(model, reference["test"]) < 0.002


def test_a_new_camera_reaches_its_recalibrated_nlf_on_the_reference_process(reference, tmp_path):
    camera = reference["train"].cameras[0]
    others = {split: c.select(c.camera != camera) for split, c in reference.items()}
    trained("S-G-CAM", others, tmp_path / "others")
    own = {split: c.select(c.camera == camera) for split, c in reference.items()}
    rows = np.random.default_rng(0).permutation(len(own["train"]))[:1024]
    patches = own["train"].select(np.sort(rows))
    assert len(patches) == 1024
    flow = nf.finetune_camera(tmp_path / "others", patches, camera, tmp_path / "all", verbose=0)
    # Of all of the camera's training captures, more than the flow has seen.
    nlf = nf.CameraNLF.fit(own["train"])
    nll, nll_of_nlf = (negative_log_likelihood(m, own["test"]).mean() for m in (flow, nlf))
    assert abs(nll - nll_of_nlf) < 0.005
    # Unlike the mean of the other cameras, from which it began.
    start = flow_of_new_camera(nf.load_model(tmp_path / "others"), camera)
    assert negative_log_likelihood(start, own["test"]).mean() > nll + 0.005


def test_full_flow_on_real_captures(shared_data, tmp_path):
    captures = {
        split: nf.read_captures(shared_data / "flea3" / f"flea3_{split}.h5")
        for split in ("train", "test")
    }
    rows = np.random.default_rng(0).permutation(len(captures["train"]))[:500]
    captures["validation"] = captures["train"].select(np.sort(rows))
    # 1000 steps; 100 epochs reach -4.041.
    schedule = nf.Schedule(epochs=29, learning_rate=1e-2)
    flow = trained("S-Ax4-G-Ax4", captures, tmp_path / "flow", schedule)
    nlf = nf.CameraNLF.fit(captures["train"])
    nll, nll_of_nlf = (negative_log_likelihood(m, captures["test"]).mean() for m in (flow, nlf))
    assert nll_of_nlf == pytest.approx(-3.96, abs=0.005)
    # -4.037 was measured; roundings of another machine lead training elsewhere by some 0.005.
    assert nll < -4.030
