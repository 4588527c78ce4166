"""How fast the flow is: this library against the plain form and against stock TFP parts.

    python -m benchmarks.speed [--rounds=3] [--output_dir=O]

Every figure comes from processes of its own, in turn; times are medians over rounds of a median
within a process, and what counts are the ratios of one run. All forms are timed twice: with
TensorFlow as it comes and with the settings of this library's scripts (`train.SETTINGS`), because
these make the other forms faster too. On a machine with a GPU TensorFlow uses it; nothing here asks
for one. `--cases`, `--forms` and `--settings` leave something out.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys

from absl import app, flags

from tfp_noiseflow.atomic_write import write_text

FLAGS = flags.FLAGS

# Name -> patches, height, width, and what is measured, in the order of the memory that it takes.
# One frame is not trained on.
CASES = {
    "patches of 32": (138, 32, 32, ("sample", "nll", "train")),
    "patches of 64": (64, 64, 64, ("sample", "nll", "train")),
    "12-megapixel frame": (1, 1500, 2000, ("sample", "nll")),
}
OPERATIONS = {"train": "training step", "nll": "NLL", "sample": "sample"}
# A training step takes about three times the operations of a forward pass.
PASSES = {"train": 3, "nll": 1, "sample": 1}
# Whose the environment's variables are that TensorFlow reads.
SETTINGS = ("TensorFlow's", "scripts'")
# Two images of four float32: what an NLL reads, what a sample reads and writes.
BYTES_PER_PIXEL = 32

flags.DEFINE_integer("rounds", 3, "Fresh processes for each form and case.", lower_bound=1)
flags.DEFINE_list("cases", list(CASES), "Which.")
flags.DEFINE_list(
    "forms",
    ["library", "plain", "stock"],
    "Which; others are unfolded, compiled, compiled-unfolded and stored.",
)
flags.DEFINE_list("settings", list(SETTINGS), "Which.")
flags.DEFINE_integer("seconds", 4, "Time to spend on a figure in a process.", lower_bound=1)
flags.DEFINE_string("output_dir", None, "speed.md goes there too.")
flags.DEFINE_string("model_dir", None, "The library's flow; default: an untrained one.")
flags.DEFINE_list("child", None, "What a child process measures: form, case.")


def measure(form: str, case: str) -> dict[str, dict]:
    """For each operation seconds of a call, and the peak memory so far and before the first."""
    import tensorflow as tf

    from benchmarks.forms import FORMS, Library, batch
    from tfp_noiseflow.experiments.operations import seconds_of

    number, height, width, operations = CASES[case]
    options = {"model_dir": FLAGS.model_dir} if issubclass(FORMS[form], Library) else {}
    made = FORMS[form](*batch(number, height, width), **options)
    before = _peak_bytes()
    results = {}
    for operation in operations:
        function = getattr(made, operation)
        for _ in range(2):
            seconds_of(function)
        times = []
        while sum(times) < FLAGS.seconds or len(times) < 3:
            times.append(seconds_of(function))
        results[operation] = {
            "seconds": statistics.median(times),
            "peak_bytes": _peak_bytes(),
            "bytes_above": _peak_bytes() - before,
            "devices": [_name(device) for device in tf.config.list_physical_devices()],
        }
    return results


def measure_machine() -> dict:
    """FLOP/s of a matrix product and bytes/s of an addition in memory, the best of several."""
    import tensorflow as tf

    from tfp_noiseflow.experiments.operations import seconds_of

    # A GPU is done with a small product before the host has asked for it.
    size = 8192 if tf.config.list_physical_devices("GPU") else 2048
    matrix = tf.random.stateless_normal([size, size], (0, 0))
    images = tf.random.stateless_normal([1 << 26], (0, 1))
    product = tf.function(lambda: tf.reduce_sum((matrix @ matrix)[0]))
    addition = tf.function(lambda: (images + 1.0)[0])
    best = {}
    for name, function in (("product", product), ("addition", addition)):
        best[name] = min(seconds_of(function) for _ in range(8))
    return {
        "flops": 2 * size**3 / best["product"],
        "bandwidth": 2 * 4 * (1 << 26) / best["addition"],
    }


def _name(device) -> str:
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(device)
    return details.get("device_name", device.device_type)


def _peak_bytes() -> int:
    """Of the process so far; on a GPU, of its memory."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    # Kilobytes on Linux, bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def _run_child(settings: str, *what: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.speed", f"--child={','.join(what)}"]
    command += [f"--seconds={FLAGS.seconds}"]
    command += [f"--model_dir={FLAGS.model_dir}"] if FLAGS.model_dir else []
    # Not by the child, whose settings importing it would change.
    from train import SETTINGS as SCRIPTS

    environment = {k: v for k, v in os.environ.items() if k not in SCRIPTS}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", **(SCRIPTS if settings == SETTINGS[1] else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(what)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measurements() -> dict[tuple[str, str, str, str], list[dict]]:
    results = {}
    for _ in range(FLAGS.rounds):
        for case in FLAGS.cases:
            for form in FLAGS.forms:
                for settings in FLAGS.settings:
                    for operation, result in _run_child(settings, form, case).items():
                        results.setdefault((case, operation, form, settings), []).append(result)
                    print(f"{case}, {form}, {settings} settings", flush=True, file=sys.stderr)
    return dict(sorted(results.items(), key=_place))


