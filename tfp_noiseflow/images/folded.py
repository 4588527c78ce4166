"""Images with four pixels of a row as one: the fast form.

A convolution of 2 to 4 channels leaves most of a processor's vector units idle, and a pass over
memory for each small operation costs as much as the convolutions. In this form

- FOLD neighbouring pixels of a row become channels, [B, H, W, C] -> [B, H, W / FOLD, FOLD C],
  which moves no byte; kernels become banded ones, mostly zeros, made from the layers' own;
- the folded channels may stand in blocks, all pixels' first channels before all pixels' next
  ones, so that the halves of a coupling are contiguous; 1x1 convolutions, which mix channels
  anyway, bring them into that order and back;
- biases and rectifiers are on the folded channels, where TensorFlow joins them to the convolution.

The plain form is the readable one and the oracle of the tests. docs/performance.md has the figures.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.images.image import Image, over_image, split_channels, summed_over_image

# Pixels of a row that become one.
FOLD = 4


class FoldedImage(Image):
    """Images [B, H, W, C] as values [B, H, W / FOLD, FOLD C].

    Args:
      values: as above.
      blocks: of how many channels of a pixel each block is made; within a block the channels stand
        pixel by pixel. One block (C,) is the order that folding leaves.
      pixels: H * W of the images.
      mixes_to_halves: whether `mixed` leaves the channels in halves, as a layer that comes later
        wants them.
    """

    def __init__(
        self,
        values: tf.Tensor,
        blocks: Sequence[int],
        pixels: tf.Tensor,
        mixes_to_halves: bool = False,
    ):
        self.values = values
        self.blocks = tuple(blocks)
        self.pixels = pixels
        self.mixes_to_halves = mixes_to_halves

    @classmethod
    def fold(cls, images: tf.Tensor) -> FoldedImage:
        """Folds images [B, H, W, C] of a width that divides by FOLD."""
        shape = tf.shape(images)
        batch, height, width, channels = images.shape
        values = tf.reshape(
            images, tf.stack([shape[0], shape[1], shape[2] // FOLD, FOLD * channels])
        )
        values.set_shape([batch, height, width and width // FOLD, FOLD * channels])
        if None in (height, width):
            pixels = tf.cast(shape[1] * shape[2], images.dtype)
        else:
            pixels = tf.constant(height * width, images.dtype)
        return cls(values, (channels,), pixels)

    def unfold(self) -> tf.Tensor:
        """The images [B, H, W, C]."""
        values = self.in_blocks((self.channels,)).values
        batch, height, width, _ = values.shape
        shape = tf.shape(values)
        images = tf.reshape(values, tf.stack([shape[0], shape[1], shape[2] * FOLD, self.channels]))
        images.set_shape([batch, height, width and width * FOLD, self.channels])
        return images

    @property
    def channels(self) -> int:
        return sum(self.blocks)

    def _with(self, values: tf.Tensor, blocks: Sequence[int]) -> FoldedImage:
        return FoldedImage(values, blocks, self.pixels, self.mixes_to_halves)

    def in_blocks(self, blocks: Sequence[int]) -> FoldedImage:
        """The same with the channels in other blocks."""
        if self.blocks == tuple(blocks):
            return self
        # Faster than a gather of channels, and exact.
        kernel = tf.eye(self.channels, dtype=self.values.dtype)[tf.newaxis, tf.newaxis]
        return self.convolved(kernel, parts=blocks)

    def split(self, sizes: Sequence[int]) -> list[FoldedImage]:
        if len(sizes) == 1:
            return [self]
        parts = split_channels(self.in_blocks(sizes).values, [FOLD * size for size in sizes])
        return [self._with(part, (size,)) for part, size in zip(parts, sizes, strict=True)]

    def joined(self, *others: FoldedImage) -> FoldedImage:
        images = [self, *others]
        blocks = [block for image in images for block in image.blocks]
        return self._with(tf.concat([image.values for image in images], axis=-1), blocks)

    def convolved(
        self, kernel: tf.Tensor, bias: tf.Tensor | None = None, parts: Sequence[int] | None = None
    ) -> FoldedImage:
        parts = (kernel.shape[-1],) if parts is None else parts
        folded = fold_kernel(kernel, self.blocks, tuple(parts))
        result = self._with(tf.nn.conv2d(self.values, folded, strides=1, padding="SAME"), parts)
        if bias is not None:
            result.values = tf.nn.bias_add(result.values, result._tiled(bias))
        return result

    def mixed(self, matrix: tf.Tensor) -> FoldedImage:
        outputs = matrix.shape[-1]
        halves = (outputs // 2, outputs - outputs // 2)
        parts = halves if self.mixes_to_halves and outputs > 1 else (outputs,)
        return self.convolved(matrix[tf.newaxis, tf.newaxis], parts=parts)

    def mapped(self, function: Callable, *others: FoldedImage) -> FoldedImage:
        alike = [other.in_blocks(self.blocks) for other in others]
        values = function(self.values, *(other.values for other in alike))
        return self._with(values, self.blocks)

    def summed(self) -> tf.Tensor:
        return summed_over_image(self.values)

    def summed_by_row(self) -> tf.Tensor:
        sums = tf.reduce_sum(self.values, axis=2)
        parts = split_channels(sums, [FOLD * block for block in self.blocks])
        return tf.concat(
            [
                tf.add_n(split_channels(part, [block] * FOLD))
                for part, block in zip(parts, self.blocks, strict=True)
            ],
            axis=-1,
        )

    def spread_rows(self, numbers: tf.Tensor) -> tf.Tensor:
        if numbers.shape[-1] != 1:
            numbers = self._tiled(numbers)
        return numbers[:, :, tf.newaxis]

    def spread(self, numbers: tf.Tensor, *, by_channel: bool = False) -> tf.Tensor:
        if not by_channel:
            return over_image(numbers)
        return self._tiled(numbers)[..., tf.newaxis, tf.newaxis, :]

    def constant(self, numbers: tf.Tensor) -> FoldedImage:
        numbers = numbers if numbers.shape.rank > 1 else numbers[tf.newaxis]
        tiled = tf.tile(numbers, [1, FOLD])
        batch, channels = tf.shape(tiled)[:1], tf.shape(tiled)[1:]
        values = tf.broadcast_to(
            tiled[:, tf.newaxis, tf.newaxis],
            tf.concat([batch, tf.shape(self.values)[1:3], channels], axis=0),
        )
        values.set_shape([tiled.shape[0], *self.values.shape[1:3], tiled.shape[1]])
        return self._with(values, (numbers.shape[1],))

    def with_values(self, values: tf.Tensor) -> FoldedImage:
        return self._with(values, self.blocks)

    def _tiled(self, numbers: tf.Tensor) -> tf.Tensor:
        """[.., C] of channels as [.., FOLD C], in the order of the blocks."""
        axes = [1] * (numbers.shape.rank - 1)
        if len(self.blocks) == 1:
            return tf.tile(numbers, [*axes, FOLD])
        parts = tf.split(numbers, list(self.blocks), axis=-1)
        return tf.concat([tf.tile(part, [*axes, FOLD]) for part in parts], axis=-1)


def fold_kernel(
    kernel: tf.Tensor,
    blocks_in: tuple[int, ...] | None = None,
    blocks_out: tuple[int, ...] | None = None,
) -> tf.Tensor:
    """The kernel for folded images that does what a kernel does for images.

    Args:
      kernel: [h, w, C, D], h and w odd, w <= 2 FOLD + 1.
      blocks_in: how many channels of a pixel stand together in each block of the folded input,
        adding up to C. None: pixel by pixel.
      blocks_out: the same for the output and D.

    Returns:
      [h, 1 or 3, FOLD C, FOLD D].
    """
    height, width, channels, outputs = kernel.shape
    positions = _kernel_positions(
        height, width, channels, outputs, blocks_in or (channels,), blocks_out or (outputs,)
    )
    # Position 0 is a zero.
    values = tf.concat([tf.zeros([1], kernel.dtype), tf.reshape(kernel, [-1])], axis=0)
    return tf.gather(values, tf.cast(positions, tf.int32))


@functools.cache
def _kernel_positions(
    height: int,
    width: int,
    channels: int,
    outputs: int,
    blocks_in: tuple[int, ...],
    blocks_out: tuple[int, ...],
) -> np.ndarray:
    """[h, 1 or 3, FOLD C, FOLD D]: 1 + where in the flat kernel each value stands, 0 for zeros.

    Output pixel p of a group takes input pixel q of the group J to the left or right where the
    kernel's column is FOLD J + q - p, counted from its middle.
    """
    groups = 0 if width == 1 else 1
    shape = height, width, channels, outputs
    number = 1 + np.arange(height * width * channels * outputs).reshape(shape)
    folded = np.zeros((height, 2 * groups + 1, FOLD, channels, FOLD, outputs), np.int32)
    for p in range(FOLD):
        for column in range(width):
            position = p + column - width // 2
            folded[:, groups + position // FOLD, position % FOLD, :, p] = number[:, column]
    folded = _in_order(_in_order(folded, 2, blocks_in), 3, blocks_out)
    # Bytes, mostly: these constants are in every export, some dozens of them.
    return folded.astype(np.min_scalar_type(folded.max()))


def _in_order(array: np.ndarray, axis: int, blocks: tuple[int, ...]) -> np.ndarray:
    """Axes (pixel, channel) at `axis` as one, block after block."""
    parts = np.split(array, np.cumsum(blocks)[:-1], axis=axis + 1)
    shape = array.shape[:axis], array.shape[axis + 2 :]
    return np.concatenate([part.reshape(*shape[0], -1, *shape[1]) for part in parts], axis=axis)
