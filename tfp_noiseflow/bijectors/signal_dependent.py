"""S, the signal-dependent layer of Noise Flow (paper, equations 12 to 14)."""

from __future__ import annotations

import tensorflow as tf

from tfp_noiseflow.bijectors.condition_table import ConditionTable
from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector, over_image
from tfp_noiseflow.bijectors.conditions import CleanImage, merged
from tfp_noiseflow.bijectors.gain import Gain


class SignalDependent(ConditionalBijector):
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

    Conditions: `clean`, and those of the gain and of the tables.

    Args:
      gain: the gain layer whose gamma divides the clean image, sharing its variables; None:
        gamma = 1, the noise level function acts on the clean image itself.
      log_beta1, log_beta2: the tables b1 and b2 to use; by default one number each, which start
        at -5 and 0 as in the paper. Tables by camera, ISO or both give each its own.
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
        log_beta1: ConditionTable | None = None,
        log_beta2: ConditionTable | None = None,
        dtype=tf.float32,
        name: str = "signal_dependent",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.gain = gain
            self.log_beta1 = log_beta1 or ConditionTable(-5.0, dtype=dtype, name="log_beta1")
            self.log_beta2 = log_beta2 or ConditionTable(0.0, dtype=dtype, name="log_beta2")

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

    def physical_parameters(self) -> dict[str, tuple[tuple[str, ...], tf.Tensor]]:
        """`beta1` and `beta2`, by whatever they depend on."""
        return {
            "beta1": (self.log_beta1.axes, tf.exp(self.log_beta1.values)),
            "beta2": (self.log_beta2.axes, tf.exp(self.log_beta2.values)),
        }

    def _forward_and_log_det(self, x, *, clean, iso=None, camera=None):
        variance = self.variance(clean, iso=iso, camera=camera)
        return x * tf.sqrt(variance), _half_log_sum(variance)

    def _inverse_and_log_det(self, y, *, clean, iso=None, camera=None):
        variance = self.variance(clean, iso=iso, camera=camera)
        return y * tf.math.rsqrt(variance), -_half_log_sum(variance)


def _half_log_sum(variance: tf.Tensor) -> tf.Tensor:
    return 0.5 * tf.reduce_sum(tf.math.log(variance), axis=[-3, -2, -1])
