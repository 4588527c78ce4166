"""The noise model: conditions of a capture -> a distribution over its noise."""

from __future__ import annotations

import abc
import collections
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.code_sample import CodePixels
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.conditions.camera_names import checked_cameras
from tfp_noiseflow.conditions.checks import as_float, require
from tfp_noiseflow.conditions.conditions import CleanImage, Condition
from tfp_noiseflow.conditions.known import Known
from tfp_noiseflow.images.image import IMAGE_NDIMS
from tfp_noiseflow.models.noise_distribution import NoiseDistribution
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike


class NoiseModel(tf.Module, abc.ABC):
    """Maps the conditions of a capture (clean image, ISO, camera) to a distribution over noise.

    ```python
    noise = model(clean, iso=800, camera="Pixel")  # batch_shape [B], event_shape [H, W, C]
    noise.sample(seed=(0, 1))
    noise.log_prob(observed_noise)  # [B], nats
    ```

    Training, evaluation, export and everything else know a model by this call alone.

    Args:
      bijector: base -> noise; its conditions are those of the model. None for noise that is no
        bijector's, which has no density: such a model defines `_distribution`.
      cameras: what the indices of its `camera` stand for; None where it has none.
      channels: of the images; None where it takes any number.
      known: the cameras and ISOs that it knows; None: what follows from the bijector and cameras.
      dtype: float32 or float64; None: the bijector's. Without a bijector both are given.
      name: of the module.

    Attributes:
      bijector: the conditional `tfb.Bijector`, with clean=, iso=, camera= (indices) as keyword
        arguments; None where the noise is no bijector's.
      known: the cameras and ISOs that the model knows, one answer for all who ask. A camera or ISO
        that it does not know is an error also where the noise does not depend on it.
      cameras, iso_levels: of `known`. channels: as given. dtype: of noise and clean images.
      licence, origin: of what it was trained on, where it was loaded with that; else None. Exports
        tell them.
      trained_iso_range: the lowest and the highest ISO that it was trained on or made from; None:
        not known. A model that knows any ISO takes those outside too, where nothing was seen.
      has_density: whether its distributions have a `log_prob`. One without can neither be trained
        nor scored by likelihood; it draws noise.
      dequantises: whether its noise is continuous, so that stored codes are dequantised before
        their likelihood is computed; not where the likelihood is that of codes.
      quantization_step: of the codes that clean + noise is on, a fraction of full scale, or one for
        each camera; None: its noise is continuous. clips_black, clips_white: whether clean + noise
        ends at 0 and at 1.

    Raises:
      ValueError: another number of cameras than the bijector declares.
    """

    licence: str | None = None
    origin: str | None = None
    trained_iso_range: tuple[float, float] | None = None
    has_density: bool = True
    dequantises: bool = True
    quantization_step: float | tuple[float, ...] | None = None
    clips_black: bool = False
    clips_white: bool = False

    def __init__(
        self,
        bijector: ConditionalBijector | None,
        *,
        cameras: tuple[str, ...] | None = None,
        channels: int | None = None,
        known: Known | None = None,
        dtype: tf.DType | None = None,
        name: str,
    ):
        super().__init__(name=name)
        if known is None or dtype is None:
            assert bijector is not None
            known = known or Known.of(bijector.conditions, checked_cameras(cameras))
            dtype = dtype or bijector.dtype
        self.bijector = bijector
        self.known = known
        self.channels = channels
        self.dtype = dtype

    @property
    def in_words(self) -> str:
        """What kind of noise it is, for reports; without a full stop."""
        return type(self).__name__

    @abc.abstractmethod
    def get_config(self) -> dict:
        """The constructor's arguments as JSON values, from which `from_config` rebuilds it."""

    @classmethod
    def from_config(cls, config: dict) -> NoiseModel:
        """The model that `get_config` described, its variables at their initial values."""
        return cls(**config)

    @not_converted
    def __call__(
        self, clean: TensorLike, iso: TensorLike = None, camera: TensorLike = None
    ) -> NoiseDistribution:
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
            clean = CleanImage().convert("clean", clean, self.dtype)
            is_image = self.channels is not None and (clean.shape.rank or 0) >= IMAGE_NDIMS
            if is_image and not clean.shape[-1:].is_compatible_with([self.channels]):
                raise ValueError(
                    f"expected clean (the clean image) of {self.channels} channels, received "
                    f"{clean.shape}."
                )
            declared, given = self.known.given(clean, iso, camera)
            return self._distribution(given, declared)

    def _distribution(
        self, given: Mapping[str, tf.Tensor], declared: Mapping[str, Condition]
    ) -> NoiseDistribution:
        """The distribution for the conditions of a call.

        Args:
          given: by name: clean, iso, camera (indices).
          declared: what must hold of them beside what the bijector declares.
        """
        assert self.bijector is not None
        return NoiseDistribution(
            self.bijector, given, declared=declared, cameras=self.cameras, owner=self.name
        )

    def require_density(self, purpose: str) -> None:
        """Raises ValueError, which says what for, for a model without a density."""
        if not self.has_density:
            raise ValueError(
                f"expected a noise model with a density for {purpose}, such as a NoiseFlow or a "
                f"CameraNLF, received {type(self).__name__}: {self.in_words}, of which only "
                "samples are known."
            )

    @property
    def cameras(self) -> tuple[str, ...] | None:
        """The names of known cameras; None where the model does not tell cameras apart."""
        return self.known.cameras

    @property
    def unstored(self) -> NoiseModel:
        """The model of the noise before a sensor stores it: itself where that is continuous."""
        return self

    def storing(
        self, unstored: NoiseModel, code_steps: Mapping[str, float] | None = None
    ) -> NoiseModel:
        """A model of another one's noise as this one stores it: as it is where this is continuous.

        Args:
          unstored: of continuous noise.
          code_steps: camera name to the quantization step of those that this model does not know.
        """
        return unstored

    def sample_codes(
        self, captures: Captures, **options: Any
    ) -> dict[tuple[str, float], CodePixels] | None:
        """Pixels of captures as the codes that this model stores, for fits by their likelihood.

        Args:
          captures, **options: of `captures.sample_codes`.

        Returns:
          (camera, ISO) to pixels; None: its noise is continuous.
        """
        return None

    @property
    def iso_levels(self) -> tuple[float, ...] | None:
        """The known ISOs, where they can be listed; `known` tells of others."""
        return self.known.iso_levels

    def physical_parameters(self) -> dict[str, tf.Tensor]:
        """The parameters that have a meaning, by name: `beta1`, `gamma(ISO 100)`, `psi(Pixel)`.

        Returns:
          Scalars, of every layer that names such parameters: one for each camera and ISO that a
          parameter depends on. Where two layers have one of the same name, the layer's name and
          `/` stand in front of it.
        """
        of_layers = [
            (layer.name, layer.physical_parameters(self.cameras))
            for layer in self.submodules
            if isinstance(layer, ConditionalBijector) and hasattr(layer, "physical_parameters")
        ]
        count = collections.Counter(name for _, named in of_layers for name in named)
        return {
            name if count[name] == 1 else f"{layer}/{name}": value
            for layer, named in of_layers
            for name, value in named.items()
        }

    @property
    def number_of_parameters(self) -> int:
        """The count of trained numbers."""
        return sum(variable.shape.num_elements() for variable in self.trainable_variables)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(cameras={self.cameras}, iso_levels={self.iso_levels}, "
            f"{self.number_of_parameters} parameters)"
        )


@not_converted
def sample_noise(
    model: NoiseModel,
    clean: TensorLike,
    iso: TensorLike = None,
    camera: TensorLike = None,
    *,
    seeds: TensorLike,
    temperature: TensorLike = 1.0,
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
    clean = CleanImage().convert("clean", clean, model.dtype)
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
    return noise.sample_rows(seeds, temperature)
