"""Compares a calibrated camera with flows that are trained on 5000 captures of it.

    python -m train.calibrated_camera_experiment --output_dir=O --phone=Pixel

The phone is simulated: a folder of raw frames to calibrate, captures to train on and others to
compare on, whose exact likelihood is known. O/calibrated_camera.json and O/table.md hold the NLL of
each. Goes on where it was stopped.
"""

from __future__ import annotations

from absl import flags

from tfp_noiseflow.simulation.phones import PHONES

from . import _command

FLAGS = flags.FLAGS

flags.DEFINE_string("output_dir", None, "Where all of it goes.", required=True)
flags.DEFINE_enum("phone", "Pixel", [phone.name for phone in PHONES], "Whose noise.")
flags.DEFINE_list("architectures", ["L-R-P", "L-Ax8"], "Of the flows, by the likelihood of codes.")
flags.DEFINE_integer("epochs", None, "Of the flows. Default: some 1000 steps.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Of frames, captures and flows.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.experiments import CalibratedCameraExperiment

    found = CalibratedCameraExperiment(
        FLAGS.output_dir,
        FLAGS.phone,
        architectures=FLAGS.architectures,
        epochs=FLAGS.epochs,
        seed=FLAGS.seed,
        verbose=FLAGS.verbose,
    ).run()
    for name, row in found.items():
        print(f"{name}: NLL {row['nll']:.5f}, calibrated minus it "
              f"{row['calibrated_minus_it']['nll']:+.5f}")  # fmt: skip
    _command.wrote(FLAGS.output_dir)


if __name__ == "__main__":
    _command.run(main)
