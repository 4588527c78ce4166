"""T, the shape of each pixel's noise: skew and tails of photons and of reading."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfp_noiseflow.bijectors.pixel_noise import PixelNoise
from tfp_noiseflow.bijectors.pixel_shape import PixelShape, skew_of
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.bijectors.sinh_arcsinh import LARGEST_LOG_TAIL, StandardSinhArcsinh
from tfp_noiseflow.laws import Law


class MarginalShape(PixelShape):
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

    Tails may be lighter than a Gaussian's (t < 1) or heavier; however heavy, they are thinner than
    a power law (`PowerTailedShape`).

    m and s give y the mean 0 and the variance 1 of x (`sinh_arcsinh`), so that the noise level
    function keeps its meaning, and skew shifts no colours. log t is limited smoothly, by a
    hyperbolic tangent. All numbers start at 0, where the layer is the identity.

    Where it belongs and its conditions: `PixelShape`.

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

    first_numbers = {
        "skew": 0.0,
        "photon_skew": 0.0,
        "read_skew": 0.0,
        "log_tail": 0.0,
        "photon_log_tail": 0.0,
        "read_log_tail": 0.0,
    }

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
        dtype: tf.DType = tf.float32,
        name: str = "marginal_shape",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(noise, parameters, dtype=dtype, parameters=parameters, name=name)

    def _transformation(
        self, noise: PixelNoise, numbers: Mapping[str, tf.Tensor]
    ) -> StandardSinhArcsinh:
        f, r = noise.read_share.values, noise.electron.values
        log_tail = numbers["log_tail"] + numbers["photon_log_tail"] * ((1 - f) * r * r)
        log_tail += numbers["read_log_tail"] * tf.square(f)
        limited = LARGEST_LOG_TAIL * tf.tanh(log_tail / LARGEST_LOG_TAIL)
        return StandardSinhArcsinh(skew_of(noise, numbers), limited)
