"""Fits a law to every camera of a table and prints what the laws miss, as Markdown.

python -m train.law_residuals --table=F.csv

Cameras with fewer than three ISOs are left out.
"""

from __future__ import annotations

from absl import flags

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("table", None, "beta1 and beta2 by camera and ISO, CSV or JSON.", required=True)
_inputs.exist("table")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.laws.camera_table import read_camera_tables
    from tfp_noiseflow.laws.law_residuals import law_residuals

    print(law_residuals(read_camera_tables(FLAGS.table)), end="")


if __name__ == "__main__":
    _command.run(main)
