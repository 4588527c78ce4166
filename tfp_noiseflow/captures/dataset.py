"""Capture files as streams of batches for training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures

# Captures in a read. HDF5 reads hold one lock, so that few large ones are fast and many small
# ones are not; this is a whole number of chunks for 32x32x4 patches.
BLOCK = 128

# Blocks that are mixed in memory: 4096 patches of 32x32x4, 128 MB as float32 pairs.
POOL = 32


def training_dataset(
    captures: Captures,
    *,
    cameras: Sequence[str] | None,
    batch_size: int,
    seed: int = 0,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Shuffled batches without end, epoch after epoch.

    Captures are read in blocks of 128 in random order and mixed 32 blocks at a time, so that a
    file larger than memory streams. Quantised values are dequantised anew each epoch. Epoch k is
    the same whether the stream began at epoch 0 or at k: training can be resumed exactly.

    Args:
      captures: what to read.
      cameras: the names whose positions become the `camera` indices; None: no indices are given.
      batch_size: B; batches are full, what is left of an epoch is dropped. See `epoch_steps`.
      seed: of the order and of the dequantisation.
      first_epoch: the epoch to begin with.

    Returns:
      A `tf.data.Dataset` of dicts: `noise`, `clean` [B, H, W, C] float32, `iso` [B] float32,
      `camera` [B] int32.

    Raises:
      ValueError: captures of a camera that is not among `cameras`.
    """
    captures.check_known(cameras, None)
    steps = epoch_steps(captures, batch_size)
    batch_size = min(batch_size, len(captures))

    def batches():
        epoch = first_epoch
        while True:
            for batch in itertools.islice(_epoch(captures, batch_size, seed, epoch), steps):
                yield _as_features(batch, cameras)
            epoch += 1

    return _dataset(batches, captures, batch_size)


def validation_dataset(
    captures: Captures,
    *,
    cameras: Sequence[str] | None,
    batch_size: int,
    seed: int = 0,
) -> tf.data.Dataset:
    """All captures once, in file order, dequantised with a fixed seed; else as for training."""
    captures.check_known(cameras, None)

    def batches():
        for block in captures.blocks(batch_size, seed=seed):
            yield _as_features(block, cameras)

    return _dataset(batches, captures, None)


def epoch_steps(captures: Captures, batch_size: int) -> int:
    """Full batches in an epoch, at least one (of all captures where there are fewer)."""
    if batch_size < 1:
        raise ValueError(f"expected batch_size >= 1, received {batch_size}.")
    return max(1, len(captures) // batch_size)


def _epoch(captures, batch_size, seed, epoch) -> Iterator[CaptureBlock]:
    generator = np.random.default_rng([seed, epoch])
    starts = BLOCK * generator.permutation(-(-len(captures) // BLOCK))
    left_over = None
    for first in range(0, len(starts), POOL):
        # Epoch 0 of training and the evaluation of the same file would share their draws.
        blocks = [
            captures.read(start, min(start + BLOCK, len(captures)), seed=(seed, epoch + 1))
            for start in starts[first : first + POOL]
        ]
        pool = _concatenated([*blocks] if left_over is None else [left_over, *blocks])
        pool = _rows(pool, generator.permutation(len(pool)))
        full = len(pool) - len(pool) % batch_size
        for start in range(0, full, batch_size):
            yield _rows(pool, slice(start, start + batch_size))
        left_over = _rows(pool, slice(full, None))


def _rows(block: CaptureBlock, rows) -> CaptureBlock:
    return CaptureBlock(
        block.index[rows], block.noise[rows], block.clean[rows], block.iso[rows], block.camera[rows]
    )


def _concatenated(blocks: Sequence[CaptureBlock]) -> CaptureBlock:
    names = ("index", "noise", "clean", "iso", "camera")
    return CaptureBlock(*(np.concatenate([getattr(b, name) for b in blocks]) for name in names))


def _as_features(block: CaptureBlock, cameras: Sequence[str] | None) -> dict:
    features = {"noise": block.noise, "clean": block.clean, "iso": block.iso}
    if cameras is not None:
        position = {camera: index for index, camera in enumerate(cameras)}
        features["camera"] = np.array([position[camera] for camera in block.camera], np.int32)
    else:
        features["camera"] = np.zeros(len(block), np.int32)
    return features


def _dataset(batches, captures: Captures, batch_size: int | None) -> tf.data.Dataset:
    images = tf.TensorSpec([batch_size, *captures.image_shape], tf.float32)
    signature = {
        "noise": images,
        "clean": images,
        "iso": tf.TensorSpec([batch_size], tf.float32),
        "camera": tf.TensorSpec([batch_size], tf.int32),
    }
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.prefetch(tf.data.AUTOTUNE)
