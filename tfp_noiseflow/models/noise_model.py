"""The noise model: conditions of a capture -> a distribution over its noise."""

from __future__ import annotations

import abc

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow.bijectors.bound import Bound
from tfp_noiseflow.bijectors.conditional_bijector import (
    ConditionalBijector,
    check_names,
    over_image,
)
from tfp_noiseflow.bijectors.conditions import Camera, CleanImage, Iso, as_float, require
from tfp_noiseflow.models.cameras import camera_indices
from tfp_noiseflow.models.standard_normal import StandardNormal

tfd = tfp.distributions


class NoiseModel(tf.Module, abc.ABC):
    """Maps the conditions of a capture (clean image, ISO, camera) to a distribution over noise.

    ```python
    noise = model(clean, iso=800, camera="Pixel")  # batch_shape [B], event_shape [H, W, C]
    noise.sample(seed=(0, 1))
    noise.log_prob(observed_noise)  # [B], nats
    ```

    Training, evaluation, export and everything else know a model by this call alone.

    Args:
      bijector: base -> noise; its conditions are those of the model.
      cameras: the names of known cameras; None where the model does not tell cameras apart.
      iso_levels: the known ISOs; None where it takes any.
      channels: of the images; None where it takes any number.
      name: of the module.

    Attributes:
      bijector: the conditional `tfb.Bijector`, with clean=, iso=, camera= (indices) as keyword
        arguments.
      cameras, iso_levels, channels: as given. dtype: of noise and clean images.
    """

    def __init__(
        self,
        bijector: ConditionalBijector,
        *,
        cameras: tuple[str, ...] | None,
        iso_levels: tuple[float, ...] | None,
        channels: int | None = None,
        name: str,
    ):
        super().__init__(name=name)
        self.bijector = bijector
        self.cameras = cameras
        self.iso_levels = iso_levels
        self.channels = channels
        self.dtype = bijector.dtype

    @abc.abstractmethod
    def get_config(self) -> dict:
        """The constructor's arguments as JSON values, from which `from_config` rebuilds it."""

    @classmethod
    def from_config(cls, config: dict) -> NoiseModel:
        """The model that `get_config` described, its variables at their initial values."""
        return cls(**config)

    @tf.autograph.experimental.do_not_convert
    def __call__(self, clean, iso=None, camera=None) -> NoiseDistribution:
        """The distribution of the noise of captures.

        Args:
          clean: float [.., H, W, C], fractions of full scale, at most 1.001; below 0 counts as 0.
          iso: positive float, scalar or of the batch shape. camera: names (str, list, NumPy or
            tf.string) or int32 indices into `cameras`, scalar or of the batch shape. Either may
            be left out where the model does not depend on it. They may differ within a batch.

        Returns:
          A `tfd.TransformedDistribution` over N(0, I), bound to its conditions: batch_shape is
          that of clean, iso and camera together, event_shape [H, W, C].

        Raises:
          ValueError: a condition is missing or invalid, a camera or ISO unknown, shapes do not
            fit; InvalidArgumentError where only the graph knows.
        """
        with self.name_scope:
            clean = as_float("clean", clean, self.dtype)
            if clean.shape.rank is not None and clean.shape.rank < 3:
                raise ValueError(
                    f"expected clean (the clean image) [.., H, W, C], received {clean.shape}."
                )
            if clean.shape.rank is not None and 0 in clean.shape[-3:].as_list():
                raise ValueError(
                    f"expected clean (the clean image) with pixels, received {clean.shape}."
                )
            is_known = self.channels is not None and clean.shape.rank is not None
            if is_known and not clean.shape[-1:].is_compatible_with([self.channels]):
                raise ValueError(
                    f"expected clean (the clean image) of {self.channels} channels, received "
                    f"{clean.shape}."
                )
            conditions = {"clean": clean}
            if iso is not None:
                conditions["iso"] = Iso(self.iso_levels).check("iso", iso, self.dtype, clean)
            if camera is not None and self.cameras is not None:
                indices = camera_indices(camera, self.cameras)
                known = Camera(len(self.cameras))
                conditions["camera"] = known.check("camera", indices, self.dtype, clean)
            batch_shape, static_batch_shape = _batch_shape(conditions)
            needed = self.bijector.conditions
            given = {k: v for k, v in conditions.items() if k in needed}
            check_names(self.name, expected=needed, given=given)
            self._check_combination(given)
            if "clean" not in needed:
                CleanImage().check("clean", clean, self.dtype, clean)
            base = StandardNormal(
                batch_shape,
                tf.shape(clean)[-3:],
                static_batch_shape=static_batch_shape,
                static_image_shape=clean.shape[-3:],
                dtype=self.dtype,
            )
            # An image of the shape that the conditions go with: only its shape is looked at.
            like = tf.broadcast_to(clean, tf.concat([batch_shape, tf.shape(clean)[-3:]], axis=0))
            like.set_shape(static_batch_shape.concatenate(clean.shape[-3:]))
            return NoiseDistribution(base, Bound(self.bijector, given, like), name="noise")

    def _check_combination(self, given: dict) -> None:
        """For models that do not know every camera at every ISO: raises where one is unknown."""
        del given

    def knows_together(self, iso: float, camera: int) -> bool:
        """Whether it knows a camera (index) at an ISO, each of which it knows."""
        del iso, camera
        return True

    def physical_parameters(self) -> dict[str, tf.Tensor]:
        """The parameters that have a meaning, by name: `beta1`, `gamma(ISO 100)`, `psi(Pixel)`.

        Returns:
          Scalars: of every layer that names such parameters, one an entry of its table.
        """
        named = {}
        for layer in self.submodules:
            if not hasattr(layer, "physical_parameters"):
                continue
            for name, (axes, values) in layer.physical_parameters().items():
                for position, label in self._labels(axes):
                    named[f"{name}{label}"] = values[position]
        return named

    def _labels(self, axes: tuple[str, ...]) -> list[tuple[tuple[int, ...], str]]:
        labels = [((), ())]
        for axis in axes:
            names = (
                self.cameras if axis == "camera" else [f"ISO {iso:g}" for iso in self.iso_levels]
            )
            labels = [
                ((*position, k), (*texts, name))
                for position, texts in labels
                for k, name in enumerate(names)
            ]
        return [(position, f"({', '.join(texts)})" if texts else "") for position, texts in labels]

    @property
    def number_of_parameters(self) -> int:
        """The count of trained numbers."""
        return sum(variable.shape.num_elements() for variable in self.trainable_variables)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(cameras={self.cameras}, iso_levels={self.iso_levels}, "
            f"{self.number_of_parameters} parameters)"
        )


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


