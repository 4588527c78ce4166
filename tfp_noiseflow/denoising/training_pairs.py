"""Noisy and clean images to train a denoiser on: real pairs, or clean images with added noise."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.dataset import training_dataset
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.images.stored_codes import as_stored

# The paper's range for training with Gaussian noise (section 5), of 8-bit codes.
SIGMA_RANGE = (0.24 / 255, 11.51 / 255)


class AddGaussianNoise:
    """White Gaussian noise, each image's standard deviation drawn uniformly from a range.

    Args:
      sigma_range: (lowest, highest) as fractions of full scale; the default is the paper's.
      quantization_step, clips: as in AddCameraNoise.
      seed: of all that is drawn.
    """

    def __init__(
        self,
        sigma_range: tuple[float, float] = SIGMA_RANGE,
        *,
        quantization_step: float = 0.0,
        clips: bool = False,
        seed: int = 0,
    ):
        self.sigma_range = sigma_range
        self.quantization_step = quantization_step
        self.clips = clips
        self.seed = seed

    def map_function(self, index, clean):
        """As `AddCameraNoise.map_function` with returns_pairs: (noisy, clean)."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(index, tf.int64)])
        sigma_seed, noise_seed = tf.unstack(tf.random.split(seed, 2))
        sigma = tf.random.stateless_uniform(tf.shape(clean)[:-3], sigma_seed, *self.sigma_range)
        noise = tf.random.stateless_normal(tf.shape(clean), noise_seed)
        noisy = clean + sigma[..., tf.newaxis, tf.newaxis, tf.newaxis] * noise
        clips = {"clips_black": self.clips, "clips_white": self.clips}
        return as_stored(noisy, self.quantization_step, **clips), clean


def training_pairs(
    captures: Captures,
    add_noise: Callable | None,
    *,
    batch_size: int,
    seed: int = 0,
    first_epoch: int = 0,
    cache: str = "none",
) -> tf.data.Dataset:
    """Batches of (noisy, clean) without end, the same again for the same arguments.

    Args:
      captures: whose clean images are used; open them with dequantises=False, as a denoiser's
        input is what the camera gave.
      add_noise: a map function of (index, clean) such as `AddCameraNoise.map_function`; None: the
        captures' own noisy images.
      batch_size: B.
      seed: of the order of the captures.
      first_epoch: the epoch to begin with, for resuming.
      cache: where captures are kept, see `training_dataset`; pairs are made on the host.

    Returns:
      A `tf.data.Dataset` of (noisy, clean), [B, H, W, C] float32.
    """
    stream = training_dataset(
        captures,
        cameras=None,
        batch_size=batch_size,
        seed=seed,
        first_epoch=first_epoch,
        cache=cache,
    )
    if add_noise is None:
        return stream.map(lambda batch: (batch["clean"] + batch["noise"], batch["clean"]))
    first = first_epoch * epoch_steps(captures, batch_size)
    clean = stream.map(lambda batch: batch["clean"]).enumerate(start=first)
    return clean.map(add_noise, num_parallel_calls=1).prefetch(2)
