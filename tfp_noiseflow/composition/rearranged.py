"""Images whose values a bijector sees in another arrangement."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.conditions.checks import require
from tfp_noiseflow.conditions.conditions import Condition


class Rearranged(ConditionalBijector):
    """Applies a bijector to images in another arrangement of the same values.

    Conditions that are images are rearranged likewise; a permutation has log-det 0.

    Conditions: those of the bijector.

    Args:
      bijector: acts on rearranged images.
      parameters, name: as for TFP.
    """

    def __init__(self, bijector: ConditionalBijector, *, parameters: dict, name: str):
        super().__init__(dtype=bijector.dtype, parameters=parameters, name=name)
        self.bijector = bijector

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "bijector": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            )
        }

    @abc.abstractmethod
    def _rearrange(self, images: tf.Tensor) -> tf.Tensor:
        """Images as the inner bijector sees them."""

    @abc.abstractmethod
    def _restore(self, images: tf.Tensor) -> tf.Tensor:
        """The inverse of `_rearrange`."""

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return self.bijector.conditions

    @property
    def is_scaling(self) -> bool:
        return self.bijector.is_scaling

    @property
    def is_pixelwise(self) -> bool:
        return self.bijector.is_pixelwise

    @property
    def pixelwise_part(self) -> ConditionalBijector | None:
        part = self.bijector.pixelwise_part
        return None if part is None else self._around(part)

    @abc.abstractmethod
    def _around(self, bijector: ConditionalBijector) -> Rearranged:
        """The same arrangement for another bijector."""

    def from_shared(self, given: Mapping) -> dict:
        declared = self.conditions
        return self.bijector.from_shared(
            {
                name: self._rearrange(value) if declared[name].is_image else value
                for name, value in given.items()
                if name in declared
            }
        )

    def _forward_and_log_det(self, x: tf.Tensor, **conditions: Any) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = self.bijector._forward_and_log_det(self._rearrange(x), **conditions)
        return self._restore(y), log_det

    def _inverse_and_log_det(self, y: tf.Tensor, **conditions: Any) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = self.bijector._inverse_and_log_det(self._rearrange(y), **conditions)
        return self._restore(x), log_det

    def _inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor, **conditions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        middle, half_width = self._rearrange(middle), self._rearrange(half_width)
        interval = self.bijector._inverse_interval(middle, half_width, **conditions)
        return tuple(self._restore(part) for part in interval)


class Squeezed(Rearranged):
    """Applies a bijector of [.., H/2, W/2, 4] to mosaics or planes [.., H, W, 1].

    Each 2x2 block becomes the four channels of a pixel, top left, top right, bottom left, bottom
    right: for a mosaic that begins with a red row these are R, Gr, Gb, B.

    Args:
      bijector: acts on squeezed images.
      name: of the layer.

    Raises:
      ValueError: at a call, images whose C is not 1 or whose H or W is odd (InvalidArgumentError
        where only the graph knows).
    """

    def __init__(self, bijector: ConditionalBijector, *, name: str = "squeezed"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(bijector, parameters=parameters, name=name)

    def _around(self, bijector: ConditionalBijector) -> Rearranged:
        return Squeezed(bijector, name=self.name)

    def _rearrange(self, images: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(images)[-3:]
        require(
            tf.reduce_all(tf.equal(shape % [2, 2, 1], 0) & tf.equal(shape[-1], 1)),
            "single-channel images of even height and width",
            shape,
        )
        return _between_space_and_depth(images, tf.nn.space_to_depth, 4)

    def _restore(self, images: tf.Tensor) -> tf.Tensor:
        return _between_space_and_depth(images, tf.nn.depth_to_space, 1)


class Reordered(Rearranged):
    """Applies a bijector to images with their channels in another order, and transposed or not.

    Args:
      bijector: acts on reordered images.
      channel_order: for each channel that the bijector sees, the channel of the images.
      is_transposed: whether it sees rows as columns.
      name: of the layer.

    Raises:
      ValueError: channel_order is no permutation; at a call, images of other channels.
    """

    def __init__(
        self,
        bijector: ConditionalBijector,
        channel_order: tuple[int, ...],
        *,
        is_transposed: bool = False,
        name: str = "reordered",
    ):
        parameters = dict(locals())
        if sorted(channel_order) != list(range(len(channel_order))):
            raise ValueError(f"{name}: expected a permutation of channels, got {channel_order}.")
        with tf.name_scope(name) as name:
            super().__init__(bijector, parameters=parameters, name=name)
            self._order = tuple(channel_order)
            self._back = tuple(channel_order.index(k) for k in range(len(channel_order)))
            self._is_transposed = is_transposed

    def _around(self, bijector: ConditionalBijector) -> Rearranged:
        return Reordered(bijector, self._order, is_transposed=self._is_transposed, name=self.name)

    def _rearrange(self, images: tf.Tensor) -> tf.Tensor:
        require(
            tf.equal(tf.shape(images)[-1], len(self._order)),
            f"images of {len(self._order)} channels",
            tf.shape(images),
        )
        return self._transposed(tf.gather(images, self._order, axis=-1))

    def _restore(self, images: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._transposed(images), self._back, axis=-1)

    def _transposed(self, images: tf.Tensor) -> tf.Tensor:
        if not self._is_transposed:
            return images
        rank = images.shape.rank
        return tf.transpose(images, [*range(rank - 3), rank - 2, rank - 3, rank - 1])


def _between_space_and_depth(images: tf.Tensor, rearrange: Callable, channels: int) -> tf.Tensor:
    shape = tf.shape(images)
    flat = tf.reshape(images, tf.concat([[-1], shape[-3:]], axis=0))
    flat.set_shape([None, *images.shape[-3:]])
    result = rearrange(flat, 2)
    static = [*images.shape[:-3], *result.shape[1:-1], channels]
    result = tf.reshape(result, tf.concat([shape[:-3], tf.shape(result)[1:]], axis=0))
    result.set_shape(static)
    return result
