"""What importing the library adds to importing TensorFlow and TensorFlow Probability.

python -m benchmarks.start_up [--rounds=5]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 5, "Fresh processes.", lower_bound=1)

CODE = """
import time
import tensorflow, tensorflow_probability, tf_keras
tensorflow_probability.bijectors, tensorflow_probability.distributions, tf_keras.Model
start = time.perf_counter()
import tfp_noiseflow
print(time.perf_counter() - start)
"""


def main(argv: list[str]) -> None:
    del argv
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    seconds = [
        float(
            subprocess.run(
                [sys.executable, "-c", CODE],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for _ in range(FLAGS.rounds)
    ]
    print(
        f"import tfp_noiseflow: {statistics.median(seconds):.2f} s after TensorFlow and TensorFlow "
        f"Probability (median of {len(seconds)} processes, {min(seconds):.2f} to "
        f"{max(seconds):.2f})"
    )


if __name__ == "__main__":
    app.run(main)
