"""Speed, memory and rounding of an exported noise model.

    python -m benchmarks.serving --export=saved_models/noise_flow/1
    python -m benchmarks.serving --export=saved_models/noise_flow/1 --soak=100000
    python -m benchmarks.serving --export=saved_models/noise_flow/1 --rounding

The first takes minutes; `--shapes=1x1500x2000x100` has calls enough for a p99 of the frame. The
first two run the C++ program of tests/native, which needs a C++ compiler.
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
flags.DEFINE_list(
    "shapes",
    # Patches and one frame of 12 million values.
    ["1x64x64x1000", "8x64x64x400", "64x64x64x200", "1x1500x2000x20"],
    "Rows, height, width and number of calls of each line of the table.",
)
flags.DEFINE_bool("rounding", False, "Instead, how a row's result differs alone and in a batch.")

# By which resident memory may grow after 5 % of a soak's requests, in MB: allocators keep what the
# fullest moment took, and that can come late. A leak of one row of 8x8 a request would be 100 MB.
GROWTH = 8.0

SIGNATURES = ("serving_default", "sample_noise", "log_prob")


def latency(program) -> None:
    """Latency, throughput and memory by signature and shape, each in a process of its own."""
    print(
        "| signature | rows | H x W | calls | p50, ms | p99, ms | rows/s | peak, MB | above the "
        "request, MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    is_of_calls = True
    for signature in SIGNATURES:
        for shape in FLAGS.shapes:
            rows, height, width, calls = map(int, shape.split("x"))
            arguments = (signature, rows, height, width, calls)
            result = json.loads(native.run(program, FLAGS.export, "measure", *arguments))
            longest = "" if calls >= 100 else "max "
            print(
                f"| `{signature}` | {rows} | {height} x {width} | {calls} | "
                f"{result['p50_ms']:.1f} | {longest}{result['p99_ms']:.1f} | "
                f"{result['rows_per_second']:.1f} | {result['peak_mb']:.0f} | "
                f"{result['peak_mb'] - result['before_mb']:.0f} |",
                flush=True,
            )
            is_of_calls = is_of_calls and result["peak_is_of_calls"]
    if not is_of_calls:
        print("The peak could not be reset after loading: it may be the loading's.")


def soak(program) -> None:
    """Resident memory over many requests, one in a hundred of them wrong.

    Raises:
      RuntimeError: memory that grew after 5 % of the requests.
    """
    result = json.loads(native.run(program, FLAGS.export, "soak", FLAGS.soak, 1, 8, 8))
    print(f"{result['calls']} requests in {result['seconds']:.0f} s, {result['errors']} errors")
    for call, resident in result["resident_mb"]:
        print(f"after request {call}: {resident:.1f} MB")
    early, late = result["resident_mb"][1][1], result["resident_mb"][-1][1]
    print(f"from 5 % of the requests to the end: {late - early:+.1f} MB")
    if late - early > GROWTH:
        raise RuntimeError(f"expected memory to grow by at most {GROWTH} MB.")


def rounding() -> None:
    """The largest difference of a row alone and in batches of other sizes."""
    loaded = tf.saved_model.load(FLAGS.export)
    sample, log_prob = loaded.signatures["sample_noise"], loaded.signatures["log_prob"]
    told = {k: v.numpy()[0] for k, v in loaded.signatures["describe"](dummy=tf.zeros(1)).items()}
    generator = np.random.default_rng(0)
    channels = sample.structured_input_signature[1]["clean"].shape[-1]
    known = known_pairs(sample, told["cameras"], told["iso_levels"], channels)
    of_noise, of_nll = 0.0, 0.0
    for height, width in ((8, 8), (32, 32), (64, 64), (30, 41), (256, 256)):
        most = 64 if height <= 64 else 8
        pairs = [known[k] for k in generator.integers(0, len(known), most)]
        request = {
            "clean": generator.uniform(0, 1, (most, height, width, channels)).astype(np.float32),
            "iso": np.array([iso for _, iso in pairs], np.float32),
            "camera": np.array([camera for camera, _ in pairs], object),
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


def known_pairs(sample, cameras, iso_levels, channels: int) -> list[tuple[bytes, float]]:
    """The cameras and ISOs that an export knows together: `describe` tells each by itself."""
    pairs = []
    for camera in cameras if len(cameras) else [b""]:
        for iso in iso_levels if len(iso_levels) else [100.0]:
            try:
                answer = sample(
                    clean=tf.fill([1, 2, 2, channels], 0.2),
                    iso=tf.constant([iso], tf.float32),
                    camera=tf.constant([camera]),
                    seed=tf.zeros([1, 2], tf.int32),
                    temperature=tf.ones([1]),
                )
            except tf.errors.InvalidArgumentError:
                continue
            if "valid" not in answer or answer["valid"][0]:
                pairs.append((camera, iso))
    return pairs


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
