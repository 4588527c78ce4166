"""Milliseconds of a training step, of an NLL and of a sample, for a batch of patches.

    python -m benchmarks.patches [--convolution=plain] [--patch_size=32]

Times on a shared machine drift: run the variants in turn, several times each, in fresh processes,
and compare ratios.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import tensorflow as tf
import tf_keras
from absl import app, flags

import tfp_noiseflow as nf
import train  # noqa: F401  (the allocator that the scripts train with)
from tfp_noiseflow.bijectors import convolution

FLAGS = flags.FLAGS

flags.DEFINE_enum("convolution", "folded", ["folded", "plain"], "Which form of convolution.")
flags.DEFINE_string("architecture", "S-Ax4-G-Ax4-CAM", "The flow.")
flags.DEFINE_integer("batch_size", 138, "Patches.", lower_bound=1)
flags.DEFINE_integer("patch_size", 32, "Side in packed pixels.", lower_bound=1)
flags.DEFINE_integer("repeats", 12, "Timed calls; their median is printed.", lower_bound=1)


def milliseconds(function) -> float:
    function()
    times = []
    for _ in range(FLAGS.repeats):
        start = time.perf_counter()
        tf.nest.map_structure(lambda tensor: tensor.numpy(), function())
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main(argv: list[str]) -> None:
    del argv
    if FLAGS.convolution == "plain":
        convolution.convolve_folded = convolution.convolve_plain
    flow = nf.NoiseFlow(FLAGS.architecture, seed=0)
    trainer = nf.LikelihoodTrainer(flow)
    trainer.compile(tf_keras.optimizers.Adam(1e-3, global_clipnorm=10.0))
    generator = np.random.default_rng(0)
    shape = (FLAGS.batch_size, FLAGS.patch_size, FLAGS.patch_size, 4)
    batch = {
        "noise": tf.constant(0.01 * generator.standard_normal(shape), tf.float32),
        "clean": tf.constant(generator.uniform(size=shape), tf.float32),
        "iso": tf.fill([FLAGS.batch_size], 100.0),
        "camera": tf.zeros([FLAGS.batch_size], tf.int32),
    }
    train_step = tf.function(trainer.train_step)
    nll = tf.function(trainer.test_step)
    sample = tf.function(
        lambda: flow(batch["clean"], batch["iso"], batch["camera"]).sample(seed=(0, 1))
    )
    for name, function in (
        ("training step", lambda: train_step(batch)),
        ("nll", lambda: nll(batch)),
        ("sample", sample),
    ):
        print(f"{FLAGS.convolution} {name}: {milliseconds(function):.0f} ms for {list(shape)}")


if __name__ == "__main__":
    app.run(main)
