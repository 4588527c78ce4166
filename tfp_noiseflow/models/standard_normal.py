"""N(0, I) over images: the base distribution of every noise model."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd
from tensorflow_probability.python.internal import reparameterization

from tfp_noiseflow.images.image import summed_over_image
from tfp_noiseflow.types import TensorLike


class StandardNormal(tfd.Distribution):
    """Independent standard normal numbers in the shape of images.

    What `tfd.Independent(tfd.Normal(zeros, ones), 3)` is, without its images of zeros and ones:
    a log_prob there takes some seven passes over memory, here two.

    Args:
      batch_shape: int vector, dynamic or not.
      image_shape: int [3], H, W and C, dynamic or not.
      static_batch_shape, static_image_shape: what is known of them when a graph is made.
      dtype: float32 or float64.
      name: of the distribution.
    """

    def __init__(
        self,
        batch_shape: tf.Tensor,
        image_shape: tf.Tensor,
        *,
        static_batch_shape: tf.TensorShape,
        static_image_shape: tf.TensorShape,
        dtype: tf.DType,
        name: str = "standard_normal",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._batch_sizes = tf.convert_to_tensor(batch_shape, tf.int32)
            self._image_sizes = tf.convert_to_tensor(image_shape, tf.int32)
            self._static_batch_shape = tf.TensorShape(static_batch_shape)
            self._static_image_shape = tf.TensorShape(static_image_shape)
            super().__init__(
                dtype=dtype,
                reparameterization_type=reparameterization.FULLY_REPARAMETERIZED,
                validate_args=False,
                allow_nan_stats=True,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType, num_classes: int | None = None
    ) -> dict[str, Any]:
        # None of the arguments has batch dimensions of its own.
        return {}

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self._batch_sizes

    def _batch_shape(self) -> tf.TensorShape:
        return self._static_batch_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self._image_sizes

    def _event_shape(self) -> tf.TensorShape:
        return self._static_image_shape

    def _sample_n(self, n: TensorLike, seed: TensorLike = None) -> tf.Tensor:
        shape = tf.concat([[n], self._batch_sizes, self._image_sizes], axis=0)
        seed = tfp.random.sanitize_seed(seed, salt="standard_normal")
        sample = tf.random.stateless_normal(shape, seed, dtype=self.dtype)
        known = tf.get_static_value(n)
        sample.set_shape([known, *self._static_batch_shape, *self._static_image_shape])
        return sample

    def sample_rows(self, seeds: tf.Tensor) -> tf.Tensor:
        """Images for each row of a batch [B] from a stateless seed of its own.

        Args:
          seeds: int [B, 2].

        Returns:
          [B, H, W, C].
        """
        return tf.map_fn(
            lambda seed: tf.random.stateless_normal(self._image_sizes, seed, dtype=self.dtype),
            tf.cast(seeds, tf.int64),
            fn_output_signature=tf.TensorSpec(self._static_image_shape, self.dtype),
        )

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        dimensions = tf.cast(tf.reduce_prod(self._image_sizes), self.dtype)
        squares = summed_over_image(tf.square(x))
        return -0.5 * (squares + math.log(2 * math.pi) * dimensions)

    def _entropy(self) -> tf.Tensor:
        dimensions = tf.cast(tf.reduce_prod(self._image_sizes), self.dtype)
        return tf.fill(self._batch_sizes, 0.5 * (1 + math.log(2 * math.pi)) * dimensions)

    def _mean(self) -> tf.Tensor:
        return tf.zeros(tf.concat([self._batch_sizes, self._image_sizes], axis=0), self.dtype)

    def _mode(self) -> tf.Tensor:
        return self._mean()

    def _variance(self) -> tf.Tensor:
        return tf.ones(tf.concat([self._batch_sizes, self._image_sizes], axis=0), self.dtype)
