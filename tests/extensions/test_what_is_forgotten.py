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
