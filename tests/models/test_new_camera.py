"""A new camera's flow: everything but the camera's own row is the trained flow's, bit by bit."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, conditions, images, moved
from tfp_noiseflow.models.new_camera import (
    camera_variables,
    flow_of_new_camera,
    levels_of_cameras,
    with_camera_of,
)

SHAPE = (8, 12, 4)


def flow(architecture, seed=0, **options):
    model = nf.NoiseFlow(architecture, cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=seed, **options)
    return moved(model, seed=seed, by=0.1)


# Architecture -> the shapes of what a camera has for itself.
BY_CAMERA = {
    "S-G-CAM": [(3,)],
    "S-Ax1-G-Ax1-CAM": [(3,)],
    "N-Ax1-C-Ax1": [(3,), (3,), (3, 3)],
    "L-Ax1": [(3, 2), (3, 3)],
}


def with_moved_row(model, seed=9):
    alone = flow_of_new_camera(model, "New")
    generator = np.random.default_rng(seed)
    for variable in camera_variables(alone):
        variable.assign_add(0.2 * generator.standard_normal(variable.shape))
    return alone


@pytest.mark.parametrize("architecture", BY_CAMERA)
def test_camera_variables_are_those_with_a_row_for_each_camera(architecture):
    found = [tuple(variable.shape) for variable in camera_variables(flow(architecture))]
    assert sorted(found) == BY_CAMERA[architecture]


@pytest.mark.parametrize("architecture", BY_CAMERA)
def test_levels_of_cameras_are_those_of_an_n_alone(architecture):
    expected = ISO_LEVELS if architecture.startswith("N") else ()
    assert levels_of_cameras(flow(architecture)) == tuple(expected)


@pytest.mark.parametrize("architecture", BY_CAMERA)
def test_new_camera_begins_at_the_mean_of_the_known_ones(architecture):
    model = flow(architecture)
    alone = flow_of_new_camera(model, "New")
    assert alone.cameras == ("New",)
    assert alone.iso_levels == model.iso_levels
    for known, new in zip(camera_variables(model), camera_variables(alone), strict=True):
        np.testing.assert_allclose(new[0], np.mean(known, axis=0), rtol=1e-6)


@pytest.mark.parametrize("architecture", BY_CAMERA)
def test_all_else_of_the_joined_flow_is_bit_identical(architecture):
    model = flow(architecture)
    alone = with_moved_row(model)
    joined = with_camera_of(model, alone)
    assert joined.cameras == (*CAMERAS, "New")
    by_camera = [variable.ref() for variable in camera_variables(model)]
    tables = 0
    for known, new, both in zip(model.variables, alone.variables, joined.variables, strict=True):
        if known.ref() in by_camera:
            tables += 1
            assert both[:3].numpy().tobytes() == known.numpy().tobytes()
            assert both[3:].numpy().tobytes() == new.numpy().tobytes()
        else:
            assert both.numpy().tobytes() == known.numpy().tobytes()
    assert tables == len(BY_CAMERA[architecture])


@pytest.mark.parametrize("architecture", BY_CAMERA)
def test_known_cameras_keep_their_log_prob_and_the_new_one_has_its_own(architecture):
    model = flow(architecture)
    alone = with_moved_row(model)
    joined = with_camera_of(model, alone)
    given = conditions([3], SHAPE, dtype=np.float32)
    clean, iso, camera = np.abs(given["clean"]), given["iso"], given["camera"]
    noise = images((3, *SHAPE), scale=0.1, dtype=np.float32)
    np.testing.assert_array_equal(
        joined(clean, iso, camera).log_prob(noise), model(clean, iso, camera).log_prob(noise)
    )
    np.testing.assert_array_equal(
        joined(clean, iso, "New").log_prob(noise), alone(clean, iso, "New").log_prob(noise)
    )


def test_configuration_of_the_flow_is_kept():
    model = flow("S-Ax1-G-Ax1-CAM", hidden_channels=5, has_border_indicator=True, channels=1)
    joined = with_camera_of(model, with_moved_row(model))
    assert joined.get_config() == {**model.get_config(), "cameras": [*CAMERAS, "New"]}


@pytest.mark.parametrize("model", [flow("S-G"), flow("Ax1"), nf.GaussianNoise(0.1)], ids=repr)
def test_models_that_do_not_tell_cameras_apart_are_refused(model):
    with pytest.raises(ValueError, match=r"tells cameras apart \(CAM, N or L.*received"):
        flow_of_new_camera(model, "New")


def test_a_known_camera_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"does not know, received 'Beta'; it knows \['Alpha', "):
        flow_of_new_camera(flow("S-G-CAM"), "Beta")


def test_a_flow_of_another_model_is_not_joined():
    alone = with_moved_row(flow("S-G-CAM", seed=1))
    with pytest.raises(ValueError, match=r"in its camera alone, signal_dependent"):
        with_camera_of(flow("S-G-CAM", seed=2), alone)
