"""What a second process gives a training: workers of one core each, on this machine.

    python -m benchmarks.scaling [--workers=1,2] [--batch_size=138]

Workers of `tf.distribute` on loopback, as `train.noise_flow --strategy=multi_worker` has them, with
captures in memory. Each has a core of its own. A step's batch is shared ("strong scaling") or grows
with the workers ("weak scaling").
"""

from __future__ import annotations

# First: TensorFlow reads the settings that the scripts train with when it is imported.
import train  # noqa: F401  # isort: skip

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import tensorflow as tf
import tf_keras
from absl import app, flags

import tfp_noiseflow as nf
from benchmarks.captures import write_captures
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE
from tfp_noiseflow.training.execution import training_input
from tfp_noiseflow.training.replicas import is_chief, shared_among, strategy_of

FLAGS = flags.FLAGS

flags.DEFINE_list("workers", ["1", "2"], "Numbers of workers.")
flags.DEFINE_string("architecture", PAPER_ARCHITECTURE, "Of the flow.")
flags.DEFINE_integer("batch_size", 138, "Captures a step of one worker.", lower_bound=1)
flags.DEFINE_integer("steps", 40, "That are timed, after ten others.", lower_bound=1)
flags.DEFINE_integer("rounds", 3, "In turn; medians are printed.", lower_bound=1)
flags.DEFINE_string("captures", None, "Of a worker: its capture file. Others write one.")

WARM_UP = 10
CAPTURES = 4096


class _Clock(tf_keras.callbacks.Callback):
    """Seconds of a step, after the first ones."""

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if batch + 1 == WARM_UP:
            self._start = now
        self.seconds = (now - getattr(self, "_start", now)) / FLAGS.steps


def work() -> None:
    """A worker: trains, and prints the seconds of a step if it is the first one."""
    strategy = strategy_of("multi_worker" if "TF_CONFIG" in os.environ else "one")
    captures = nf.read_captures(FLAGS.captures)
    with strategy.scope():
        flow = nf.NoiseFlow(FLAGS.architecture, captures.cameras, captures.iso_levels, seed=0)
        trainer = nf.LikelihoodTrainer(flow)
        trainer.compile(tf_keras.optimizers.Adam(1e-4, global_clipnorm=10.0))
    captures = captures.dequantised(flow.dequantises)
    data = training_input(
        captures,
        captures,
        cache="memory",
        cameras=flow.cameras,
        batch_size=FLAGS.batch_size,
        seed=0,
        first_epoch=0,
        replicas=strategy.num_replicas_in_sync,
    )
    trainer.makes_batches(data.training_features)
    clock = _Clock()
    trainer.fit(
        shared_among(strategy, data.training, whole=("key",)),
        steps_per_epoch=WARM_UP + FLAGS.steps,
        callbacks=[clock],
        verbose=0,
    )
    if is_chief(strategy):
        print(clock.seconds)


def seconds_of_step(workers: int, batch_size: int, captures: str) -> float:
    """Of a training by fresh processes of a core each.

    Raises:
      RuntimeError: a worker failed.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    cores = sorted(os.sched_getaffinity(0))
    if workers > len(cores):
        raise ValueError(f"expected at most {len(cores)} workers, a core each, received {workers}.")
    processes = []
    for index in range(workers):
        environment = {"TF_NUM_INTRAOP_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        if workers > 1:
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": hosts}, "task": task})
        command = [sys.executable, "-m", "benchmarks.scaling", f"--captures={captures}"]
        command += [f"--{name}={FLAGS[name].value}" for name in ("architecture", "steps")]
        processes.append(
            subprocess.Popen(
                [*command, f"--batch_size={batch_size}"],
                env=os.environ | environment,
                preexec_fn=lambda core=cores[index]: os.sched_setaffinity(0, [core]),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    outputs = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        if process.returncode:
            raise RuntimeError(f"a worker of {workers} failed: {errors[-2000:]}")
    return float(outputs[0][0])


def main(argv: list[str]) -> None:
    del argv
    if FLAGS.captures:
        work()
        return
    numbers = [int(number) for number in FLAGS.workers]
    # A batch that is shared, and one that grows.
    cases = {
        (number, FLAGS.batch_size * factor): [] for number in numbers for factor in {1, number}
    }
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "captures.h5")
        write_captures(path, CAPTURES, is_coded=True)
        for _ in range(FLAGS.rounds):
            for number, batch_size in cases:
                cases[number, batch_size].append(seconds_of_step(number, batch_size, path))
    medians = {case: statistics.median(seconds) for case, seconds in cases.items()}
    first = next(iter(cases))
    print(
        f"{FLAGS.architecture}, a core a worker, TensorFlow {tf.__version__}\n\n"
        "| workers | captures a step | ms a step | captures/s | over the first line (range) |\n"
        "|---|---|---|---|---|"
    )
    for (number, batch_size), seconds in medians.items():
        gains = [
            batch_size / own / (first[1] / other)
            for own, other in zip(cases[number, batch_size], cases[first], strict=True)
        ]
        print(
            f"| {number} | {batch_size} | {1e3 * seconds:.0f} | {batch_size / seconds:.0f} | "
            f"{statistics.median(gains):.2f} ({min(gains):.2f} to {max(gains):.2f}) |"
        )


if __name__ == "__main__":
    app.run(main)
