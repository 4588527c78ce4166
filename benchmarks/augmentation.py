"""What adding noise costs beside a DnCNN's training step.

    python -m benchmarks.augmentation [--depth=17 --filters=64] [--batch_size=32]

Prints milliseconds of the training step on given pairs, of adding noise (AddCameraNoise over a
Noise Flow and over a camera NLF), and of both in one step; medians, measured in turn, and the ratio
of noise to step. Times on a shared machine drift, ratios less.
"""

from __future__ import annotations

# First: TensorFlow reads the settings that the scripts train with when it is imported.
import train  # noqa: F401  # isort: skip

import statistics
import time

import numpy as np
import tensorflow as tf
import tf_keras
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.denoising import dncnn

FLAGS = flags.FLAGS

# Of models that take any.
ISOS = (100, 400, 800, 1600, 3200)

flags.DEFINE_string("architecture", "S-Ax4-G-Ax4-CAM", "The flow.")
flags.DEFINE_bool("stored", False, "Whether the flow is one of stored codes, of 10 bits.")
flags.DEFINE_bool("jit_compile", False, "Whether XLA compiles the flow's noise.")
flags.DEFINE_integer("depth", 9, "Of the DnCNN.", lower_bound=2)
flags.DEFINE_integer("filters", 32, "Of the DnCNN.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Patches.", lower_bound=1)
flags.DEFINE_integer("patch_size", 32, "Side in packed pixels.", lower_bound=1)
flags.DEFINE_integer("repeats", 15, "Timed calls; their median is printed.", lower_bound=1)


def main(argv: list[str]) -> None:
    del argv
    flow = nf.NoiseFlow(FLAGS.architecture, seed=0)
    if FLAGS.stored:
        flow = nf.StoredNoise(flow, quantization_step=1 / 1023)
    levels = flow.iso_levels or ISOS
    table = np.outer(np.ones(len(flow.cameras)), levels)
    nlf = nf.CameraNLF(flow.cameras, levels, 2e-6 * table, 2e-11 * table**2)
    shape = (FLAGS.batch_size, FLAGS.patch_size, FLAGS.patch_size, 4)
    clean = tf.random.stateless_uniform(shape, seed=(0, 1))
    model = dncnn(FLAGS.depth, FLAGS.filters)
    model.compile(tf_keras.optimizers.Adam(1e-3), "mse")
    isos = None if flow.iso_levels else levels
    flow_layer = nf.AddCameraNoise(flow, iso=isos, jit_compile=FLAGS.jit_compile)
    nlf_layer = nf.AddCameraNoise(nlf)
    calls = {
        "step": tf.function(lambda: model.train_step((clean, clean))["loss"]),
        "noise": tf.function(lambda: flow_layer(clean)),
        "NLF noise": tf.function(lambda: nlf_layer(clean)),
        "noise and step": tf.function(lambda: model.train_step((flow_layer(clean), clean))["loss"]),
    }
    times = {name: [] for name in calls}
    for repeat in range(FLAGS.repeats + 2):  # two to trace and to warm up
        for name, call in calls.items():
            start = time.perf_counter()
            call().numpy()
            if repeat > 1:
                times[name].append(1e3 * (time.perf_counter() - start))
    for name, values in times.items():
        print(f"{name}: {statistics.median(values):.1f} ms for {list(shape)}")
    for name in ("noise", "NLF noise"):
        ratios = [a / b for a, b in zip(times[name], times["step"], strict=True)]
        print(f"{name} / step: {100 * statistics.median(ratios):.1f} %")
    added = [a / b - 1 for a, b in zip(times["noise and step"], times["step"], strict=True)]
    print(f"noise and step / step - 1: {100 * statistics.median(added):.1f} %")


if __name__ == "__main__":
    app.run(main)
