"""Makes a camera's noise model of a folder of its raw frames, with a report of how good it is.

python -m train.calibrate --input_dir=D --camera=NAME --output_model_dir=E --report_dir=R

D holds folders flats, darks and scenes; README.md says what to shoot. Goes on where it was stopped.
"""

from __future__ import annotations

import os

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.progress import Progress

from . import _command, _inputs, _raw_frame_flags

FLAGS = flags.FLAGS

flags.DEFINE_string("input_dir", None, "Raw frames in folders flats, darks, scenes.", required=True)
flags.DEFINE_string("camera", None, "The camera's name in the model.", required=True)
flags.DEFINE_string("output_model_dir", None, "Where the model goes.", required=True)
flags.DEFINE_string("report_dir", None, "Where the report and the numbers go.", required=True)
flags.DEFINE_bool("captures", True, "Whether captures are made of the bursts.")
flags.DEFINE_bool("dark_frames", True, "Whether the darks become a bank, for nf.DarkFrameNoise.")
flags.DEFINE_string(
    "trained_model_dir",
    None,
    "Where a model goes that is trained further, on the captures. Default: none.",
)
flags.DEFINE_string("licence", "", "Of the numbers; the model and its exports tell it.")
flags.DEFINE_integer("seed", 0, "Of intervals and samples.")
flags.adopt_module_key_flags(_raw_frame_flags)
_inputs.exist("input_dir")


def train_on_captures() -> None:
    """Goes on from the calibrated model, by the likelihood of the bursts' codes."""
    from tfp_noiseflow.calibration.outputs import CAPTURES
    from tfp_noiseflow.models.model_directory import read_config

    path = os.path.join(FLAGS.report_dir, CAPTURES)
    if not os.path.exists(path):
        print("No captures, and so nothing is trained: they need bursts of four frames or more.")
        return
    with nf.read_captures(path) as captures:
        nf.train_noise_model(
            nf.load_model(FLAGS.output_model_dir),
            captures,
            captures,
            FLAGS.trained_model_dir,
            # Numbers that are near where they end need few steps; small batches give few captures
            # as many.
            nf.Schedule(epochs=5, batch_size=16, learning_rate=1e-2),
            started_from=read_config(FLAGS.output_model_dir)["training_data"],
        )
    _command.wrote(FLAGS.trained_model_dir)


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.calibration.report import overall

    with Progress("groups", "calibrating") as progress:
        calibration = nf.calibrate(
            FLAGS.input_dir,
            FLAGS.camera,
            FLAGS.report_dir,
            FLAGS.output_model_dir,
            **_raw_frame_flags.given(),
            skip_bad=_raw_frame_flags.skips_bad(),
            captures=FLAGS.captures or bool(FLAGS.trained_model_dir),
            dark_frames=FLAGS.dark_frames,
            licence=FLAGS.licence,
            seed=FLAGS.seed,
            on_progress=progress,
        )
    for file, reason in sorted(calibration.left_out.items()):
        print(f"left out: {file}: {reason}")
    for text in calibration.notes:
        print(f"note: {text}")
    print(f"Verdict: {overall(calibration).replace('**', '')}")
    if calibration.shots:
        print(f"What would help most: {calibration.shots[0]}.")
    if calibration.model is not None:
        _command.wrote(f"{FLAGS.output_model_dir}: {calibration.model}")
        if FLAGS.trained_model_dir:
            train_on_captures()
    print(f"Next: read {os.path.join(FLAGS.report_dir, 'report.md')}.")
    if calibration.model is not None:
        _command.advise(
            "add_noise",
            model_dir=FLAGS.output_model_dir,
            input="PHOTO.jpg",
            iso=f"{calibration.model.known.isos_to_show[-1]:g}",
            output_dir="NOISY",
        )


if __name__ == "__main__":
    _command.run(main)
