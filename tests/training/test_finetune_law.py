"""Fine-tuning of an L starts at the law of the new camera's captures, and trains its numbers."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, LAWS, moved
from tfp_noiseflow.laws import CameraLaw
from tfp_noiseflow.models.model_directory import save_model
from tfp_noiseflow.models.new_camera import camera_variables, flow_of_new_camera, mean_law

# All five numbers are of the same size somewhere among these ISOs.
NEW = CameraLaw((2e-4, 2e-4), (2e-7, 1e-6, 4e-6), "New")
ISOS = (100, 400, 1600, 6400)
# Too little to move: what comes out is the start.
START = nf.Schedule(epochs=1, batch_size=16, learning_rate=1e-7)


def write(path, isos=ISOS):
    """16 captures, clean values log-uniform."""
    generator = np.random.default_rng(0)
    iso = np.resize(isos, 16)
    clean = np.exp(generator.uniform(np.log(1e-4), 0, (16, 8, 8, 4)))
    beta1, beta2 = (beta[:, None, None, None] for beta in NEW(iso))
    noise = generator.standard_normal(clean.shape) * np.sqrt(beta1 * clean + beta2)
    nf.write_captures(path, clean + noise, clean, iso, "New")
    return nf.read_captures(path)


def tuned(folder, captures, architecture="L-Ax1", schedule=START, **options):
    """A flow as trained, whose steps scale, and the one with the new camera."""
    known = moved(nf.NoiseFlow(architecture, CAMERAS, laws=LAWS, seed=0, **options), by=0.1)
    save_model(known, folder / "known", {})
    flow = nf.finetune_camera(
        folder / "known", captures, "New", folder / "all", schedule=schedule, verbose=0
    )
    return known, flow


def variance(model, iso, clean=0.2, camera="New"):
    image = np.full((16, 64, 64, 4), clean, np.float32)
    noise = model(image, iso=iso, camera=camera).sample(seed=(2, 3)).numpy()
    return np.mean(noise.astype(np.float64) ** 2)


@pytest.mark.parametrize("options", [{}, {"has_law_by_channel": True}], ids=str)
def test_the_start_is_the_law_of_the_captures_at_any_iso(tmp_path, options):
    captures = write(tmp_path / "new.h5")
    law = nf.fit_camera_laws(captures)["New"].law
    _, flow = tuned(tmp_path, captures, **options)
    for iso, clean in ((100, 0.001), (640, 0.2), (6400, 0.01)):
        # Two samples of 262,144 values: 0.4 %; four of that, and a thousandth of a term of 0.
        expected = np.dot(law(iso), [clean, 1])
        np.testing.assert_allclose(variance(flow, iso, clean), expected, rtol=0.02)


@pytest.mark.filterwarnings("ignore:New. captures at ISO")
def test_from_one_iso_the_law_goes_on_as_those_of_the_known_cameras(tmp_path):
    captures = write(tmp_path / "new.h5", isos=(400,))
    law = nf.fit_camera_laws(captures)["New"].law
    known, flow = tuned(tmp_path, captures)
    mean = mean_law(known, 400)
    for iso in (100, 400, 3200):
        scale = np.divide(law(400), mean(400))
        expected = np.dot(scale * mean(iso), [0.2, 1])
        np.testing.assert_allclose(variance(flow, iso), expected, rtol=0.02)


def test_the_mean_law_is_between_the_cameras_and_has_their_variance(tmp_path):
    law = CameraLaw((2e-4, 1e-4), (2e-7, 0, 1e-6))
    laws = [CameraLaw(law.beta1, law.beta2, camera) for camera in CAMERAS]
    model = nf.NoiseFlow("L-Ax1", CAMERAS, laws=laws, seed=0)
    for layer in list(model.layers.values())[1:]:
        moved(layer, by=0.1)
    # Of cameras that are one: the law times the variance of the steps. Two samples, as above.
    mean = mean_law(model, 800)
    ratio = np.divide(mean(800), law(800))
    assert variance(model, 800, camera=CAMERAS[0]) == pytest.approx(
        np.dot(mean(800), [0.2, 1]), rel=0.02
    )
    np.testing.assert_allclose(np.divide(mean(50), law(50)), ratio, rtol=1e-5)
    # A camera without a term lowers it, and does not take it away.
    laws[0] = CameraLaw((law.beta1[0], 0), law.beta2, CAMERAS[0])
    mean = mean_law(nf.NoiseFlow("L", CAMERAS, laws=laws), 100)
    # Shares of q are 0, 1/3, 1/3; betas of 2e-4, 3e-4, 3e-4. One sample of 262,144 values.
    expected = np.cbrt(2e-4 * 3e-4 * 3e-4)
    np.testing.assert_allclose(mean.beta1, expected * np.array([7 / 9, 2 / 9]), rtol=0.016)


@pytest.mark.slow  # Two trainings.
def test_all_five_numbers_are_trained_and_the_known_cameras_stay(tmp_path):
    captures = write(tmp_path / "new.h5")
    (tmp_path / "start").mkdir()
    known, start = tuned(tmp_path / "start", captures)
    schedule = nf.Schedule(epochs=4, batch_size=16, learning_rate=1e-2)
    _, flow = tuned(tmp_path, captures, schedule=schedule)
    for before, first, after in zip(*map(camera_variables, (known, start, flow)), strict=True):
        assert after[:3].numpy().tobytes() == before.numpy().tobytes()
        # Adam's first steps are of its rate, whatever the gradient.
        assert (np.abs(after[3] - first[3]) > 1e-3).all()


def test_a_flow_whose_steps_need_the_camera_starts_at_the_mean_of_the_known_ones(tmp_path):
    captures = write(tmp_path / "new.h5")
    known, flow = tuned(tmp_path, captures, "L-G-CAM", iso_levels=ISOS)
    mean = flow_of_new_camera(known, "New")
    for row, variable in zip(*map(camera_variables, (mean, flow)), strict=True):
        np.testing.assert_allclose(variable[3], row[0], atol=1e-5)
