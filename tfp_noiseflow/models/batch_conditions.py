"""The conditions of a batch: checked, with the shape that they have together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfp_noiseflow.conditions.conditions import CleanImage, Condition, checked
from tfp_noiseflow.images.image import IMAGE_NDIMS


class BatchConditions:
    """What the distribution of a batch's noise is bound to.

    Args:
      given: the conditions, by name: clean [.., H, W, C], iso, camera (indices), scalars or of the
        batch shape.
      declared: what must hold of them, beside the clean image, by name.
      dtype: of images and ISOs.
      cameras: names of cameras for messages.
      owner: whose conditions they are, for messages.

    Attributes:
      values: name to tensor, checked.
      like: [.., H, W, C], an image of the shape that the conditions go with; its values are of no
        account.
      batch_shape, static_batch_shape: of clean, iso and camera together; the second what is known
        of it when a graph is made.

    Raises:
      ValueError: a condition is missing or invalid, or shapes do not fit; InvalidArgumentError
        where only the graph knows.
    """

    def __init__(
        self,
        given: Mapping,
        declared: Mapping[str, Condition],
        dtype: tf.DType,
        *,
        cameras: tuple[str, ...] | None = None,
        owner: str,
    ):
        conditions = {"clean": CleanImage(), **declared}
        tensors = {
            k: conditions[k].as_tensor(k, v, dtype) if k in conditions else v
            for k, v in given.items()
            if v is not None
        }
        _check_images(tensors.get("clean"), given)
        self.batch_shape, self.static_batch_shape = _batch_shape(tensors)
        clean = tensors["clean"]
        # Only its shape is looked at.
        like = tf.broadcast_to(clean, tf.concat([self.batch_shape, tf.shape(clean)[-3:]], axis=0))
        like.set_shape(self.static_batch_shape.concatenate(clean.shape[-3:]))
        self.like = like
        self.values = checked(owner, conditions, tensors, dtype, clean, cameras)

    @property
    def image_shape(self) -> tf.Tensor:
        """int [3], H, W and C."""
        return tf.shape(self.values["clean"])[-IMAGE_NDIMS:]

    @property
    def static_image_shape(self) -> tf.TensorShape:
        """What is known of it when a graph is made."""
        return self.values["clean"].shape[-IMAGE_NDIMS:]

    def broadcast(self) -> dict[str, tf.Tensor]:
        """The values, each of the whole batch shape."""

        def of_batch(name: str, value: tf.Tensor) -> tf.Tensor:
            image = self.image_shape if name == "clean" else []
            value = tf.broadcast_to(value, tf.concat([self.batch_shape, image], axis=0))
            shape = self.static_image_shape if name == "clean" else []
            value.set_shape(self.static_batch_shape.concatenate(shape))
            return value

        return {name: of_batch(name, value) for name, value in self.values.items()}

    def sliced(self, slices: Any) -> dict[str, tf.Tensor]:
        """The values of a sliced batch, as `tfd.Distribution`'s slicing means it."""
        slices = slices if isinstance(slices, tuple) else (slices,)
        # TFP's slicing leaves the event alone: an ellipsis stands for what is left of the batch.
        if not any(item is Ellipsis for item in slices):
            slices = (*slices, Ellipsis)
        image = [slice(None)] * IMAGE_NDIMS
        return {
            name: value[(*slices, *image)] if name == "clean" else value[slices]
            for name, value in self.broadcast().items()
        }


def _check_images(clean: tf.Tensor | None, given: Mapping) -> None:
    if clean is None:
        raise ValueError(f"expected clean (the clean image), received {sorted(given)}.")
    if clean.shape.rank is not None and clean.shape.rank < IMAGE_NDIMS:
        raise ValueError(f"expected clean (the clean image) [.., H, W, C], received {clean.shape}.")
    if clean.shape.rank is not None and 0 in clean.shape[-IMAGE_NDIMS:].as_list():
        raise ValueError(f"expected clean (the clean image) with pixels, received {clean.shape}.")


def _batch_shape(conditions: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.TensorShape]:
    """The batch shape of clean, iso and camera together, dynamic and static.

    iso and camera are scalars or of clean's batch shape (any, where clean is one image). Another
    number of dimensions would broadcast: [B, 1] with B images to a batch of B x B.
    """
    clean = conditions["clean"]
    dynamic, static = tf.shape(clean)[:-3], clean.shape[:-3]
    for name in ("iso", "camera"):
        if name not in conditions:
            continue
        value = conditions[name]
        message = (
            f"expected {name} to be a scalar or of the batch shape {clean.shape[:-3]} of clean, "
            f"received shape {value.shape}."
        )
        ranks = (value.shape.rank, clean.shape[:-3].rank)
        if None not in ranks and 0 not in ranks and ranks[0] != ranks[1]:
            raise ValueError(message)
        try:
            static = tf.broadcast_static_shape(value.shape, static)
        except ValueError as error:
            raise ValueError(message) from error
        dynamic = tf.broadcast_dynamic_shape(tf.shape(value), dynamic)
    return dynamic, static
