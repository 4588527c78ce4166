"""T, the shape of each pixel's noise: skew and tails of photons and of reading."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.bijectors.pixel_noise import PixelNoise
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.bijectors.sinh_arcsinh import LARGEST_LOG_TAIL, StandardSinhArcsinh
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.composition.one_call import evaluated_once
from tfp_noiseflow.conditions.conditions import merged
from tfp_noiseflow.images.image import Image
from tfp_noiseflow.images.plain import PlainImage
from tfp_noiseflow.laws import Law, as_law

NUMBERS = (
    "skew",
    "photon_skew",
    "read_skew",
    "log_tail",
    "photon_log_tail",
    "read_log_tail",
)


class MarginalShape(Layer):
    """Gives standardised noise the skew and the tails of counted photons and of read noise.

    ```none
    f, r      = the read noise's share of a pixel's variance, an electron in its deviations
    e         = skew + photon_skew (1 - f) r + read_skew f^1.5
    log t     = log_tail + photon_log_tail (1 - f) r^2 + read_log_tail f^2, within +-1.1
    forward   y = (sinh(t arsinh(x) + e) - m) / s
    ```

    Cumulants of independent noises add up, so the skewness of the whole is that of the photons,
    which is Poisson's, and f^1.5 times that of the read noise, and its excess kurtosis Poisson's
    and f^2 times that of the read noise: e and log t go by these. `skew` and `log_tail` are there
    for what does not go by the pixel's brightness.

    m and s give y the mean 0 and the variance 1 of x (`sinh_arcsinh`), so that the noise level
    function keeps its meaning, and skew shifts no colours. log t is limited smoothly, by a
    hyperbolic tangent. All numbers start at 0, where the layer is the identity.

    The layer belongs behind the noise level function, on noise that is divided by its deviation;
    with a gain that amplifies the noise, behind that too.

    Conditions: those of `noise`, and of the laws.

    Args:
      noise: the noise level function of the noise, sharing its variables.
      skew, photon_skew, read_skew, log_tail, photon_log_tail, read_log_tail: laws, such as tables
        by camera; numbers, of which variables are made; or variables and tensors, which are used
        as they are.
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

    Raises:
      ValueError: laws by channel.

    #### References
    [1]: Jones, Pewsey. Sinh-arcsinh distributions. Biometrika 2009.
    """

    def __init__(
        self,
        noise: SignalDependent,
        *,
        skew: Law | float | tf.Tensor | None = None,
        photon_skew: Law | float | tf.Tensor | None = None,
        read_skew: Law | float | tf.Tensor | None = None,
        log_tail: Law | float | tf.Tensor | None = None,
        photon_log_tail: Law | float | tf.Tensor | None = None,
        read_log_tail: Law | float | tf.Tensor | None = None,
        dtype=tf.float32,
        name: str = "marginal_shape",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.noise = noise
            self.skew = as_law(skew, 0.0, dtype=dtype, name="skew")
            self.photon_skew = as_law(photon_skew, 0.0, dtype=dtype, name="photon_skew")
            self.read_skew = as_law(read_skew, 0.0, dtype=dtype, name="read_skew")
            self.log_tail = as_law(log_tail, 0.0, dtype=dtype, name="log_tail")
            self.photon_log_tail = as_law(photon_log_tail, 0.0, dtype=dtype, name="photon_log_tail")
            self.read_log_tail = as_law(read_log_tail, 0.0, dtype=dtype, name="read_log_tail")
            if any(law.channels is not None for law in self._laws.values()):
                raise ValueError(
                    f"{self.name}: expected laws for all channels, received one by channel."
                )

    @classmethod
    def _parameter_properties(cls, dtype):
        laws = {name: parameter_properties.ParameterProperties(event_ndims=0) for name in NUMBERS}
        return {
            "noise": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            ),
            **laws,
        }

    @property
    def _laws(self) -> dict[str, Law]:
        return {name: getattr(self, name) for name in NUMBERS}

    @property
    def conditions(self):
        return merged(self.noise.conditions, *(law.conditions for law in self._laws.values()))

    @property
    def is_pixelwise(self):
        return True

    @property
    def can_fold(self):
        is_single = all(law.batch_shape.rank == 0 for law in self._laws.values())
        return is_single and self.noise.can_fold

    def physical_parameters(self, cameras=None) -> dict[str, tf.Tensor]:
        """The six numbers by name, by all that they depend on."""
        return {
            f"{name}{label}": value
            for name, law in self._laws.items()
            for label, value in law.shown_values(lambda number, given: number, cameras).items()
        }

    def forward_image(self, x, *, clean, **conditions):
        y, log_slope = self._shape(x, clean, **conditions).forward(x.values)
        return x.with_values(y), x.with_values(log_slope).summed()

    def inverse_image(self, y, *, clean, **conditions):
        x, log_slope = self._shape(y, clean, **conditions).inverse(y.values)
        return y.with_values(x), y.with_values(log_slope).summed()

    def _inverse_interval(self, middle, half_width, *, clean, **conditions):
        shape = self._shape(PlainImage(middle), PlainImage(clean), **conditions)
        return shape.inverse_interval(middle, half_width)

    def _shape(self, like: Image, clean: Image, **conditions) -> StandardSinhArcsinh:
        """Of each value of an image, in its form and order."""
        clean = like.mapped(lambda _, clean: clean, clean)
        noise = self.noise.pixel_noise(clean, **conditions)
        return evaluated_once(self, (noise,), lambda: self._shape_of(like, noise, conditions))

    def _shape_of(self, like: Image, noise: PixelNoise, conditions: Mapping):
        number = {k: like.spread(law.at(**conditions)) for k, law in self._laws.items()}
        f, r = noise.read_share.values, noise.electron.values
        of_photons = (1 - f) * r
        skew = number["skew"] + number["photon_skew"] * of_photons
        skew += number["read_skew"] * f * tf.sqrt(f)
        log_tail = number["log_tail"] + number["photon_log_tail"] * of_photons * r
        log_tail += number["read_log_tail"] * tf.square(f)
        limited = LARGEST_LOG_TAIL * tf.tanh(log_tail / LARGEST_LOG_TAIL)
        return StandardSinhArcsinh(skew, limited)
