"""Jobs that are killed at any time: files are whole or absent, and the same command goes on.

    python -m tests.kills [--kills=200] [--seed=0] [--jobs=evaluate,export]

Runs each job twice to its end, then again and again into an empty folder until a SIGKILL, sent to
all of its processes at a uniformly random time of the shortest uninterrupted run's duration. After
each kill every file is to be whole (that of the uninterrupted run, or one that the library reads)
or absent; after one in four the next run is killed too. Then the same command comes to its end,
which is to be that of the uninterrupted run, bit for bit (`contents` says what is not compared).
Prints a table; ends with status 1 where one outcome was bad.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import zlib

import numpy as np
from absl import app, flags

from tests.kills.jobs import JOBS, make_inputs
from tests.kills.trial import Outcomes, Trials

FLAGS = flags.FLAGS

flags.DEFINE_integer("kills", 200, "How many, over all jobs.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Of the times.")
flags.DEFINE_list("jobs", list(JOBS), "Which.")
flags.DEFINE_string("folder", None, "Where they run; by default, a temporary one.")

COUNTS = ("kills", "again", "too_late", "left", "torn", "failed", "other")


def table(results: dict[str, Outcomes]) -> str:
    """Counts by job."""
    lines = [f"| job | seconds | {' | '.join(COUNTS)} |", f"|{'---|' * (2 + len(COUNTS))}"]
    for name, outcomes in results.items():
        cells = [str(getattr(outcomes, count)) for count in COUNTS]
        lines.append(f"| {name} | {outcomes.seconds:.1f} | {' | '.join(cells)} |")
    sums = [str(sum(getattr(outcomes, count) for outcomes in results.values())) for count in COUNTS]
    return "\n".join([*lines, f"| all | | {' | '.join(sums)} |"])


def main(argv: list[str]) -> None:
    del argv
    with tempfile.TemporaryDirectory() as temporary:
        base = pathlib.Path(FLAGS.folder or temporary)
        make_inputs(base / "inputs")
        results = {}
        for number, name in enumerate(FLAGS.jobs):
            generator = np.random.default_rng([FLAGS.seed, zlib.crc32(name.encode())])
            trials = Trials(JOBS[name], base / "inputs", base / "outputs", generator)
            results[name] = trials.outcomes
            share = FLAGS.kills * (number + 1) // len(FLAGS.jobs)
            while sum(outcomes.kills for outcomes in results.values()) < share:
                trials.kill()
            print(f"{name}: {trials.outcomes}", file=sys.stderr, flush=True)
    print(table(results))
    for outcomes in results.values():
        print("\n".join(outcomes.texts))
    sys.exit(1 if any(outcomes.bad for outcomes in results.values()) else 0)


if __name__ == "__main__":
    app.run(main)
