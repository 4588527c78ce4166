"""The paper's tables 1 and 2 and figures 4 to 7, on any captures.

    python -m train.paper_experiment --captures=C --output_dir=O

C is a folder with train.h5, test.h5 and, if there is one, validation.h5 (`train.simulate_captures`
and `train.import_sidd` write such folders), or one capture file. What is missing is split off: by
scene, or where there are too few, at random, which tables.md says. Goes on where it was stopped:
trained models are kept in O/<architecture>-<seed>, reports in O/report-<seed>.

O/tables.md: tables 1 and 2. O/training_of_models.png: figure 4. O/report-<seed>: patches.png is
figure 5, beta.png figure 6, gain.png figure 7.
"""

from __future__ import annotations

import contextlib
import json
import os

import tensorflow as tf
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.captures.about import about_captures
from tfp_noiseflow.captures.dataset import epoch_steps
from tfp_noiseflow.captures.split import split_captures
from tfp_noiseflow.evaluation import measure, negative_log_likelihood
from tfp_noiseflow.models import load_baselines, untrained_model
from tfp_noiseflow.models.model_directory import model_digest, read_history
from tfp_noiseflow.reporting import paper_tables, plots, write_report
from tfp_noiseflow.reporting.paper_tables import TABLE_1
from tfp_noiseflow.training.train_noise_model import DEFAULT_STEPS
from tfp_noiseflow.training.validation_kl import ValidationKl

FLAGS = flags.FLAGS

flags.DEFINE_string("captures", None, "A folder of capture files or one file.", required=True)
flags.DEFINE_string("output_dir", None, "Models, reports, tables.", required=True)
flags.DEFINE_list(
    "architectures",
    ["S-G", "S-G-CAM", "S-Ax1-G-Ax1-CAM", "S-Ax4-G-Ax4-CAM"],
    "The last one is the reports' model, the others are compared with it. A model directory stands "
    "for its flow's layers, trained anew.",
)
flags.DEFINE_list("compare", [], "Trained models beside them: NAME=MODEL_DIR.")
flags.DEFINE_list("seeds", ["0", "1"], "Of the initial weights and of the order of the data.")
flags.DEFINE_integer(
    "epochs",
    None,
    "As in train.noise_flow, but by default at least 10: the figures' points.",
    lower_bound=1,
)
flags.DEFINE_integer("batch_size", 138, "As in train.noise_flow.")
flags.DEFINE_float("learning_rate", 3e-2, "As in train.noise_flow.")
flags.DEFINE_enum("decay", "cosine", ["cosine", "constant"], "As in train.noise_flow.")
flags.DEFINE_bool(
    "validate_on_test",
    False,
    "Whether the test captures pick the best epochs, as in the paper, and all others are trained "
    "on. A folder with validation.h5 is refused.",
)

FEWEST_EPOCHS = 10


def read_splits() -> tuple[dict[str, nf.Captures], str]:
    """Training, validation and test captures, and which were split off and how."""
    if not os.path.isdir(FLAGS.captures):
        captures = nf.read_captures(FLAGS.captures)
        if FLAGS.validate_on_test:
            (train, test), how = split_captures(captures, (0.8, 0.2))
            splits = {"train": train, "validation": test, "test": test}
            return splits, f"Training and test captures were split {how}; the test's validate."
        parts, how = split_captures(captures, (0.7, 0.1, 0.2))
        splits = dict(zip(("train", "validation", "test"), parts, strict=True))
        return splits, f"Training, validation and test captures were split {how}."
    train, validation, test = (
        os.path.join(FLAGS.captures, f"{split}.h5") for split in ("train", "validation", "test")
    )
    captures = {"train": nf.read_captures(train), "test": nf.read_captures(test)}
    if FLAGS.validate_on_test:
        if os.path.exists(validation):
            raise ValueError(
                f"{validation}: expected none with --validate_on_test, which trains on all but the "
                "test captures; these would be left out."
            )
        return {**captures, "validation": captures["test"]}, "The test captures validate."
    if os.path.exists(validation):
        splits = {**captures, "validation": nf.read_captures(validation)}
        return splits, "Training, validation and test captures are three files."
    parts, how = split_captures(captures["train"], (7 / 8, 1 / 8))
    splits = {**captures, "train": parts[0], "validation": parts[1]}
    return splits, f"Validation captures were split off the training captures {how}."


