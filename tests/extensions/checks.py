"""What a layer, law or network of one's own gets from the library without touching it.

A test module defines a class, registers a letter for it, and inherits all checks:

```python
class TestMine(Extension):
    letter = "M"
    architecture = "S-M-G"
```
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.jacobians import log_det_by_autodiff, repeated
from tests.native import program as native
from tests.registry import CAMERAS, ISO_LEVELS, conditions, images, moved
from tests.serving.conftest import Served
from tests.serving.requests import SIGNATURES, good
from tests.serving.rounding import assert_same
from tfp_noiseflow.composition import forms
from tfp_noiseflow.models.model_directory import read_history

METHODS = ("forward_and_log_det", "inverse_and_log_det")
STEPS = 50
BATCH = 18


class Extension:
    """The checks of a registered letter.

    Attributes:
      letter: what was registered.
      architecture: a flow with it.
      isos: at which the export is asked.
    """

    letter: str
    architecture: str
    isos: tuple[float, ...] = ISO_LEVELS

    def flow(self, architecture=None, **options) -> nf.NoiseFlow:
        """An untrained flow, by default of the architecture."""
        return nf.NoiseFlow(
            architecture or self.architecture,
            cameras=CAMERAS,
            iso_levels=ISO_LEVELS,
            seed=0,
            **options,
        )

    @pytest.fixture(scope="class")
    def training(self, captures, tmp_path_factory):
        """The flow after 50 steps, and its model directory."""
        model_dir = tmp_path_factory.mktemp(self.letter) / "model"
        schedule = nf.Schedule(epochs=STEPS * BATCH // len(captures[0]), batch_size=BATCH)
        model = nf.train_noise_model(self.flow(), *captures, model_dir, schedule, verbose=0)
        return model, model_dir

    @pytest.fixture(scope="class")
    def export(self, training, tmp_path_factory):
        """The trained flow and its SavedModel."""
        model, _ = training
        base_dir = tmp_path_factory.mktemp(self.letter) / "flow"
        return Served(model, nf.export_saved_model(model, base_dir))

    # A width of 4 folds, one of 3 does not.
    @pytest.mark.parametrize("width", [3, 4])
    def test_inverse_and_log_det_are_exact(self, width):
        model = moved(self.flow(dtype=tf.float64), by=0.1)
        shape = (3, width, 4)
        noise, given = tf.constant(images(shape, scale=0.1)), conditions((), shape)
        expected = log_det_by_autodiff(model(**repeated(given, noise)).bijector.inverse, noise)
        bijector = model(**given).bijector
        z = bijector.inverse(noise)
        # float64: some thousand roundings of 1e-16, stretched by scales of up to 1e3.
        np.testing.assert_allclose(
            bijector.inverse_log_det_jacobian(noise, 3), expected, rtol=1e-10
        )
        np.testing.assert_allclose(
            bijector.forward_log_det_jacobian(tf.identity(z), 3), -expected, rtol=1e-10
        )
        np.testing.assert_allclose(bijector.forward(tf.identity(z)), noise, atol=1e-11, rtol=0)

    @pytest.mark.parametrize("method", METHODS)
    def test_folded_form_is_the_plain_one(self, method, monkeypatch):
        runs, run = [], forms._run_folded
        monkeypatch.setattr(forms, "_run_folded", lambda *a: runs.append(a[0]) or run(*a))
        # Between flow steps, where layers fold that gain nothing by themselves too.
        flow = moved(self.flow(f"A-{self.letter}-A", dtype=tf.float64), by=0.1)
        layers = list(flow.layers.values())
        if method == "forward_and_log_det":
            layers.reverse()
        given = conditions((3,), (4, 8, 4))
        x = tf.constant(images((3, 4, 8, 4)))

        def needed(bijector):
            return {name: given[name] for name in given if name in bijector.conditions}

        value, log_det = getattr(flow.bijector, method)(x, **needed(flow.bijector))
        folded = runs.pop()
        assert not runs
        assert [layer.name for layer in folded] == [layer.name for layer in layers]
        expected, total = x, 0.0
        for layer in layers:
            expected, of_layer = getattr(layer, method)(expected, **needed(layer))
            total += of_layer
        assert not runs, "a layer alone runs in the plain form"
        # float64: sums of some hundred products in another order.
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(log_det, total, rtol=1e-11)

    def test_training_lowers_the_loss_and_moves_every_variable(self, training):
        model, model_dir = training
        history = read_history(model_dir)
        assert history[-1]["step"] == STEPS
        assert history[-1]["loss"] < history[0]["loss"] - 0.1
        assert history[-1]["val_loss"] < history[0]["val_loss"] - 0.1
        layers = self.layers_of_letter(model)
        start = self.layers_of_letter(self.flow())
        for layer, before in zip(layers, start, strict=True):
            pairs = zip(layer.trainable_variables, before.trainable_variables, strict=True)
            for variable, initial in pairs:
                assert np.any(variable != initial), f"{variable.name} has not moved"
        assert any(layer.trainable_variables for layer in layers)

    def test_evaluation_reports_it(self, training, captures):
        model, _ = training
        report = nf.evaluate(model, captures[1])
        scores = report["models"]["noise_flow"]
        assert scores["name"] == self.architecture
        assert scores["parameters"] == model.number_of_parameters
        assert np.isfinite([scores["kl"], scores["kl_paper"]]).all()
        block = captures[1].read(0, len(captures[1]))
        noise = model(block.clean, iso=block.iso, camera=block.camera)
        nll = -tf.reduce_mean(noise.log_prob(block.noise)) / block.noise[0].size
        # Float32's sums of 256 values.
        assert scores["nll"] == pytest.approx(float(nll), abs=1e-5)

    def test_saved_and_loaded_it_is_the_same(self, training, captures, tmp_path):
        model, _ = training
        nf.save_model(model, tmp_path / "model", {"file": "simulated"})
        loaded = nf.load_model(tmp_path / "model")
        assert loaded.get_config() == model.get_config()
        block = captures[1].read(0, 9)
        given = {"clean": block.clean, "iso": block.iso, "camera": block.camera}
        np.testing.assert_array_equal(
            loaded(**given).log_prob(block.noise), model(**given).log_prob(block.noise)
        )

    def test_export_answers_as_the_model(self, export):
        signatures = tf.saved_model.load(export.path).signatures
        for signature, request in self.requests():
            answer = signatures[signature](**{k: tf.constant(v) for k, v in request.items()})
            for name, expected in export.expected(signature, request).items():
                assert_same(answer[name], expected, f"{signature} {name}")

    def test_export_runs_in_cpp(self, export, program, tmp_path):
        requests = self.requests()
        answers = native.answers(program, export.path, requests, tmp_path)
        for (signature, request), answer in zip(requests, answers, strict=True):
            for name, expected in export.expected(signature, request).items():
                assert_same(answer[name], expected, f"{signature} {name}")

    def requests(self) -> list[tuple[str, dict]]:
        """(signature, inputs) at the ISOs, of widths that fold and do not."""
        return [
            (signature, good(signature, len(self.isos), 6, width) | {"iso": np.float32(self.isos)})
            for signature in SIGNATURES
            for width in (7, 8)
        ]

    def layers_of_letter(self, flow: nf.NoiseFlow) -> list:
        """The layers that the letter stands for where it stands first."""
        return [flow.layers[name] for name in self.flow(self.letter).layers]
