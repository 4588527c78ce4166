"""Adds a camera to a trained flow, training that camera's parameters alone.

python -m train.finetune_camera --model_dir=D --captures=F.h5 --camera=NAME --output_model_dir=E
"""

from __future__ import annotations

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.choices import NEW_CAMERA_BATCH_SIZE, NEW_CAMERA_LEARNING_RATE

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "A trained flow with CAM, N or L.", required=True)
flags.DEFINE_string("captures", None, "Capture file of the new camera.", required=True)
flags.DEFINE_string("camera", None, "The new camera's name.", required=True)
flags.DEFINE_string("output_model_dir", None, "Where it goes; resumed if there.", required=True)
flags.DEFINE_string("validation_captures", None, "Pick the best epoch. Default: the captures.")
flags.DEFINE_integer(
    "epochs",
    None,
    "Passes over the captures. Default: about 300 steps.",
    lower_bound=1,
)
flags.DEFINE_integer("batch_size", NEW_CAMERA_BATCH_SIZE, "Captures a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", NEW_CAMERA_LEARNING_RATE, "Adam's, at its highest.")
flags.DEFINE_integer("seed", 0, "Of the order and the dequantisation.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")
_inputs.are_model_dirs("model_dir")
_inputs.are_capture_files("captures", "validation_captures")


def main(argv: list[str]) -> None:
    del argv
    validation = FLAGS.validation_captures
    flow = nf.finetune_camera(
        FLAGS.model_dir,
        nf.read_captures(FLAGS.captures),
        FLAGS.camera,
        FLAGS.output_model_dir,
        validation_captures=None if validation is None else nf.read_captures(validation),
        schedule=nf.Schedule(
            epochs=FLAGS.epochs,
            batch_size=FLAGS.batch_size,
            learning_rate=FLAGS.learning_rate,
            seed=FLAGS.seed,
        ),
        verbose=FLAGS.verbose,
    )
    print(flow)
    _command.wrote(FLAGS.output_model_dir)
    _command.advise(
        "evaluate", model_dir=FLAGS.output_model_dir, captures="TEST.h5", output_dir="REPORT"
    )


if __name__ == "__main__":
    _command.run(main)