def train(architecture: str, seed: int, splits: dict[str, nf.Captures]) -> str:
    """Trains a flow, or finds it trained; returns its model directory."""
    captures = splits["train"]
    model = untrained_model(
        architecture,
        cameras=captures.cameras,
        iso_levels=captures.iso_levels,
        channels=captures.image_shape[-1],
        seed=seed,
    )
    model_dir = os.path.join(FLAGS.output_dir, f"{model.architecture}-{seed}")
    print(f"{model_dir}: {model}", flush=True)
    steps = epoch_steps(captures, FLAGS.batch_size)
    schedule = nf.Schedule(
        epochs=FLAGS.epochs or max(FEWEST_EPOCHS, round(DEFAULT_STEPS / steps)),
        batch_size=FLAGS.batch_size,
        learning_rate=FLAGS.learning_rate,
        decay=FLAGS.decay,
        seed=seed,
    )
    nf.train_noise_model(model, captures, splits["validation"], model_dir, schedule, verbose=2)
    return model_dir


def compare(seed: int, splits: dict[str, nf.Captures]) -> tuple[dict, dict, dict[str, str]]:
    """Trains all architectures with a seed and writes a report, or finds it written.

    Returns:
      The report, that of the best models by KL, and the model directories.
    """
    folders = {name: train(name, seed, splits) for name in FLAGS.architectures}
    last = FLAGS.architectures[-1]
    to_compare = models_to_compare()
    output_dir = os.path.join(FLAGS.output_dir, f"report-{seed}")
    by_kl_path = os.path.join(output_dir, "best_kl.json")
    about = {
        "test": about_captures(splits["test"]),
        "models": [
            model_digest(nf.load_model(folder, kind=kind))
            for folder in folders.values()
            for kind in ("best", "best_kl")
        ],
        "compared": {name: model_digest(model) for name, model in to_compare.items()},
    }
    # The last file to be written: where it is, the report is whole.
    if os.path.exists(by_kl_path):
        with open(by_kl_path, encoding="utf-8") as file:
            found = json.load(file)
        if found["about"] == about:
            with open(os.path.join(output_dir, "report.json"), encoding="utf-8") as file:
                return json.load(file), found["report"], folders
        os.remove(by_kl_path)

    def measured(kind, baselines):
        models = {name: nf.load_model(folders[name], kind=kind) for name in FLAGS.architectures}
        own = models.pop(last)
        return measure(own, splits["test"], baselines={**baselines, **models})

    measurement = measured("best", {**load_baselines(folders[last]), **to_compare})
    write_report(measurement, output_dir, model_dir=folders[last])
    by_kl = measured("best_kl", {}).report
    write_json(by_kl_path, {"about": about, "report": by_kl})
    return measurement.report, by_kl, folders


def models_to_compare() -> dict[str, nf.NoiseModel]:
    """The models of --compare by name."""
    taken = {*FLAGS.architectures, *TABLE_1, "true_nlf", "noise_flow"}
    models = {}
    for text in FLAGS.compare:
        name, _, path = text.partition("=")
        if not path or name in taken:
            raise ValueError(
                f"expected --compare=NAME=MODEL_DIR, each of another NAME than {sorted(taken)}, "
                f"received {text!r}."
            )
        models[name] = nf.load_model(path)
        taken.add(name)
    return models


def baseline_levels(folder: str, validation: nf.Captures) -> dict[str, dict[str, float]]:
    """Figure 4's levels of the baselines that know all of the validation captures.

    Returns:
      `val_loss` and `val_kl`, as a training logs them: the figure by baseline.
    """
    models = load_baselines(folder)
    if validation.nlf is not None:
        models["camera_nlf"] = nf.CameraNLF.from_reported(validation)
    levels = {"val_loss": {}, "val_kl": {}}
    for name, model in models.items():
        # A fitted NLF knows the pairs of camera and ISO that it was fitted on. Anything else is
        # no reason to leave a level out.
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            nll = float(negative_log_likelihood(model, validation).mean())
            kl = ValidationKl(model, validation, batch_size=FLAGS.batch_size).kl()
            levels["val_loss"][name], levels["val_kl"][name] = nll, kl
    return levels


def main(argv: list[str]) -> None:
    del argv
    splits, how = read_splits()
    results = [compare(int(seed), splits) for seed in FLAGS.seeds]
    reports, by_kl, folders = zip(*results, strict=True)
    own = folders[0][FLAGS.architectures[-1]]
    architecture = nf.load_model(own).architecture
    tables = paper_tables(reports, architecture, by_kl=by_kl)
    text = f"# Noise Flow's experiment\n\n{how}\n\n{tables}"
    path = os.path.join(FLAGS.output_dir, "tables.md")
    write_text(path, text)
    histories = {
        os.path.basename(folder): plots.history_columns(read_history(folder))
        for folder in folders[0].values()
    }
    plots.plot_trainings(
        histories,
        os.path.join(FLAGS.output_dir, "training_of_models.png"),
        levels=baseline_levels(own, splits["validation"]),
    )
    print(f"{text}\nWrote {path} and a report a seed in {FLAGS.output_dir}.")


if __name__ == "__main__":
    app.run(main)
