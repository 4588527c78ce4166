"""What several layers ask for in one call is evaluated once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

_state = threading.local()


@contextlib.contextmanager
def one_call() -> Iterator[None]:
    """All within is one call; within another one it is a part of that.

    Variables do not change within a call, so that what was evaluated in it stays right.
    """
    if getattr(_state, "known", None) is not None:
        yield
        return
    _state.known = {}
    try:
        yield
    finally:
        _state.known = None


def evaluated_once(owner: object, inputs: Sequence, function: Callable) -> Any:
    """What a function gives, in one call the same for the same owner and inputs.

    Args:
      owner: whose function it is, which has one such.
      inputs: all that it depends on besides variables: tensors and other objects, compared by
        identity.
      function: without arguments.
    """
    known = getattr(_state, "known", None)
    if known is None:
        return function()
    # A tensor of one graph is none of another one, such as a branch of a condition.
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    parts = (owner, graph, *inputs)
    key = tuple(map(id, parts))
    if key not in known:
        # The parts are kept, so that no other object gets their identity meanwhile.
        known[key] = (function(), parts)
    return known[key][0]