class NoiseDistribution(tfd.TransformedDistribution):
    """`tfd.TransformedDistribution` whose log_prob inverts and takes the log-det in one pass.

    TFP's own asks the bijector for the inverse and for the log-det separately and trusts its
    cache not to do the work twice; without the cache (see ConditionalBijector) it would.

    Raises:
      ValueError: by `log_prob` called eagerly, noise that is NaN. In a graph it gives NaN.
    """

    def __init__(self, distribution, bijector, name="NoiseDistribution"):
        super().__init__(distribution, bijector, parameters=dict(locals()), name=name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return super()._parameter_properties(dtype, num_classes)

    def __getitem__(self, slices):
        """Refuses: TFP would slice the base and leave the conditions whole.

        Raises:
          NotImplementedError: always.
        """
        raise NotImplementedError(
            "the distribution is bound to its conditions; call the noise model with sliced ones."
        )

    @tf.autograph.experimental.do_not_convert
    def _log_prob(self, y):
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
def sample_noise(
    model: NoiseModel, clean, iso=None, camera=None, *, seeds, temperature=1.0
) -> tf.Tensor:
    """Noise for each row of a batch from a seed of its own.

    A row's noise depends on its own seed and conditions, not on the rows beside it.

    Args:
      model: any noise model.
      clean, iso, camera: as for the model's call; clean is [B, H, W, C].
      seeds: int [B, 2], a stateless seed for each row.
      temperature: of the base distribution, scalar or [B]: 1 is the model's distribution, less
        than 1 gives weaker noise.

    Returns:
      Noise [B, H, W, C], in fractions of full scale.

    Raises:
      ValueError: conditions as for the model's call; seeds or temperature of another shape; a
        temperature that is negative or NaN (InvalidArgumentError where only the graph knows).
    """
    clean = as_float("clean", clean, model.dtype)
    seeds = tf.convert_to_tensor(seeds)
    if not seeds.dtype.is_integer:
        raise ValueError(f"expected integer seeds, received dtype {seeds.dtype.name}.")
    noise = model(clean, iso=iso, camera=camera)
    temperature = as_float("temperature", temperature, model.dtype)
    is_valid = tf.logical_and(temperature >= 0, temperature <= temperature.dtype.max)
    require(tf.reduce_all(is_valid), "temperature to be finite and not negative", temperature)
    rows = noise.batch_shape_tensor()
    expected = (
        "clean [B, H, W, C], seeds [B, 2] and temperature [] or [B] of as many rows as the "
        "conditions have"
    )
    fits = (
        noise.batch_shape.rank == 1
        and seeds.shape.is_compatible_with([noise.batch_shape[0], 2])
        and (temperature.shape.rank == 0 or temperature.shape.is_compatible_with(noise.batch_shape))
    )
    if not fits:
        raise ValueError(
            f"expected {expected}, received clean {clean.shape}, seeds {seeds.shape}, "
            f"temperature {temperature.shape}, conditions {noise.batch_shape}."
        )
    lengths = tf.stack([tf.shape(seeds)[0], tf.size(temperature)])
    allowed = tf.stack([rows[0], rows[0] if temperature.shape.rank else 1])
    require(tf.reduce_all(tf.equal(lengths, allowed)), expected, lengths)
    event_shape = noise.event_shape_tensor()
    base = tf.map_fn(
        lambda seed: tf.random.stateless_normal(event_shape, seed, dtype=model.dtype),
        tf.cast(seeds, tf.int64),
        fn_output_signature=tf.TensorSpec(noise.event_shape, model.dtype),
    )
    return noise.bijector.forward(over_image(temperature) * base)
