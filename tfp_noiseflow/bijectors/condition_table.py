"""Parameters that are looked up by camera and ISO."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.conditions import ISO_TOLERANCE, Camera, Condition, Iso


class ConditionTable(tf.Module):
    """One learned number, or one for each camera, ISO level, or camera and ISO level.

    Args:
      initial: float, or an array of the table's shape: [] without cameras and ISO levels,
        [num_cameras], [len(iso_levels)] or [num_cameras, len(iso_levels)].
      num_cameras: M; None: the same for all cameras.
      iso_levels: K known ISOs; None: the same for all.
      trainable: whether training moves the values.
      dtype: of the values.
      name: of the variable.
    """

    def __init__(
        self,
        initial,
        *,
        num_cameras: int | None = None,
        iso_levels: tuple[float, ...] | None = None,
        trainable: bool = True,
        dtype=tf.float32,
        name: str = "condition_table",
    ):
        super().__init__(name=name)
        self.num_cameras = num_cameras
        self.iso_levels = None if iso_levels is None else tuple(float(iso) for iso in iso_levels)
        shape = () if num_cameras is None else (num_cameras,)
        shape += () if iso_levels is None else (len(self.iso_levels),)
        self.values = tf.Variable(
            tf.broadcast_to(tf.constant(initial, dtype), shape),
            trainable=trainable,
            name=name,
        )

    @property
    def axes(self) -> tuple[str, ...]:
        """The condition that each axis of `values` stands for."""
        return ("camera",) * (self.num_cameras is not None) + ("iso",) * (
            self.iso_levels is not None
        )

    @property
    def conditions(self) -> dict[str, Condition]:
        """The conditions that a look-up needs."""
        known = {}
        if self.iso_levels is not None:
            known["iso"] = Iso(self.iso_levels)
        if self.num_cameras is not None:
            known["camera"] = Camera(self.num_cameras)
        return known

    def __call__(self, *, iso: tf.Tensor | None = None, camera: tf.Tensor | None = None):
        """The values of a batch.

        Args:
          iso: [..] of the known levels. camera: [..] int32. Checked before; what the table does
            not depend on is ignored.

        Returns:
          Their common shape, or [] where the table depends on neither.
        """
        values = tf.convert_to_tensor(self.values)
        if self.iso_levels is None and self.num_cameras is None:
            return values
        if self.iso_levels is None:
            return tf.gather(values, camera)
        difference = tf.abs(iso[..., tf.newaxis] - tf.constant(self.iso_levels, iso.dtype))
        level = tf.argmin(difference, axis=-1, output_type=tf.int32)
        # XLA drops the assertion that the ISO is known. Then NaN is better than a wrong number.
        is_known = tf.reduce_min(difference, axis=-1) <= ISO_TOLERANCE * iso
        if self.num_cameras is None:
            found = tf.gather(values, level)
        else:
            found = tf.gather(tf.reshape(values, [-1]), camera * len(self.iso_levels) + level)
        return tf.where(is_known, found, tf.constant(np.nan, found.dtype))
