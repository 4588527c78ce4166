"""Writes dark frames as a bank, dark_frames.h5, with the fixed pattern of each camera.

python -m train.import_dark_frames --layout=folder --input_dir=D --output_dir=O

Layouts: folder (dark frames anywhere below it), aim2025 (the AIM 2025 challenge). Goes on where it
was stopped. With --model_dir also the noise model of the bank, for train.add_noise, train.export
and train.evaluate; its photons' size is the layout's, or that of --camera_tables.
"""

from __future__ import annotations

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.choices import DARK_FRAME_LAYOUTS
from tfp_noiseflow.progress import Progress

from . import _command, _inputs, _raw_frame_flags

FLAGS = flags.FLAGS

flags.DEFINE_enum("layout", "folder", list(DARK_FRAME_LAYOUTS), "How frames lie in the folder.")
flags.DEFINE_string("input_dir", None, "The folder of dark frames.", required=True)
flags.DEFINE_string("output_dir", None, "Where the files go.", required=True)
flags.DEFINE_string("model_dir", None, "Where the bank's noise model goes. Default: none.")
flags.DEFINE_string("camera_tables", None, "beta1 by ISO of the cameras: .csv, .json.")
flags.DEFINE_bool("flips", False, "Whether the noise model mirrors its crops at random.")
flags.DEFINE_string("camera", "", "In place of what files or folders say.")
flags.DEFINE_list("window", None, "Rows and columns about the middle. Default: whole frames.")
flags.DEFINE_integer("frames_per_iso", None, "The most of a camera and ISO.", lower_bound=2)
flags.DEFINE_string("licence", "", "Of the frames.")
flags.DEFINE_integer("processes", None, "Frames at a time.", lower_bound=1)
flags.adopt_module_key_flags(_raw_frame_flags)
_inputs.exist("input_dir", "camera_tables")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.calibration.dark_bank import DarkBank, import_dark_frames
    from tfp_noiseflow.captures.about import about_captures

    bank = DarkBank(
        FLAGS.input_dir,
        FLAGS.layout,
        camera=FLAGS.camera,
        window=FLAGS.window and tuple(int(side) for side in FLAGS.window),
        frames_per_iso=FLAGS.frames_per_iso,
        **_raw_frame_flags.given(),
        licence=FLAGS.licence,
    )
    with Progress("frames") as progress:
        paths = import_dark_frames(
            bank,
            FLAGS.output_dir,
            skip_bad=_raw_frame_flags.skips_bad(),
            processes=FLAGS.processes,
            on_progress=lambda split, done, total: progress(done, total, split),
        )
    _command.wrote(", ".join(paths))
    if FLAGS.model_dir is None:
        return
    laws = None
    if FLAGS.camera_tables is not None:
        laws = [table.fit().law for table in nf.read_camera_tables(FLAGS.camera_tables)]
    with nf.read_captures(paths[0]) as captures:
        model = nf.DarkFrameNoise.from_captures(captures, laws, has_flips=FLAGS.flips)
        nf.save_model(model, FLAGS.model_dir, about_captures(captures))
    _command.wrote(f"{FLAGS.model_dir}: {model.in_words}")
    _command.advise("add_noise", model_dir=FLAGS.model_dir, input="PHOTO.jpg", output_dir="NOISY")


if __name__ == "__main__":
    _command.run(main)
