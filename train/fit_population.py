"""Fits the distribution of real cameras' laws and prints it: the numbers of `laws/population.py`.

python -m train.fit_population --table=F.csv

Prints which cameras were fitted, the forms of distribution compared by leave-one-camera-out
likelihood, and the numbers.
"""

from __future__ import annotations

from absl import app, flags

from tfp_noiseflow.laws.camera_table import read_camera_tables
from tfp_noiseflow.laws.population_fit import fit_population

FLAGS = flags.FLAGS

flags.DEFINE_string("table", None, "beta1 and beta2 by camera and ISO, CSV or JSON.", required=True)


def main(argv: list[str]) -> None:
    del argv
    print(fit_population(read_camera_tables(FLAGS.table)))


if __name__ == "__main__":
    app.run(main)
