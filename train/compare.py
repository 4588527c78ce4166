"""Compares architectures on the same captures: likelihood, structure of the noise, and cost.

    python -m train.compare --captures=C --architectures=S-Ax4-G-Ax4-CAM,L-Ax8 --output_dir=O

C is one capture file, which is split, or a folder with train.h5, test.h5 and, if there is one,
validation.h5; with --train_captures and --validation_captures it is the file to compare on. Goes on
where it was stopped: trained models are kept in O/<architecture>-<seed>, and what is finished is
not trained again.

O/comparison.md and comparison.json: NLL with paired standard errors, kl, correlations, tails,
parameters, time. O/comparison.png: NLL against cost.
"""

from __future__ import annotations

import os

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.experiments import ArchitectureComparison, Splits, read_splits
from tfp_noiseflow.models import load_named_models
from train import _schedule_flags, _stored_flags

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_schedule_flags)
flags.adopt_module_key_flags(_stored_flags)

flags.DEFINE_string("captures", None, "A capture file, or a folder of some.", required=True)
flags.DEFINE_string("output_dir", None, "Models, table, picture.", required=True)
flags.DEFINE_list(
    "architectures",
    None,
    "What to compare; differences are to the first one. A model directory stands for its flow's "
    "layers, trained anew.",
    required=True,
)
flags.DEFINE_string("train_captures", None, "Capture file to train on, with the next.")
flags.DEFINE_string("validation_captures", None, "Capture file that picks the best checkpoints.")
flags.DEFINE_list("compare", [], "Trained models beside them: NAME=MODEL_DIR.")
flags.DEFINE_list("seeds", ["0"], "Of the initial weights and of the order of the data.")
flags.DEFINE_integer("verbose", 2, "0: silent, 1: progress bar, 2: a line an epoch.")


def splits() -> Splits:
    """As the flags say."""
    files = (FLAGS.train_captures, FLAGS.validation_captures)
    if not any(files):
        return read_splits(FLAGS.captures)
    if not all(files):
        raise ValueError(
            "expected --train_captures and --validation_captures, or neither, received "
            f"{files[0]} and {files[1]}."
        )
    train, validation = map(nf.read_captures, files)
    how = "Training, validation and test captures are three files."
    return Splits(train, validation, nf.read_captures(FLAGS.captures), how)


def main(argv: list[str]) -> None:
    del argv
    comparison = ArchitectureComparison(
        splits(),
        FLAGS.output_dir,
        _schedule_flags.schedule(),
        architectures=FLAGS.architectures,
        clips=_stored_flags.clips(),
        compared=load_named_models(FLAGS.compare),
        verbose=FLAGS.verbose,
    )
    text = comparison.run([int(seed) for seed in FLAGS.seeds])
    paths = [os.path.join(FLAGS.output_dir, f"comparison.{kind}") for kind in ("md", "json", "png")]
    print(f"{text}\nWrote {', '.join(paths)}.")


if __name__ == "__main__":
    app.run(main)
