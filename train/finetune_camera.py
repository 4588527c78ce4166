"""Adds a camera to a trained flow, training that camera's parameters alone.

python -m train.finetune_camera --model_dir=D --captures=F.h5 --camera=NAME --output_model_dir=E
"""

from __future__ import annotations

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.training.finetune_camera import SCHEDULE

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "A trained flow with CAM, N or L.", required=True)
flags.DEFINE_string("captures", None, "Capture file of the new camera.", required=True)
flags.DEFINE_string("camera", None, "The new camera's name.", required=True)
flags.DEFINE_string(
    "output_model_dir", None, "Where the flow of all cameras goes; resumed if there.", required=True
)
flags.DEFINE_string(
    "validation_captures", None, "Pick the best epoch. Default: the captures themselves."
)
flags.DEFINE_integer(
    "epochs",
    None,
    "Passes over the camera's captures. Default: as many as give about 300 steps.",
    lower_bound=1,
)
flags.DEFINE_integer("batch_size", SCHEDULE.batch_size, "Captures a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", SCHEDULE.learning_rate, "Adam's, at its highest.")
flags.DEFINE_integer("seed", 0, "Of the order and the dequantisation.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")


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
    print(f"{flow}\nWrote {FLAGS.output_model_dir}.")


if __name__ == "__main__":
    app.run(main)
