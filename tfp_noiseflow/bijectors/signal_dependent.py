"""S, the signal-dependent layer of Noise Flow (paper, equations 12 to 14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.bijectors.pixel_noise import PixelNoise
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.composition.one_call import evaluated_once
from tfp_noiseflow.conditions.conditions import CleanImage, Condition, merged
from tfp_noiseflow.images.image import Image
from tfp_noiseflow.images.plain import PlainImage
from tfp_noiseflow.laws import Law, as_law
from tfp_noiseflow.types import TensorLike


class SignalDependent(Layer):
    """Scales noise by the standard deviation of a noise level function of the clean image.

    ```none
    s         = sqrt(beta1 * latent_clean + beta2),  beta = exp(b)
    forward   y = s * x
    inverse   x = y / s
    fldj      sum log s
    latent_clean = max(clean, 0) / gamma
    ```

    Data sets give clean images after the gain; the gain layer's gamma takes it off again. Clean
    values below 0 (black-subtracted data dip below it) count as 0; above 1.001 or NaN raise.

    Conditions: `clean`, and those of the gain and of the laws.

    Args:
      gain: the gain layer whose gamma divides the clean image, sharing its variables; None:
        gamma = 1, the noise level function acts on the clean image itself.
      log_beta1, log_beta2: b1 and b2; by default one number each, which start at -5 and 0 as in
        the paper. A law, such as a table by camera, ISO or both, gives each its own, and each
        channel too where it is by channel; of a number a variable is made; a variable or tensor
        is used as it is and may have batch dimensions [.., 1] in front of the images'.
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

    Raises:
      ValueError: laws of different numbers of channels; at a call, images of other channels than
        the laws'.

    #### References
    [1]: Abdelhamed, Brubaker, Brown. Noise Flow: Noise Modeling with Conditional Normalizing
         Flows. ICCV 2019. Equations 12 to 14 and section 3.3.
    """

    def __init__(
        self,
        gain: Gain | None = None,
        *,
        log_beta1: Law | float | tf.Tensor | None = None,
        log_beta2: Law | float | tf.Tensor | None = None,
        is_amplified: bool = True,
        dtype: tf.DType = tf.float32,
        name: str = "signal_dependent",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.gain = gain
            self.is_amplified = is_amplified
            self.log_beta1 = as_law(log_beta1, -5.0, dtype=dtype, name="log_beta1")
            self.log_beta2 = as_law(log_beta2, 0.0, dtype=dtype, name="log_beta2")
            laws = (self.log_beta1, self.log_beta2)
            channels = {law.channels for law in laws if law.channels is not None}
            if len(channels) > 1:
                raise ValueError(
                    f"{name}: expected laws of the same channels, received {sorted(channels)}."
                )
            self.channels = channels.pop() if channels else None

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "gain": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            ),
            "log_beta1": parameter_properties.ParameterProperties(event_ndims=0),
            "log_beta2": parameter_properties.ParameterProperties(event_ndims=0),
        }

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return merged(
            {"clean": CleanImage()},
            {} if self.gain is None else self.gain.conditions,
            self.log_beta1.conditions,
            self.log_beta2.conditions,
        )

    def variance(
        self, clean: TensorLike, *, iso: TensorLike = None, camera: TensorLike = None
    ) -> tf.Tensor:
        """s^2 = beta1 * latent_clean + beta2 for clean [.., H, W, C] in fractions of full scale."""
        return self._variance(PlainImage(clean), iso=iso, camera=camera).values

    def pixel_noise(
        self, clean: Image, *, iso: TensorLike = None, camera: TensorLike = None
    ) -> PixelNoise:
        """What the noise level function says of each pixel of a clean image.

        Layers behind this one that depend on the noise's variance, or on what it is made of, ask
        here, so that there is one set of beta1 and beta2; in one call it is evaluated once.

        Args:
          clean: fractions of full scale. iso, camera: checked, as `conditions` say.

        Returns:
          PixelNoise, in the form and order of `clean`, of the noise that this layer makes: before
          the amplification, where there is one.
        """
        return evaluated_once(
            self, (clean.values, iso, camera), lambda: self._pixel_noise(clean, iso, camera)
        )

    def _pixel_noise(self, clean: Image, iso: TensorLike, camera: TensorLike) -> PixelNoise:
        if self.channels is not None:
            clean = self._of_channels(clean)
        log_beta1 = self.log_beta1.at(iso=iso, camera=camera)
        log_slope = log_beta1
        if self.gain is not None:
            log_gain = self.gain.log_gain(iso=iso, camera=camera)
            is_shared = self.log_beta1.channels is None
            log_slope -= log_gain if is_shared else log_gain[..., tf.newaxis]
        slope = _spread(clean, tf.exp(log_slope), self.log_beta1)
        beta2 = _spread(clean, tf.exp(self.log_beta2.at(iso=iso, camera=camera)), self.log_beta2)
        variance = clean.mapped(lambda clean: slope * tf.nn.relu(clean) + beta2)
        # Shot noise of electrons that each add e has the variance e * its mean. Its mean is the
        # clean image; before the amplification the latent one.
        log_electron = log_beta1 if self.is_amplified else log_slope
        return PixelNoise(variance, beta2, _spread(clean, tf.exp(log_electron), self.log_beta1))

    def _variance(self, clean: Image, **conditions: Any) -> Image:
        return self.pixel_noise(clean, **conditions).variance

    def _of_channels(self, clean: Image) -> Image:
        # One channel would be broadcast to all.
        if clean.channels is None:
            shape = [*clean.values.shape[:-1], self.channels]
            return clean.with_values(tf.ensure_shape(clean.values, shape))
        if clean.channels != self.channels:
            raise ValueError(
                f"{self.name}: expected images of the {self.channels} channels that the laws "
                f"have, received {clean.channels}."
            )
        return clean

    @property
    def is_scaling(self) -> bool:
        return True

    @property
    def can_fold(self) -> bool:
        laws = (self.log_beta1, self.log_beta2)
        is_single = all(law.batch_shape.rank == 0 for law in laws)
        return is_single and (self.gain is None or self.gain.can_fold)

    def physical_parameters(self, cameras: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """`beta1` and `beta2`, by all that they depend on."""
        shown: dict[str, tf.Tensor] = {}
        for name, law in (("beta1", self.log_beta1), ("beta2", self.log_beta2)):
            values = law.shown_values(lambda log_beta, given: tf.exp(log_beta), cameras)
            shown |= {f"{name}{label}": value for label, value in values.items()}
        return shown

    def forward_image(
        self, x: Image, *, clean: Image, **conditions: Any
    ) -> tuple[Image, tf.Tensor]:
        variance = self._variance(clean, **conditions)
        return x.mapped(lambda x, v: x * tf.sqrt(v), variance), _half_log_sum(variance)

    def inverse_image(
        self, y: Image, *, clean: Image, **conditions: Any
    ) -> tuple[Image, tf.Tensor]:
        variance = self._variance(clean, **conditions)
        return y.mapped(lambda y, v: y * tf.math.rsqrt(v), variance), -_half_log_sum(variance)


def _spread(image: Image, numbers: tf.Tensor, law: Law) -> tf.Tensor:
    """A law's numbers as they broadcast with an image's values."""
    return image.spread(numbers, by_channel=law.channels is not None)


def _half_log_sum(variance: Image) -> tf.Tensor:
    return 0.5 * variance.mapped(tf.math.log).summed()
