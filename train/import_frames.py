"""Writes captures of noisy raw frames with a clean one: train.h5 and test.h5.

python -m train.import_frames --layout=folder --input_dir=D --output_dir=O

Layouts: folder (SCENE/noisy and SCENE/clean), sid, eld. Goes on where it was stopped.
"""

from __future__ import annotations

import os

from absl import flags

from tfp_noiseflow.choices import FRAME_LAYOUTS
from tfp_noiseflow.progress import Progress

from . import _command, _inputs, _raw_frame_flags

FLAGS = flags.FLAGS

flags.DEFINE_enum("layout", "folder", list(FRAME_LAYOUTS), "How frames lie in the folder.")
flags.DEFINE_string("input_dir", None, "The data set's folder.", required=True)
flags.DEFINE_string("output_dir", None, "Where the capture files go.", required=True)
flags.DEFINE_string("camera", "", "Where neither files nor folders name one.")
flags.DEFINE_float("test_share", 0.2, "Of the scenes; no scene is in both files.")
flags.DEFINE_integer("patch_size", 32, "Side of a patch, in packed pixels.", lower_bound=1)
flags.DEFINE_integer("patches_per_frame", 256, "The most of a frame.", lower_bound=1)
flags.DEFINE_integer("processes", None, "Frames at a time.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Of splits and patches.")
flags.adopt_module_key_flags(_raw_frame_flags)
_inputs.exist("input_dir")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.calibration.frame_pairs import FramePairs, import_frames

    source = FramePairs(
        FLAGS.input_dir,
        FLAGS.layout,
        camera=FLAGS.camera,
        test_share=FLAGS.test_share,
        **_raw_frame_flags.given(),
        patch_size=FLAGS.patch_size,
        patches_per_frame=FLAGS.patches_per_frame,
        seed=FLAGS.seed,
    )
    with Progress("frames") as progress:
        record = import_frames(
            source,
            FLAGS.output_dir,
            skip_bad=_raw_frame_flags.skips_bad(),
            processes=FLAGS.processes,
            on_progress=lambda split, done, total: progress(done, total, split),
        )
    for name, summary in record["files"].items():
        print(
            f"{os.path.join(FLAGS.output_dir, name)}.h5: {summary['captures']} captures of "
            f"{summary['images']} frames, {len(summary['scenes'])} scenes"
        )
        for reason in summary["bad"].values():
            print(f"  left out: {reason}")
    _command.advise(
        "compare", captures=FLAGS.output_dir, architectures="L-R-P,L-Ax8", output_dir="COMPARISON"
    )


if __name__ == "__main__":
    _command.run(main)
