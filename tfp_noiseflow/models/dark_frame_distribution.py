"""The distribution of noise that is sampled from dark frames; it has no density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd
from tensorflow_probability.python.internal import reparameterization

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.images.crops import ALGORITHM, random_crop, size_with_room
from tfp_noiseflow.models.batch_conditions import BatchConditions
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike

NO_DENSITY = (
    "expected a noise model with a density for a log_prob, received DarkFrameNoise, which samples "
    "real dark frames: NoiseFlow and CameraNLF have one; kl and the statistics of a report compare "
    "samples."
)


class DarkFrameDistribution(tfd.Distribution):
    """Noise of photons, drawn, and everything else from crops of real dark frames.

    ```none
    noise = beta1 * Poisson(clean / beta1) - clean + crop of a dark frame
    ```

    A clean value below 0 counts as 0: it has no photons, and its noise is the dark frame's.

    Args:
      frames: [F, H, W, C], dark frames without dark shading, those of a condition one after
        another.
      first, count: int [B..], the frames of each row's condition; count > 0.
      beta1: [B.., C] or [B.., 1], a photoelectron's share of full scale.
      conditions: of the batch.
      has_flips: whether crops are mirrored at random.
      name: of the distribution.

    Raises:
      ValueError: a clean image larger than the frames or of other channels; InvalidArgumentError
        where only the graph knows. NotImplementedError by all that needs a density.
    """

    def __init__(
        self,
        frames: tf.Variable | tf.Tensor,
        first: tf.Tensor,
        count: tf.Tensor,
        beta1: tf.Tensor,
        conditions: BatchConditions,
        *,
        has_flips: bool,
        name: str = "dark_frame_noise",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._frames, self._has_flips = frames, has_flips
            self._first, self._count, self._beta1 = first, count, beta1
            self._conditions = conditions
            self._size = size_with_room(
                frames, conditions.image_shape[:2], "the bank of dark frames"
            )
            super().__init__(
                dtype=frames.dtype,
                reparameterization_type=reparameterization.NOT_REPARAMETERIZED,
                validate_args=False,
                allow_nan_stats=True,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType, num_classes: int | None = None
    ) -> dict[str, Any]:
        # Batches come with the conditions.
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return self._conditions.static_batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self._conditions.batch_shape

    def _event_shape(self) -> tf.TensorShape:
        return self._conditions.static_image_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self._conditions.image_shape

    @property
    def given(self) -> Mapping[str, tf.Tensor]:
        """The conditions that it is bound to, by name: clean, iso, camera (indices)."""
        return self._conditions.values

    @property
    def is_pixelwise(self) -> bool:
        """False: a dark frame's values go together as they were read out."""
        return False

    @property
    def unstored(self) -> DarkFrameDistribution:
        """The distribution of the noise before a sensor stores it: this one."""
        return self

    def as_stored(self, noisy: tf.Tensor) -> tf.Tensor:
        """Noisy images as they are: between the codes that the dark frames were on."""
        return noisy

    def pixelwise_part(self) -> ConditionalBijector:
        """Raises NotImplementedError."""
        raise NotImplementedError(NO_DENSITY)

    def _log_prob(self, noise: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        raise NotImplementedError(NO_DENSITY)

    @not_converted
    def _sample_n(self, n: TensorLike, seed: TensorLike = None) -> tf.Tensor:
        seed = tfp.random.sanitize_seed(seed, salt="dark_frames")
        rows = tf.reduce_prod(self.batch_shape_tensor())
        seeds = tf.random.stateless_uniform([n, rows, 2], seed, None, None, tf.int32, alg=ALGORITHM)
        flat = self._rows()
        noise = tf.map_fn(
            lambda own: self._draw_rows(flat, own),
            seeds,
            fn_output_signature=self.dtype,
        )
        shape = tf.concat([[n], self.batch_shape_tensor(), self.event_shape_tensor()], axis=0)
        noise = tf.reshape(noise, shape)
        noise.set_shape([tf.get_static_value(n), *self.batch_shape, *self.event_shape])
        return noise

    @not_converted
    def sample_rows(self, seeds: tf.Tensor, temperature: TensorLike = 1.0) -> tf.Tensor:
        """Noise for each row of a batch [B] from a seed of its own.

        Args:
          seeds: int [B, 2], a stateless seed for each row.
          temperature: scalar or [B]; the noise is multiplied by it.

        Returns:
          [B, H, W, C].
        """
        noise = self._draw_rows(self._rows(), seeds)
        noise.set_shape([*self.batch_shape, *self.event_shape])
        return tf.convert_to_tensor(temperature, self.dtype)[..., None, None, None] * noise

    def _rows(self) -> tuple[tf.Tensor, ...]:
        """clean, first, count and beta1, the batch as one dimension."""
        clean = self._conditions.broadcast()["clean"]
        return (
            tf.reshape(clean, tf.concat([[-1], self.event_shape_tensor()], axis=0)),
            tf.reshape(self._first, [-1]),
            tf.reshape(self._count, [-1]),
            tf.reshape(self._beta1, [-1, self._beta1.shape[-1]]),
        )

    def _draw_rows(self, rows: tuple[tf.Tensor, ...], seeds: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] of `_rows` and seeds [B, 2]."""

        def draw(row: tuple) -> tf.Tensor:
            (clean, first, count, beta1), seed = row
            crop_seed, photon_seed = tf.unstack(tf.random.split(seed, 2, alg=ALGORITHM))
            # Below black there is no light.
            light = tf.maximum(clean, 0)
            photons = tf.random.stateless_poisson(
                tf.shape(light), photon_seed, light / beta1, light.dtype
            )
            crop = random_crop(
                self._frames, first, count, self._size, crop_seed, has_flips=self._has_flips
            )
            return beta1 * photons - light + crop

        signature = tf.TensorSpec([None, None, self._frames.shape[-1]], self.dtype)
        return tf.map_fn(draw, (rows, tf.cast(seeds, tf.int64)), fn_output_signature=signature)
