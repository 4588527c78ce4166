"""A camera is added to a trained flow by its law alone: no captures, no change of the others."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.laws.dng import write_dng
from tests.registry import CAMERAS, ISO_LEVELS, LAWS, LAWS_BY_CHANNEL, moved
from tfp_noiseflow.laws import CameraLaw
from tfp_noiseflow.models.new_camera import camera_variables

NEW = CameraLaw((3e-4, 2e-5), (2e-7, 0, 1e-6), "New")


def flow(architecture="L-Ax2", **options):
    """As trained: steps that scale, and laws that are no camera's own any more."""
    model = nf.NoiseFlow(architecture, CAMERAS, **{"laws": LAWS, "seed": 0, **options})
    return moved(model, by=0.1)


def variance(model, iso, camera="New", channels=4, axis=None):
    clean = np.full((16, 64, 64, channels), 0.2, np.float32)
    noise = model(clean, iso=iso, camera=camera).sample(seed=(2, 3)).numpy()
    return np.mean(noise.astype(np.float64) ** 2, axis=axis)


@pytest.mark.parametrize("options", [{}, {"law_knots": (100, 800)}, {"channels": 1}], ids=str)
def test_noise_of_the_new_camera_has_the_variance_of_its_law_at_any_iso(options):
    model = nf.with_camera_law(flow(**options), NEW)
    assert model.cameras == (*CAMERAS, "New")
    for iso in (100, 640, 12800):
        found = variance(model, iso, channels=options.get("channels", 4))
        # Two samples of 262,144 values, 65,536 of planes: 0.4 % and 0.6 %; four of that.
        np.testing.assert_allclose(found, np.dot(NEW(iso), [0.2, 1]), rtol=0.025)


def test_steps_that_scale_are_made_up_for():
    model = flow()
    model.layers["conv1x1_1"].log_scale.assign_add([0.5, 0.5, 0.5, 0.5])
    found = variance(nf.with_camera_law(model, NEW), 640)
    np.testing.assert_allclose(found, np.dot(NEW(640), [0.2, 1]), rtol=0.025)


def test_all_values_of_the_known_cameras_are_bit_identical():
    model = flow(law_knots=(100, 800))
    model.licence, model.origin = "CC0", "here"
    joined = nf.with_camera_law(model, NEW)
    by_camera = [variable.ref() for variable in camera_variables(model)]
    for known, both in zip(model.variables, joined.variables, strict=True):
        rows = both[:3] if known.ref() in by_camera else both
        assert rows.numpy().tobytes() == known.numpy().tobytes()
    clean = np.full((3, 8, 8, 4), 0.3, np.float32)
    given = {"iso": (57.0, 640.0, 25600.0), "camera": CAMERAS}
    noise = model(clean, **given).sample(seed=(0, 1))
    np.testing.assert_array_equal(noise, joined(clean, **given).sample(seed=(0, 1)))
    assert (joined.licence, joined.origin) == ("CC0", "here")


def test_a_law_without_steps_is_the_law():
    model = nf.with_camera_law(flow("L"), NEW, camera="other name")
    assert model.cameras[-1] == "other name"
    # One sample of 262,144 values measures no step: 0.3 % each, four of both.
    found = variance(model, 640, "other name")
    np.testing.assert_allclose(found, np.dot(NEW(640), [0.2, 1]), rtol=0.016)


def test_a_law_by_channel_holds_in_each_channel():
    model = flow(laws=LAWS_BY_CHANNEL, has_law_by_channel=True)
    scales = np.array([1.0, 2.0, 2.0, 3.0])
    law = CameraLaw(np.outer((3e-4, 2e-5), scales), np.outer((2e-7, 0, 1e-6), scales), "New")
    found = variance(nf.with_camera_law(model, law), 640, axis=(0, 1, 2))
    expected = np.array(law(640)).T @ [0.2, 1]
    # Two samples of 65,536 values a channel: 0.8 %; four of that.
    np.testing.assert_allclose(found, expected, rtol=0.032)


def test_noise_profiles_of_a_folder_add_their_camera(tmp_path):
    pytest.importorskip("tifffile")
    colours = np.array([1.0, 1.5, 2.0])
    law = CameraLaw(np.outer((2e-4, 1e-5), colours), np.outer((2e-7, 0, 1e-6), colours))
    for iso in (100, 400, 1600):
        write_dng(tmp_path / f"{iso}.dng", nf.noise_profile(law, iso), iso, "Phone 1")
    (table,) = nf.read_noise_profiles(tmp_path)
    model = nf.with_camera_law(flow(), table.fit().law)
    assert model.cameras[-1] == "Phone 1"
    # A flow of one law for all channels has the mean over the pixels: half of them are green.
    expected = np.dot(law.in_channels(1)(640), [0.2, 1])
    np.testing.assert_allclose(variance(model, 640, "Phone 1"), expected, rtol=0.025)


@pytest.mark.parametrize(
    "model",
    [
        nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS),
        nf.NoiseFlow("L-G-CAM", CAMERAS, ISO_LEVELS),
        nf.NoiseFlow("Ax1-L", CAMERAS),
        nf.NoiseFlow("L", None),
        nf.GaussianNoise(0.1),
    ],
    ids=repr,
)
def test_flows_of_another_kind_are_refused(model):
    with pytest.raises(ValueError, match=r"flow of cameras that begins with L.*received"):
        nf.with_camera_law(model, NEW)


def test_a_known_camera_and_one_without_a_name_are_refused():
    with pytest.raises(ValueError, match="does not know, received 'Beta'"):
        nf.with_camera_law(flow(), NEW, camera="Beta")
    with pytest.raises(ValueError, match="expected a camera's name"):
        nf.with_camera_law(flow(), CameraLaw(NEW.beta1, NEW.beta2))


def test_rows_of_the_new_camera_have_the_known_ones_share_and_the_whole_is_the_law():
    model = flow("L-R-T-Ax1")
    rows = model.layers["row_noise"]
    rows.log_variance.follow(rows.noise.log_beta2, 0.2)
    joined = nf.with_camera_law(model, NEW)
    layer = joined.layers["signal_dependent"]
    share = [
        np.exp(
            joined.layers["row_noise"].log_variance(iso=np.float32(640), camera=camera)
            - layer.log_beta2(iso=np.float32(640), camera=camera)
        )
        for camera in range(4)
    ]
    # To where a polynomial follows one whose terms have moved.
    np.testing.assert_allclose(share, 0.2, rtol=0.02)
    # As above, and what tails make of a step's variance at another grey and ISO: 1 %.
    found = variance(joined, 640)
    np.testing.assert_allclose(found, np.dot(NEW(640), [0.2, 1]), rtol=0.03)
    for known, both in zip(model.variables, joined.variables, strict=True):
        assert np.array_equal(known, both[:3] if both.shape != known.shape else both)
