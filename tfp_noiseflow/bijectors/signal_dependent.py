"""S, the signal-dependent layer of Noise Flow (paper, equations 12 to 14)."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.conditions.conditions import CleanImage, merged
from tfp_noiseflow.images.image import over_image
from tfp_noiseflow.laws import Law, as_law


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
        the paper. A law, such as a table by camera, ISO or both, gives each its own; of a number
        a variable is made; a variable or tensor is used as it is and may have batch dimensions
        [.., 1] in front of the images'.
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

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
        dtype=tf.float32,
        name: str = "signal_dependent",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.gain = gain
            self.log_beta1 = as_law(log_beta1, -5.0, dtype=dtype, name="log_beta1")
            self.log_beta2 = as_law(log_beta2, 0.0, dtype=dtype, name="log_beta2")

    @classmethod
    def _parameter_properties(cls, dtype):
        return {
            "log_beta1": parameter_properties.ParameterProperties(event_ndims=0),
            "log_beta2": parameter_properties.ParameterProperties(event_ndims=0),
        }

    @property
    def conditions(self):
        return merged(
            {"clean": CleanImage()},
            {} if self.gain is None else self.gain.conditions,
            self.log_beta1.conditions,
            self.log_beta2.conditions,
        )

    def variance(self, clean, *, iso=None, camera=None) -> tf.Tensor:
        """s^2 = beta1 * latent_clean + beta2 for clean [.., H, W, C] in fractions of full scale."""
        log_slope = self.log_beta1(iso=iso, camera=camera)
        if self.gain is not None:
            log_slope -= self.gain.log_gain(iso=iso, camera=camera)
        beta2 = tf.exp(self.log_beta2(iso=iso, camera=camera))
        return over_image(tf.exp(log_slope)) * tf.nn.relu(clean) + over_image(beta2)

    @property
    def is_scaling(self):
        return True

    @property
    def can_fold(self):
        laws = (self.log_beta1, self.log_beta2)
        is_single = all(law.batch_shape.rank == 0 for law in laws)
        return is_single and (self.gain is None or self.gain.can_fold)

    def physical_parameters(self, cameras=None) -> dict[str, tf.Tensor]:
        """`beta1` and `beta2`, by all that they depend on."""
        shown = {}
        for name, law in (("beta1", self.log_beta1), ("beta2", self.log_beta2)):
            labels, given = law.shown(cameras)
            values = tf.reshape(tf.exp(law(**given)), [-1])
            shown |= {f"{name}{label}": value for label, value in zip(labels, values, strict=True)}
        return shown

    def forward_image(self, x, *, clean, **conditions):
        variance = clean.mapped(lambda clean: self.variance(clean, **conditions))
        return x.mapped(lambda x, v: x * tf.sqrt(v), variance), _half_log_sum(variance)

    def inverse_image(self, y, *, clean, **conditions):
        variance = clean.mapped(lambda clean: self.variance(clean, **conditions))
        return y.mapped(lambda y, v: y * tf.math.rsqrt(v), variance), -_half_log_sum(variance)


def _half_log_sum(variance) -> tf.Tensor:
    return 0.5 * variance.mapped(tf.math.log).summed()
