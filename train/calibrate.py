"""Makes a camera's noise model of a folder of its raw frames, with a report of how good it is.

python -m train.calibrate --input_dir=D --camera=NAME --output_model_dir=E --report_dir=R

D holds folders flats, darks and scenes; README.md says what to shoot. Goes on where it was stopped.
"""

from __future__ import annotations

import os

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.calibration.report import overall
from train import _raw_frame_flags

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_raw_frame_flags)

flags.DEFINE_string("input_dir", None, "Raw frames in folders flats, darks, scenes.", required=True)
flags.DEFINE_string("camera", None, "The camera's name in the model.", required=True)
flags.DEFINE_string("output_model_dir", None, "Where the model goes.", required=True)
flags.DEFINE_string("report_dir", None, "Where the report and the numbers go.", required=True)
flags.DEFINE_bool("captures", True, "Whether captures are made of the bursts.")
flags.DEFINE_string("licence", "", "Of the numbers; the model and its exports tell it.")
flags.DEFINE_integer("seed", 0, "Of intervals and samples.")


def main(argv: list[str]) -> None:
    del argv

    def show(done, total, text):
        print(f"{done} of {total} groups done; next: {text}", flush=True)

    calibration = nf.calibrate(
        FLAGS.input_dir,
        FLAGS.camera,
        FLAGS.report_dir,
        FLAGS.output_model_dir,
        **_raw_frame_flags.given(),
        skip_bad=_raw_frame_flags.skips_bad(),
        captures=FLAGS.captures,
        licence=FLAGS.licence,
        seed=FLAGS.seed,
        on_progress=show,
    )
    for file, reason in sorted(calibration.left_out.items()):
        print(f"left out: {file}: {reason}")
    for text in calibration.notes:
        print(f"note: {text}")
    print(f"Verdict: {overall(calibration).replace('**', '')}")
    if calibration.shots:
        print(f"What would help most: {calibration.shots[0]}.")
    if calibration.model is not None:
        print(f"Wrote {FLAGS.output_model_dir}: {calibration.model}")
    print(f"Read {os.path.join(FLAGS.report_dir, 'report.md')}.")


if __name__ == "__main__":
    app.run(main)
