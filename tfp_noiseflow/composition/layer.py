"""A layer: a conditional bijector whose equation is written over an image."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tensorflow as tf

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.images.image import IMAGE_NDIMS, Image
from tfp_noiseflow.images.plain import PlainImage

ImageForm = TypeVar("ImageForm", bound=Image)


class Layer(ConditionalBijector):
    """A conditional bijector that is written once for all forms of an image.

    A subclass declares its conditions and writes its equation in both directions:

    ```none
    forward_image(x, **conditions) -> y, log|det dy/dx|
    inverse_image(y, **conditions) -> x, log|det dx/dy|
    ```

    x and y are `Image`s, and so are the conditions that are images; the log-dets are tensors [..],
    one an image. A composition chooses the form, see `ConditionalChain`; alone a layer runs in the
    plain one.

    Attributes:
      gains_from_folding: whether the folded form is the faster one: convolutions.
      splits_to_halves: whether it splits the channels in halves, which the folded form then keeps
        apart from the mixing before.
      channels: C, where a layer is made for a number of channels; None: it takes any.
    """

    gains_from_folding = False
    splits_to_halves = False
    channels: int | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {"_forward_and_log_det", "_inverse_and_log_det"} & set(vars(cls))
        if own:
            raise TypeError(
                f"expected {cls.__name__} to write forward_image and inverse_image, from which "
                f"{sorted(own)} follow: a composition would leave them out."
            )

    @abc.abstractmethod
    def forward_image(self, x: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        """y and log|det dy/dx|, given checked conditions."""

    @abc.abstractmethod
    def inverse_image(self, y: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        """x and log|det dx/dy|, given checked conditions."""

    @property
    def can_fold(self) -> bool:
        """Whether it is written for all forms: not where it calls a function of plain images."""
        return True

    def _forward_and_log_det(self, x: tf.Tensor, **conditions: Any) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = self.in_form(PlainImage, "forward_image", PlainImage(x), conditions)
        return y.values, log_det

    def _inverse_and_log_det(self, y: tf.Tensor, **conditions: Any) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = self.in_form(PlainImage, "inverse_image", PlainImage(y), conditions)
        return x.values, log_det

    def in_form(
        self,
        form: Callable[[tf.Tensor], ImageForm],
        method: str,
        image: ImageForm,
        conditions: Mapping,
    ) -> tuple[ImageForm, tf.Tensor]:
        """One of the two equations on an image.

        Args:
          form: makes images of tensors, as `image` is one.
          method: "forward_image" or "inverse_image".
          image: what it is applied to.
          conditions: checked, images as tensors.

        Raises:
          ValueError: the equation gives something else than an image and one log-det an image.
        """
        result = getattr(self, method)(image, **self._as_images_of(form, conditions))
        if not _is_value_and_log_det(result):
            parts = result if isinstance(result, tuple) else (result,)
            raise ValueError(
                f"expected {type(self).__name__}.{method} to give an Image and its log-det, summed "
                f"over H, W and C, received {', '.join(map(_shown, parts))}."
            )
        return result

    def _as_images_of(self, form: Callable, conditions: Mapping) -> dict:
        """Conditions that are images, in a form; the others as they are."""
        declared = self.conditions
        return {
            name: form(value) if declared[name].is_image else value
            for name, value in conditions.items()
        }


def _is_value_and_log_det(result: Any) -> bool:
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], Image)):
        return False
    value, log_det = result
    if isinstance(log_det, Image):
        return False
    rank, own = value.values.shape.rank, tf.convert_to_tensor(log_det).shape.rank
    return None in (rank, own) or own <= rank - IMAGE_NDIMS


def _shown(part: Any) -> str:
    return f"a tensor of shape {part.shape}" if tf.is_tensor(part) else type(part).__name__
