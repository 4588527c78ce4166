"""The network inside an affine coupling."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Condition
from tfp_noiseflow.images.image import Image
from tfp_noiseflow.images.plain import PlainImage


class Conditioner(tf.Module, abc.ABC):
    """A network that is written once for all forms of an image.

    Attributes:
      conditions: what it depends on besides the image, by name.
    """

    conditions: Mapping[str, Condition] = {}

    @abc.abstractmethod
    def on_image(self, image: Image, *, parts: Sequence[int] | None, **conditions: Any) -> Image:
        """The network.

        Args:
          image: of the half of the channels that conditions.
          parts: the sizes into which the result will be split, for its last convolution; None: it
            will not be.
          **conditions: the values of `self.conditions`, checked; images as `Image`s.
        """

    def __call__(self, images: tf.Tensor, **conditions: Any) -> tf.Tensor:
        """[.., H, W, C] -> [.., H, W, D], in the plain form; conditions as tensors."""
        given = {
            name: PlainImage(value) if self.conditions[name].is_image else value
            for name, value in conditions.items()
        }
        image = PlainImage(images)
        # The plain form has its channels in their order whatever the parts.
        return self.on_image(image, parts=None, **given).values


class ConvolutionalConditioner(Conditioner):
    """conv3x3 - ReLU - conv1x1 - ReLU - conv3x3, zero padded, no batch normalisation.

    The last convolution starts at zero, so that a coupling starts as the identity. A border
    indicator appends to its input a channel that is 1 on the padding and 0 inside, which tells
    it zeros that were padded from zeros that were computed.

    A subclass may declare `conditions` and give further channels, which the first convolution
    sees beside the image:

    ```python
    class SeesClean(ConvolutionalConditioner):
        conditions = {"clean": CleanImage()}
        num_further_channels = 4

        def further_channels(self, image, *, clean):
            return [clean]
    ```

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

    num_further_channels = 0

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        hidden_channels: int = 4,
        has_border_indicator: bool = False,
        seed: int | np.random.SeedSequence | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "conditioner",
    ):
        super().__init__(name=name)
        if hidden_channels < 1:
            raise ValueError(f"expected hidden_channels >= 1, received {hidden_channels}.")
        generator = np.random.default_rng(seed)
        self.has_border_indicator = has_border_indicator
        channels_in += self.num_further_channels

        def variables(
            size: int, inputs: int, outputs: int, name: str, scale: float
        ) -> tuple[tf.Variable, tf.Variable]:
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

    def further_channels(self, image: Image, **conditions: Any) -> list[Image]:
        """Images of `num_further_channels` in all, made of the conditions; see the class.

        Numbers of images become channels by `image.constant(numbers)`.
        """
        del image, conditions
        return []

    def on_image(self, image: Image, *, parts: Sequence[int] | None, **conditions: Any) -> Image:
        seen = image
        further = self.further_channels(image, **conditions)
        if sum(channels.channels for channels in further) != self.num_further_channels:
            raise ValueError(
                f"expected {type(self).__name__}.further_channels to give images of "
                f"num_further_channels = {self.num_further_channels} channels in all, received "
                f"{[channels.channels for channels in further]}."
            )
        if further:
            first, *others = image.broadcast(*further)
            seen = first.joined(*others)
        hidden = seen.convolved(self.kernel1, self.bias1).mapped(tf.nn.relu)
        hidden = hidden.convolved(self.kernel2, self.bias2).mapped(tf.nn.relu)
        inner = self.kernel3[:, :, : hidden.channels]
        result = hidden.convolved(inner, self._inner_bias, parts)
        if not self.has_border_indicator:
            return result
        ones = image.constant(tf.ones([1], self.kernel3.dtype))
        border = ones.convolved(self.kernel3[:, :, -1:], parts=parts)
        return result.mapped(tf.subtract, border)

    @property
    def _inner_bias(self) -> tf.Tensor:
        """The last bias, for an indicator that is -1 inside and 0 on the padding.

        1 outside and 0 inside is 1 everywhere minus a zero-padded image of ones: the same numbers
        without making the padding explicit.
        """
        if not self.has_border_indicator:
            return tf.convert_to_tensor(self.bias3)
        return self.bias3 + tf.reduce_sum(self.kernel3[:, :, -1], axis=[0, 1])
