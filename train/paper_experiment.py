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

from absl import app, flags

from tfp_noiseflow.experiments import PaperExperiment, read_splits
from tfp_noiseflow.experiments.paper import ARCHITECTURES
from tfp_noiseflow.models import load_named_models
from train import _schedule_flags, _stored_flags

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_schedule_flags)
flags.adopt_module_key_flags(_stored_flags)

flags.DEFINE_string("captures", None, "A folder of capture files or one file.", required=True)
flags.DEFINE_string("output_dir", None, "Models, reports, tables.", required=True)
flags.DEFINE_list(
    "architectures",
    list(ARCHITECTURES),
    "The last one is the reports' model, the others are compared with it. A model directory stands "
    "for its flow's layers, trained anew.",
)
flags.DEFINE_list("compare", [], "Trained models beside them: NAME=MODEL_DIR.")
flags.DEFINE_list("seeds", ["0", "1"], "Of the initial weights and of the order of the data.")
flags.DEFINE_bool(
    "validate_on_test",
    False,
    "Whether the test captures pick the best epochs, as in the paper, and all others are trained "
    "on. A folder with validation.h5 is refused.",
)


def main(argv: list[str]) -> None:
    del argv
    experiment = PaperExperiment(
        read_splits(FLAGS.captures, validates_on_test=FLAGS.validate_on_test),
        FLAGS.output_dir,
        _schedule_flags.schedule(),
        architectures=FLAGS.architectures,
        compared=load_named_models(FLAGS.compare),
        clips=_stored_flags.clips(),
    )
    text = experiment.run([int(seed) for seed in FLAGS.seeds])
    path = os.path.join(FLAGS.output_dir, "tables.md")
    print(f"{text}\nWrote {path} and a report a seed in {FLAGS.output_dir}.")


if __name__ == "__main__":
    app.run(main)
