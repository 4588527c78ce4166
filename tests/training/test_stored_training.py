"""Training, evaluation and report of models of stored codes, on simulated sensor captures."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.scripts import run
from tfp_noiseflow.evaluation.likelihood import negative_log_likelihood
from tfp_noiseflow.models import load_baselines
from tfp_noiseflow.simulation.simulate_captures import make_process, simulate_captures
from tfp_noiseflow.simulation.truth import true_negative_log_likelihood
from tfp_noiseflow.training.pixelwise_start import start_at_pixelwise_fit

ISOS = (100, 3200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("stored")
    process = make_process("sensor", iso_levels=ISOS)
    for split, patches in (("train", 8), ("validation", 2), ("test", 2)):
        simulate_captures(
            found / f"{split}.h5",
            process=process,
            split=split,
            patches_per_combination=patches,
            patch_size=16,
            repeat=split == "test",
        )
    return found


@pytest.fixture(scope="module")
def trained(folder):
    """The folder of a model and what the commands printed."""
    splits = {f"{split}_captures": folder / f"{split}.h5" for split in ("train", "validation")}
    done = run(
        "noise_flow",
        **splits,
        architecture="L-Ax1",
        stored="true",
        epochs=2,
        batch_size=20,
        model_dir=folder / "model",
        verbose=2,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout
    done = run(
        "evaluate",
        model_dir=folder / "model",
        captures=folder / "test.h5",
        output_dir=folder / "report",
    )
    assert done.returncode == 0, done.stderr
    return folder, told


def test_a_model_of_codes_is_saved_with_its_step_and_ends(trained):
    folder, told = trained
    model = nf.load_model(folder / "model")
    assert isinstance(model, nf.StoredNoise) and not model.dequantises
    assert model.quantization_step == pytest.approx(1 / 959)
    assert model.clips_black and model.clips_white
    assert "Starts at the law of" in told


def test_the_report_compares_bounds_with_the_exact_truth(trained):
    folder, _ = trained
    report = json.loads((folder / "report" / "report.json").read_text())
    models, truth = report["models"], report["floor"]["nll"]
    with nf.read_captures(folder / "test.h5") as captures:
        assert truth == pytest.approx(true_negative_log_likelihood(captures).mean())
        model = nf.load_model(folder / "model")
        nll = negative_log_likelihood(model, captures).mean()
    assert models["noise_flow"]["nll"] == pytest.approx(nll, abs=1e-6)
    kinds = {name: entry["likelihood"] for name, entry in models.items()}
    assert kinds["noise_flow"] == "bound of codes" and kinds["recalibrated_nlf"] == "codes"
    assert kinds["true_nlf"] == "dequantised"
    # 20 patches of 1024 values: nothing is better than the truth but by chance, and on the same
    # patches the differences' standard error is some 0.003.
    for name, entry in models.items():
        assert entry["nll"] > truth - 0.01, name
    # What codes and clipping are worth, some 0.1 of it, is in the likelihood of codes alone.
    assert models["recalibrated_nlf"]["nll"] < models["true_nlf"]["nll"] - 0.03
    # Drawn codes are dequantised as the captured ones are: else histograms would have gaps.
    assert models["recalibrated_nlf"]["kl"] < 2 * report["floor"]["kl"] + 0.05
    text = (folder / "report" / "report.md").read_text()
    assert "likelihood of" in text and "above the truth" in text
    assert len(report["floor"]["by_camera_iso"]) == 10


def test_the_pixelwise_layers_are_fitted_first(folder):
    with nf.read_captures(folder / "train.h5") as captures:
        flow = nf.NoiseFlow("S-Ax1-G", captures.cameras, ISOS, seed=0)
        model = nf.StoredNoise(flow, captures.code_steps()["Pixel"])
        steps = [v for name in flow.layers for v in flow.layers[name].variables if "conv" in name]
        before = [v.numpy() for v in steps]
        start = float(negative_log_likelihood(model, captures).mean())
        assert start_at_pixelwise_fit(model, captures) == {}
        fitted = float(negative_log_likelihood(model, captures).mean())
        nlf = nf.CameraNLF.fit(captures, model.sample_codes(captures))
        recalibrated = negative_log_likelihood(model.storing(nlf), captures).mean()
    for variable, value in zip(steps, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    # From noise of full scale to what one law for all cameras reaches, within 0.3 of a table's.
    assert start > 0 and fitted < recalibrated + 0.3


@pytest.mark.slow
def test_the_shape_is_fitted_with_the_laws_and_rows_start_as_a_share_of_them(folder):
    with nf.read_captures(folder / "train.h5") as captures:
        step = captures.code_steps()["Pixel"]
        law, both = (
            nf.StoredNoise(nf.NoiseFlow(architecture, captures.cameras, seed=0), step)
            for architecture in ("L", "L-R-P")
        )
        estimates = start_at_pixelwise_fit(law, captures)
        assert start_at_pixelwise_fit(both, captures).keys() == estimates.keys()
        block = captures.dequantised(False).read(0, len(captures))
        log_prob = [
            np.mean(its(block.clean, iso=block.iso, camera=block.camera)
                    .pixelwise_log_prob(tf.constant(block.noise))) / block.noise[0].size
            for its in (law, both)
        ]  # fmt: skip
    # Skew and tails are worth 0.004 in these captures.
    assert log_prob[1] > log_prob[0] + 0.002
    rows = both.unstored.layers["row_noise"]
    at = {"iso": np.float32(3200), "camera": 0}
    share = np.exp(rows.log_variance.at(**at) - rows.noise.log_beta2.at(**at))
    assert share == pytest.approx(0.02, rel=0.05)


def test_draws_differ_from_step_to_step_and_repeat_with_the_seed(folder):
    with nf.read_captures(folder / "train.h5") as captures:
        block = captures.dequantised(False).read(0, 4)
        model = nf.StoredNoise(nf.NoiseFlow("L-Ax1", captures.cameras, seed=0), 1 / 959)
        batch = {
            "noise": tf.constant(block.noise),
            "clean": tf.constant(block.clean),
            "iso": tf.constant(block.iso),
            "camera": model.known.indices(block.camera),
        }
    laws = [nf.CameraLaw((2e-4, 1e-5), (1e-7, 2e-8, 1e-6), name) for name in model.cameras]
    model.unstored.start_at_laws(laws)
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, (0, 1)))
    trainers = [nf.LikelihoodTrainer(model, seed=seed) for seed in (0, 0, 1)]
    losses = []
    for trainer in trainers:
        trainer.compile("sgd")
        first = trainer(batch, training=True).numpy()
        trainer.optimizer.iterations.assign_add(1)
        losses.append((first, trainer(batch, training=True).numpy()))
    np.testing.assert_array_equal(losses[0][0], losses[1][0])
    assert (losses[0][0] != losses[0][1]).all() and (losses[0][0] != losses[2][0]).all()
    np.testing.assert_array_equal(trainers[0](batch).numpy(), trainers[2](batch).numpy())


def test_captures_of_another_step_are_refused(folder):
    with nf.read_captures(folder / "train.h5") as captures:
        model = nf.StoredNoise(nf.NoiseFlow("L", captures.cameras), 1 / 255)
        with pytest.raises(ValueError, match=r"quantization step of 0\.0039.*received 0\.00104"):
            start_at_pixelwise_fit(model, captures)


def test_the_truth_of_captures_that_no_known_process_made_is_not_known(folder, tmp_path):
    simulate_captures(
        tmp_path / "g.h5", process="gaussian", patches_per_combination=1, patch_size=8
    )
    with nf.read_captures(tmp_path / "g.h5") as captures:
        assert true_negative_log_likelihood(captures) is None
    with nf.read_captures(folder / "test.h5") as captures:
        assert captures.process == "sensor"
        assert true_negative_log_likelihood(captures) is not None
        captures.nlf_true = captures.nlf_true * 1.01
        assert true_negative_log_likelihood(captures) is None


def test_a_new_camera_brings_codes_of_its_own(trained, tmp_path):
    folder, _ = trained
    known = nf.load_model(folder / "model")
    # 8-bit codes of a law that is none of the phones'.
    generator = np.random.default_rng(0)
    clean = np.exp(generator.uniform(np.log(1e-3), 0, (20, 16, 16, 4)))
    noise = generator.standard_normal(clean.shape) * np.sqrt(3e-4 * clean + 2e-6)
    codes = np.clip(np.rint((clean + noise) * 255), 0, 255).astype(np.uint8)
    path = tmp_path / "new.h5"
    options = {"black_level": 0, "white_level": 255, "quantization_step": 1}
    nf.write_captures(path, codes, clean * 255, np.full(20, 400.0), "new", **options)
    with nf.read_captures(path) as captures, pytest.warns(UserWarning, match="captures at ISO"):
        model = nf.finetune_camera(
            folder / "model",
            captures,
            "new",
            tmp_path / "all",
            schedule=nf.Schedule(epochs=2, batch_size=10, learning_rate=1e-2),
            verbose=0,
        )
        nll = negative_log_likelihood(model, captures).mean()
        recalibrated = load_baselines(tmp_path / "all")["recalibrated_nlf"]
        baseline = negative_log_likelihood(recalibrated, captures).mean()
    assert model.cameras == (*known.cameras, "new")
    assert model.quantization_step == pytest.approx([1 / 959] * 5 + [1 / 255])
    # A law fitted by codes at its start; steps that were hardly trained cost little.
    assert abs(nll - baseline) < 0.02
    given = {"iso": 400, "camera": "Pixel"}
    image = np.full((16, 16, 4), 0.1, np.float32)
    expected = known(image, **given).sample(seed=(0, 1))
    np.testing.assert_array_equal(model(image, **given).sample(seed=(0, 1)), expected)
