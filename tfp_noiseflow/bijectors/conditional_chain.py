"""The composition of layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow.bijectors import folded
from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector, check_names
from tfp_noiseflow.bijectors.conditions import merged
from tfp_noiseflow.bijectors.unconditional import Unconditional

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

    Consecutive flow steps run in their fast form (`folded.py`), which gives the same to rounding.

    Args:
      bijectors: the members, conditional ones or bijectors of TFP that need no conditions and act
        on images [.., H, W, C] or on less of them; names of members differ.
      dtype: float32 or float64.
      name: of the layer.

    Raises:
      ValueError: two members have the same name, or declare one condition differently.
    """

    def __init__(self, bijectors: Sequence[tfb.Bijector], *, dtype=tf.float32, name="chain"):
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
            merged(*(member.conditions for member in self.bijectors))

    @property
    def conditions(self):
        return merged(*(member.conditions for member in self.bijectors))

    def check_conditions(self, given: Mapping, x: tf.Tensor) -> dict:
        """The conditions of each member, by its name."""
        names = [member.name for member in self.bijectors]
        routed = {k: v for k, v in given.items() if k in names and isinstance(v, Mapping)}
        shared = {k: v for k, v in given.items() if k not in routed}
        known = self.conditions
        needed = {
            condition
            for member in self.bijectors
            for condition in member.conditions
            if condition not in routed.get(member.name, {})
        }
        check_names(
            self.name, expected=[k for k in known if k in needed or k in shared], given=shared
        )
        checked = {k: known[k].check(k, v, self.dtype, x) for k, v in shared.items()}
        by_member = {}
        for member in self.bijectors:
            if member.name in routed:
                rest = {k: v for k, v in shared.items() if k in member.conditions}
                own = {**rest, **routed[member.name]}
                by_member[member.name] = member.check_conditions(own, x)
            else:
                by_member[member.name] = member.from_shared(checked)
        return by_member

    def from_shared(self, checked: Mapping) -> dict:
        return {member.name: member.from_shared(checked) for member in self.bijectors}

    def _forward_and_log_det(self, x, **by_member):
        members = list(reversed(self.bijectors))
        return self._run(members, x, by_member, folded.run_forward, "_forward_and_log_det")

    def _inverse_and_log_det(self, y, **by_member):
        return self._run(self.bijectors, y, by_member, folded.run_inverse, "_inverse_and_log_det")

    def _run(self, members, x, by_member, run_folded, method):
        total = tf.zeros([], self.dtype)
        for is_folded, group in itertools.groupby(members, folded.can_fold):
            group = list(group)
            if is_folded:
                x, log_det = run_folded(group, x, [by_member[member.name] for member in group])
                total += log_det
                continue
            for member in group:
                x, log_det = getattr(member, method)(x, **by_member[member.name])
                total += log_det
        return x, total
