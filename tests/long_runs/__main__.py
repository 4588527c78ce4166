"""Long runs: memory and open files stay as they are.

    python -m tests.long_runs [--steps=1000000] [--exports=10000] [--loads=10000] [--minutes=15]

Trains a small model for so many steps, exports and loads it, and loads its model directory, each
again and again in a process of its own, for `minutes` at most but for the training. Prints memory
and open files as it goes and a table at the end; ends with status 1 where a file stays open or
memory grows by more than 5 bytes a step of the training, 8 KiB an export or 1 KiB a load.
"""

from __future__ import annotations

import multiprocessing
import sys

from absl import app, flags

from tests.long_runs.runs import run_alone

FLAGS = flags.FLAGS

flags.DEFINE_integer("steps", 1_000_000, "Of the training; 0: none.", lower_bound=0)
flags.DEFINE_integer("exports", 10_000, "With a load of each; 0: none.", lower_bound=0)
flags.DEFINE_integer("loads", 10_000, "Of a model directory; 0: none.", lower_bound=0)
flags.DEFINE_float("minutes", 15.0, "The longest that exports, and loads, take.")

# Bytes a repetition, by which memory may grow. An epoch of 5000 steps leaves in memory a row of
# history.csv, a compiled pattern of a checkpoint's name, and what TensorFlow keeps of each iterator
# over a data set: some 5 kB in all, a byte a step. A Python object a step would be 24 or more.
# Resident memory wanders by 2.5 MB over hundreds of exports; of a graph that stayed each would take
# a megabyte.
LARGEST_GROWTH = {"training step": 5.0, "export and load": 8192.0, "load_model": 1024.0}


def main(argv: list[str]) -> None:
    del argv
    counts = {
        "training step": FLAGS.steps,
        "export and load": FLAGS.exports,
        "load_model": FLAGS.loads,
    }
    print(
        "| run | count | seconds | MB when warm | at half | at the end | bytes a repetition "
        "| files when warm | at the end |"
    )
    print(f"|{'---|' * 9}", flush=True)
    is_good = True
    context = multiprocessing.get_context("spawn")
    for name, count in counts.items():
        if not count:
            continue
        receiver, sender = context.Pipe()
        process = context.Process(target=run_alone, args=(name, count, 60 * FLAGS.minutes, sender))
        process.start()
        sender.close()
        usage = receiver.recv()
        process.join()
        warm, half = usage.warm, len(usage.done) // 2
        memory = [f"{usage.memory[i] / 1e6:.1f}" for i in (warm, half, -1)]
        print(
            f"| {name} | {usage.done[-1]} | {usage.seconds[-1]:.0f} | {' | '.join(memory)} "
            f"| {usage.growth:.4g} | {usage.handles[warm]} | {usage.handles[-1]} |",
            flush=True,
        )
        is_good &= usage.growth <= LARGEST_GROWTH[name] and usage.more_handles <= 0
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    app.run(main)
