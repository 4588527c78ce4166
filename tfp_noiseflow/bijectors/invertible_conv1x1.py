"""The 1x1 convolution of a flow step A (Glow; paper, section 3.1)."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import tensorflow as tf

from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.images.image import Image


class InvertibleConv1x1(Layer):
    """Mixes the channels of every pixel with one matrix A = P L U.

    ```none
    inverse   x = y A       (row vectors: channels are the last dimension)
    forward   y = x A^-1
    ildj      H W log|det A| = H W sum log|diag U|
    ```

    The matrix is in the inverse because density is the direction of training. P is a fixed
    permutation, L unit lower triangular, U upper triangular with diagonal sign * exp(log_scale),
    the signs fixed, so that A stays invertible. It starts as a random rotation. A is inverted
    once a call, as a C x C matrix, never per pixel.

    Conditions: none.

    Args:
      channels: C >= 1.
      seed: of the initial rotation; None: a random one.
      dtype: float32 or float64.
      name: of the layer.

    Raises:
      ValueError: channels < 1.

    #### References
    [1]: Kingma, Dhariwal. Glow: Generative Flow with Invertible 1x1 Convolutions. NeurIPS 2018.
         Equation 10 (the LU parametrisation).
    """

    conditions = {}
    gains_from_folding = True

    def __init__(
        self,
        channels: int,
        *,
        seed: int | np.random.SeedSequence | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "invertible_conv1x1",
    ):
        parameters = dict(locals())
        if channels < 1:
            raise ValueError(f"{name}: expected channels >= 1, received {channels}.")
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.channels = channels
            normal = np.random.default_rng(seed).standard_normal((channels, channels))
            rotation, _ = np.linalg.qr(normal)
            permutation, lower, upper = scipy.linalg.lu(rotation)
            diagonal = np.diag(upper)

            def variable(value: np.ndarray, name: str, trainable: bool = True) -> tf.Variable:
                return tf.Variable(tf.constant(value, dtype), name=name, trainable=trainable)

            # Fixed, but variables: a checkpoint must restore the matrix whatever the seed was.
            self.permutation = variable(permutation, "permutation", trainable=False)
            self.sign = variable(np.sign(diagonal), "sign", trainable=False)
            self.log_scale = variable(np.log(np.abs(diagonal)), "log_scale")
            rows, columns = np.tril_indices(channels, -1)
            self._below_diagonal = np.stack([rows, columns], axis=-1)
            self.lower = variable(lower[rows, columns], "lower")
            self.upper = variable(upper[columns, rows], "upper")

    @property
    def matrix(self) -> tf.Tensor:
        """A = P L U, [C, C]."""
        diagonal = self.sign * tf.exp(self.log_scale)
        channels = self.log_scale.shape[0]
        lower = tf.scatter_nd(self._below_diagonal, self.lower, [channels, channels])
        upper = tf.scatter_nd(self._below_diagonal[:, ::-1], self.upper, [channels, channels])
        lower += tf.eye(channels, dtype=self.dtype)
        return self.permutation @ lower @ (upper + tf.linalg.diag(diagonal))

    @property
    def inverse_matrix(self) -> tf.Tensor:
        """A^-1, [C, C]."""
        # In float64: the rounding of an inverse in float32 would be the largest error of a flow.
        return tf.cast(tf.linalg.inv(tf.cast(self.matrix, tf.float64)), self.dtype)

    def forward_image(self, x: Image) -> tuple[Image, tf.Tensor]:
        return x.mixed(self.inverse_matrix), -x.pixels * tf.reduce_sum(self.log_scale)

    def inverse_image(self, y: Image) -> tuple[Image, tf.Tensor]:
        return y.mixed(self.matrix), y.pixels * tf.reduce_sum(self.log_scale)
