"""Compares architectures on the same captures: likelihood, structure of the noise, and cost.

    python -m train.compare --captures=C --architectures=L-R-P,L-Ax8 --stored --output_dir=O

C is one capture file, which is split, or a folder with train.h5, test.h5 and, if there is one,
validation.h5; with --train_captures and --validation_captures it is the file to compare on. Goes on
where it was stopped: trained models are kept in O/<architecture>-<seed>, and what is finished is
not trained again.

O/comparison.md and comparison.json: NLL with paired standard errors, kl, correlations, tails,
parameters, time. O/comparison.png: NLL against cost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from absl import flags

import tfp_noiseflow as nf

from . import _command, _inputs, _schedule_flags, _stored_flags

if TYPE_CHECKING:
    from tfp_noiseflow.experiments import Splits

FLAGS = flags.FLAGS

flags.DEFINE_string("captures", None, "A capture file, or a folder of some.", required=True)
flags.DEFINE_string("output_dir", None, "Models, table, picture.", required=True)
flags.DEFINE_list(
    "architectures",
    None,
    "Differences are to the first; a model directory is trained anew.",
    required=True,
)
flags.DEFINE_string("train_captures", None, "To train on, with --validation_captures.")
flags.DEFINE_string("validation_captures", None, "Picks the best checkpoints.")
flags.DEFINE_list("compare", [], "Trained models beside them: NAME=MODEL_DIR.")
flags.DEFINE_list("seeds", ["0"], "Of the initial weights and of the order of the data.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")
for _module in (_schedule_flags, _stored_flags):
    flags.adopt_module_key_flags(_module)
_inputs.exist("captures")
_inputs.are_capture_files("train_captures", "validation_captures")
_inputs.are_named_model_dirs("compare")


@flags.multi_flags_validator(
    ["train_captures", "validation_captures"],
    "expected --train_captures and --validation_captures, or neither",
)
def _are_both_or_neither(values) -> bool:
    return all(values.values()) or not any(values.values())


def splits() -> Splits:
    """As the flags say."""
    from tfp_noiseflow.experiments import Splits, read_splits

    files = (FLAGS.train_captures, FLAGS.validation_captures)
    if not any(files):
        return read_splits(FLAGS.captures)
    train, validation = map(nf.read_captures, files)
    how = "Training, validation and test captures are three files."
    return Splits(train, validation, nf.read_captures(FLAGS.captures), how)


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.experiments import ArchitectureComparison
    from tfp_noiseflow.models import load_named_models

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
    print(text)
    _command.wrote(", ".join(paths))


if __name__ == "__main__":
    _command.run(main)
