"""The network inside an affine coupling."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.convolution import convolve


class ConvolutionalConditioner(tf.Module):
    """conv3x3 - ReLU - conv1x1 - ReLU - conv3x3, zero padded, no batch normalisation.

    The last convolution starts at zero, so that a coupling starts as the identity. A border
    indicator appends to its input a channel that is 1 on the padding and 0 inside, which tells
    it zeros that were padded from zeros that were computed.

    Args:
      channels_in: channels of the half that conditions.
      channels_out: channels of the output.
      hidden_channels: channels between the convolutions.
      has_border_indicator: whether the last convolution sees the border.
      seed: of the initial weights; None: random ones.
      dtype: float32 or float64.
      name: of the module.

    #### References
    [1]: Abdelhamed, Brubaker, Brown. Noise Flow. ICCV 2019. Section 3.1.
    [2]: Kingma, Dhariwal. Glow. NeurIPS 2018. The zero start of the last convolution.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        hidden_channels: int = 4,
        has_border_indicator: bool = False,
        seed=None,
        dtype=tf.float32,
        name: str = "conditioner",
    ):
        super().__init__(name=name)
        if hidden_channels < 1:
            raise ValueError(f"expected hidden_channels >= 1, received {hidden_channels}.")
        generator = np.random.default_rng(seed)
        self.has_border_indicator = has_border_indicator

        def variables(size, inputs, outputs, name, scale):
            kernel = scale * generator.standard_normal((size, size, inputs, outputs))
            return (
                tf.Variable(tf.constant(kernel, dtype), name=f"{name}_kernel"),
                tf.Variable(tf.zeros([outputs], dtype), name=f"{name}_bias"),
            )

        # He et al. 2015: the variance that keeps the scale of ReLU activations.
        first_scale = np.sqrt(2 / (9 * channels_in))
        second_scale = np.sqrt(2 / hidden_channels)
        self.kernel1, self.bias1 = variables(3, channels_in, hidden_channels, "conv1", first_scale)
        self.kernel2, self.bias2 = variables(
            1, hidden_channels, hidden_channels, "conv2", second_scale
        )
        inputs = hidden_channels + has_border_indicator
        self.kernel3, self.bias3 = variables(3, inputs, channels_out, "conv3", 0.0)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """[.., H, W, channels_in] -> [.., H, W, channels_out]."""
        hidden = tf.nn.relu(tf.nn.bias_add(convolve(images, self.kernel1), self.bias1))
        hidden = tf.nn.relu(tf.nn.bias_add(convolve(hidden, self.kernel2), self.bias2))
        inner = self.kernel3[:, :, : hidden.shape[-1]]
        result = tf.nn.bias_add(convolve(hidden, inner), self.inner_bias)
        if not self.has_border_indicator:
            return result
        shape = tf.shape(images)
        ones = tf.ones([1, shape[-3], shape[-2], 1], images.dtype)
        return result - tf.nn.conv2d(ones, self.kernel3[:, :, -1:], 1, "SAME")[0]

    @property
    def inner_bias(self) -> tf.Tensor:
        """The last bias, for an indicator that is -1 inside and 0 on the padding.

        1 outside and 0 inside is 1 everywhere minus a zero-padded image of ones: the same numbers
        without making the padding explicit.
        """
        if not self.has_border_indicator:
            return tf.convert_to_tensor(self.bias3)
        return self.bias3 + tf.reduce_sum(self.kernel3[:, :, -1], axis=[0, 1])
