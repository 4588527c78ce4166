"""The paper's tables 1 and 2 and figures 4 to 7, on any captures.

    python -m train.paper_experiment --captures=C --output_dir=O

C is a folder with train.h5, test.h5 and, if there is one, validation.h5 (`train.simulate_captures`
and `train.import_sidd` write such folders), or one capture file. What is missing is split off by
scene. Goes on where it was stopped: trained models are kept in O/<architecture>-<seed>.

O/tables.md: tables 1 and 2. O/training_of_models.png: figure 4. O/report-<seed>: patches.png is
figure 5, beta.png figure 6, gain.png figure 7.
"""

from __future__ import annotations

import os

import numpy as np
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.captures.split import split_by_scene
from tfp_noiseflow.evaluation import measure, paper_tables, plots, write_report
from tfp_noiseflow.models import load_baselines, untrained_model
from tfp_noiseflow.models.model_directory import read_history

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
flags.DEFINE_integer("epochs", None, "As in train.noise_flow.")
flags.DEFINE_integer("batch_size", 138, "As in train.noise_flow.")
flags.DEFINE_float("learning_rate", 3e-2, "As in train.noise_flow.")


def read_splits() -> dict[str, nf.Captures]:
    """Training, validation and test captures; what is missing is split off by scene."""
    if not os.path.isdir(FLAGS.captures):
        splits = split_by_scene(nf.read_captures(FLAGS.captures), (0.7, 0.1, 0.2))
        return dict(zip(("train", "validation", "test"), splits, strict=True))
    train, validation, test = (
        os.path.join(FLAGS.captures, f"{split}.h5") for split in ("train", "validation", "test")
    )
    captures = {"train": nf.read_captures(train), "test": nf.read_captures(test)}
    if os.path.exists(validation):
        return {**captures, "validation": nf.read_captures(validation)}
    parts = split_by_scene(captures["train"], (7 / 8, 1 / 8))
    return {**captures, "train": parts[0], "validation": parts[1]}


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
    schedule = nf.Schedule(
        epochs=FLAGS.epochs,
        batch_size=FLAGS.batch_size,
        learning_rate=FLAGS.learning_rate,
        seed=seed,
    )
    nf.train_noise_model(model, captures, splits["validation"], model_dir, schedule, verbose=2)
    return model_dir


def compare(seed: int, splits: dict[str, nf.Captures]) -> tuple[dict, dict, dict[str, str]]:
    """Trains all architectures with a seed and writes a report.

    Returns:
      The report, the figures of the best model by KL, and the model directories.
    """
    folders = {name: train(name, seed, splits) for name in FLAGS.architectures}
    own = folders[FLAGS.architectures[-1]]
    others = {name: nf.load_model(folders[name]) for name in FLAGS.architectures[:-1]}
    others |= {name: nf.load_model(path) for name, path in map(_name_and_path, FLAGS.compare)}
    test = splits["test"]
    measurement = measure(nf.load_model(own), test, baselines={**load_baselines(own), **others})
    by_kl = measure(nf.load_model(own, kind="best_kl"), test).report["models"]["noise_flow"]
    output_dir = os.path.join(FLAGS.output_dir, f"report-{seed}")
    write_report(measurement, output_dir, model_dir=own)
    write_json(os.path.join(output_dir, "best_kl.json"), by_kl)
    return measurement.report, by_kl, folders


def _name_and_path(text: str) -> list[str]:
    if text.count("=") != 1:
        raise ValueError(f"expected --compare=NAME=MODEL_DIR, received {text!r}.")
    return text.split("=")


def main(argv: list[str]) -> None:
    del argv
    splits = read_splits()
    results = [compare(int(seed), splits) for seed in FLAGS.seeds]
    reports, by_kl, folders = zip(*results, strict=True)
    architecture = nf.load_model(folders[0][FLAGS.architectures[-1]]).architecture
    figures = {figure: np.mean([entry[figure] for entry in by_kl]) for figure in by_kl[0]
               if isinstance(by_kl[0][figure], float)}  # fmt: skip
    text = "# Noise Flow's experiment\n\n" + paper_tables(reports, architecture, by_kl=figures)
    path = os.path.join(FLAGS.output_dir, "tables.md")
    write_text(path, text)
    histories = {
        os.path.basename(folder): plots.history_columns(read_history(folder))
        for folder in folders[0].values()
    }
    plots.plot_trainings(histories, os.path.join(FLAGS.output_dir, "training_of_models.png"))
    print(f"{text}\nWrote {path} and a report a seed in {FLAGS.output_dir}.")


if __name__ == "__main__":
    app.run(main)
