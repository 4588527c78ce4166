"""The distribution of noise that a bijector makes of N(0, I), bound to its conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_noiseflow.composition.bound import Bound
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.conditions.checks import require
from tfp_noiseflow.conditions.conditions import Condition
from tfp_noiseflow.images.image import IMAGE_NDIMS
from tfp_noiseflow.models.batch_conditions import BatchConditions
from tfp_noiseflow.models.standard_normal import StandardNormal
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike


class NoiseDistribution(tfd.TransformedDistribution):
    """`tfd.TransformedDistribution` over N(0, I), bound to the conditions of a batch.

    Its log_prob inverts and takes the log-det in one pass. TFP's own asks the bijector for the
    inverse and for the log-det separately and trusts its cache not to do the work twice; without
    the cache (see ConditionalBijector) it would.

    Where the bijector's parameters have batch dimensions of their own, such as chains, the batch
    shape is theirs and the conditions' broadcast together: parameters [chains, 1] and conditions
    [B] give [chains, B].

    `log_prob` takes `seed=` and `num_draws=` as `StoredDistribution`'s does, and needs neither.

    `distribution[i]` has the conditions of the sliced batch. Mean, variance and standard deviation
    are known where the bijector scales alone (`is_scaling`).

    Args:
      bijector: base -> noise.
      given: its conditions, by name: clean [.., H, W, C], iso, camera (indices), scalars or of
        the batch shape.
      declared: further conditions that are checked although the bijector may not need them.
      cameras: names of cameras for messages.
      owner: whose conditions they are, for messages.
      name: of the distribution.

    Raises:
      ValueError: a condition is missing or invalid, or shapes do not fit; by `log_prob` called
        eagerly, noise that is NaN (in a graph it gives NaN).
    """

    def __init__(
        self,
        bijector: ConditionalBijector,
        given: Mapping,
        *,
        declared: Mapping[str, Condition] | None = None,
        cameras: tuple[str, ...] | None = None,
        owner: str | None = None,
        name: str = "noise",
    ):
        parameters = dict(locals())
        conditions = {**bijector.conditions, **(declared or {})}
        batch = BatchConditions(
            given, conditions, bijector.dtype, cameras=cameras, owner=owner or bijector.name
        )
        self._batch = batch
        self._slicing: dict[str, Any] = {
            "declared": declared,
            "cameras": cameras,
            "owner": owner,
            "name": name,
        }
        batch_shape, static_batch_shape = batch.batch_shape, batch.static_batch_shape
        own = bijector.experimental_batch_shape(x_event_ndims=IMAGE_NDIMS)
        if own.rank:
            own_tensor = bijector.experimental_batch_shape_tensor(x_event_ndims=IMAGE_NDIMS)
            try:
                static_batch_shape = tf.broadcast_static_shape(own, static_batch_shape)
            except ValueError as error:
                raise ValueError(
                    f"expected parameters whose batch dimensions broadcast with the conditions' "
                    f"{static_batch_shape} (a set of parameters for the whole batch: [.., 1]), "
                    f"received {own}."
                ) from error
            batch_shape = tf.broadcast_dynamic_shape(own_tensor, batch_shape)
        self._own_batch_rank = own.rank
        base = StandardNormal(
            batch_shape,
            batch.image_shape,
            static_batch_shape=static_batch_shape,
            static_image_shape=batch.static_image_shape,
            dtype=bijector.dtype,
        )
        bound = Bound(bijector, batch.values, batch.like, is_checked=True)
        super().__init__(base, bound, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType, num_classes: int | None = None
    ) -> dict[str, Any]:
        # Batches come with the conditions, and are those of the base.
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return self.distribution.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.distribution.batch_shape_tensor()

    def __getitem__(self, slices: Any) -> NoiseDistribution:
        """The distribution of a sliced batch, as `tfd.Distribution`'s.

        Raises:
          NotImplementedError: the bijector's parameters have batch dimensions of their own.
        """
        if self._own_batch_rank:
            raise NotImplementedError(
                "expected a bijector whose parameters have no batch dimensions of their own; slice "
                "the parameters and the conditions."
            )
        given = self._batch.sliced(slices)
        return NoiseDistribution(self.bijector.bijector, given, **self._slicing)

    @property
    def given(self) -> Mapping[str, tf.Tensor]:
        """The conditions that it is bound to, by name: clean, iso, camera (indices)."""
        return self._batch.values

    @property
    def is_exact(self) -> bool:
        """Whether `log_prob` is the log-density, not a bound of it."""
        return True

    @property
    def is_pixelwise(self) -> bool:
        """Whether the noise is independent from value to value."""
        return self.bijector.is_pixelwise

    @property
    def unstored(self) -> NoiseDistribution:
        """The distribution of the noise before a sensor stores it: this one, it is continuous."""
        return self

    def as_stored(self, noisy: tf.Tensor) -> tf.Tensor:
        """Noisy images as they are stored: as they are, where noise is continuous."""
        return noisy

    def pixelwise_part(self) -> ConditionalBijector:
        """What is left of the bijector without layers that mix values, bound to the conditions.

        Of N(0, I) it makes noise that is independent from value to value; its inverse is monotone
        in each. Without such layers it is the identity.
        """
        bijector = self.bijector.bijector
        part = bijector.pixelwise_part or ConditionalChain([], dtype=bijector.dtype)
        return Bound(part, self.given, self._batch.like, is_checked=True, name="pixelwise")

    @not_converted
    def _log_prob(self, y: tf.Tensor, seed: TensorLike = None, num_draws: int = 1) -> tf.Tensor:
        # A density needs no draws: whoever has a seed for a bound may pass it to all.
        x, log_det = self.bijector.inverse_and_log_det(y)
        log_prob = self.distribution.log_prob(x) + log_det
        if tf.executing_eagerly():
            # A look at a number an image, not at each pixel. In a graph NaN stays NaN: training
            # stops at it by itself and says in which epoch, and exports check what comes in.
            is_known = tf.logical_not(tf.reduce_any(tf.math.is_nan(log_prob)))
            require(is_known, "noise (and variables of the model) without NaN", log_prob)
        return log_prob

    def _sample_and_log_prob(
        self, sample_shape: TensorLike, seed: TensorLike
    ) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_prob = self.distribution.experimental_sample_and_log_prob(sample_shape, seed)
        y, log_det = self.bijector.forward_and_log_det(x)
        return y, log_prob - log_det

    @not_converted
    def sample_rows(self, seeds: tf.Tensor, temperature: TensorLike = 1.0) -> tf.Tensor:
        """Noise for each row of a batch [B] from a seed of its own.

        Args:
          seeds: int [B, 2], a stateless seed for each row.
          temperature: of the base distribution, scalar or [B].

        Returns:
          [B, H, W, C].
        """
        latent = self.distribution.sample_rows(seeds)
        spread = temperature[..., tf.newaxis, tf.newaxis, tf.newaxis]
        return self.bijector.forward(spread * latent)

    def _mean(self) -> tf.Tensor:
        self._require_scaling("mean")
        return tf.zeros(tf.concat([self.batch_shape_tensor(), self.event_shape_tensor()], axis=0),
                        self.dtype)  # fmt: skip

    def _mode(self) -> tf.Tensor:
        return self._mean()

    def _stddev(self) -> tf.Tensor:
        self._require_scaling("standard deviation")
        return self.bijector.forward(self.distribution.stddev())

    def _variance(self) -> tf.Tensor:
        return tf.square(self._stddev())

    def _require_scaling(self, what: str) -> None:
        if not self.bijector.is_scaling:
            raise NotImplementedError(
                f"expected a bijector that only scales (such as that of GaussianNoise, CameraNLF "
                f"or S-G) for a {what} without sampling; {self.bijector.bijector.name} does more."
            )
