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

import os

from absl import flags

from tfp_noiseflow.choices import EXPERIMENT_ARCHITECTURES

from . import _command, _inputs, _schedule_flags, _stored_flags

FLAGS = flags.FLAGS

flags.DEFINE_string("captures", None, "A folder of capture files or one file.", required=True)
flags.DEFINE_string("output_dir", None, "Models, reports, tables.", required=True)
flags.DEFINE_list(
    "architectures",
    list(EXPERIMENT_ARCHITECTURES),
    "The last is the reports' own. A model directory is trained anew.",
)
flags.DEFINE_list("compare", [], "Trained models beside them: NAME=MODEL_DIR.")
flags.DEFINE_list("seeds", ["0", "1"], "Of the initial weights and of the order of the data.")
flags.DEFINE_bool(
    "validate_on_test",
    False,
    "Test captures pick the best epochs, as in the paper; not with a validation.h5.",
)
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")
for _module in (_schedule_flags, _stored_flags):
    flags.adopt_module_key_flags(_module)
_inputs.exist("captures")
_inputs.are_named_model_dirs("compare")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.experiments import PaperExperiment, read_splits
    from tfp_noiseflow.models import load_named_models

    experiment = PaperExperiment(
        read_splits(FLAGS.captures, validates_on_test=FLAGS.validate_on_test),
        FLAGS.output_dir,
        _schedule_flags.schedule(),
        architectures=FLAGS.architectures,
        compared=load_named_models(FLAGS.compare),
        clips=_stored_flags.clips(),
        verbose=FLAGS.verbose,
    )
    text = experiment.run([int(seed) for seed in FLAGS.seeds])
    path = os.path.join(FLAGS.output_dir, "tables.md")
    print(text)
    _command.wrote(f"{path} and a report a seed in {FLAGS.output_dir}")


if __name__ == "__main__":
    _command.run(main)
