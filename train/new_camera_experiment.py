"""Leaves one camera out in turn, adds it with few captures, and compares.

    python -m train.new_camera_experiment --train_captures=F.h5 --validation_captures=V.h5
      --test_captures=G.h5 --output_dir=O

NLL on the left out camera's test captures: of the flow of the other cameras with this one added
from few captures, of the flow that had it from the start, and of its recalibrated NLF.
O/new_camera.json and O/table.md hold all cameras that are done, a row for each number of captures.
Goes on where it was stopped: trained models are kept in O.
"""

from __future__ import annotations

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.choices import NEW_CAMERA_PATCHES

from . import _command, _inputs, _stored_flags

FLAGS = flags.FLAGS

flags.DEFINE_string("train_captures", None, "Capture file of all cameras.", required=True)
flags.DEFINE_string("validation_captures", None, "Picks the best checkpoints.", required=True)
flags.DEFINE_string("test_captures", None, "Capture file to compare on.", required=True)
flags.DEFINE_string("output_dir", None, "Models, new_camera.json and table.md.", required=True)
flags.DEFINE_string(
    "model_dir",
    None,
    "The flow that has all cameras from the start. Default: trained here.",
)
flags.DEFINE_string(
    "architecture",
    None,
    "Of the flows; it has CAM, N or L. Default: --model_dir's, or S-G-CAM.",
)
flags.DEFINE_list("cameras", None, "To leave out in turn. Default: all of the captures.")
flags.DEFINE_list("patches", list(map(str, NEW_CAMERA_PATCHES)), "Captures of the new camera.")
flags.DEFINE_integer("epochs", None, "Of the flows that have their cameras from the start.")
flags.DEFINE_integer("seed", 0, "Of the weights, the order, and the captures that are picked.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")
flags.adopt_module_key_flags(_stored_flags)
_inputs.are_capture_files("train_captures", "validation_captures", "test_captures")
_inputs.are_model_dirs("model_dir")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.experiments import NewCameraExperiment

    experiment = NewCameraExperiment(
        nf.read_captures(FLAGS.train_captures),
        nf.read_captures(FLAGS.validation_captures),
        nf.read_captures(FLAGS.test_captures),
        FLAGS.output_dir,
        model_dir=FLAGS.model_dir,
        architecture=FLAGS.architecture,
        clips=_stored_flags.clips(),
        patches=[int(count) for count in FLAGS.patches],
        epochs=FLAGS.epochs,
        seed=FLAGS.seed,
        verbose=FLAGS.verbose,
    )
    print(experiment.run(FLAGS.cameras))
    _command.wrote(FLAGS.output_dir)


if __name__ == "__main__":
    _command.run(main)
