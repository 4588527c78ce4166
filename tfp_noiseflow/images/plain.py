"""Images as they are, [.., H, W, C]: the readable form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfp_noiseflow.images.convolution import convolve
from tfp_noiseflow.images.image import (
    IMAGE_NDIMS,
    Image,
    over_image,
    split_channels,
    summed_over_image,
)


class PlainImage(Image):
    """Images [.., H, W, C] with any leading dimensions.

    Args:
      values: float [.., H, W, C]; H and W may be dynamic.
    """

    def __init__(self, values: tf.Tensor):
        self.values = values

    @property
    def channels(self) -> int:
        return self.values.shape[-1]

    @property
    def pixels(self) -> tf.Tensor:
        shape = self.values.shape[-IMAGE_NDIMS:-1]
        if shape.is_fully_defined():
            return tf.constant(shape.num_elements(), self.values.dtype)
        return tf.cast(tf.reduce_prod(tf.shape(self.values)[-IMAGE_NDIMS:-1]), self.values.dtype)

    @property
    def dimensions(self) -> tf.Tensor:
        if self.channels is not None:
            return super().dimensions
        return self.pixels * tf.cast(tf.shape(self.values)[-1], self.values.dtype)

    def split(self, sizes: Sequence[int]) -> list[PlainImage]:
        return [PlainImage(part) for part in split_channels(self.values, sizes)]

    def joined(self, *others: Image) -> PlainImage:
        return PlainImage(tf.concat([self.values, *(other.values for other in others)], axis=-1))

    def convolved(
        self, kernel: tf.Tensor, bias: tf.Tensor | None = None, parts: Sequence[int] | None = None
    ) -> PlainImage:
        result = convolve(self.values, kernel)
        return PlainImage(result if bias is None else tf.nn.bias_add(result, bias))

    def mixed(self, matrix: tf.Tensor) -> PlainImage:
        return self.convolved(matrix[tf.newaxis, tf.newaxis])

    def mapped(self, function: Callable, *others: Image) -> PlainImage:
        return PlainImage(function(self.values, *(other.values for other in others)))

    def summed(self) -> tf.Tensor:
        return summed_over_image(self.values)

    def summed_by_row(self) -> tf.Tensor:
        return tf.reduce_sum(self.values, axis=-2)

    def spread_rows(self, numbers: tf.Tensor) -> tf.Tensor:
        return numbers[..., tf.newaxis, :]

    def spread(self, numbers: tf.Tensor, *, by_channel: bool = False) -> tf.Tensor:
        return numbers[..., tf.newaxis, tf.newaxis, :] if by_channel else over_image(numbers)

    def constant(self, numbers: tf.Tensor) -> PlainImage:
        size = tf.shape(self.values)[-IMAGE_NDIMS:-1]
        leading, channels = tf.shape(numbers)[:-1], tf.shape(numbers)[-1:]
        result = tf.broadcast_to(
            numbers[..., tf.newaxis, tf.newaxis, :], tf.concat([leading, size, channels], axis=0)
        )
        image_shape = [*self.values.shape[-IMAGE_NDIMS:-1], numbers.shape[-1]]
        result.set_shape(numbers.shape[:-1].concatenate(image_shape))
        return PlainImage(result)

    def with_values(self, values: tf.Tensor) -> PlainImage:
        return PlainImage(values)
