"""Which layers of a composition run in the folded form, and their run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import tensorflow as tf

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.form_choice import is_folded
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.composition.one_call import one_call
from tfp_noiseflow.images.folded import FOLD, FoldedImage
from tfp_noiseflow.images.image import IMAGE_NDIMS

METHODS = {"_forward_and_log_det": "forward_image", "_inverse_and_log_det": "inverse_image"}


def run(
    members: Sequence[ConditionalBijector], x: tf.Tensor, conditions: Sequence[dict], method: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Members of a composition, the first one first.

    Consecutive layers between two that gain from folding run in the folded form, where images are
    of a width that divides by FOLD; that gives the same to rounding.

    Args:
      members: the bijectors.
      x: [.., H, W, C]; H and W may be dynamic.
      conditions: of each member, checked.
      method: "_forward_and_log_det" or "_inverse_and_log_det".

    Returns:
      What comes out and the sum of the log-dets.
    """
    total = tf.zeros([], x.dtype)
    with one_call():
        for start, stop, gains in _runs(members):
            group, given = members[start:stop], conditions[start:stop]
            function = _in_best_form if gains and is_folded() else _one_by_one
            x, log_det = function(group, x, given, method)
            total += log_det
    return x, total


def _runs(members: Sequence[ConditionalBijector]) -> Iterator[tuple[int, int, bool]]:
    """(start, stop, whether they gain from folding): all members, in order."""
    start = 0
    while start < len(members):
        stop = start
        gaining = []
        while stop < len(members) and isinstance(members[stop], Layer) and members[stop].can_fold:
            if members[stop].gains_from_folding:
                gaining.append(stop)
            stop += 1
        # The plain form is faster for what stands before the first and after the last of them.
        if any(members[k].splits_to_halves for k in gaining):
            first, last = gaining[0], gaining[-1] + 1
            if start < first:
                yield start, first, False
            yield first, last, True
            start = last
        else:
            stop = max(stop, start + 1)
            yield start, stop, False
            start = stop


def _one_by_one(
    members: Sequence[ConditionalBijector], x: tf.Tensor, conditions: Sequence[Mapping], method: str
) -> tuple[tf.Tensor, tf.Tensor]:
    total = tf.zeros([], x.dtype)
    for member, given in zip(members, conditions, strict=True):
        x, log_det = getattr(member, method)(x, **given)
        total += log_det
    return x, total


def _in_best_form(
    layers: Sequence[Layer], images: tf.Tensor, conditions: Sequence[Mapping], method: str
) -> tuple[tf.Tensor, tf.Tensor]:
    def plain() -> tuple[tf.Tensor, tf.Tensor]:
        return _one_by_one(layers, images, conditions, method)

    def folded() -> tuple[tf.Tensor, tf.Tensor]:
        return _run_folded(layers, images, conditions, method)

    if images.shape[-1] is None:
        channels = next(layer.channels for layer in layers if layer.channels is not None)
        images = tf.ensure_shape(images, [*images.shape[:-1], channels])
    width = images.shape[-2]
    if width is not None:
        return plain() if width % FOLD else folded()

    def of_full_shape(
        function: Callable[[], tuple[tf.Tensor, tf.Tensor]],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        result, total = function()
        return result, tf.broadcast_to(total, tf.shape(result)[:-IMAGE_NDIMS])

    result, total = tf.cond(
        tf.equal(tf.shape(images)[-2] % FOLD, 0),
        lambda: of_full_shape(folded),
        lambda: of_full_shape(plain),
    )
    leading = _leading(layers, images, conditions)[0]
    result.set_shape(leading.concatenate(images.shape[-IMAGE_NDIMS:]))
    total.set_shape(leading)
    return result, total


def _run_folded(
    layers: Sequence[Layer], images: tf.Tensor, conditions: Sequence[Mapping], method: str
) -> tuple[tf.Tensor, tf.Tensor]:
    images, conditions, restore = _as_batch(layers, images, conditions)
    image = FoldedImage.fold(images)
    total = tf.zeros([], images.dtype)
    for position, (layer, given) in enumerate(zip(layers, conditions, strict=True)):
        image.mixes_to_halves = any(later.splits_to_halves for later in layers[position + 1 :])
        image, log_det = layer.in_form(FoldedImage.fold, METHODS[method], image, given)
        total += log_det
    return restore(image.unfold(), total)


def _batch_ndims(layer: Layer, name: str) -> int:
    """How many of a condition's last dimensions are of an image."""
    return IMAGE_NDIMS if layer.conditions[name].is_image else 0


def _leading(
    layers: Sequence[Layer], images: tf.Tensor, conditions: Sequence[Mapping]
) -> tuple[tf.TensorShape, tf.Tensor]:
    """The batch shape of images and conditions together, static and dynamic."""
    static, dynamic = images.shape[:-IMAGE_NDIMS], tf.shape(images)[:-IMAGE_NDIMS]
    for layer, given in zip(layers, conditions, strict=True):
        for name, value in given.items():
            stop = value.shape.rank - _batch_ndims(layer, name)
            static = tf.broadcast_static_shape(static, value.shape[:stop])
            dynamic = tf.broadcast_dynamic_shape(dynamic, tf.shape(value)[:stop])
    return static, dynamic


def _as_batch(
    layers: Sequence[Layer], images: tf.Tensor, conditions: Sequence[Mapping]
) -> tuple[tf.Tensor, list[dict], Callable]:
    """Images [B, H, W, C], conditions that broadcast with [B], and the way back for results."""
    ranks = {
        value.shape.rank - _batch_ndims(layer, name)
        for layer, given in zip(layers, conditions, strict=True)
        for name, value in given.items()
    }
    if images.shape.rank == 1 + IMAGE_NDIMS and ranks <= {0, 1}:

        def with_batch(layer: Layer, name: str, value: tf.Tensor) -> tf.Tensor:
            is_single_image = layer.conditions[name].is_image and value.shape.rank == IMAGE_NDIMS
            return value[tf.newaxis] if is_single_image else value

        return images, _each(with_batch, layers, conditions), lambda result, total: (result, total)
    static, leading = _leading(layers, images, conditions)

    def flat(value: tf.Tensor, image_ndims: int) -> tf.Tensor:
        static_end = value.shape[value.shape.rank - image_ndims :]
        end = tf.shape(value)[tf.rank(value) - image_ndims :]
        value = tf.broadcast_to(value, tf.concat([leading, end], axis=0))
        value = tf.reshape(value, tf.concat([[-1], end], axis=0))
        value.set_shape([static.num_elements(), *static_end])
        return value

    def flat_condition(layer: Layer, name: str, value: tf.Tensor) -> tf.Tensor:
        return flat(value, _batch_ndims(layer, name))

    def restore(result: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.reshape(tf.broadcast_to(total, tf.shape(result)[:1]), leading)
        image_shape = result.shape[1:]
        result = tf.reshape(result, tf.concat([leading, tf.shape(result)[1:]], axis=0))
        result.set_shape(static.concatenate(image_shape))
        total.set_shape(static)
        return result, total

    return flat(images, IMAGE_NDIMS), _each(flat_condition, layers, conditions), restore


def _each(function: Callable, layers: Sequence[Layer], conditions: Sequence[Mapping]) -> list[dict]:
    return [
        {name: function(layer, name, value) for name, value in given.items()}
        for layer, given in zip(layers, conditions, strict=True)
    ]
