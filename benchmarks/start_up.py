"""The cost of importing the library, and of the first training step of a fresh process.

python -m benchmarks.start_up [--rounds=5]

The import is timed twice: after `import tensorflow, tensorflow_probability` alone, and after the
modules of theirs that both load when they are first used, and tf_keras, are loaded too. The
difference is theirs, but whoever only imports the two pays it with the library.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 5, "Fresh processes.", lower_bound=1)

IMPORT = """
import time
import tensorflow, tensorflow_probability
{loaded}
start = time.perf_counter()
import tfp_noiseflow
print(time.perf_counter() - start)
"""
LOADED = """
import tf_keras
tensorflow_probability.bijectors, tensorflow_probability.distributions, tf_keras.Model
"""
# The default flow and the paper's batch.
FIRST_STEP = """
import time
import train  # For the environment that the scripts train in.
import numpy as np
import tf_keras
import tfp_noiseflow as nf
generator = np.random.default_rng(0)
batch = {
    "noise": 0.02 * generator.standard_normal((138, 32, 32, 4)).astype(np.float32),
    "clean": generator.uniform(size=(138, 32, 32, 4)).astype(np.float32),
    "iso": np.resize(np.float32([100, 400, 800, 1600, 3200]), 138),
    "camera": np.resize(np.arange(5, dtype=np.int32), 138),
}
start = time.perf_counter()
flow = nf.NoiseFlow("S-Ax4-G-Ax4-CAM")
trainer = nf.LikelihoodTrainer(flow)
trainer.compile(tf_keras.optimizers.Adam(1e-2))
trainer.fit(batch, batch_size=138, epochs=1, verbose=0)
print(time.perf_counter() - start)
"""
MEASUREMENTS = {
    "import tfp_noiseflow, after importing TensorFlow and TensorFlow Probability": IMPORT.format(
        loaded=""
    ),
    "import tfp_noiseflow, after they loaded all that it uses of them": IMPORT.format(
        loaded=LOADED
    ),
    "first training step, with the flow made, compiled and traced": FIRST_STEP,
}


def main(argv: list[str]) -> None:
    del argv
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    seconds = {name: [] for name in MEASUREMENTS}
    # In turn, so that all meet the same machine.
    for _ in range(FLAGS.rounds):
        for name, code in MEASUREMENTS.items():
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            seconds[name].append(float(done.stdout))
    for name, each in seconds.items():
        print(
            f"{name}: {statistics.median(each):.2f} s (median of {len(each)} processes, "
            f"{min(each):.2f} to {max(each):.2f})"
        )


if __name__ == "__main__":
    app.run(main)
