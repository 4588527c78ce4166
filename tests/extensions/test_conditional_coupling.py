"""A coupling whose network sees the clean image and the ISO, as a user adds it."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.extensions.checks import Extension
from tests.registry import conditions, images
from tfp_noiseflow import bijectors as nb


class SeesCleanAndIso(nb.ConvolutionalConditioner):
    """Four channels of the clean image and one of log ISO stand beside the half that conditions."""

    conditions = {"clean": nb.CleanImage(), "iso": nb.Iso()}
    num_further_channels = 5

    def further_channels(self, image, *, clean, iso):
        return [clean, image.constant(tf.math.log(iso / 400.0)[..., tf.newaxis])]


nf.register_layer(
    "H",
    "flow step that sees the clean image and the ISO",
    lambda context: [
        nb.InvertibleConv1x1(
            4, seed=context.seed(), dtype=context.dtype, name=f"mixing_{context.number}"
        ),
        nb.AffineCoupling(
            4,
            conditioner=SeesCleanAndIso(2, 4, seed=context.seed(), dtype=context.dtype),
            dtype=context.dtype,
            name=f"conditional_coupling_{context.number}",
        ),
    ],
)


class TestConditionalCoupling(Extension):
    letter = "H"
    architecture = "S-H-G-CAM"

    def test_a_step_that_stands_twice_is_numbered(self):
        flow = self.flow("S-Hx2")
        assert {"conditional_coupling_1", "conditional_coupling_2"} < set(flow.layers)
        assert flow.number_of_parameters == self.flow("S").number_of_parameters + 2 * (
            self.flow("H").number_of_parameters
        )

    @pytest.mark.parametrize("condition", ["clean", "iso"])
    def test_the_network_sees(self, condition, training):
        coupling = training[0].layers["conditional_coupling_1"]
        given = {name: conditions((2,), (4, 4, 4))[name] for name in ("clean", "iso")}
        given = {name: value.astype(np.float32) for name, value in given.items()}
        x = images((2, 4, 4, 4), dtype=np.float32)
        other = given | {condition: given[condition] / 2}
        assert np.any(coupling.inverse(x, **other) != coupling.inverse(x, **given))
