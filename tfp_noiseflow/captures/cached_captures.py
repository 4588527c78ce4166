"""Captures in memory: the batches of a stream, by TensorFlow ops of codes as they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures import philox
from tfp_noiseflow.captures.capture_file import IMAGES, Captures
from tfp_noiseflow.captures.epoch_order import epoch_order, epoch_steps
from tfp_noiseflow.captures.memory import available_memory, free_device_memory
from tfp_noiseflow.choices import CACHES
from tfp_noiseflow.conditions.known import Known

# Read at once. HDF5 reads whole chunks of about a megabyte.
READ_BYTES = 64 << 20

# What "auto" leaves of the free memory.
SHARE_OF_FREE_MEMORY = 0.5


class CachedCaptures:
    """Captures as they are stored, in host or device memory, and their batches by position.

    ```python
    cached = CachedCaptures(captures, cameras=model.cameras)
    for positions in cached.positions(batch_size=138, seed=0):
        batch = cached.features(positions)
    ```

    `features` is made of TensorFlow ops, so that it runs in a training step's own graph: codes are
    gathered, normalised and dequantised where they are kept, and of a batch a thousand bytes of
    positions come from the host. The batches are those of `training_dataset`, bit for bit.

    Args:
      captures: what to keep; all of them are read, as the file stores them.
      cameras: the names whose positions become the `camera` indices; None: all are 0.
      on_device: whether they are kept in the memory of a GPU, where there is one.

    Raises:
      ValueError: captures of a camera that is not among `cameras`; pixels that are not finite.
    """

    def __init__(
        self, captures: Captures, *, cameras: Sequence[str] | None, on_device: bool = False
    ):
        Known.of_cameras(cameras).check_captures(captures)
        self._captures = captures
        gpus = tf.config.list_logical_devices("GPU")
        self._device = gpus[0].name if on_device and gpus else "CPU:0"
        black = captures.black_level
        steps = captures.relative_steps if captures.dequantises else np.zeros(len(captures))
        camera = np.zeros(len(captures), np.int32)
        if cameras is not None:
            position = {name: index for index, name in enumerate(cameras)}
            camera = np.array([position[name] for name in captures.camera], np.int32)
        self._has_steps = bool(steps.any())
        with tf.device(self._device):
            # As `Captures.read` computes: float64 levels, rounded once.
            self._black = _numbers(black)
            self._scale = _numbers(1.0 / (captures.white_level - black))
            self._steps = _numbers(steps)
            self._row = tf.constant(captures.rows)
            self._iso, self._camera = tf.constant(captures.iso), tf.constant(camera)
            # Variables: GPUs have kernels that gather codes of them, and none that do of tensors.
            self._images = {
                name: tf.Variable(_read(captures, name), trainable=False, name=name)
                for name in IMAGES[:2]
            }

    def positions(self, *, batch_size: int, seed: int = 0, first_epoch: int = 0) -> tf.data.Dataset:
        """Positions of shuffled batches without end, those of `training_dataset`.

        Args:
          batch_size, seed, first_epoch: as for `training_dataset`.

        Returns:
          A `tf.data.Dataset` of dicts: `index` [B] int64, `key` [2] uint64 of the dequantisation.
        """
        size = min(batch_size, len(self._captures))
        steps = epoch_steps(self._captures, batch_size)

        def epochs() -> Iterator[dict]:
            epoch = first_epoch
            while True:
                # Once an epoch: an array of all its batches.
                index = epoch_order(self._captures, size, seed, epoch)[:steps]
                yield {"index": index, "key": np.tile(_key(seed, epoch + 1), (len(index), 1))}
                epoch += 1

        signature = {
            "index": tf.TensorSpec([None, size], tf.int64),
            "key": tf.TensorSpec([None, 2], tf.uint64),
        }
        dataset = tf.data.Dataset.from_generator(epochs, output_signature=signature)
        return dataset.prefetch(1).unbatch().prefetch(tf.data.AUTOTUNE)

    def positions_in_order(self, *, batch_size: int, seed: int = 0) -> tf.data.Dataset:
        """Positions of all captures once, in file order, those of `validation_dataset`."""
        key = tf.constant(_key(seed))
        dataset = tf.data.Dataset.range(len(self._captures)).batch(batch_size)
        return dataset.map(lambda index: {"index": index, "key": key})

    def features(self, positions: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A batch by its positions.

        Args:
          positions: an element of `positions` or `positions_in_order`.

        Returns:
          `noise`, `clean` [B, H, W, C] float32, `iso` [B] float32, `camera` [B] int32.
        """
        index = positions["index"]
        with tf.device(self._device):
            clean = self._normalised("clean", index)
            noisy = self._normalised("noisy", index)
            if self._has_steps:
                noisy += self._offsets("noisy", index, positions["key"])
            return {
                "noise": noisy - clean,
                "clean": clean,
                "iso": tf.gather(self._iso, index),
                "camera": tf.gather(self._camera, index),
            }

    def _normalised(self, name: str, index: tf.Tensor) -> tf.Tensor:
        values = tf.cast(tf.gather(self._images[name], index), tf.float32)
        return (values - _over_images(self._black, index)) * _over_images(self._scale, index)

    def _offsets(self, name: str, index: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        shape = self._captures.image_shape
        image = tf.constant(np.uint64(IMAGES.index(name)))
        numbers = philox.uniform(tf.gather(self._row, index), key, image, int(np.prod(shape)))
        numbers = tf.reshape(numbers, [-1, *shape])
        return (numbers - 0.5) * _over_images(self._steps, index)


def chosen_cache(cache: str, *captures: Captures) -> tuple[str, str]:
    """What "auto" stands for, and why.

    Args:
      cache: one of `CACHES`.
      *captures: all that is to be kept.

    Returns:
      "none", "memory" or "device"; a sentence for people.

    Raises:
      ValueError: another name.
    """
    if cache not in CACHES:
        raise ValueError(f"expected a cache among {list(CACHES)}, received {cache!r}.")
    size = sum(stored_bytes(its) for its in captures)
    text = f"{size / 1e9:.2f} GB of captures"
    if cache == "auto":
        places = {"device": free_device_memory(), "memory": available_memory() or 0}
        for place, free in places.items():
            if size <= SHARE_OF_FREE_MEMORY * free:
                return place, f"{text} are kept in {place}, of which {free / 1e9:.1f} GB are free."
        listed = ", ".join(f"{free / 1e9:.1f} GB of {name}" for name, free in places.items())
        return "none", f"{text} are read from the file each epoch: free are {listed}."
    if cache == "none":
        return cache, f"{text} are read from the file each epoch."
    return cache, f"{text} are kept in {cache}."


def stored_bytes(captures: Captures) -> int:
    """What the noisy and clean images of captures take as they are stored."""
    values = len(captures) * int(np.prod(captures.image_shape))
    return sum(values * captures.stored_dtype(name).itemsize for name in IMAGES[:2])


def _read(captures: Captures, name: str) -> np.ndarray:
    """A data set as it is stored; values that GPUs have no kernels for as float32."""
    dtype = captures.stored_dtype(name)
    if dtype not in (np.uint8, np.uint16, np.int16, np.float16, np.float32):
        dtype = np.dtype(np.float32)
    shape = captures.image_shape
    images = np.empty((len(captures), *shape), dtype)
    block = max(1, READ_BYTES // (int(np.prod(shape)) * dtype.itemsize))
    for start in range(0, len(captures), block):
        stop = min(start + block, len(captures))
        images[start:stop] = captures.read_stored(name, start, stop)
    return images


def _key(*seed: int) -> np.ndarray:
    key = np.zeros(2, np.uint64)
    key[: len(seed)] = seed
    return key


def _numbers(values: np.ndarray) -> tf.Tensor:
    return tf.constant(values.astype(np.float32))


def _over_images(numbers: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    return tf.gather(numbers, index)[:, tf.newaxis, tf.newaxis, tf.newaxis]
