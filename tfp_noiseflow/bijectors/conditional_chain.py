"""The composition of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow.bijectors.conditional_bijector import (
    IMAGE_NDIMS,
    ConditionalBijector,
    check_names,
)
from tfp_noiseflow.bijectors.conditions import merged

tfb = tfp.bijectors


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

    Args:
      bijectors: the members, conditional or any of TFP's that act on images [.., H, W, C] or on
        less; names of members differ.
      dtype: float32 or float64.
      name: of the layer.

    Raises:
      ValueError: two members have the same name, or declare one condition differently.
    """

    def __init__(self, bijectors: Sequence[tfb.Bijector], *, dtype=tf.float32, name="chain"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.bijectors = list(bijectors)
            names = [member.name for member in self.bijectors]
            if len(set(names)) < len(names):
                raise ValueError(f"{name}: expected members with different names, got {names}.")
            merged(*map(_conditions_of, self.bijectors))

    @property
    def conditions(self):
        return merged(*map(_conditions_of, self.bijectors))

    def check_conditions(self, given: Mapping, x: tf.Tensor) -> dict:
        """The conditions of each member, by its name."""
        members = {member.name: member for member in self.bijectors}
        routed = {
            key: value
            for key, value in given.items()
            if key in members and isinstance(value, Mapping)
        }
        shared = {key: value for key, value in given.items() if key not in routed}
        needed = {
            key
            for name, member in members.items()
            for key in _conditions_of(member)
            if key not in routed.get(name, {})
        }
        check_names(
            self.name,
            expected=[key for key in self.conditions if key in needed or key in shared],
            given=shared,
        )
        checked = {
            key: self.conditions[key].check(key, value, self.dtype, x)
            for key, value in shared.items()
        }
        by_member = {}
        for name, member in members.items():
            own = routed.get(name, {})
            if not isinstance(member, ConditionalBijector):
                by_member[name] = own
            elif own:
                rest = {k: v for k, v in shared.items() if k in member.conditions}
                by_member[name] = member.check_conditions({**rest, **own}, x)
            else:
                by_member[name] = member.from_shared(checked)
        return by_member

    def from_shared(self, checked: Mapping) -> dict:
        return {
            member.name: member.from_shared(checked)
            if isinstance(member, ConditionalBijector)
            else {}
            for member in self.bijectors
        }

    def _forward_and_log_det(self, x, **by_member):
        total = tf.zeros([], self.dtype)
        for member in reversed(self.bijectors):
            if isinstance(member, ConditionalBijector):
                x, log_det = member._forward_and_log_det(x, **by_member[member.name])
            else:
                # A new tensor each time: TFP's cache must not find an older log-det for it.
                given, kwargs = tf.identity(x), by_member[member.name]
                x = member.forward(given, **kwargs)
                log_det = member.forward_log_det_jacobian(given, IMAGE_NDIMS, **kwargs)
            total += log_det
        return x, total

    def _inverse_and_log_det(self, y, **by_member):
        total = tf.zeros([], self.dtype)
        for member in self.bijectors:
            if isinstance(member, ConditionalBijector):
                y, log_det = member._inverse_and_log_det(y, **by_member[member.name])
            else:
                given, kwargs = tf.identity(y), by_member[member.name]
                y = member.inverse(given, **kwargs)
                log_det = member.inverse_log_det_jacobian(given, IMAGE_NDIMS, **kwargs)
            total += log_det
        return y, total


def _conditions_of(member: tfb.Bijector) -> Mapping:
    return member.conditions if isinstance(member, ConditionalBijector) else {}
