"""A conditional bijector together with the conditions of one batch."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector
from tfp_noiseflow.bijectors.conditions import check_fits


class Bound(ConditionalBijector):
    """A bijector with its conditions filled in: `forward(z)` needs no keyword arguments.

    Conditions: none any more.

    Args:
      bijector: the conditional bijector.
      given: its conditions, checked here once.
      like: [B.., H, W, C], an image of the shape that the conditions go with.
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
        name: str = "bound",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=bijector.dtype, parameters=parameters, name=name)
            self.bijector = bijector
            self._like = like
            self._checked = bijector.check_conditions(given, like)

    def check_conditions(self, given, x):
        check_fits("noise", x, self._like)
        return super().check_conditions(given, x)

    def _forward_and_log_det(self, x):
        return self.bijector._forward_and_log_det(x, **self._checked)

    def _inverse_and_log_det(self, y):
        return self.bijector._inverse_and_log_det(y, **self._checked)
