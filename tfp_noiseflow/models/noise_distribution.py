"""The distribution of noise that a bijector makes of N(0, I), bound to its conditions."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow.composition.bound import Bound
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.conditions.checks import require
from tfp_noiseflow.conditions.conditions import CleanImage, Condition, checked
from tfp_noiseflow.images.image import IMAGE_NDIMS
from tfp_noiseflow.models.standard_normal import StandardNormal

tfd = tfp.distributions


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
        dtype = bijector.dtype
        conditions = {"clean": CleanImage(), **bijector.conditions, **(declared or {})}
        tensors = {
            k: conditions[k].as_tensor(k, v, dtype) if k in conditions else v
            for k, v in given.items()
            if v is not None
        }
        _check_images(tensors.get("clean"), given)
        batch_shape, static_batch_shape = _batch_shape(tensors)
        clean = tensors["clean"]
        # An image of the shape that the conditions go with: only its shape is looked at.
        like = tf.broadcast_to(clean, tf.concat([batch_shape, tf.shape(clean)[-3:]], axis=0))
        like.set_shape(static_batch_shape.concatenate(clean.shape[-3:]))
        values = checked(owner or bijector.name, conditions, tensors, dtype, clean, cameras)
        self._conditions_given = values
        self._like = like
        self._slicing = {"declared": declared, "cameras": cameras, "owner": owner, "name": name}
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
            tf.shape(clean)[-3:],
            static_batch_shape=static_batch_shape,
            static_image_shape=clean.shape[-3:],
            dtype=dtype,
        )
        super().__init__(
            base, Bound(bijector, values, like, is_checked=True), parameters=parameters, name=name
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        # Batches come with the conditions, and are those of the base.
        return {}

    def _batch_shape(self):
        return self.distribution.batch_shape

    def _batch_shape_tensor(self):
        return self.distribution.batch_shape_tensor()

    def __getitem__(self, slices) -> NoiseDistribution:
        """The distribution of a sliced batch, as `tfd.Distribution`'s.

        Raises:
          NotImplementedError: the bijector's parameters have batch dimensions of their own.
        """
        if self._own_batch_rank:
            raise NotImplementedError(
                "expected a bijector whose parameters have no batch dimensions of their own; slice "
                "the parameters and the conditions."
            )
        slices = slices if isinstance(slices, tuple) else (slices,)
        batch_shape = self.batch_shape_tensor()
        # TFP's slicing leaves the event alone: an ellipsis stands for what is left of the batch.
        if not any(item is Ellipsis for item in slices):
            slices = (*slices, Ellipsis)

        def sliced(name, value):
            if name != "clean":
                return tf.broadcast_to(value, batch_shape)[slices]
            shape = tf.concat([batch_shape, tf.shape(value)[-IMAGE_NDIMS:]], axis=0)
            value = tf.broadcast_to(value, shape)
            value.set_shape(self.batch_shape.concatenate(self.event_shape))
            return value[(*slices, *[slice(None)] * IMAGE_NDIMS)]

        given = {name: sliced(name, value) for name, value in self._conditions_given.items()}
        return NoiseDistribution(self.bijector.bijector, given, **self._slicing)

    @property
    def given(self) -> Mapping[str, tf.Tensor]:
        """The conditions that it is bound to, by name: clean, iso, camera (indices)."""
        return self._conditions_given

    @property
    def is_exact(self) -> bool:
        """Whether `log_prob` is the log-density, not a bound of it."""
        return True

    def pixelwise_part(self) -> ConditionalBijector:
        """What is left of the bijector without layers that mix values, bound to the conditions.

        Of N(0, I) it makes noise that is independent from value to value; its inverse is monotone
        in each. Without such layers it is the identity.
        """
        bijector = self.bijector.bijector
        part = bijector.pixelwise_part or ConditionalChain([], dtype=bijector.dtype)
        return Bound(part, self._conditions_given, self._like, is_checked=True, name="pixelwise")

    @tf.autograph.experimental.do_not_convert
    def _log_prob(self, y, seed=None, num_draws=1):
        # A density needs no draws: whoever has a seed for a bound may pass it to all.
        x, log_det = self.bijector.inverse_and_log_det(y)
        log_prob = self.distribution.log_prob(x) + log_det
        if tf.executing_eagerly():
            # A look at a number an image, not at each pixel. In a graph NaN stays NaN: training
            # stops at it by itself and says in which epoch, and exports check what comes in.
            is_known = tf.logical_not(tf.reduce_any(tf.math.is_nan(log_prob)))
            require(is_known, "noise (and variables of the model) without NaN", log_prob)
        return log_prob

    def _sample_and_log_prob(self, sample_shape, seed):
        x, log_prob = self.distribution.experimental_sample_and_log_prob(sample_shape, seed)
        y, log_det = self.bijector.forward_and_log_det(x)
        return y, log_prob - log_det

    @tf.autograph.experimental.do_not_convert
    def sample_rows(self, seeds: tf.Tensor, temperature=1.0) -> tf.Tensor:
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

    def _mean(self):
        self._require_scaling("mean")
        return tf.zeros(tf.concat([self.batch_shape_tensor(), self.event_shape_tensor()], axis=0),
                        self.dtype)  # fmt: skip

    def _mode(self):
        return self._mean()

    def _stddev(self):
        self._require_scaling("standard deviation")
        return self.bijector.forward(self.distribution.stddev())

    def _variance(self):
        return tf.square(self._stddev())

    def _require_scaling(self, what: str) -> None:
        if not self.bijector.is_scaling:
            raise NotImplementedError(
                f"expected a bijector that only scales (such as that of GaussianNoise, CameraNLF "
                f"or S-G) for a {what} without sampling; {self.bijector.bijector.name} does more."
            )


def _check_images(clean: tf.Tensor | None, given: Mapping) -> None:
    if clean is None:
        raise ValueError(f"expected clean (the clean image), received {sorted(given)}.")
    if clean.shape.rank is not None and clean.shape.rank < IMAGE_NDIMS:
        raise ValueError(f"expected clean (the clean image) [.., H, W, C], received {clean.shape}.")
    if clean.shape.rank is not None and 0 in clean.shape[-IMAGE_NDIMS:].as_list():
        raise ValueError(f"expected clean (the clean image) with pixels, received {clean.shape}.")


def _batch_shape(conditions: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.TensorShape]:
    """The batch shape of clean, iso and camera together, dynamic and static.

    iso and camera are scalars or of clean's batch shape (any, where clean is one image). Another
    number of dimensions would broadcast: [B, 1] with B images to a batch of B x B.
    """
    clean = conditions["clean"]
    dynamic, static = tf.shape(clean)[:-3], clean.shape[:-3]
    for name in ("iso", "camera"):
        if name not in conditions:
            continue
        value = conditions[name]
        message = (
            f"expected {name} to be a scalar or of the batch shape {clean.shape[:-3]} of clean, "
            f"received shape {value.shape}."
        )
        ranks = (value.shape.rank, clean.shape[:-3].rank)
        if None not in ranks and 0 not in ranks and ranks[0] != ranks[1]:
            raise ValueError(message)
        try:
            static = tf.broadcast_static_shape(value.shape, static)
        except ValueError as error:
            raise ValueError(message) from error
        dynamic = tf.broadcast_dynamic_shape(tf.shape(value), dynamic)
    return dynamic, static
