"""Bijectors of TFP as members of a composition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.images.image import IMAGE_NDIMS, summed_over_image
from tfp_noiseflow.images.plain import PlainImage


class Unconditional(ConditionalBijector):
    """A bijector of TFP that needs no conditions, as a conditional one.

    Conditions: none.

    Args:
      bijector: acts on images [.., H, W, C], or on less of them.
      dtype: float32 or float64.
      name: of the layer; by default the bijector's.
    """

    conditions = {}

    def __init__(
        self, bijector: tfb.Bijector, *, dtype: tf.DType = tf.float32, name: str | None = None
    ):
        parameters = dict(locals())
        name = name or bijector.name
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.bijector = bijector

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "bijector": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            )
        }

    @property
    def is_scaling(self) -> bool:
        return isinstance(self.bijector, tfb.Scale)

    @property
    def is_pixelwise(self) -> bool:
        # A bijector of single numbers is continuous, and so monotone.
        return self.bijector.forward_min_event_ndims == 0

    # A new tensor each time: TFP's cache must not find an older value or log-det for it.

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = tf.identity(x)
        y = self.bijector.forward(x)
        return y, self._log_det(self.bijector.forward_log_det_jacobian, x, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y = tf.identity(y)
        x = self.bijector.inverse(y)
        return x, self._log_det(self.bijector.inverse_log_det_jacobian, y, x)

    def _log_det(
        self, function: Callable[..., tf.Tensor], given: tf.Tensor, result: tf.Tensor
    ) -> tf.Tensor:
        if not self.is_pixelwise:
            return function(given, IMAGE_NDIMS)
        # TFP's own sum over an image loses digits where the image is large.
        log_slope = function(given, 0)
        if log_slope.shape.rank == 0:
            return PlainImage(result).dimensions * log_slope
        return summed_over_image(tf.broadcast_to(log_slope, tf.shape(result)))
