"""Evaluates a trained noise model on captures, beside its baselines.

python -m train.evaluate --model_dir=D --captures=G.h5 --output_dir=O

Writes O/report.html, O/report.md, O/report.json and the report's pictures.
"""

from __future__ import annotations

import os

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.progress import Progress

from . import _command, _inputs

FLAGS = flags.FLAGS
flags.DEFINE_string("model_dir", None, "What train.noise_flow wrote, or phones.", required=True)
flags.DEFINE_string("captures", None, "A capture file.", required=True)
flags.DEFINE_string("output_dir", None, "Where the report goes.", required=True)
flags.DEFINE_list("compare", [], "Trained models beside it: NAME=MODEL_DIR.")
flags.DEFINE_integer("seed", 0, "Of the dequantisation and of the models' draws.")
flags.DEFINE_integer(
    "batch_size", None, "Patches at a time. Default: about a million values.", lower_bound=1
)
flags.DEFINE_bool("jit_compile", False, "Whether XLA compiles likelihoods and draws.")
_inputs.are_model_dirs("model_dir")
_inputs.are_capture_files("captures")
_inputs.are_named_model_dirs("compare")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.evaluation import measure
    from tfp_noiseflow.models import load_baselines, load_named_models
    from tfp_noiseflow.reporting import write_report
    from tfp_noiseflow.reporting.markdown import models_table

    baselines, compared = load_baselines(FLAGS.model_dir), load_named_models(FLAGS.compare)
    if taken := {*baselines} & {*compared}:
        raise ValueError(
            f"expected --compare=NAME=MODEL_DIR, each of another NAME than those of the baselines "
            f"{sorted(baselines)}, received {sorted(taken)}."
        )
    with Progress("patches", "evaluating") as progress:
        measurement = measure(
            nf.load_model(FLAGS.model_dir),
            FLAGS.captures,
            baselines={**baselines, **compared},
            seed=FLAGS.seed,
            batch_size=FLAGS.batch_size,
            jit_compile=FLAGS.jit_compile,
            on_progress=progress,
        )
    print(models_table(measurement.report))
    paths = write_report(measurement, FLAGS.output_dir, model_dir=FLAGS.model_dir)
    names = ", ".join(map(os.path.basename, paths))
    _command.wrote(f"{os.path.join(FLAGS.output_dir, '')}: {names}")
    print(f"Next: open {os.path.join(FLAGS.output_dir, 'report.html')}.")


if __name__ == "__main__":
    _command.run(main)
