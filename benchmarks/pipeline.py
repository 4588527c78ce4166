"""Whether reading captures keeps up with training, and what Keras `fit` adds to a step.

    python -m benchmarks.pipeline [--gigabytes=5] [--folder=F] [--caches=none,memory]

Writes a capture file, drops it from the page cache where the system allows it, and compares the
patches a second of batches alone, of the training step alone, and of `fit`, for each place where
captures are kept.
"""

from __future__ import annotations

# First: TensorFlow reads the settings that the scripts train with when it is imported.
import train  # noqa: F401  # isort: skip

import os
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
import tf_keras
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.captures.capture_file import CaptureWriter
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
flags.DEFINE_integer("steps_per_execution", 1, "Of fit.", lower_bound=1)
flags.DEFINE_integer("batch_size", 138, "Captures a step.", lower_bound=1)
flags.DEFINE_integer("steps", 60, "Of the step alone and of fit.", lower_bound=10)
flags.DEFINE_integer("rounds", 3, "In turn; medians are printed.", lower_bound=1)

PATCH = (32, 32, 4)


def write_captures(path: str) -> int:
    """A capture file of the wanted size; returns the number of captures."""
    rng = np.random.default_rng(0)
    block = 4096
    clean = rng.uniform(0.02, 0.6, (block, *PATCH)).astype(np.float32)
    noisy = clean + 0.02 * rng.standard_normal((block, *PATCH)).astype(np.float32)
    levels = {}
    if FLAGS.storage == "uint16":
        levels = {"white_level": 65535.0, "quantization_step": 1.0}
        clean, noisy = (
            np.rint(65535 * np.clip(images, 0, 1)).astype(np.uint16) for images in (clean, noisy)
        )
    blocks = max(1, round(1e9 * FLAGS.gigabytes / (2 * clean.nbytes)))
    with CaptureWriter(path, description="benchmark", **levels) as writer:
        for _ in range(blocks):
            writer.append(
                noisy=noisy,
                clean=clean,
                iso=rng.choice([100, 400, 800, 1600, 3200], block).astype(np.float32),
                camera=rng.choice(["IP", "GP", "S6", "N6", "G4"], block),
            )
    return blocks * block


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


def stepping(step, batch) -> float:
    """Patches a second of the training step alone."""
    start = time.perf_counter()
    for _ in range(FLAGS.steps):
        loss = step(batch)["loss"]
    loss.numpy()
    return FLAGS.steps * FLAGS.batch_size / (time.perf_counter() - start)


class _Clock(tf_keras.callbacks.Callback):
    """Time from the end of the tenth step to the end of the epoch: tracing and filling are over."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 9:
            self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start


def fitting(trainer, data, folder: str) -> float:
    """Patches a second of `fit`: batches, step, metric and TensorBoard logs."""
    clock = _Clock()
    trainer.makes_batches(data.training_features)
    # Keras keeps the step that it traced.
    trainer.train_function = None
    trainer.fit(
        data.training,
        steps_per_epoch=FLAGS.steps + 10,
        callbacks=[tf_keras.callbacks.TensorBoard(folder, write_graph=False), clock],
        verbose=0,
    )
    return FLAGS.steps * FLAGS.batch_size / clock.seconds


def main(argv: list[str]) -> None:
    del argv
    with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
        path = os.path.join(folder, "captures.h5")
        number = write_captures(path)
        captures = nf.read_captures(path)
        flow = nf.NoiseFlow(FLAGS.architecture, captures.cameras, captures.iso_levels, seed=0)
        if FLAGS.stored:
            flow = nf.StoredNoise(flow, captures.code_steps())
        captures = captures.dequantised(flow.dequantises)
        trainer = nf.LikelihoodTrainer(flow)
        trainer.compile(
            tf_keras.optimizers.Adam(1e-4, global_clipnorm=10.0),
            steps_per_execution=FLAGS.steps_per_execution,
        )
        step = tf.function(trainer.train_step)
        first = data_of(captures, flow, "none")
        batch = next(iter(first.training))
        step(batch)
        results = {"training step alone": []}
        for _ in range(FLAGS.rounds):
            is_cold = drop_from_cache(path)
            results["training step alone"].append(stepping(step, batch))
            for cache in FLAGS.caches:
                data = data_of(captures, flow, cache)
                alone = batching(data, 4 * FLAGS.steps)
                # The order is the same again: what was read is in the cache.
                drop_from_cache(path)
                results.setdefault(f"batches alone, cache {cache}", []).append(alone)
                results.setdefault(f"fit, cache {cache}", []).append(fitting(trainer, data, folder))
    print(
        f"{number} captures of {PATCH}, {FLAGS.storage}, {FLAGS.gigabytes:g} GB, dropped from "
        f"cache: {is_cold}"
    )
    for name, values in results.items():
        print(f"{name}: {statistics.median(values):.0f} patches/s")
    for cache in FLAGS.caches:
        pairs = zip(results["training step alone"], results[f"fit, cache {cache}"], strict=True)
        overhead = statistics.median(step / fit - 1 for step, fit in pairs)
        print(f"fit, cache {cache}, takes {overhead:+.1%} of the step's time more (median)")


if __name__ == "__main__":
    app.run(main)
