"""What trains is the same in every process."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.scripts import run_python
from tfp_noiseflow.repeatable import repeatable_sums

# P's numbers are shared by all pixels: their gradients are sums of many terms.
CODE = """
import sys
import tfp_noiseflow as nf
model = nf.StoredNoise(nf.NoiseFlow("L-P", cameras=("A", "B"), seed=0), 1 / 959)
with nf.read_captures(sys.argv[1]) as captures:
    schedule = nf.Schedule(epochs=2, batch_size=16)
    nf.train_noise_model(model, captures, captures, sys.argv[2], schedule, verbose=0)
print(open(sys.argv[2] + "/history.csv").read())
"""


def test_the_setting_of_the_optimizer_is_given_back():
    def setting():
        return tf.config.optimizer.get_experimental_options().get("arithmetic_optimization", True)

    for before in (False, True):
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": before})
        with repeatable_sums(), repeatable_sums():
            assert not setting()
        with pytest.raises(ValueError), repeatable_sums():
            raise ValueError
        assert setting() == before


@pytest.mark.slow
def test_processes_train_to_the_same_bits(tmp_path):
    generator = np.random.default_rng(0)
    clean = generator.uniform(0.05, 0.9, (64, 16, 16, 4)).astype(np.float32)
    noisy = np.rint(959 * (clean + 0.01 * generator.standard_normal(clean.shape)))
    nf.write_captures(
        tmp_path / "captures.h5",
        np.clip(noisy, 0, 959).astype(np.uint16),
        959 * clean,
        np.resize([100.0, 800.0], 64),
        list(np.resize(["A", "A", "B"], 64)),
        black_level=0,
        white_level=959,
        quantization_step=1,
    )
    # Left to the optimizer, two processes of three end otherwise.
    histories = set()
    for number in range(4):
        done = run_python("-c", CODE, tmp_path / "captures.h5", tmp_path / str(number))
        assert done.returncode == 0, done.stderr
        histories.add(done.stdout)
    assert len(histories) == 1
