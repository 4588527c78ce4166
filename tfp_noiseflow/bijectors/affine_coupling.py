"""The affine coupling of a flow step A (Real NVP; paper, equations 9 to 11)."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector
from tfp_noiseflow.bijectors.conditioner import ConvolutionalConditioner


class AffineCoupling(ConditionalBijector):
    """Scales and shifts the second half of the channels by a network of the first half.

    ```none
    x0, x1    = the first floor(C / 2) channels, the rest
    t, r      = the two halves of net(x0),  l = scale * tanh(r)
    inverse   x1 <- x1 * exp(l) + t
    forward   x1 <- (x1 - t) * exp(-l)
    ildj      sum l
    ```

    Conditions: none.

    Args:
      channels: C >= 2.
      hidden_channels: width of the default network.
      has_border_indicator: whether the default network sees the border.
      conditioner: a tf.Module to use as net instead, [.., H, W, floor(C / 2)] to
        [.., H, W, 2 ceil(C / 2)]; its variables are tracked.
      seed: of the default network's initial weights; None: random ones.
      dtype: float32 or float64.
      name: of the layer.

    Raises:
      ValueError: fewer than two channels.

    #### References
    [1]: Dinh, Sohl-Dickstein, Bengio. Density Estimation Using Real NVP. ICLR 2017.
         Equations 7 and 8.
    [2]: Abdelhamed, Brubaker, Brown. Noise Flow. ICCV 2019. Equations 9 to 11.
    """

    conditions = {}

    def __init__(
        self,
        channels: int,
        *,
        hidden_channels: int = 4,
        has_border_indicator: bool = False,
        conditioner: Callable[[tf.Tensor], tf.Tensor] | None = None,
        seed=None,
        dtype=tf.float32,
        name: str = "affine_coupling",
    ):
        parameters = dict(locals())
        if channels < 2:
            raise ValueError(f"{name}: expected channels >= 2, received {channels}.")
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self._conditioning_channels = channels // 2
            self.conditioner = conditioner or ConvolutionalConditioner(
                channels // 2,
                2 * (channels - channels // 2),
                hidden_channels=hidden_channels,
                has_border_indicator=has_border_indicator,
                seed=seed,
                dtype=dtype,
            )
            self.scale = tf.Variable(tf.ones([], dtype), name="scale")

    def _forward_and_log_det(self, x):
        x0, x1 = self._halves(x)
        shift, log_scale = self._shift_and_log_scale(x0)
        y = tf.concat([x0, (x1 - shift) * tf.exp(-log_scale)], axis=-1)
        return y, -tf.reduce_sum(log_scale, axis=[-3, -2, -1])

    def _inverse_and_log_det(self, y):
        y0, y1 = self._halves(y)
        shift, log_scale = self._shift_and_log_scale(y0)
        x = tf.concat([y0, y1 * tf.exp(log_scale) + shift], axis=-1)
        return x, tf.reduce_sum(log_scale, axis=[-3, -2, -1])

    def _halves(self, x):
        # A split, not two slices: the gradient of a slice is a padded image of its own.
        return tf.split(x, [self._conditioning_channels, -1], axis=-1)

    def _shift_and_log_scale(self, x0):
        shift, raw = tf.split(self.conditioner(x0), 2, axis=-1)
        return shift, self.scale * tf.tanh(raw)
