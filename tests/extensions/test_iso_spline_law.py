"""A noise level function for any ISO, of two splines in log ISO, as a user adds it."""

import math

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.extensions.checks import Extension
from tests.registry import conditions
from tfp_noiseflow import bijectors as nb


class IsoSpline(nb.Law):
    """Straight lines in log ISO between knots at 100, 400, 1600 and 6400, which go on beyond."""

    conditions = {"iso": nb.Iso()}

    def __init__(self, initial, *, dtype, name):
        super().__init__(name=name)
        self.dtype = dtype
        self.knots = tf.Variable(tf.constant(initial, dtype, [4]), name=name)

    def __call__(self, *, iso):
        position = tf.math.log(iso / 100.0) / math.log(4.0)
        left = tf.clip_by_value(tf.floor(position), 0.0, 2.0)
        knot = tf.cast(left, tf.int32)
        start, stop = tf.gather(self.knots, knot), tf.gather(self.knots, knot + 1)
        return start + (position - left) * (stop - start)


nf.register_layer(
    "K",
    "signal-dependent layer with a spline in log ISO",
    lambda context: [
        nb.SignalDependent(
            log_beta1=IsoSpline(-5.0, dtype=context.dtype, name="log_beta1"),
            log_beta2=IsoSpline(-7.0, dtype=context.dtype, name="log_beta2"),
            dtype=context.dtype,
            name="spline",
        )
    ],
)


class TestIsoSplineLaw(Extension):
    letter = "K"
    architecture = "K-A"
    isos = (100.0, 250.0, 6000.0)

    def test_iso_between_knots_has_the_noise_between(self, training, captures):
        layer = training[0].layers["spline"]
        beta1 = [float(layer.log_beta1(iso=tf.constant(iso))) for iso in (400.0, 800.0, 1600.0)]
        assert beta1[0] < beta1[1] < beta1[2]
        assert beta1[1] == pytest.approx((beta1[0] + beta1[2]) / 2, abs=1e-5)  # float32.

    def test_the_model_knows_any_iso(self, training):
        assert training[0].known.iso == nb.Iso()
        given = conditions((2,), (4, 4, 4), dtype=np.float32) | {"iso": np.float32([50, 12800])}
        assert np.isfinite(training[0](**given).sample(seed=(0, 1))).all()
        assert "beta1(ISO 6400)" in training[0].physical_parameters()
