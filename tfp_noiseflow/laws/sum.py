"""The sum of laws: one law and what corrects it."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Condition, merged
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.types import TensorLike


class Sum(Law):
    """The sum of the values of several laws.

    Args:
      laws: without batch dimensions of their own.
      name: of the law.

    Raises:
      ValueError: laws of different numbers of channels or precision, or whose conditions nothing
        satisfies.
    """

    def __init__(self, *laws: Law, name: str = "sum"):
        super().__init__(name=name)
        self.laws = laws
        channels = {law.channels for law in laws} - {None}
        dtypes = {law.dtype for law in laws}
        if len(channels) > 1 or len(dtypes) != 1:
            raise ValueError(
                f"{name}: expected laws of the same channels and dtype, received channels "
                f"{[law.channels for law in laws]} and {[law.dtype.name for law in laws]}."
            )
        self.channels = channels.pop() if channels else None
        self.dtype = dtypes.pop()
        merged(*(law.conditions for law in laws))

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return merged(*(law.conditions for law in self.laws))

    @property
    def camera_variables(self) -> tuple[tf.Variable, ...]:
        return tuple(variable for law in self.laws for variable in law.camera_variables)

    def __call__(self, *, iso: TensorLike = None, camera: TensorLike = None) -> tf.Tensor:
        total = 0.0
        for law in self.laws:
            value = law(iso=iso, camera=camera)
            is_shared = law.channels is None and self.channels is not None
            total += value[..., tf.newaxis] if is_shared else value
        return total
