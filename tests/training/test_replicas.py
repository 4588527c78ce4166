"""Several devices and several processes train what one device trains."""

import csv
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.training.codes import write_codes
from tests.training.workers import finish, two_workers
from tfp_noiseflow.training.replicas import shared_among, strategy_of

# 102 captures: batches of 17 have no equal halves, and validation ends with a batch that has none.
FLAGS = {"architecture": "S-Ax1-G-CAM", "epochs": 34, "batch_size": 17, "cache": "memory"}


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    path = tmp_path_factory.mktemp("codes") / "captures.h5"
    write_codes(path, 102)
    return path


def history(model_dir):
    """By column, an entry an epoch."""
    with open(model_dir / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def on_logical_devices(captures, model_dir, devices):
    command = [sys.executable, "-m", "tests.training.replica_run"]
    subprocess.run([*command, str(captures), str(model_dir), str(devices)], check=True)
    return history(model_dir)


def assert_same(found, expected):
    """Curves of 204 steps: sums in another order, whose roundings a training carries on."""
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-4, atol=2e-4, err_msg=name)
    # Of histograms of 26,000 values: a rounding moves some of them to the next bin.
    np.testing.assert_allclose(found["val_kl"], expected["val_kl"], rtol=2e-3, atol=1e-3)


@pytest.mark.slow  # Five processes that import TensorFlow and trace a training step.
def test_two_devices_and_two_workers_train_as_one_and_go_on_after_one_is_killed(captures, tmp_path):
    one = on_logical_devices(captures, tmp_path / "one", 1)
    assert one["step"][-1] >= 200
    assert_same(on_logical_devices(captures, tmp_path / "mirrored", 2), one)

    model_dir = tmp_path / "workers"
    its = {"train_captures": captures, "validation_captures": captures, "model_dir": model_dir}
    flags = FLAGS | its | {"verbose": 0}
    workers = two_workers("noise_flow", flags, tmp_path)
    deadline = time.monotonic() + 200
    try:
        while not (model_dir / "history.csv").exists() or len(history(model_dir)["step"]) < 17:
            assert time.monotonic() < deadline and workers[1].poll() is None
            time.sleep(0.02)
        workers[1].send_signal(signal.SIGKILL)
        # The other one waits for it or fails; whoever starts jobs starts all workers anew.
        time.sleep(1)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert len(history(model_dir)["step"]) < FLAGS["epochs"]
    finish(two_workers("noise_flow", flags, tmp_path), tmp_path)
    assert_same(history(model_dir), one)


def test_one_replica_takes_all_of_a_batch():
    dataset = tf.data.Dataset.range(4).batch(2).map(lambda index: {"index": index})
    assert shared_among(strategy_of("one"), dataset) is dataset


def test_strategies_that_cannot_be_are_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"expected a strategy among .*, received 'tpu'"):
        strategy_of("tpu")
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="expected the environment variable TF_CONFIG"):
        strategy_of("multi_worker")
