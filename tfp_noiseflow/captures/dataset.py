"""Capture files as streams of batches for training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.cached_captures import CachedCaptures, chosen_cache
from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures
from tfp_noiseflow.captures.epoch_order import epoch_batches, epoch_steps
from tfp_noiseflow.conditions.known import Known


def training_dataset(
    captures: Captures,
    *,
    cameras: Sequence[str] | None,
    batch_size: int,
    seed: int = 0,
    first_epoch: int = 0,
    cache: str = "none",
) -> tf.data.Dataset:
    """Shuffled batches without end, epoch after epoch.

    Captures are read in blocks in random order into a pool of 128 MB, from which batches are
    drawn and which is filled up as they are, so that a file larger than memory streams.
    Quantised values are dequantised anew each epoch. Epoch k is the same whether the stream began
    at epoch 0 or at k: training can be resumed exactly. From a cache batches are the same, bit for
    bit.

    Args:
      captures: what to read.
      cameras: the names whose positions become the `camera` indices; None: all are 0, for models
        that take any camera.
      batch_size: B; batches are full, what is left of an epoch is dropped. See `epoch_steps`.
      seed: of the order and of the dequantisation.
      first_epoch: the epoch to begin with.
      cache: "none": captures are read anew each epoch; "memory" or "device": kept as they are
        stored (`CachedCaptures`), batches made by TensorFlow ops; "auto": by size and free memory
        (`chosen_cache`). `tf.data` works on the host: batches are made on a device where a step's
        own graph makes them, as that of `train_noise_model` does.

    Returns:
      A `tf.data.Dataset` of dicts: `noise`, `clean` [B, H, W, C] float32, `iso` [B] float32,
      `camera` [B] int32.

    Raises:
      ValueError: captures of a camera that is not among `cameras`; another cache.
    """
    if chosen_cache(cache, captures)[0] != "none":
        cached = CachedCaptures(captures, cameras=cameras)
        positions = cached.positions(batch_size=batch_size, seed=seed, first_epoch=first_epoch)
        return positions.map(cached.features).prefetch(tf.data.AUTOTUNE)
    Known.of_cameras(cameras).check_captures(captures)
    steps = epoch_steps(captures, batch_size)
    batch_size = min(batch_size, len(captures))

    def batches() -> Iterator[dict]:
        epoch = first_epoch
        while True:
            for batch in itertools.islice(epoch_batches(captures, batch_size, seed, epoch), steps):
                yield _as_features(batch, cameras)
            epoch += 1

    return _dataset(batches, captures, batch_size)


def validation_dataset(
    captures: Captures,
    *,
    cameras: Sequence[str] | None,
    batch_size: int,
    seed: int = 0,
    cache: str = "none",
) -> tf.data.Dataset:
    """All captures once, in file order, dequantised with a fixed seed; else as for training."""
    if chosen_cache(cache, captures)[0] != "none":
        cached = CachedCaptures(captures, cameras=cameras)
        positions = cached.positions_in_order(batch_size=batch_size, seed=seed)
        return positions.map(cached.features).prefetch(tf.data.AUTOTUNE)
    Known.of_cameras(cameras).check_captures(captures)

    def batches() -> Iterator[dict]:
        for block in captures.blocks(batch_size, seed=seed):
            yield _as_features(block, cameras)

    return _dataset(batches, captures, None)


def _as_features(block: CaptureBlock, cameras: Sequence[str] | None) -> dict:
    features = {"noise": block.noise, "clean": block.clean, "iso": block.iso}
    if cameras is not None:
        position = {camera: index for index, camera in enumerate(cameras)}
        features["camera"] = np.array([position[camera] for camera in block.camera], np.int32)
    else:
        features["camera"] = np.zeros(len(block), np.int32)
    return features


def _dataset(
    batches: Callable[[], Iterator[dict]], captures: Captures, batch_size: int | None
) -> tf.data.Dataset:
    images = tf.TensorSpec([batch_size, *captures.image_shape], tf.float32)
    signature = {
        "noise": images,
        "clean": images,
        "iso": tf.TensorSpec([batch_size], tf.float32),
        "camera": tf.TensorSpec([batch_size], tf.int32),
    }
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.prefetch(tf.data.AUTOTUNE)
