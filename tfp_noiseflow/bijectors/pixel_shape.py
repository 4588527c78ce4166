"""Layers that shape the noise of each pixel by what it is made of: their common part."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.bijectors.pixel_noise import PixelNoise
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.composition.one_call import evaluated_once
from tfp_noiseflow.conditions.conditions import Condition, merged
from tfp_noiseflow.images.image import Image
from tfp_noiseflow.images.plain import PlainImage
from tfp_noiseflow.laws import Law, as_law


class Transformation(Protocol):
    """A monotone function of each value, with a slope for each."""

    def forward(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """y and log dy/dx."""

    def inverse(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """x and log dx/dy."""

    def inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The middle and half the width of what intervals become."""


class PixelShape(Layer):
    """A monotone transformation of each pixel's standardised noise, of mean 0 and variance 1.

    A subclass names its numbers, with their first values, in `first_numbers`, takes a law for each
    by that name, and makes of them and of a pixel's noise the transformation (`_transformation`).

    The layer belongs behind the noise level function, on noise that is divided by its deviation;
    with a gain that amplifies the noise, behind that too.

    Conditions: those of `noise`, and of the laws.

    Args:
      noise: the noise level function of the noise, sharing its variables.
      numbers: by name, laws, such as tables by camera; numbers, of which variables are made;
        variables and tensors, which are used as they are; or None, for the first value.
      dtype: float32 or float64.
      parameters: the constructor's, for TFP.
      name: of the layer; also TFP's key for its conditions in a composition.

    Raises:
      ValueError: laws by channel.
    """

    first_numbers: ClassVar[Mapping[str, float]]

    def __init__(
        self,
        noise: SignalDependent,
        numbers: Mapping[str, Law | float | tf.Tensor | None],
        *,
        dtype: tf.DType,
        parameters: dict,
        name: str,
    ):
        super().__init__(dtype=dtype, parameters=parameters, name=name)
        self.noise = noise
        for number, first in self.first_numbers.items():
            setattr(self, number, as_law(numbers[number], first, dtype=dtype, name=number))
        if any(law.channels is not None for law in self._laws.values()):
            raise ValueError(
                f"{self.name}: expected laws for all channels, received one by channel."
            )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        laws = {
            name: parameter_properties.ParameterProperties(event_ndims=0)
            for name in cls.first_numbers
        }
        return {
            "noise": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            ),
            **laws,
        }

    @property
    def _laws(self) -> dict[str, Law]:
        return {name: getattr(self, name) for name in self.first_numbers}

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return merged(self.noise.conditions, *(law.conditions for law in self._laws.values()))

    @property
    def is_pixelwise(self) -> bool:
        return True

    @property
    def can_fold(self) -> bool:
        is_single = all(law.batch_shape.rank == 0 for law in self._laws.values())
        return is_single and self.noise.can_fold

    def physical_parameters(self, cameras: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """The numbers by name, by all that they depend on."""
        return {
            f"{name}{label}": value
            for name, law in self._laws.items()
            for label, value in law.shown_values(lambda number, given: number, cameras).items()
        }

    def forward_image(
        self, x: Image, *, clean: Image, **conditions: Any
    ) -> tuple[Image, tf.Tensor]:
        y, log_slope = self._shape(x, clean, **conditions).forward(x.values)
        return x.with_values(y), x.with_values(log_slope).summed()

    def inverse_image(
        self, y: Image, *, clean: Image, **conditions: Any
    ) -> tuple[Image, tf.Tensor]:
        x, log_slope = self._shape(y, clean, **conditions).inverse(y.values)
        return y.with_values(x), y.with_values(log_slope).summed()

    def _inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor, *, clean: tf.Tensor, **conditions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        shape = self._shape(PlainImage(middle), PlainImage(clean), **conditions)
        return shape.inverse_interval(middle, half_width)

    def _shape(self, like: Image, clean: Image, **conditions: Any) -> Transformation:
        """Of each value of an image, in its form and order."""
        clean = like.mapped(lambda _, clean: clean, clean)
        noise = self.noise.pixel_noise(clean, **conditions)

        def made() -> Transformation:
            numbers = {k: like.spread(law.at(**conditions)) for k, law in self._laws.items()}
            return self._transformation(noise, numbers)

        return evaluated_once(self, (noise,), made)

    @abc.abstractmethod
    def _transformation(
        self, noise: PixelNoise, numbers: Mapping[str, tf.Tensor]
    ) -> Transformation:
        """The transformation with `forward`, `inverse` and `inverse_interval` of values.

        Args:
          noise: of each pixel.
          numbers: by name, as they broadcast with the pixels.
        """


def skew_of(noise: PixelNoise, numbers: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """skew + photon_skew (1 - f) r + read_skew f^1.5, of each pixel.

    Cumulants of independent noises add up: the skewness of the whole is that of the photons, which
    is Poisson's, and f^1.5 times that of the read noise.
    """
    f, r = noise.read_share.values, noise.electron.values
    skew = numbers["skew"] + numbers["photon_skew"] * ((1 - f) * r)
    return skew + numbers["read_skew"] * (f * tf.sqrt(f))
