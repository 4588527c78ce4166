"""How fast this checkout is beside another one, such as the commit before a change.

    git worktree add /tmp/before COMMIT
    python -m benchmarks.compare --other=/tmp/before

A process of each is kept waiting while the other one is timed, in random order, so that what else
the machine does meets both. Ratios below 1: this checkout is faster.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys

from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_string("other", None, "Folder of the other checkout.", required=True)
flags.DEFINE_integer("processes", 2, "Fresh processes of each.", lower_bound=1)
flags.DEFINE_integer("pairs", 25, "Pairs of timings for each operation and process.", lower_bound=2)

OPERATIONS = ("nll", "sample", "train")
CALLS = 8
# For both checkouts, whatever their benchmarks have of their own but for `benchmarks.forms`.
CHILD = f"""
import sys, time
import train
from benchmarks.forms import Library, batch
library = Library(*batch(138, 32, 32))
for name in {OPERATIONS}:
    for _ in range(3):
        getattr(library, name)()
print("ready", flush=True)
for line in sys.stdin:
    call, start = getattr(library, line.strip()), time.perf_counter()
    for _ in range({CALLS}):
        result = call()
    result.numpy()
    print(time.perf_counter() - start, flush=True)
"""


def start(folder: str) -> subprocess.Popen:
    """A process of a checkout that has compiled all operations."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError(f"{folder}: expected a process that gets ready, it ended.")
    return process


def seconds(process: subprocess.Popen, operation: str) -> float:
    """Of a call."""
    process.stdin.write(f"{operation}\n")
    process.stdin.flush()
    return float(process.stdout.readline()) / CALLS


def main(argv: list[str]) -> None:
    del argv
    folders = {"this": os.getcwd(), "other": os.path.abspath(FLAGS.other)}
    times = {operation: [] for operation in OPERATIONS}
    shuffled = random.Random(0)
    for _ in range(FLAGS.processes):
        processes = {name: start(folder) for name, folder in folders.items()}
        for operation in OPERATIONS:
            for _ in range(FLAGS.pairs):
                order = shuffled.sample(list(processes), 2)
                times[operation].append(
                    {name: seconds(processes[name], operation) for name in order}
                )
        for process in processes.values():
            process.stdin.close()
            process.wait()
    print("| 138 patches of 32x32 | this, ms | other, ms | ratio: median | quartiles |")
    print("|---|---|---|---|---|")
    for operation, pairs in times.items():
        low, median, high = statistics.quantiles([p["this"] / p["other"] for p in pairs], n=4)
        this, other = (1e3 * statistics.median(p[name] for p in pairs) for name in folders)
        print(
            f"| {operation} | {this:.1f} | {other:.1f} | {median:.3f} | {low:.3f} to {high:.3f} |"
        )


if __name__ == "__main__":
    app.run(main)
