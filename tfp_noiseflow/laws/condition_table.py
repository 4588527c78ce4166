"""Parameters that are looked up by camera and ISO."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Camera, Condition, Iso
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.types import TensorLike


class ConditionTable(Law):
    """One learned number, or one for each camera, ISO level, or camera and ISO level.

    Args:
      initial: float, or an array of the table's shape: [] without cameras and ISO levels,
        [num_cameras], [len(iso_levels)] or [num_cameras, len(iso_levels)], with the channels, if
        there are any, at the end; a variable is made from it. NaN in a table by camera and ISO:
        unknown, which calls then refuse. A variable or tensor of that shape, with any batch
        dimensions in front, is used as it is.
      num_cameras: M; None: the same for all cameras.
      iso_levels: K known ISOs; None: the same for all.
      channels: C; None: the same for all.
      trainable: whether training moves the variable.
      dtype: of the values.
      name: of the variable.

    Raises:
      ValueError: an array, variable or tensor of another shape, or of an unknown number of
        dimensions; a number, in a tf.function that is traced again: it makes no variables then.
    """

    def __init__(
        self,
        initial: TensorLike,
        *,
        num_cameras: int | None = None,
        iso_levels: tuple[float, ...] | None = None,
        channels: int | None = None,
        trainable: bool = True,
        dtype: tf.DType = tf.float32,
        name: str = "condition_table",
    ):
        super().__init__(name=name)
        self.num_cameras = num_cameras
        self._iso = None if iso_levels is None else Iso(tuple(iso_levels))
        shape: tuple[int, ...] = () if num_cameras is None else (num_cameras,)
        shape += () if iso_levels is None else (len(iso_levels),)
        self.channels = channels
        shape += () if channels is None else (channels,)
        self._event_ndims = len(shape)
        self._camera = None if num_cameras is None else Camera(num_cameras)
        if tf.is_tensor(initial):  # Variables and what TFP makes of them are tensors too.
            self.values = initial
            rank = initial.shape.rank
            if rank is None or not initial.shape[rank - len(shape) :].is_compatible_with(shape):
                raise ValueError(
                    f"{name}: expected values of shape [{', '.join(map(str, ('..', *shape)))}], "
                    f"received {initial.shape}."
                )
        else:
            values = np.asarray(initial, np.float64)
            if values.shape not in ((), shape):
                raise ValueError(
                    f"{name}: expected a number or an array of shape {list(shape)} (a tensor or "
                    f"variable may have batch dimensions too), received {list(values.shape)}."
                )
            values = np.broadcast_to(values, shape)
            has_pairs = num_cameras is not None and iso_levels is not None
            if has_pairs and np.isnan(values).any():
                is_known = ~np.isnan(values if channels is None else values.sum(axis=-1))
                levels = np.array(self.iso_levels)
                by_camera = tuple(tuple(levels[row].tolist()) for row in is_known)
                self._camera = Camera(len(by_camera), by_camera)
            try:
                self.values = tf.Variable(
                    tf.constant(values, dtype), trainable=trainable, name=name
                )
            except ValueError as error:
                raise ValueError(
                    f"{name}: expected a tensor or variable where a layer is built in each call of "
                    f"a tf.function, received a number, of which a variable is made."
                ) from error
        self.dtype = self.values.dtype

    @property
    def iso_levels(self) -> tuple[float, ...] | None:
        """The known ISOs; None: the same number for all."""
        return None if self._iso is None else self._iso.levels

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """The conditions that a look-up needs."""
        known: dict[str, Condition] = {}
        if self._iso is not None:
            known["iso"] = self._iso
        if self._camera is not None:
            known["camera"] = self._camera
        return known

    @property
    def batch_shape(self) -> tf.TensorShape:
        shape = self.values.shape
        return shape[: shape.rank - self._event_ndims]

    def batch_shape_tensor(self) -> tf.Tensor:
        shape = tf.shape(self.values)
        return shape[: tf.size(shape) - self._event_ndims]

    def __call__(self, *, iso: TensorLike = None, camera: TensorLike = None) -> tf.Tensor:
        """The values of a batch; NaN where XLA has dropped the check that a condition is known."""
        values = tf.convert_to_tensor(self.values)
        if self._iso is None and self._camera is None:
            return values
        is_known = tf.constant(True)
        if self._camera is not None:
            camera = tf.convert_to_tensor(camera)
            is_known = tf.logical_and(camera >= 0, camera < self.num_cameras)
        of_channels = [] if self.channels is None else [self.channels]
        if self._iso is None:
            position = camera
        else:
            level, is_level = self._iso.level(iso)
            is_known = tf.logical_and(is_known, is_level)
            position = level
            if self._camera is not None:
                assert self._iso.levels is not None
                position = camera * len(self._iso.levels) + level
                leading = tf.shape(values)[: -2 - len(of_channels)]
                values = tf.reshape(values, tf.concat([leading, [-1], of_channels], axis=0))
        if of_channels:
            found = tf.gather(values, position, axis=-2)
            is_known = is_known[..., tf.newaxis]
        else:
            found = _looked_up(values, position)
        # NaN is better than a wrong number.
        return tf.where(is_known, found, tf.constant(np.nan, found.dtype))


def _looked_up(values: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """values[b, position[b]] for b of the shape to which [..] of values [.., n] and position go."""
    if values.shape.rank == 1:
        return tf.gather(values, position)
    shape = tf.broadcast_dynamic_shape(tf.shape(values)[:-1], tf.shape(position))
    rank = max(values.shape.rank - 1, position.shape.rank)
    values = tf.broadcast_to(values, tf.concat([shape, tf.shape(values)[-1:]], axis=0))
    position = tf.broadcast_to(position, shape)
    return tf.gather(values, position[..., tf.newaxis], batch_dims=rank)[..., 0]


def as_law(value: TensorLike, default: float, *, dtype: tf.DType, name: str) -> Law:
    """A layer's parameter as a law.

    Args:
      value: a law; a number, from which a variable is made; a variable or a tensor, which is used
        as it is, whatever it depends on; None: `default`.
      default: the number in place of None.
      dtype: of the values.
      name: of a variable that is made.

    Raises:
      ValueError: a variable or tensor of another dtype or shape.
    """
    if isinstance(value, Law):
        return value
    if tf.is_tensor(value) and value.dtype != dtype:
        received = tf.as_dtype(value.dtype).name
        raise ValueError(f"{name}: expected values of {tf.as_dtype(dtype).name}, got {received}.")
    return ConditionTable(default if value is None else value, dtype=dtype, name=name)
