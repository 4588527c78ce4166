"""Whether reading captures keeps up with training, and what Keras `fit` adds to a step.

    python -m benchmarks.pipeline [--gigabytes=5] [--folder=F]

Writes a capture file, drops it from the page cache where the system allows it, and compares the
patches a second of reading alone, of the training step alone, and of `fit` on the stream.
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
from tfp_noiseflow.captures.dataset import training_dataset
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE

FLAGS = flags.FLAGS

flags.DEFINE_float("gigabytes", 5.0, "Size of the capture file.", lower_bound=0.01)
flags.DEFINE_string("folder", None, "Where it goes and is removed; default: a temporary folder.")
flags.DEFINE_enum(
    "storage", "float32", ["float32", "uint16"], "Of the images; uint16 is dequantised, as SIDD's."
)
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


def stream(captures, flow):
    return training_dataset(captures, cameras=flow.cameras, batch_size=FLAGS.batch_size, seed=0)


def reading(captures, flow, steps: int) -> float:
    """Patches a second of the stream alone, after its first batch."""
    batches = iter(stream(captures, flow))
    next(batches)
    start = time.perf_counter()
    for _ in range(steps):
        next(batches)["noise"][0, 0, 0, 0].numpy()
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


def fitting(trainer, captures, flow, folder: str) -> float:
    """Patches a second of `fit`: stream, step, metric and TensorBoard logs."""
    clock = _Clock()
    trainer.fit(
        stream(captures, flow),
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
        flow = nf.NoiseFlow(PAPER_ARCHITECTURE, seed=0)
        trainer = nf.LikelihoodTrainer(flow)
        trainer.compile(tf_keras.optimizers.Adam(1e-4, global_clipnorm=10.0))
        step = tf.function(trainer.train_step)
        batch = next(iter(stream(captures, flow)))
        step(batch)
        fitting(trainer, captures, flow, folder)  # Traces.
        results = {"reading alone": [], "training step alone": [], "fit": []}
        for _ in range(FLAGS.rounds):
            is_cold = drop_from_cache(path)
            results["reading alone"].append(reading(captures, flow, 4 * FLAGS.steps))
            results["training step alone"].append(stepping(step, batch))
            # The stream has the same order again: what `reading` read is in the cache.
            drop_from_cache(path)
            results["fit"].append(fitting(trainer, captures, flow, folder))
    print(
        f"{number} captures of {PATCH}, {FLAGS.storage}, {FLAGS.gigabytes:g} GB, dropped from "
        f"cache: {is_cold}"
    )
    for name, values in results.items():
        print(f"{name}: {statistics.median(values):.0f} patches/s")
    overhead = [
        a / b - 1 for a, b in zip(results["training step alone"], results["fit"], strict=True)
    ]
    print(f"fit takes {statistics.median(overhead):+.1%} of the step's time more (median)")


if __name__ == "__main__":
    app.run(main)
