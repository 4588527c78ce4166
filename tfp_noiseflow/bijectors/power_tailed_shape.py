"""P, the shape of each pixel's noise: skew, and tails that fall as a power."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfp_noiseflow.bijectors.pixel_noise import PixelNoise
from tfp_noiseflow.bijectors.pixel_shape import PixelShape, skew_of
from tfp_noiseflow.bijectors.power_tails import (
    LARGEST_AMOUNT,
    LARGEST_INDEX,
    StandardPowerTails,
)
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.laws import Law


class PowerTailedShape(PixelShape):
    """Gives standardised noise the skew of photons and the power-law tails of read noise.

    ```none
    f, r      = the read noise's share of a pixel's variance, an electron in its deviations
    S         = skew + photon_skew (1 - f) r + read_skew f^1.5
    k         = exp(log_photon_tail) (1 - f) r^2 + exp(log_read_tail) f^2
    h         = 0.3 sigmoid(tail_index)
    c         = k / (6 h), within 4
    forward   z = x with the amount c of tails of index h, y = (z with skew S - m) / s
    ```

    Read noise of small pixels has tails that fall as a power (random telegraph noise; Wei et al.
    fit Tukey's lambda), and where photons add a Gaussian to it, those tails stay, by less: a body
    that is Gaussian with tails of the same index (`power_tails`). Cumulants of independent noises
    add up, so that the skewness of the whole is that of the photons, which is Poisson's, and f^1.5
    times that of the read noise, and its excess kurtosis Poisson's and f^2 times that of the read
    noise: S and c go by these. For Tukey-lambda -0.1 and any f the density is so within 0.0001
    nats; a sinh-arcsinh by the same cumulants is off by up to 0.004.

    k is the excess kurtosis of tails to the first order: it tells how much the body is bent, and h
    what is far out. Both are so found apart: with c itself a likelihood's slope would hardly tell
    one from the other.

    m and s give y the mean 0 and the variance 1 of x, so that the noise level function keeps its
    meaning, and skew shifts no colours. c is limited smoothly. Tails are never lighter than a
    Gaussian's (`MarginalShape` has such). At the start the layer is nearly the identity.

    Where it belongs and its conditions: `PixelShape`.

    Args:
      noise: the noise level function of the noise, sharing its variables.
      skew, photon_skew, read_skew, log_photon_tail, log_read_tail, tail_index: laws, such as tables
        by camera; numbers, of which variables are made; or variables and tensors, which are used
        as they are.
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

    Raises:
      ValueError: laws by channel.

    #### References
    [1]: Wei et al. A Physics-based Noise Formation Model for Extreme Low-light Raw Denoising. CVPR
         2020.
    """

    # An excess kurtosis of 0.2 in the dark.
    first_numbers = {
        "skew": 0.0,
        "photon_skew": 0.0,
        "read_skew": 0.0,
        "log_photon_tail": -2.0,
        "log_read_tail": -2.0,
        "tail_index": 0.0,
    }

    def __init__(
        self,
        noise: SignalDependent,
        *,
        skew: Law | float | tf.Tensor | None = None,
        photon_skew: Law | float | tf.Tensor | None = None,
        read_skew: Law | float | tf.Tensor | None = None,
        log_photon_tail: Law | float | tf.Tensor | None = None,
        log_read_tail: Law | float | tf.Tensor | None = None,
        tail_index: Law | float | tf.Tensor | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "power_tailed_shape",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(noise, parameters, dtype=dtype, parameters=parameters, name=name)

    def _transformation(
        self, noise: PixelNoise, numbers: Mapping[str, tf.Tensor]
    ) -> StandardPowerTails:
        f, r = noise.read_share.values, noise.electron.values
        index = LARGEST_INDEX * tf.sigmoid(numbers["tail_index"])
        amount = tf.exp(numbers["log_photon_tail"]) / (6 * index) * ((1 - f) * tf.square(r))
        amount += tf.exp(numbers["log_read_tail"]) / (6 * index) * tf.square(f)
        amount *= tf.math.rsqrt(1 + tf.square(amount / LARGEST_AMOUNT))
        return StandardPowerTails(skew_of(noise, numbers), amount, index)
