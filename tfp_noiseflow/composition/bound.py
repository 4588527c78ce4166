"""A conditional bijector together with the conditions of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.conditions.checks import check_fits


class Bound(ConditionalBijector):
    """A bijector with its conditions filled in: `forward(z)` needs no keyword arguments.

    Conditions: none any more.

    Args:
      bijector: the conditional bijector.
      given: its conditions, checked here once.
      like: [B.., H, W, C], an image of the shape that the conditions go with.
      is_checked: whether they have been checked, and are tensors by name.
      name: of the bijector.

    Raises:
      ValueError: conditions as for the bijector; at a call, images of another H, W, C or of a
        batch shape that does not broadcast with the conditions'.
    """

    conditions = {}

    def __init__(
        self,
        bijector: ConditionalBijector,
        given: Mapping,
        like: tf.Tensor,
        *,
        is_checked: bool = False,
        name: str = "bound",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=bijector.dtype, parameters=parameters, name=name)
            self.bijector = bijector
            self._like = like
            checked = bijector.from_shared if is_checked else self._checked_by_bijector
            self._given = checked(given)

    def _checked_by_bijector(self, given: Mapping) -> dict:
        return self.bijector.check_conditions(given, self._like)

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "bijector": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            )
        }

    @property
    def is_scaling(self) -> bool:
        return self.bijector.is_scaling

    @property
    def is_pixelwise(self) -> bool:
        return self.bijector.is_pixelwise

    def states(self, x: tf.Tensor) -> list[tf.Tensor]:
        """What x becomes in the forward direction: x itself, behind each layer, and the result.

        Of what is no plain chain of layers there are the first and the last alone.

        Args:
          x: [.., H, W, C].
        """
        if not isinstance(self.bijector, ConditionalChain):
            return [x, self.forward(x)]
        states = [x]
        for member in reversed(self.bijector.bijectors):
            states.append(member.forward_and_log_det(states[-1], **self._given[member.name])[0])
        return states

    def check_conditions(self, given: Mapping, x: tf.Tensor) -> dict:
        check_fits("noise", x, self._like)
        return super().check_conditions(given, x)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.bijector._forward_and_log_det(x, **self._given)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.bijector._inverse_and_log_det(y, **self._given)

    def _inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self.bijector._inverse_interval(middle, half_width, **self._given)
