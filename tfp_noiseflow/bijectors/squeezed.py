"""Single-plane images, seen by a bijector as four half-size channels."""

from __future__ import annotations

import tensorflow as tf

from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector
from tfp_noiseflow.bijectors.conditions import as_float, require


class Squeezed(ConditionalBijector):
    """Applies a bijector of [.., H/2, W/2, 4] to mosaics or planes [.., H, W, 1].

    Each 2x2 block becomes the four channels of a pixel, top left, top right, bottom left, bottom
    right: for a mosaic that begins with a red row these are R, Gr, Gb, B. The clean image is
    squeezed likewise; a permutation has log-det 0.

    Conditions: those of the bijector.

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
            super().__init__(dtype=bijector.dtype, parameters=parameters, name=name)
            self.bijector = bijector

    @property
    def conditions(self):
        return self.bijector.conditions

    def check_conditions(self, given, x):
        given = dict(given)
        if given.get("clean") is not None:
            given["clean"] = squeeze(as_float("clean", given["clean"], self.dtype))
        return self.bijector.check_conditions(given, squeeze(x))

    def from_shared(self, checked):
        checked = dict(checked)
        if "clean" in checked:
            checked["clean"] = squeeze(checked["clean"])
        return self.bijector.from_shared(checked)

    def _forward_and_log_det(self, x, **conditions):
        y, log_det = self.bijector._forward_and_log_det(squeeze(x), **conditions)
        return unsqueeze(y), log_det

    def _inverse_and_log_det(self, y, **conditions):
        x, log_det = self.bijector._inverse_and_log_det(squeeze(y), **conditions)
        return unsqueeze(x), log_det


def squeeze(images: tf.Tensor) -> tf.Tensor:
    """[.., H, W, 1] -> [.., H/2, W/2, 4]."""
    shape = tf.shape(images)[-3:]
    require(
        tf.reduce_all(tf.equal(shape % [2, 2, 1], 0) & tf.equal(shape[-1], 1)),
        "single-channel images of even height and width",
        shape,
    )
    return _rearranged(images, tf.nn.space_to_depth, 4)


def unsqueeze(images: tf.Tensor) -> tf.Tensor:
    """[.., H/2, W/2, 4] -> [.., H, W, 1]."""
    return _rearranged(images, tf.nn.depth_to_space, 1)


def _rearranged(images: tf.Tensor, rearrange, channels: int) -> tf.Tensor:
    shape = tf.shape(images)
    flat = tf.reshape(images, tf.concat([[-1], shape[-3:]], axis=0))
    flat.set_shape([None, *images.shape[-3:]])
    result = rearrange(flat, 2)
    static = [*images.shape[:-3], *result.shape[1:-1], channels]
    result = tf.reshape(result, tf.concat([shape[:-3], tf.shape(result)[1:]], axis=0))
    result.set_shape(static)
    return result
