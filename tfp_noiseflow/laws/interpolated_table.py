"""Parameters that are interpolated between ISOs."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Camera, Iso
from tfp_noiseflow.laws.law import Law


class InterpolatedTable(Law):
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
        initial,
        *,
        iso_levels: tuple[float, ...],
        num_cameras: int | None = None,
        channels: int | None = None,
        dtype=tf.float32,
        name: str = "interpolated_table",
    ):
        super().__init__(name=name)
        self.iso_levels = Iso(tuple(iso_levels)).levels
        self.channels = channels
        self._camera = None if num_cameras is None else Camera(num_cameras)
        shape = () if num_cameras is None else (num_cameras,)
        shape += (len(self.iso_levels),)
        shape += () if channels is None else (channels,)
        values = np.broadcast_to(np.asarray(initial, np.float64), shape)
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite values, received {values.tolist()}.")
        self.values = tf.Variable(tf.constant(values, dtype), name=name)
        self.dtype = self.values.dtype

    @property
    def conditions(self):
        conditions = {"iso": Iso()}
        if self._camera is not None:
            conditions["camera"] = self._camera
        return conditions

    def __call__(self, *, iso=None, camera=None):
        """The values of a batch; NaN where XLA has dropped the check that a condition is known."""
        values, weights = tf.convert_to_tensor(self.values), self._weights(iso)
        if self._camera is not None:
            weights *= known_or_nan(camera, self._camera.count, self.dtype)[..., tf.newaxis]
            values = tf.gather(values, camera)
        if self.channels is None:
            return tf.reduce_sum(weights * values, axis=-1)
        return tf.reduce_sum(weights[..., tf.newaxis] * values, axis=-2)

    def _weights(self, iso: tf.Tensor) -> tf.Tensor:
        """[.., K]: of each ISO of the table, at most two of them above 0 and their sum 1."""
        order = np.argsort(self.iso_levels)
        knots = np.log(np.array(self.iso_levels)[order])
        # How far it is from each knot to the next: 1 up to where it lies, 0 from there on.
        passed = (tf.math.log(iso)[..., tf.newaxis] - tf.constant(knots[:-1], self.dtype)) / (
            tf.constant(np.diff(knots), self.dtype)
        )
        passed = tf.clip_by_value(passed, 0, 1)
        one = tf.ones_like(iso)[..., tf.newaxis]
        weights = tf.concat([one, passed], axis=-1) - tf.concat([passed, 0 * one], axis=-1)
        return tf.gather(weights, np.argsort(order), axis=-1)


def known_or_nan(camera: tf.Tensor, count: int, dtype: tf.DType) -> tf.Tensor:
    """1 where an index is that of a camera; elsewhere NaN, which is better than a wrong number."""
    camera = tf.convert_to_tensor(camera)
    is_known = tf.logical_and(camera >= 0, camera < count)
    return tf.where(is_known, tf.constant(1, dtype), tf.constant(np.nan, dtype))
