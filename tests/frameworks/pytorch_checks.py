"""The stream for PyTorch, in PyTorch: `python -m tests.frameworks.pytorch_checks CHECK`.

In processes of their own, as PyTorch has to be imported before TensorFlow.
"""

import pathlib
import sys
import tempfile

from tfp_noiseflow.frameworks.pytorch import TensorStream  # isort: skip

import numpy as np
import tensorflow as tf
import torch
from torch.utils.data import DataLoader

import tfp_noiseflow as nf
from tests.documents import ROOT, examples
from tests.training.codes import CAMERAS, write_codes


def numbers():
    """Batches of two numbers; of a module, so that other processes find it."""
    return tf.data.Dataset.range(12).batch(2)


def batches_of_captures_are_those_of_the_stream():
    path = pathlib.Path(tempfile.mkdtemp()) / "captures.h5"
    write_codes(path, 20)
    captures = nf.read_captures(path)

    def stream():
        return nf.training_dataset(captures, cameras=CAMERAS, batch_size=5, seed=1)

    batches = list(DataLoader(TensorStream(stream, steps=6), batch_size=None))
    assert len(batches) == 6
    for batch, expected in zip(batches, stream().take(6), strict=True):
        assert set(batch) == {"noise", "clean", "iso", "camera"}
        for name, value in batch.items():
            np.testing.assert_array_equal(value.numpy(), expected[name])


def noisy_and_clean_images_train_a_network():
    add_noise = nf.AddCameraNoise(nf.GaussianNoise(0.1), returns_pairs=True, seed=0)
    clean = np.random.default_rng(0).uniform(0.2, 0.8, (8, 6, 10, 4)).astype(np.float32)

    def pairs():
        images = tf.data.Dataset.from_tensor_slices(clean).repeat().batch(4)
        return images.enumerate().map(add_noise.map_function)

    network = torch.nn.Conv2d(4, 4, 3, padding=1)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for noisy, target in DataLoader(
        TensorStream(pairs, steps=30, channels_first=True), batch_size=None
    ):
        assert noisy.shape == target.shape == (4, 4, 6, 10)
        loss = torch.nn.functional.mse_loss(network(noisy), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def worker_processes_share_the_batches_in_order():
    loader = DataLoader(
        TensorStream(numbers), batch_size=None, num_workers=2, multiprocessing_context="spawn"
    )
    found = [batch.tolist() for batch in loader]
    assert found == [[2 * n, 2 * n + 1] for n in range(6)]


def a_dataset_itself_is_refused():
    try:
        TensorStream(numbers())
    except ValueError as error:
        assert "expected a function that gives a tf.data.Dataset" in str(error)
    else:
        raise AssertionError("nothing was refused")


def the_guide_runs():
    names = {}
    for example in examples(ROOT / "docs" / "guides" / "pytorch.md"):
        exec(example, names)
    assert names["noisy"].shape == (4, 4, 32, 32) and names["noisy"].dtype == torch.float32


CHECKS = (
    batches_of_captures_are_those_of_the_stream,
    noisy_and_clean_images_train_a_network,
    worker_processes_share_the_batches_in_order,
    a_dataset_itself_is_refused,
    the_guide_runs,
)

if __name__ == "__main__":
    {check.__name__: check for check in CHECKS}[sys.argv[1]]()
