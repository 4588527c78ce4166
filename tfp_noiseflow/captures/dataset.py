"""Capture files as streams of batches for training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures
from tfp_noiseflow.conditions.conditions import Camera
from tfp_noiseflow.conditions.known import Known

# Of float32 noise and clean images. HDF5 reads hold one lock, so that few large ones are fast and
# many small ones are not: a block is 128 captures of 32x32x4, a whole number of a file's chunks.
BLOCK_BYTES = 4 << 20

# Captures are drawn from a pool this large: 4096 of 32x32x4.
POOL_BYTES = 128 << 20


def training_dataset(
    captures: Captures,
    *,
    cameras: Sequence[str] | None,
    batch_size: int,
    seed: int = 0,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Shuffled batches without end, epoch after epoch.

    Captures are read in blocks in random order into a pool of 128 MB, from which batches are
    drawn and which is filled up as they are, so that a file larger than memory streams.
    Quantised values are dequantised anew each epoch. Epoch k is the same whether the stream began
    at epoch 0 or at k: training can be resumed exactly.

    Args:
      captures: what to read.
      cameras: the names whose positions become the `camera` indices; None: all are 0, for models
        that take any camera.
      batch_size: B; batches are full, what is left of an epoch is dropped. See `epoch_steps`.
      seed: of the order and of the dequantisation.
      first_epoch: the epoch to begin with.

    Returns:
      A `tf.data.Dataset` of dicts: `noise`, `clean` [B, H, W, C] float32, `iso` [B] float32,
      `camera` [B] int32.

    Raises:
      ValueError: captures of a camera that is not among `cameras`.
    """
    _known(cameras).check_captures(captures)
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
    _known(cameras).check_captures(captures)

    def batches():
        for block in captures.blocks(batch_size, seed=seed):
            yield _as_features(block, cameras)

    return _dataset(batches, captures, None)


def _known(cameras: Sequence[str] | None) -> Known:
    if cameras is None:
        return Known()
    return Known.of({"camera": Camera(len(cameras))}, tuple(cameras))


def epoch_steps(captures: Captures, batch_size: int) -> int:
    """Full batches in an epoch, at least one (of all captures where there are fewer)."""
    if batch_size < 1:
        raise ValueError(f"expected batch_size >= 1, received {batch_size}.")
    return max(1, len(captures) // batch_size)


def _epoch(captures, batch_size, seed, epoch) -> Iterator[CaptureBlock]:
    generator = np.random.default_rng([seed, epoch])
    capture_bytes = 2 * 4 * int(np.prod(captures.image_shape))
    rows = _ShuffledReader(
        captures, max(1, BLOCK_BYTES // capture_bytes), generator, (seed, epoch + 1)
    )
    pool = rows.take(max(batch_size, POOL_BYTES // capture_bytes))
    while len(pool) >= batch_size:
        drawn = generator.choice(len(pool), batch_size, replace=False)
        yield _rows(pool, drawn)
        incoming = rows.take(batch_size)
        filled, holes = np.split(drawn, [len(incoming)])
        for name in FIELDS:
            getattr(pool, name)[filled] = getattr(incoming, name)
        if len(holes):
            # Nothing comes in any more: what stands at the end closes the gaps.
            size = len(pool) - len(holes)
            moved = np.setdiff1d(np.arange(size, len(pool)), holes)
            for name in FIELDS:
                values = getattr(pool, name)
                values[holes[holes < size]] = values[moved]
            pool = _rows(pool, slice(size))


class _ShuffledReader:
    """The captures of a file, block by block in random order, handed out in any number.

    The seed of the dequantisation is never that of an evaluation, (seed, 0): evaluating the
    training captures would else meet the draws of the first epoch.
    """

    def __init__(self, captures: Captures, block: int, generator, seed):
        starts = block * generator.permutation(-(-len(captures) // block))
        self._blocks = (
            captures.read(start, min(start + block, len(captures)), seed=seed) for start in starts
        )
        self._rest = captures.read(0, 0)

    def take(self, count: int) -> CaptureBlock:
        """The next `count` captures; fewer at the end."""
        parts, lacking = [], count
        while True:
            # Views: only what is handed out is copied, once.
            parts.append(_rows(self._rest, slice(lacking)))
            self._rest = _rows(self._rest, slice(lacking, None))
            lacking -= len(parts[-1])
            if not lacking or (block := next(self._blocks, None)) is None:
                break
            self._rest = block
        return CaptureBlock(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS)
        )


FIELDS = ("index", "noise", "clean", "iso", "camera")


def _rows(block: CaptureBlock, rows) -> CaptureBlock:
    return CaptureBlock(*(getattr(block, name)[rows] for name in FIELDS))


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
