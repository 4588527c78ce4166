"""Speed, memory and rounding of an exported noise model.

    python -m benchmarks.serving --export=saved_models/noise_flow/1
    python -m benchmarks.serving --export=saved_models/noise_flow/1 --soak=100000
    python -m benchmarks.serving --export=saved_models/noise_flow/1 --rounding

The first two run the C++ program of tests/native, which needs a C++ compiler.
"""

from __future__ import annotations

import json
import tempfile

import numpy as np
import tensorflow as tf
from absl import app, flags

from tests.native import program as native

FLAGS = flags.FLAGS

flags.DEFINE_string("export", None, "A version's folder.", required=True)
flags.DEFINE_integer("soak", None, "Requests of a soak test instead, each one patch of 8x8.")
flags.DEFINE_bool("rounding", False, "Instead, how a row's result differs alone and in a batch.")

# (rows, height, width, calls): patches and one frame of 12 million values.
SHAPES = ((1, 64, 64, 200), (8, 64, 64, 100), (64, 64, 64, 50), (1, 1500, 2000, 10))
SIGNATURES = ("serving_default", "sample_noise", "log_prob")


def latency(program) -> None:
    """Latency, throughput and memory by signature and shape, each in a process of its own."""
    print("| signature | rows | H x W | p50, ms | p99, ms | rows/s | peak above the request, MB |")
    print("|---|---|---|---|---|---|---|")
    for signature in SIGNATURES:
        for rows, height, width, calls in SHAPES:
            arguments = (signature, rows, height, width, calls)
            result = json.loads(native.run(program, FLAGS.export, "measure", *arguments))
            print(
                f"| `{signature}` | {rows} | {height} x {width} | {result['p50_ms']:.1f} | "
                f"{result['p99_ms']:.1f} | {result['rows_per_second']:.1f} | "
                f"{result['peak_mb'] - result['before_mb']:.0f} |",
                flush=True,
            )


def soak(program) -> None:
    """Resident memory over many requests, one in a hundred of them wrong."""
    result = json.loads(native.run(program, FLAGS.export, "soak", FLAGS.soak, 1, 8, 8))
    print(f"{result['calls']} requests in {result['seconds']:.0f} s, {result['errors']} errors")
    for call, resident in result["resident_mb"]:
        print(f"after request {call}: {resident:.1f} MB")


def rounding() -> None:
    """The largest difference of a row alone and in batches of other sizes."""
    loaded = tf.saved_model.load(FLAGS.export)
    sample, log_prob = loaded.signatures["sample_noise"], loaded.signatures["log_prob"]
    told = {k: v.numpy()[0] for k, v in loaded.signatures["describe"](dummy=tf.zeros(1)).items()}
    generator = np.random.default_rng(0)
    channels = sample.structured_input_signature[1]["clean"].shape[-1]
    of_noise, of_nll = 0.0, 0.0
    for height, width in ((8, 8), (32, 32), (64, 64), (30, 41), (256, 256)):
        most = 64 if height <= 64 else 8
        request = {
            "clean": generator.uniform(0, 1, (most, height, width, channels)).astype(np.float32),
            "iso": generator.choice(told["iso_levels"], most),
            "camera": generator.choice(told["cameras"], most),
        }
        seed = generator.integers(0, 1000, (most, 2)).astype(np.int32)

        def answer(start, stop, request=request, seed=seed):
            rows = slice(start, stop)
            given = {name: tf.constant(value[rows]) for name, value in request.items()}
            draws = {"seed": tf.constant(seed[rows]), "temperature": tf.ones(stop - start)}
            noise = sample(**given, **draws)["noise"]
            return noise.numpy(), log_prob(noise=noise, **given)["nll_per_dim"].numpy()

        alone = [answer(row, row + 1) for row in range(7)]
        for rows in (2, 3, 7, 8, most):
            noise, nll = answer(0, rows)
            for row in range(min(rows, 7)):
                difference = np.abs(noise[row] - alone[row][0][0]).max()
                of_noise = max(of_noise, difference / alone[row][0].std())
                of_nll = max(of_nll, np.abs(nll[row] - alone[row][1][0]))
        print(f"up to {height} x {width}: noise {of_noise:.1e} of its standard deviation, ", end="")
        print(f"NLL {of_nll:.1e} nats/dim", flush=True)


def main(argv: list[str]) -> None:
    del argv
    if FLAGS.rounding:
        rounding()
        return
    with tempfile.TemporaryDirectory() as folder:
        program = native.build(folder)
        soak(program) if FLAGS.soak else latency(program)


if __name__ == "__main__":
    app.run(main)
