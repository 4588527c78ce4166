"""What float32 costs, measured and bounded."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CONTINUOUS_MODELS, MODELS, conditions, moved
from tfp_noiseflow.evaluation import rounding

FLOW = "S-Ax4-G-Ax4-CAM"
GIVEN = {"iso": 1600.0, "camera": 0}


def clean_image(height=8, width=8):
    return np.random.default_rng(0).random((height, width, 4), np.float32)


@pytest.mark.parametrize("name", ["stored L-R-P", "camera NLF by channel", "L-Bx1"])
def test_the_twin_in_float64_is_the_same_model(name):
    model = moved(MODELS[name][0](tf.float32), by=0.1)
    twin = rounding.in_float64(model)
    assert type(twin) is type(model) and twin.dtype == tf.float64
    for ours, exact in zip(model.variables, twin.variables, strict=True):
        assert exact.dtype == tf.float64
        np.testing.assert_array_equal(ours, exact)


@pytest.mark.parametrize("name", ["Gaussian", "camera NLF", "L-R-P", "stored L-R-P", "S-G-CAM"])
def test_models_without_steps_are_off_by_roundings(name):
    model = moved(MODELS[name][0](tf.float32), by=0.1)
    given = conditions((3,), (16, 16, 4), dtype=np.float32)
    found = rounding.measure_rounding(model, **given)
    # Some ten roundings (6e-8) of log-dets of up to 10 nats, of values of up to 5 deviations.
    assert found.nll.largest < 1e-5 and found.log_det.largest < 1e-5
    assert found.sample.largest < 1e-5 and found.round_trip.largest < 1e-5
    assert (found.codes is not None) == (name not in CONTINUOUS_MODELS)
    assert found.codes is None or found.codes.largest < 1e-5
    # It is no comparison of a thing with itself.
    assert found.sample.largest > 1e-9 and found.nll.largest > 0


@pytest.mark.parametrize(
    "by", [0.1, *(pytest.param(by, marks=pytest.mark.slow) for by in (0.05, 0.15))]
)
def test_a_round_trip_is_within_its_bound(by):
    model = moved(nf.NoiseFlow(FLOW, seed=5), by=by)
    off = rounding.measure_rounding(model, clean_image(), **GIVEN).round_trip
    bound = rounding.round_trip_bound(model, clean_image(), **GIVEN)
    assert off.largest < bound.largest and off.rms < bound.rms
    # And the bound is one that says something: roundings are seldom all of one sign.
    assert bound.largest < 2000 * off.largest


def test_steps_stretch_a_rounding_and_scales_do_not():
    def bound(architecture):
        flow = moved(nf.NoiseFlow(architecture, seed=5), by=0.2)
        return rounding.round_trip_bound(flow, clean_image(), **GIVEN).largest

    # Four states, the noise's largest value of some 5 deviations, 8 roundings each.
    assert bound("S-G-CAM") < 4 * 5 * 8 * rounding.UNIT
    assert bound(FLOW) > 1e-3


def test_a_model_that_cannot_be_compared_is_named():
    class Own(nf.GaussianNoise):
        pass

    with pytest.raises(ValueError, match="Own"):
        rounding.measure_rounding(Own(0.1), clean_image())
