"""What is said to the author of a layer, law or letter who forgets something."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.models import architecture


@pytest.fixture
def register(monkeypatch):
    """Registers the letter Z for one test."""
    monkeypatch.setattr(architecture, "LETTERS", dict(architecture.LETTERS))

    def register(build, meaning="mine", **arguments):
        nf.register_layer("Z", meaning, build, **arguments)

    return register


def flow(letters="Z", **options):
    return nf.NoiseFlow(letters, cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=0, **options)


def test_options_come_back_as_they_were_saved(register, tmp_path):
    register(lambda context: [], options={"knots": (100, 400)})
    model = flow("A-Z", knots=(100, 800))
    nf.save_model(model, tmp_path, {})
    nf.save_model(model, tmp_path, {})
    # The same model: no other folder of checkpoints.
    assert (tmp_path / "checkpoints").is_dir()
    assert list(nf.load_model(tmp_path).options["knots"]) == [100, 800]


def test_options_that_are_no_json_are_named(register, tmp_path):
    register(lambda context: [], options={"knots": None})
    with pytest.raises(ValueError, match=r"get_config\(\) of JSON values, received .*knots"):
        nf.save_model(flow("A-Z", knots=np.ones(2)), tmp_path, {})


def test_a_letter_stands_for_one_thing(register):
    register(lambda context: [])
    with pytest.raises(ValueError, match="expected a free letter, 'Z' stands for: mine"):
        register(lambda context: [], meaning="another")
    with pytest.raises(ValueError, match="expected a free letter, 'Z' stands for: mine"):
        register(print)


def test_a_cell_of_a_notebook_can_be_run_again(register):
    def cell(layers):
        def build(context):
            layers.append(context.number)
            return []

        register(build)

    first, second = [], []
    cell(first)
    cell(second)
    flow("A-Z")
    assert not first and second


def test_an_option_has_one_default(register):
    # That of A counts, for the flow has it whatever its letters are.
    with pytest.raises(ValueError, match=r"default 4 of the option hidden_channels.* received 16"):
        register(lambda context: [], options={"hidden_channels": 16})


def test_a_model_of_a_letter_that_is_not_registered_says_what_to_import(
    register, tmp_path, monkeypatch
):
    register(lambda context: [])
    nf.save_model(flow("A-Z"), tmp_path, {})
    monkeypatch.delitem(architecture.LETTERS, "Z")
    with pytest.raises(ValueError, match=r"received 'Z' in 'A-Z'.*module that registers it"):
        nf.load_model(tmp_path)


@pytest.mark.parametrize("built", [None, nb.Gain(), [1], nb.Gain])
def test_a_builder_gives_a_list_of_layers(register, built):
    register(lambda context: built)
    with pytest.raises(ValueError, match=r"builder of Z \(mine\) to give a list of layers, receiv"):
        flow()


def test_a_layer_that_is_not_numbered_stands_once(register):
    register(lambda context: [nb.InvertibleConv1x1(4, name="mixing")])
    flow("A-Z")
    with pytest.raises(ValueError, match=r"Z \(mine\).* names that no other has.*mixing again"):
        flow("Zx2")


def test_a_layer_has_the_dtype_of_its_flow(register):
    register(lambda context: [nb.InvertibleConv1x1(4)])
    with pytest.raises(ValueError, match=r"Z \(mine\).*float64, received invertible.* of float32"):
        flow(dtype=tf.float64)


class Doubled(nb.Layer):
    conditions = {}

    def __init__(self, dtype=tf.float32, name="doubled"):
        super().__init__(dtype=dtype, parameters=dict(locals()), name=name)

    def forward_image(self, x):
        return x.mapped(lambda x: 2.0 * x), x.dimensions * np.log(2)

    def inverse_image(self, y):
        return y.mapped(lambda y: y / 2.0), -y.dimensions * np.log(2)


def test_a_layer_needs_both_equations_and_its_conditions():
    class Half(nb.Layer):
        conditions = {}
        forward_image = Doubled.forward_image

    class Unconditioned(nb.Layer):
        forward_image = Doubled.forward_image
        inverse_image = Doubled.inverse_image

    for layer, missing in ((Half, "inverse_image"), (Unconditioned, "conditions")):
        with pytest.raises(TypeError, match=rf"{layer.__name__}.*{missing}"):
            layer(dtype=tf.float32, parameters={}, name="forgotten")


def halves(image):
    return image.mapped(lambda y: y / 2.0)


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize(
    ("equation", "received"),
    [
        (lambda self, y: halves(y), "Image"),
        (lambda self, y: (halves(y).values, 0.0), "a tensor of shape .*, float"),
        (lambda self, y: (halves(y), halves(y)), "Image, .*Image"),
        (lambda self, y: (halves(y), halves(y).values), r"Image, a tensor of shape \(2, 3, "),
    ],
)
def test_an_equation_gives_an_image_and_its_log_det(register, width, equation, received):
    class Wrong(Doubled):
        inverse_image = equation

    register(lambda context: [Wrong(context.dtype)])
    noise = flow("A-Z-A")(np.full((2, 3, width, 4), 0.5), iso=100, camera="Alpha")
    with pytest.raises(
        ValueError, match=rf"Wrong\.inverse_image to give .*, received \w*{received}"
    ):
        noise.log_prob(tf.zeros([2, 3, width, 4]))


def test_a_network_counts_what_it_sees(register):
    class Uncounted(nb.ConvolutionalConditioner):
        conditions = {"clean": nb.CleanImage()}

        def further_channels(self, image, *, clean):
            return [clean]

    class Unwritten(nb.ConvolutionalConditioner):
        num_further_channels = 4

    for net, message in (
        (Uncounted, r"= 0 .* received \[4\]"),
        (Unwritten, r"= 4 .* received \[\]"),
    ):
        coupling = nb.AffineCoupling(4, conditioner=net(2, 4))
        given = {"clean": np.full((3, 4, 4), 0.5, np.float32)} if net is Uncounted else {}
        with pytest.raises(
            ValueError, match=f"{net.__name__}.further_channels to give .*{message}"
        ):
            coupling.inverse(tf.zeros([3, 4, 4]), **given)


class PowerLaw(nb.Law):
    conditions = {"iso": nb.Iso()}
    dtype = tf.float32

    def __call__(self, *, iso):
        return -5.0 + tf.math.log(iso)


def test_a_law_declares_what_it_depends_on():
    class Undeclared(PowerLaw):
        conditions = {}

    clean = np.full((1, 2, 2, 4), 0.5, np.float32)
    with pytest.raises(TypeError, match=r"__call__.*missing .* 'iso'"):
        nb.SignalDependent(log_beta1=Undeclared()).forward(clean, clean=clean)

    class Unconditioned(nb.Law):
        __call__ = PowerLaw.__call__

    with pytest.raises(TypeError, match=r"Unconditioned.*conditions"):
        Unconditioned()


def test_a_condition_that_a_law_declares_has_to_come():
    layer = nb.SignalDependent(log_beta1=PowerLaw(name="log_beta1"))
    clean = np.full((1, 2, 2, 4), 0.5, np.float32)
    with pytest.raises(ValueError, match=r"expected the conditions .* missing \['iso'\]"):
        layer.forward(clean, clean=clean)
    with pytest.raises(ValueError, match=r"log_beta1: expected .* missing \['iso'\]"):
        layer.variance(clean)


def test_a_law_of_what_no_model_is_given_is_named(register):
    class OfExposure(nb.Law):
        conditions = {"exposure": nb.Iso()}
        dtype = tf.float32

        def __call__(self, *, exposure):
            return tf.math.log(exposure)

    register(lambda context: [nb.SignalDependent(log_beta1=OfExposure())])
    with pytest.raises(ValueError, match=r"missing \['exposure'\]"):
        flow()(np.full((1, 2, 2, 4), 0.5), iso=100, camera="Alpha")
