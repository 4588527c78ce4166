"""Parameters that are interpolated between ISOs."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Iso
from tfp_noiseflow.laws.any_iso_law import AnyIsoLaw
from tfp_noiseflow.types import TensorLike


class InterpolatedTable(AnyIsoLaw):
    """Learned numbers at given ISOs, for all cameras or for each, that hold at any ISO.

    ```none
    value(ISO) = (1 - w) value_k + w value_(k+1),  w = log(ISO / ISO_k) / log(ISO_(k+1) / ISO_k)
    ```

    between two neighbouring ISOs of the table: linear in log ISO. Below the lowest and above the
    highest it is the value there.

    Args:
      initial: float, or an array of the table's shape: [len(iso_levels)] or
        [num_cameras, len(iso_levels)], with the channels, if there are any, at the end.
      iso_levels: K ISOs, in any order.
      num_cameras: M; None: the same for all cameras.
      channels: C; None: the same for all.
      dtype: of the values.
      name: of the variable.

    Raises:
      ValueError: an initial value that is not finite, ISOs that are not positive or repeated.
    """

    def __init__(
        self,
        initial: TensorLike,
        *,
        iso_levels: tuple[float, ...],
        num_cameras: int | None = None,
        channels: int | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "interpolated_table",
    ):
        self.iso_levels = Iso(tuple(iso_levels)).levels or ()
        super().__init__(
            len(self.iso_levels), num_cameras=num_cameras, channels=channels, name=name
        )
        values = np.broadcast_to(np.asarray(initial, np.float64), self.numbers_shape)
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite values, received {values.tolist()}.")
        self.values = tf.Variable(tf.constant(values, dtype), name=name)
        self.dtype = self.values.dtype

    @property
    def numbers(self) -> tf.Variable:
        return self.values

    def combine(self, iso: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        order = np.argsort(self.iso_levels)
        knots = np.log(np.array(self.iso_levels)[order])
        # How far it is from each knot to the next: 1 up to where it lies, 0 from there on.
        passed = (tf.math.log(iso) - tf.constant(knots[:-1], self.dtype)) / (
            tf.constant(np.diff(knots), self.dtype)
        )
        passed = tf.clip_by_value(passed, 0, 1)
        one = tf.ones_like(iso)
        weights = tf.concat([one, passed], axis=-1) - tf.concat([passed, 0 * one], axis=-1)
        # Of each ISO of the table; at most two of them are above 0, and their sum is 1.
        weights = tf.gather(weights, np.argsort(order), axis=-1)
        return tf.reduce_sum(weights * numbers, axis=-1)
