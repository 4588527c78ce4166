"""Reads capture files of unknown origin whole, each in a process that may crash.

python -m train.check_captures --captures=F.h5,G.h5
"""

from __future__ import annotations

import sys

from absl import flags

from tfp_noiseflow.captures.check_captures import check_captures

from . import _command

FLAGS = flags.FLAGS

flags.DEFINE_list("captures", None, "The files.", required=True)
flags.DEFINE_float(
    "seconds", 600.0, "After which reading a file counts as endless.", lower_bound=1.0
)


def main(argv: list[str]) -> None:
    del argv
    bad = 0
    for path in FLAGS.captures:
        try:
            print(f"{path}: {check_captures(path, seconds=FLAGS.seconds)}")
        except (ValueError, OSError) as error:
            bad += 1
            print(error)
    print(f"{len(FLAGS.captures) - bad} of {len(FLAGS.captures)} files can be read.")
    sys.exit(bool(bad))


if __name__ == "__main__":
    _command.run(main, needs_tensorflow=False)
