"""The same bits in every process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def repeatable_sums() -> Iterator[None]:
    """Within, TensorFlow adds in the order that the code says; a decorator too.

    Its arithmetic optimizer rewrites sums of many terms, such as a gradient's, in the order of a
    hash table, which differs from process to process: a training that is resumed would end with
    other last digits than one that was not stopped. The time of a training step is the same.
    """
    name = "arithmetic_optimization"
    before = tf.config.optimizer.get_experimental_options().get(name, True)
    tf.config.optimizer.set_experimental_options({name: False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})
