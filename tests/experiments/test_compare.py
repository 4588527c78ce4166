"""The comparison of architectures: what it trains, what it writes, and what it does not redo."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.scripts import run
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.experiments import ArchitectureComparison, read_splits
from tfp_noiseflow.experiments.operations import Operations, median_seconds

STEP = 1 / 255
FIGURES = {
    "name", "in_words", "parameters", "likelihood", "nll", "nll_range_over_seeds",
    "nll_above_truth", "minus_first", "paired_standard_error", "kl", "horizontal", "vertical",
    "row_correlation", "excess_kurtosis_given_clean", "tails", "milliseconds_a_training_step",
    "milliseconds_a_sampled_patch", "is_on_front",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Captures of codes whose noise has a law of its own for either camera."""
    folder = tmp_path_factory.mktemp("captures")
    for seed, (name, count) in enumerate({"train": 48, "validation": 12, "test": 24}.items()):
        rng = np.random.default_rng(seed)
        clean = rng.uniform(0, 0.5, [count, 8, 8, 4])
        camera = np.arange(count) % 2
        iso = np.array([100, 400, 1600])[np.arange(count) // 2 % 3]
        beta1, beta2 = np.array([3e-6, 1e-5])[camera] * iso, 1e-10 * iso**2 + 1e-5
        variance = beta1[:, None, None, None] * clean + beta2[:, None, None, None]
        noisy = np.clip(
            np.round((clean + variance**0.5 * rng.normal(size=clean.shape)) / STEP), 0, 255
        )
        names = np.array(["A", "B"])[camera]
        path = folder / f"{name}.h5"
        nf.write_captures(path, noisy * STEP, clean, iso, names, quantization_step=STEP)
    nf.save_model(nf.GaussianNoise(0.03), folder / "flat", {})
    nf.save_model(nf.NoiseFlow("S-G-CAM", ("Z",), (100,)), folder / "other", {})
    return folder


def compare(folder, output_dir, architectures, **options):
    return ArchitectureComparison(
        read_splits(folder),
        output_dir,
        nf.Schedule(epochs=2, batch_size=16),
        architectures=architectures,
        verbose=0,
        **options,
    )


# Four trainings.
@pytest.fixture(scope="module")
def compared(folder, tmp_path_factory):
    """The output folder of two architectures and two seeds, and the text."""
    output_dir = tmp_path_factory.mktemp("compared")
    beside = {"flat": nf.load_model(folder / "flat"), "other": nf.load_model(folder / "other")}
    comparison = compare(folder, output_dir, ["S-G-CAM", "S-G"], compared=beside)
    return output_dir, comparison.run([0, 1])


@pytest.mark.slow
def test_every_model_has_every_figure(compared):
    output_dir, _ = compared
    assert {path.name for path in output_dir.iterdir()} == {
        "S-G-CAM-0", "S-G-CAM-1", "S-G-0", "S-G-1",
        "comparison.json", "comparison.md", "comparison.png",
    }  # fmt: skip
    content = json.loads((output_dir / "comparison.json").read_text())
    rows = {row["name"]: row for row in content["models"]}
    # The other knows another camera.
    assert set(rows) == {"S-G-CAM", "S-G", "flat", "recalibrated_nlf"}
    assert content["first"] == "S-G-CAM" and content["seeds"] == [0, 1]
    assert [row["nll"] for row in content["models"]] == sorted(r["nll"] for r in rows.values())
    for row in rows.values():
        assert set(row) == FIGURES
        assert row["milliseconds_a_training_step"] > 0 and row["milliseconds_a_sampled_patch"] > 0
        assert row["nll_above_truth"] is None and content["truth"] is None
        assert len(row["tails"]) == 2
    assert rows["flat"]["nll_range_over_seeds"] == 0 < rows["S-G-CAM"]["nll_range_over_seeds"]
    assert rows["S-G-CAM"]["minus_first"] is None
    for name in ("S-G", "flat"):
        expected = rows[name]["nll"] - rows["S-G-CAM"]["nll"]
        assert rows[name]["minus_first"] == pytest.approx(expected, abs=1e-6)
        assert rows[name]["paired_standard_error"] > 0
    # Six steps from noise of full scale are few.
    assert rows["recalibrated_nlf"]["nll"] < rows["flat"]["nll"]


@pytest.mark.slow
def test_figures_are_those_of_the_models_that_were_trained(folder, compared):
    output_dir, _ = compared
    (row,) = (
        row
        for row in json.loads((output_dir / "comparison.json").read_text())["models"]
        if row["name"] == "S-G"
    )
    captures = nf.read_captures(folder / "test.h5")
    models = [nf.load_model(output_dir / f"S-G-{seed}") for seed in (0, 1)]
    nll = [negative_log_likelihood(model, captures).mean() for model in models]
    assert row["nll"] == pytest.approx(np.mean(nll), abs=1e-6)
    assert row["nll_range_over_seeds"] == pytest.approx(np.ptp(nll), abs=1e-6)
    assert row["parameters"] == sum(v.numpy().size for v in models[0].trainable_variables)


@pytest.mark.slow
def test_the_front_is_of_models_that_no_other_beats_in_both(compared):
    rows = json.loads((compared[0] / "comparison.json").read_text())["models"]
    cost = "milliseconds_a_sampled_patch"
    for row in rows:
        beaten = any(o["nll"] < row["nll"] and o[cost] < row[cost] for o in rows)
        assert row["is_on_front"] != beaten
    assert rows[0]["is_on_front"], "the likeliest"


@pytest.mark.slow
def test_the_text_has_a_row_a_model_and_says_what_they_are(compared):
    output_dir, text = compared
    assert (output_dir / "comparison.md").read_text() == text
    for name in ("S-G-CAM", "S-G", "flat", "recalibrated NLF", "captured noise"):
        assert sum(line.startswith(f"| {name} ") for line in text.splitlines()) == 1
    assert "- **S-G**: a flow, noise first: signal-dependent layer; gain layer." in text
    assert "three files. Means over the seeds 0, 1." in text
    assert (output_dir / "comparison.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_what_is_finished_is_not_trained_again(folder, compared):
    output_dir, text = compared
    kept = [output_dir / f"{name}-0" / "history.csv" for name in ("S-G-CAM", "S-G")]
    before = [path.stat().st_mtime_ns for path in kept]
    figures = {
        row["name"]: row["nll"]
        for row in json.loads((output_dir / "comparison.json").read_text())["models"]
    }
    # One architecture more, of one of the seeds.
    compare(folder, output_dir, ["S-G-CAM", "S-G", "Ax1"]).run([0])
    assert [path.stat().st_mtime_ns for path in kept] == before
    content = json.loads((output_dir / "comparison.json").read_text())
    rows = {row["name"]: row["nll"] for row in content["models"]}
    assert set(rows) == {"S-G-CAM", "S-G", "Ax1", "recalibrated_nlf"}
    # The recalibrated NLF has no seed; other figures were means of two, of which this is one.
    assert rows["recalibrated_nlf"] == pytest.approx(figures["recalibrated_nlf"], abs=1e-6)
    assert text != (output_dir / "comparison.md").read_text()


@pytest.mark.slow  # A training, an evaluation and three models to time.
def test_models_of_codes_stand_beside_one_of_dequantised_noise(folder, tmp_path):
    beside = {"flat": nf.load_model(folder / "flat")}
    text = compare(folder, tmp_path, ["L"], clips=["black", "white"], compared=beside).run([0])
    content = json.loads((tmp_path / "comparison.json").read_text())
    kinds = {row["name"]: row["likelihood"] for row in content["models"]}
    assert kinds == {"L": "codes", "flat": "dequantised", "recalibrated_nlf": "codes"}
    assert all(set(row) == FIGURES for row in content["models"])
    assert (tmp_path / "comparison.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "codes that a sensor stores, clipped at black and white" in text


@pytest.mark.parametrize(
    ("architectures", "name"),
    [([], None), (["L", "L"], None), (["L"], "L"), (["L"], "recalibrated_nlf"), (["L"], "real")],
)
def test_what_cannot_be_told_apart_is_refused(folder, tmp_path, architectures, name):
    compared = {} if name is None else {name: nf.GaussianNoise()}
    with pytest.raises(ValueError, match=r"each once|each of another NAME"):
        compare(folder, tmp_path / "out", architectures, compared=compared)
    assert not (tmp_path / "out").exists()


def test_training_captures_need_validation_captures(folder, tmp_path):
    done = run(
        "compare",
        captures=folder / "test.h5",
        train_captures=folder / "train.h5",
        architectures="L",
        output_dir=tmp_path / "out",
    )
    assert done.returncode != 0
    assert "expected --train_captures and --validation_captures, or neither" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow  # A training.
def test_the_command_writes_the_table(folder, tmp_path):
    done = run(
        "compare",
        captures=folder / "test.h5",
        train_captures=folder / "train.h5",
        validation_captures=folder / "validation.h5",
        architectures="S-G",
        compare=f"flat={folder / 'flat'}",
        stored=True,
        epochs=1,
        output_dir=tmp_path,
        verbose=0,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "comparison.md").read_text() in done.stdout


def test_operations_are_those_of_training_evaluation_and_sampling():
    rng = np.random.default_rng(0)
    captures = {
        "clean": tf.constant(rng.uniform(0.1, 0.5, [6, 4, 4, 4]), tf.float32),
        "noise": tf.constant(rng.normal(0, 0.02, [6, 4, 4, 4]), tf.float32),
        "iso": tf.fill([6], 100.0),
        "camera": tf.zeros([6], tf.int32),
    }
    model = nf.GaussianNoise(0.03)
    operations = Operations(model, captures)
    expected = -model(captures["clean"]).log_prob(captures["noise"]) / 64
    np.testing.assert_allclose(operations.nll(), np.mean(expected), rtol=1e-5)
    sample = operations.sample()
    assert sample.shape == [6, 4, 4, 4] and np.std(sample) == pytest.approx(0.03, rel=0.2)
    before = float(model.sigma)
    operations.train()
    assert float(model.sigma) < before, "towards the captures' 0.02"


def test_calls_are_timed_in_turn():
    calls = []

    def function(name):
        return lambda: calls.append(name) or tf.zeros([2, 2])

    found = median_seconds({name: function(name) for name in "ab"}, rounds=3, warm_up=2)
    assert calls == list("aabb") + list("ababab")
    assert set(found) == {"a", "b"} and min(found.values()) > 0
