"""The composition of layers."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.composition import forms
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.unconditional import Unconditional
from tfp_noiseflow.conditions.conditions import Condition, check_names, checked, merged


class ConditionalChain(ConditionalBijector):
    """The composition of bijectors, each handed the conditions that it declares.

    ```none
    forward   y = b_1(b_2(... b_n(x)))      as tfb.Chain: the first is applied last
    inverse   x = b_n^-1(... b_1^-1(y))
    ```

    Conditions are given once, by name: `chain.forward(x, clean=, iso=, camera=)`. TFP's routing
    by the name of the member works too, `chain.forward(x, gain=dict(iso=, camera=))`, also mixed
    with the first form, over which it goes. Missing and unknown conditions raise, where TFP's own
    Chain drops unknown ones in silence.

    Layers run in the form that is faster (`forms.py`), which gives the same to rounding.

    Args:
      bijectors: the members, conditional ones or bijectors of TFP that need no conditions and act
        on images [.., H, W, C] or on less of them; names of members differ.
      conditions: further ones that a call may bring and that are checked, although no member may
        need them.
      dtype: float32 or float64.
      name: of the layer.

    Raises:
      ValueError: two members have the same name, or declare conditions that nothing satisfies.
    """

    def __init__(
        self,
        bijectors: Sequence[tfb.Bijector],
        *,
        conditions: Mapping[str, Condition] | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "chain",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.bijectors = [
                member
                if isinstance(member, ConditionalBijector)
                else Unconditional(member, dtype=dtype)
                for member in bijectors
            ]
            names = [member.name for member in self.bijectors]
            if len(set(names)) < len(names):
                raise ValueError(f"{name}: expected members with different names, got {names}.")
            declared = merged(*(member.conditions for member in self.bijectors), conditions or {})
            self._conditions = types.MappingProxyType(declared)

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "bijectors": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: [ndims for _ in self.parameters["bijectors"]]
            )
        }

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return self._conditions

    @property
    def is_scaling(self) -> bool:
        return all(member.is_scaling for member in self.bijectors)

    @property
    def is_pixelwise(self) -> bool:
        return all(member.is_pixelwise for member in self.bijectors)

    @property
    def pixelwise_part(self) -> ConditionalBijector | None:
        parts = [member.pixelwise_part for member in self.bijectors]
        # Not this chain itself: it may have conditions that no member needs.
        return ConditionalChain(
            [part for part in parts if part is not None], dtype=self.dtype, name=self.name
        )

    def check_conditions(self, given: Mapping, x: tf.Tensor) -> dict:
        """The conditions of each member, by its name."""
        members = {member.name: member for member in self.bijectors}
        routed = {k: v for k, v in given.items() if k in members and isinstance(v, Mapping)}
        shared = {k: v for k, v in given.items() if k not in routed}
        # What is routed to all members that need it need not be shared.
        needed = {
            condition
            for name, member in members.items()
            for condition in member.conditions
            if condition not in routed.get(name, {})
        }
        declared = {
            k: condition
            for k, condition in self.conditions.items()
            if k in needed or k in shared or not routed
        }
        check_names(self.name, expected=declared, given=shared)
        values = checked(self.name, declared, shared, self.dtype, x)
        by_member = self.from_shared(values)
        for name, own in routed.items():
            rest = {k: v for k, v in shared.items() if k in members[name].conditions}
            by_member[name] = members[name].check_conditions({**rest, **own}, x)
        return by_member

    def from_shared(self, given: Mapping) -> dict:
        return {member.name: member.from_shared(given) for member in self.bijectors}

    def _forward_and_log_det(self, x: tf.Tensor, **by_member: Any) -> tuple[tf.Tensor, tf.Tensor]:
        members = list(reversed(self.bijectors))
        given = [by_member[member.name] for member in members]
        return forms.run(members, x, given, "_forward_and_log_det")

    def _inverse_and_log_det(self, y: tf.Tensor, **by_member: Any) -> tuple[tf.Tensor, tf.Tensor]:
        given = [by_member[member.name] for member in self.bijectors]
        return forms.run(self.bijectors, y, given, "_inverse_and_log_det")

    def _inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor, **by_member: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self.is_scaling:
            return super()._inverse_interval(middle, half_width, **by_member)
        for member in self.bijectors:
            middle, half_width = member._inverse_interval(
                middle, half_width, **by_member[member.name]
            )
        return middle, half_width
