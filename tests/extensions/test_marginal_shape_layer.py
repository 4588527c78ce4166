"""Skew and tails of every channel's noise, as a user adds them."""

import tensorflow as tf

import tfp_noiseflow as nf
from tests.extensions.checks import Extension
from tfp_noiseflow import bijectors as nb


class SinhArcsinh(nb.Layer):
    """Gives every channel skew and tails of its own (Jones and Pewsey, 2009).

    ```none
    forward   y = sinh(u),  u = (arsinh(x) + skew) * tail,  tail = exp(.)
    inverse   x = sinh(arsinh(y) / tail - skew)
    fldj      sum log tail + log cosh(u) - log(1 + x^2) / 2
    ```
    """

    conditions = {}

    def __init__(self, channels, *, dtype, name):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.skew = tf.Variable(tf.zeros([channels], dtype), name="skew")
            self.log_tail = tf.Variable(tf.zeros([channels], dtype), name="log_tail")

    def forward_image(self, x):
        skew, log_tail = (x.spread(v, by_channel=True) for v in (self.skew, self.log_tail))
        u = x.mapped(lambda x: (tf.asinh(x) + skew) * tf.exp(log_tail))
        return u.mapped(tf.sinh), self.log_det(x, u)

    def inverse_image(self, y):
        skew, log_tail = (y.spread(v, by_channel=True) for v in (self.skew, self.log_tail))
        u = y.mapped(tf.asinh)
        x = u.mapped(lambda u: tf.sinh(u * tf.exp(-log_tail) - skew))
        return x, -self.log_det(x, u)

    def log_det(self, x, u):
        log_tail = x.spread(self.log_tail, by_channel=True)
        return x.mapped(
            lambda x, u: log_tail + tf.math.log(tf.cosh(u)) - 0.5 * tf.math.log1p(x**2), u
        ).summed()


nf.register_layer(
    "M",
    "skew and tails of every channel",
    lambda context: [
        SinhArcsinh(context.channels, dtype=context.dtype, name=f"shape_{context.number}")
    ],
)


class TestMarginalShapeLayer(Extension):
    letter = "M"
    architecture = "S-M-G"
