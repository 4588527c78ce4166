"""The stream for PyTorch, where PyTorch (the extra `torch`) is: processes of their own."""

import importlib.util
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,  # Each imports both libraries.
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="PyTorch is in the extra `torch`"
    ),
]

CHECKS = (
    "batches_of_captures_are_those_of_the_stream",
    "noisy_and_clean_images_train_a_network",
    "worker_processes_share_the_batches_in_order",
    "a_dataset_itself_is_refused",
    "the_guide_runs",
)


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("check", CHECKS)
def test_in_pytorch(check):
    done = python("-m", "tests.frameworks.pytorch_checks", check)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="there is no triton")
def test_the_order_that_would_crash_is_refused():
    done = python("-c", "import tensorflow, tfp_noiseflow.frameworks.pytorch")
    assert done.returncode == 1
    assert "expected PyTorch's triton to be loaded before TensorFlow" in done.stderr
