"""A flow with an L starts where its captures are: at their laws."""

import re

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, LAWS, moved
from tests.scripts import run
from tfp_noiseflow.laws import CameraLaw
from tfp_noiseflow.training.law_start import start_at_fitted_laws

ISOS = np.geomspace(100, 3200, 6).round()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Two captures of each camera at each of six ISOs."""
    generator = np.random.default_rng(0)
    laws = [law for law in LAWS for _ in range(12)]
    iso = np.tile(ISOS, 6)
    shape = (len(iso), 16, 16, 4)
    clean = np.exp(generator.uniform(np.log(1e-4), 0, shape))
    beta1, beta2 = np.array([law(i) for law, i in zip(laws, iso, strict=True)]).T[..., None]
    variance = beta1[..., None, None] * clean + beta2[..., None, None]
    noise = generator.standard_normal(shape) * np.sqrt(variance)
    found = tmp_path_factory.mktemp("laws") / "captures.h5"
    nf.write_captures(found, clean + noise, clean, iso, [law.camera for law in laws])
    return found


def test_the_start_is_the_fitted_law_in_all_else_the_flow_is_as_it_was(path):
    flow = nf.NoiseFlow("L-Ax1", CAMERAS, law_knots=(100, 800), dtype="float64", seed=0)
    moved(flow, by=0.1)
    config = flow.get_config()
    steps = {
        name: [variable.numpy() for variable in layer.variables]
        for name, layer in flow.layers.items()
        if name != "signal_dependent"
    }
    captures = nf.read_captures(path)
    estimates = start_at_fitted_laws(flow, captures)
    assert tuple(estimates) == CAMERAS and flow.get_config() == config
    assert estimates["Beta"].law == nf.fit_camera_laws(captures)["Beta"].law
    layer = flow.layers["signal_dependent"]
    for index, camera in enumerate(CAMERAS):
        expected = estimates[camera].law(ISOS)
        for law, beta in zip((layer.log_beta1, layer.log_beta2), expected, strict=True):
            found = np.exp([law(iso=np.float64(iso), camera=index) for iso in ISOS])
            # Two terms of 0 stand as a thousandth.
            np.testing.assert_allclose(found, beta, rtol=2.1e-3)
            assert (law.laws[0].log_coefficients.numpy() > -60).all()
    for name, values in steps.items():
        np.testing.assert_equal([v.numpy() for v in flow.layers[name].variables], values)


@pytest.mark.parametrize(
    "flow",
    [
        nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS),
        nf.NoiseFlow("L", None),
        nf.NoiseFlow("L", CAMERAS[:2]),
        nf.NoiseFlow("L", CAMERAS, laws=LAWS),
    ],
    ids=["no L", "no cameras", "other cameras", "laws were given"],
)
def test_other_flows_start_as_they_are(path, flow):
    before = [variable.numpy() for variable in flow.variables]
    assert start_at_fitted_laws(flow, nf.read_captures(path)) == {}
    np.testing.assert_equal([variable.numpy() for variable in flow.variables], before)


def test_a_flow_without_laws_has_none_to_start_at():
    with pytest.raises(ValueError, match="an architecture with the letter L, received NoiseFlow"):
        nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS).start_at_laws(LAWS)
    with pytest.raises(ValueError, match="a law for each of the cameras"):
        nf.NoiseFlow("L", CAMERAS).start_at_laws(LAWS[:1])
    with pytest.raises(ValueError, match="expected a law for all channels"):
        by_channel = CameraLaw((np.full(4, 2e-4), 0), (0, 0, 1e-6), CAMERAS[0])
        nf.NoiseFlow("L", CAMERAS[:1]).start_at_laws([by_channel])


def test_the_training_command_starts_at_the_law_of_its_captures(path, tmp_path):
    flags = {"train_captures": path, "validation_captures": path, "model_dir": tmp_path / "m"}
    schedule = {"epochs": 1, "batch_size": 36, "learning_rate": 1e-5, "verbose": 0}
    done = run("noise_flow", **flags, **schedule, architecture="L")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Starts at the law of Alpha: p .* \(12288 pixels\)", done.stdout)
    flow = nf.load_model(tmp_path / "m")
    estimates = nf.fit_camera_laws(nf.read_captures(path))
    beta1 = [estimates[camera].law(400)[0] for camera in CAMERAS]
    layer = flow.layers["signal_dependent"]
    found = [np.exp(layer.log_beta1(iso=np.float32(400), camera=m)) for m in range(3)]
    # One step of 1e-5, and a term of 0 as a thousandth.
    np.testing.assert_allclose(found, beta1, rtol=1.1e-3)
