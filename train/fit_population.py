"""Fits the distribution of real cameras' laws and prints it: the numbers of `laws/population.py`.

python -m train.fit_population --table=F.csv

Prints which cameras were fitted, the forms of distribution compared by leave-one-camera-out
likelihood, and the numbers.
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
    from tfp_noiseflow.laws.population_fit import fit_population

    print(fit_population(read_camera_tables(FLAGS.table)))


if __name__ == "__main__":
    _command.run(main)
