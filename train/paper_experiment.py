"""Trains several architectures with several seeds and compares them in one table.

    python -m train.paper_experiment --train_captures=F.h5 --validation_captures=V.h5 \
        --test_captures=G.h5 --output_dir=O

Goes on where it was stopped: trained models are kept in O/<architecture>-<seed>.
"""

from __future__ import annotations

import os

import numpy as np
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_text
from tfp_noiseflow.evaluation import measure, write_report
from tfp_noiseflow.models import load_baselines, untrained_model

FLAGS = flags.FLAGS

flags.DEFINE_string("train_captures", None, "Capture file to train on.", required=True)
flags.DEFINE_string("validation_captures", None, "Picks the best checkpoints.", required=True)
flags.DEFINE_string("test_captures", None, "Capture file to compare on.", required=True)
flags.DEFINE_string("output_dir", None, "Models, a report a seed, table.md.", required=True)
flags.DEFINE_list(
    "architectures",
    ["S-G", "S-G-CAM", "S-Ax4-G-Ax4-CAM"],
    "The last one is the report's model, the others are compared with it. A model directory stands "
    "for its flow's layers, trained anew.",
)
flags.DEFINE_list("compare", [], "Trained models beside them: NAME=MODEL_DIR.")
flags.DEFINE_list("seeds", ["0", "1"], "Of the initial weights and of the order of the data.")
flags.DEFINE_integer("epochs", None, "As in train.noise_flow.")
flags.DEFINE_integer("batch_size", 138, "As in train.noise_flow.")
flags.DEFINE_float("learning_rate", 3e-2, "As in train.noise_flow.")


def train(architecture: str, seed: int) -> tuple[nf.NoiseModel, str]:
    captures = nf.read_captures(FLAGS.train_captures)
    if os.path.isdir(architecture):
        model = untrained_model(architecture, seed=seed)
    else:
        model = nf.NoiseFlow(
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
    validation = nf.read_captures(FLAGS.validation_captures)
    return nf.train_noise_model(model, captures, validation, model_dir, schedule, verbose=2), (
        model_dir
    )


def compare(seed: int) -> dict:
    """Trains all architectures with a seed, writes a report, returns it."""
    trained = {}
    for architecture in FLAGS.architectures:
        trained[architecture], model_dir = train(architecture, seed)
    others = {name: trained[name] for name in FLAGS.architectures[:-1]}
    others |= {name: nf.load_model(path) for name, path in map(_name_and_path, FLAGS.compare)}
    measurement = measure(
        trained[FLAGS.architectures[-1]],
        nf.read_captures(FLAGS.test_captures),
        baselines={**load_baselines(model_dir), **others},
    )
    output_dir = os.path.join(FLAGS.output_dir, f"report-{seed}")
    write_report(measurement, output_dir, model_dir=model_dir)
    return measurement.report


def _name_and_path(text: str) -> list[str]:
    if text.count("=") != 1:
        raise ValueError(f"expected --compare=NAME=MODEL_DIR, received {text!r}.")
    return text.split("=")


def table(reports: list[dict]) -> str:
    """Mean over seeds of every figure, and the largest difference between seeds."""
    lines = [
        "| model | NLL, nats/dim (spread over seeds) | minus the last, paired SE | kl | kl_paper |",
        "|---|---|---|---|---|",
    ]
    last = FLAGS.architectures[-1]
    names = [n for n, entry in reports[0]["models"].items() if entry["nll"] is not None]

    def mean(name, figure):
        return np.mean([report["models"][name][figure] for report in reports])

    for name in sorted(names, key=lambda name: -mean(name, "nll")):
        spread = np.ptp([report["models"][name]["nll"] for report in reports])
        rows = [r for report in reports for r in report["differences"] if r["baseline"] == name]
        difference = "-"
        if rows:
            difference = (
                f"{-np.mean([row['nll'] for row in rows]):+.4f} "
                f"± {np.mean([row['paired_standard_error'] for row in rows]):.4f}"
            )
        label = last if name == "noise_flow" else name
        lines.append(
            f"| {label} | {mean(name, 'nll'):.4f} ({spread:.4f}) | {difference} | "
            f"{mean(name, 'kl'):.4f} | {mean(name, 'kl_paper'):.4f} |"
        )
    floor = reports[0]["floor"]
    if floor["kl"] is not None:
        lines.append(f"| truth (floor) | | | {floor['kl']:.4f} | {floor['kl_paper']:.4f} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    del argv
    text = table([compare(int(seed)) for seed in FLAGS.seeds])
    path = os.path.join(FLAGS.output_dir, "table.md")
    write_text(path, text)
    print(f"{text}\nWrote {path} and a report a seed in {FLAGS.output_dir}.")


if __name__ == "__main__":
    app.run(main)
