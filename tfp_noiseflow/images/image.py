"""Images with the operations that layers need, whatever form they are in."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import tensorflow as tf

# H, W and C.
IMAGE_NDIMS = 3


class Image(abc.ABC):
    """A batch of images on its way through layers; its two forms compute the same to rounding.

    Attributes:
      values: the tensor that holds it; its shape and the order of its values are the form's.
      channels: C.
      pixels: H * W, a number or a scalar tensor.
    """

    values: tf.Tensor
    pixels: tf.Tensor

    @property
    @abc.abstractmethod
    def channels(self) -> int: ...

    @property
    def dimensions(self) -> tf.Tensor:
        """H * W * C."""
        return self.pixels * self.channels

    @abc.abstractmethod
    def split(self, sizes: Sequence[int]) -> list[Image]:
        """The channels in groups of these sizes."""

    @abc.abstractmethod
    def joined(self, *others: Image) -> Image:
        """The channels of all, one after the other."""

    @abc.abstractmethod
    def convolved(
        self, kernel: tf.Tensor, bias: tf.Tensor | None = None, parts: Sequence[int] | None = None
    ) -> Image:
        """A zero-padded convolution.

        Args:
          kernel: [h, w, C, D], h and w odd, w at most 9.
          bias: [D].
          parts: the sizes into which the result will be split; None: it will not be.
        """

    @abc.abstractmethod
    def mixed(self, matrix: tf.Tensor) -> Image:
        """Every pixel's channels, a row vector, multiplied by a matrix [C, D]."""

    @abc.abstractmethod
    def mapped(self, function: Callable, *others: Image) -> Image:
        """A function of values, pixel by pixel and channel by channel.

        Args:
          function: of `values` and those of `others`, to values of their shape. Other numbers in
            it broadcast with values, see `spread`.
          others: of as many channels.
        """

    @abc.abstractmethod
    def summed(self) -> tf.Tensor:
        """[..], the sums over H, W and C."""

    @abc.abstractmethod
    def summed_by_row(self) -> tf.Tensor:
        """[.., H, C], the sums over W."""

    @abc.abstractmethod
    def spread_rows(self, numbers: tf.Tensor) -> tf.Tensor:
        """Numbers of rows, [.., H, C] or [.., H, 1], as they broadcast with `values`."""

    @abc.abstractmethod
    def spread(self, numbers: tf.Tensor, *, by_channel: bool = False) -> tf.Tensor:
        """Numbers of images, [..] or [.., C] by channel, as they broadcast with `values`."""

    @abc.abstractmethod
    def constant(self, numbers: tf.Tensor) -> Image:
        """An image of k channels, each of one number, with the leading dimensions of the numbers.

        Args:
          numbers: [.., k] of images, or [k]: one image for all.
        """

    @abc.abstractmethod
    def with_values(self, values: tf.Tensor) -> Image:
        """Other values in the same form and order."""

    def broadcast(self, *others: Image) -> list[Image]:
        """This and others with leading dimensions broadcast to common ones, as `joined` needs."""
        images = [self, *others]
        shapes = [image.values.shape[:-IMAGE_NDIMS] for image in images]
        if all(shape.is_fully_defined() and shape == shapes[0] for shape in shapes):
            return images
        static, leading = shapes[0], tf.shape(self.values)[:-IMAGE_NDIMS]
        for image, shape in zip(others, shapes[1:], strict=True):
            static = tf.broadcast_static_shape(static, shape)
            leading = tf.broadcast_dynamic_shape(leading, tf.shape(image.values)[:-IMAGE_NDIMS])

        def broadcasted(image: Image) -> Image:
            end = tf.shape(image.values)[-IMAGE_NDIMS:]
            values = tf.broadcast_to(image.values, tf.concat([leading, end], axis=0))
            values.set_shape(static.concatenate(image.values.shape[-IMAGE_NDIMS:]))
            return image.with_values(values)

        return [broadcasted(image) for image in images]


def summed_over_image(values: tf.Tensor) -> tf.Tensor:
    """[..], the sums of values [.., H, W, C] over H, W and C, in their dtype.

    Each row is summed in that dtype and the sums of the rows in float64. In float32 alone the
    sum of a frame of 100 megapixels was off by 6 % where XLA adds one value after the other; this
    takes no longer. A row of n values is off by at most n roundings of its sum of sizes.
    """
    rows = tf.cast(tf.reduce_sum(values, axis=[-2, -1]), tf.float64)
    return tf.cast(tf.reduce_sum(rows, axis=-1), values.dtype)


def split_channels(values: tf.Tensor, sizes: Sequence[int]) -> list[tf.Tensor]:
    """Values [.., C] in groups of these sizes."""
    # A split, not slices: the gradient of a slice is a padded image of its own. TensorFlow's op for
    # equal sizes is the faster one.
    return tf.split(values, len(sizes) if len(set(sizes)) == 1 else list(sizes), axis=-1)


def over_image(values: tf.Tensor) -> tf.Tensor:
    """Per-image values [..] as [.., 1, 1, 1], to go with images [.., H, W, C]."""
    return values[..., tf.newaxis, tf.newaxis, tf.newaxis]
