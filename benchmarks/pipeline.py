"""Whether reading captures keeps up with training, and what Keras `fit` adds to a step.

    python -m benchmarks.pipeline [--gigabytes=5] [--folder=F] [--caches=none,memory]

Writes a capture file, drops it from the page cache where the system allows it, and compares the
patches a second of batches alone, of the training step alone, and of `fit`, for each place where
captures are kept. The step alone takes turns with `fit`, block by block of steps, so that what else
the machine does meets both.
"""

from __future__ import annotations

# First: TensorFlow reads the settings that the scripts train with when it is imported.
import train  # noqa: F401  # isort: skip

import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras
from absl import app, flags

import tfp_noiseflow as nf
from benchmarks.captures import PATCH, write_captures
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE
from tfp_noiseflow.training.execution import training_input

FLAGS = flags.FLAGS

flags.DEFINE_float("gigabytes", 5.0, "Size of the capture file.", lower_bound=0.01)
flags.DEFINE_string("folder", None, "Where it goes and is removed; default: a temporary folder.")
flags.DEFINE_enum(
    "storage", "float32", ["float32", "uint16"], "Of the images; uint16 is dequantised, as SIDD's."
)
flags.DEFINE_list("caches", ["none", "memory"], "Where captures are kept: none, memory, device.")
flags.DEFINE_string("architecture", PAPER_ARCHITECTURE, "Of the flow.")
flags.DEFINE_bool("stored", False, "Whether it is one of stored codes; needs --storage=uint16.")
flags.DEFINE_enum("steps_per_execution", "1", ["1", "5"], "Of fit: a part of a block.")
flags.DEFINE_integer("batch_size", 138, "Captures a step.", lower_bound=1)
flags.DEFINE_integer("blocks", 12, "Of fit and of the step alone, in turn.", lower_bound=1)
flags.DEFINE_integer("rounds", 2, "Of all caches; medians are printed.", lower_bound=1)

# Steps: before all that are timed, in a block, and before each block of `fit`, which use up what
# was made ready while the step alone was timed.
WARM_UP, BLOCK, DRAINED = 15, 10, 5
# Of a stream alone.
BATCHES = 240


def drop_from_cache(path: str) -> bool:
    """Whether the system could be asked to read the file from the disk again."""
    if not hasattr(os, "posix_fadvise"):
        return False
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def data_of(captures, flow, cache: str):
    """The input of a training, from where its captures are kept."""
    return training_input(
        captures,
        captures,
        cache=cache,
        cameras=flow.cameras,
        batch_size=FLAGS.batch_size,
        seed=0,
        first_epoch=0,
    )


def batching(data, steps: int) -> float:
    """Patches a second of the batches alone, after the first one."""
    features = tf.function(data.training_features)
    elements = iter(data.training)
    features(next(elements))
    start = time.perf_counter()
    for _ in range(steps):
        features(next(elements))["noise"][0, 0, 0, 0].numpy()
    return steps * FLAGS.batch_size / (time.perf_counter() - start)


class _Turns(tf_keras.callbacks.Callback):
    """Blocks of steps of a running `fit`, after each of them as many of the step alone.

    Attributes:
      pairs: seconds of a block of `fit` and of the step alone.
    """

    def __init__(self, step: Callable[[], tf.Tensor]):
        super().__init__()
        # Else Keras would wait for the numbers of each step.
        self._supports_tf_logs = True
        self.pairs = []
        self._step = step

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1 - WARM_UP
        if done >= 0 and done % (BLOCK + DRAINED) == 0:
            logs["loss"].numpy()
            self._start = time.perf_counter()
        elif done > 0 and done % (BLOCK + DRAINED) == BLOCK:
            logs["loss"].numpy()
            of_fit = time.perf_counter() - self._start
            start = time.perf_counter()
            for _ in range(BLOCK):
                loss = self._step()
            loss.numpy()
            self.pairs.append((of_fit, time.perf_counter() - start))


def fitting(trainer, data, batch: dict, folder: str) -> list[tuple[float, float]]:
    """Seconds of blocks of `fit` (batches, step, metric, TensorBoard) and of the step alone."""
    step = tf.function(trainer.train_step)
    # As it is: `fit` makes batches of its elements, the step alone has one.
    trainer.makes_batches()
    step(batch)
    trainer.makes_batches(data.training_features)
    # Keras keeps the step that it traced.
    trainer.train_function = None
    turns = _Turns(lambda: step(batch)["loss"])
    trainer.fit(
        data.training,
        steps_per_epoch=WARM_UP + FLAGS.blocks * (BLOCK + DRAINED),
        callbacks=[tf_keras.callbacks.TensorBoard(folder, write_graph=False), turns],
        verbose=0,
    )
    return turns.pairs


def main(argv: list[str]) -> None:
    del argv
    with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
        path = os.path.join(folder, "captures.h5")
        is_coded = FLAGS.storage == "uint16"
        # Of a noisy and a clean image.
        size = 2 * math.prod(PATCH) * (2 if is_coded else 4)
        write_captures(path, round(1e9 * FLAGS.gigabytes / size), is_coded=is_coded)
        captures = nf.read_captures(path)
        flow = nf.NoiseFlow(FLAGS.architecture, captures.cameras, captures.iso_levels, seed=0)
        if FLAGS.stored:
            flow = nf.StoredNoise(flow, captures.code_steps())
        captures = captures.dequantised(flow.dequantises)
        trainer = nf.LikelihoodTrainer(flow)
        trainer.compile(
            tf_keras.optimizers.Adam(1e-4, global_clipnorm=10.0),
            steps_per_execution=int(FLAGS.steps_per_execution),
        )
        batch = next(iter(data_of(captures, flow, "none").training))
        alone, pairs = ({cache: [] for cache in FLAGS.caches} for _ in range(2))
        for _ in range(FLAGS.rounds):
            for cache in FLAGS.caches:
                is_cold = drop_from_cache(path)
                data = data_of(captures, flow, cache)
                alone[cache].append(batching(data, BATCHES))
                # The order is the same again: what was read is in the cache.
                drop_from_cache(path)
                pairs[cache] += fitting(trainer, data, batch, folder)
    print(
        f"{len(captures)} captures of {PATCH}, {FLAGS.storage}, {FLAGS.gigabytes:g} GB, "
        f"dropped from cache: {is_cold}\n\n"
        "| cache | patches/s: batches alone | step alone | fit | fit's time over the step's "
        "(quartiles) |\n|---|---|---|---|---|"
    )
    for cache in FLAGS.caches:
        of_fit, of_step = np.transpose(pairs[cache])
        low, middle, high = np.percentile(of_fit / of_step - 1, [25, 50, 75])
        speeds = [
            f"{BLOCK * FLAGS.batch_size / np.median(seconds):.0f}" for seconds in (of_step, of_fit)
        ]
        print(
            f"| {cache} | {statistics.median(alone[cache]):.0f} | {' | '.join(speeds)} | "
            f"{middle:+.1%} ({low:+.1%} to {high:+.1%}) |"
        )


if __name__ == "__main__":
    app.run(main)