def _place(item) -> tuple[int, int, int, int]:
    case, operation, form, settings = item[0]
    places = (list(CASES), list(OPERATIONS), FLAGS.forms, FLAGS.settings)
    return tuple(map(list.index, places, (case, operation, form, settings)))


def _table(results, machine) -> str:
    from benchmarks.forms import FLOPS_PER_PIXEL

    def median(key, figure):
        return statistics.median(result[figure] for result in results[key])

    def ratio(key, other):
        """Round by round: the machine's speed drifts."""
        if other not in results:
            return ""
        pairs = zip(results[key], results[other], strict=True)
        return f"{statistics.median(a['seconds'] / b['seconds'] for a, b in pairs):.2f}"

    lines = [
        "| | form | settings | ms | patches/s | megapixels/s | times library, same settings "
        "| times library, scripts' | peak memory, GB | above the images, GB | ns a pixel "
        "| of peak FLOP/s |",
        "|" + "---|" * 12,
    ]
    for key in results:
        case, operation, form, settings = key
        number, height, width, _ = CASES[case]
        pixels = number * height * width
        seconds = median(key, "seconds")
        flops = FLOPS_PER_PIXEL * PASSES[operation] * pixels / seconds
        lines.append(
            f"| {case}, {OPERATIONS[operation]} | {form} | {settings} | {1e3 * seconds:.0f} "
            f"| {number / seconds:.3g} | {4e-6 * pixels / seconds:.2f} "
            f"| {ratio(key, (case, operation, 'library', settings))} "
            f"| {ratio(key, (case, operation, 'library', SETTINGS[1]))} "
            f"| {median(key, 'peak_bytes') / 1e9:.2f} | {median(key, 'bytes_above') / 1e9:.2f} "
            f"| {1e9 * seconds / pixels:.0f} | {flops / machine['flops']:.1%} |"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    from benchmarks.forms import FLOPS_PER_PIXEL

    del argv
    if FLAGS.child:
        what = FLAGS.child
        print(json.dumps(measure_machine() if what == ["machine"] else measure(*what)))
        return
    from train import SETTINGS as SCRIPTS

    machine = _run_child(FLAGS.settings[-1], "machine")
    results = _measurements()
    devices = sorted({d for rs in results.values() for r in rs for d in r["devices"]})
    settings = ", ".join(f"{name}={value}" for name, value in SCRIPTS.items())
    text = "\n\n".join(
        [
            "# Speed",
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; devices "
            f"{', '.join(devices)}. Matrix product {machine['flops'] / 1e9:.0f} GFLOP/s, memory "
            f"{machine['bandwidth'] / 1e9:.1f} GB/s (float32, TensorFlow, best of 8). Medians of "
            f"{FLAGS.rounds} fresh processes. Megapixels are of the mosaic, four to a packed "
            "pixel. `times library`: time over this library's, median over rounds. The scripts' "
            f"settings are {settings}. Memory above the images is what an operation takes in a "
            "process that holds its images and the variables already, on a GPU of its memory. The "
            "last column counts the convolutions' useful operations. An NLL or a sample has to "
            f"move {BYTES_PER_PIXEL} bytes a pixel and to do {FLOPS_PER_PIXEL} operations, "
            f"{FLOPS_PER_PIXEL / BYTES_PER_PIXEL:.0f} a byte, where this machine does "
            f"{machine['flops'] / machine['bandwidth']:.0f} a byte at most: if layers needed no "
            "memory in between, the matrix product would be the roof.",
            _table(results, machine),
        ]
    )
    print(text)
    if FLAGS.output_dir:
        write_text(os.path.join(FLAGS.output_dir, "speed.md"), text + "\n")


if __name__ == "__main__":
    app.run(main)
