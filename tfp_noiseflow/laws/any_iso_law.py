"""What laws of any ISO share: a row of learned numbers for all cameras or for each."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Camera, Condition, Iso
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.types import TensorLike


class AnyIsoLaw(Law):
    """A law of any ISO, made of a few numbers, for all cameras or for each.

    A subclass keeps the numbers in a variable of `numbers_shape` and says what they are and how a
    value follows from them.

    Args:
      num_numbers: K, of a camera.
      num_cameras: M; None: the same for all cameras.
      channels: C; None: the same for all.
      name: of the law.
    """

    def __init__(
        self, num_numbers: int, *, num_cameras: int | None, channels: int | None, name: str
    ):
        super().__init__(name=name)
        self.channels = channels
        self._camera = None if num_cameras is None else Camera(num_cameras)
        of_cameras = () if num_cameras is None else (num_cameras,)
        of_channels = () if channels is None else (channels,)
        self.numbers_shape = (*of_cameras, num_numbers, *of_channels)

    @property
    @abc.abstractmethod
    def numbers(self) -> tf.Variable:
        """The variable of `numbers_shape`: [K], [M, K], [K, C] or [M, K, C]."""

    @abc.abstractmethod
    def combine(self, iso: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """The values of a batch: ISO [.., 1] and numbers [.., K] give [..].

        They may have a leading axis more, the channels.
        """

    @property
    def conditions(self) -> Mapping[str, Condition]:
        conditions: dict[str, Condition] = {"iso": Iso()}
        if self._camera is not None:
            conditions["camera"] = self._camera
        return conditions

    def __call__(self, *, iso: TensorLike = None, camera: TensorLike = None) -> tf.Tensor:
        """The values of a batch; NaN where XLA has dropped the check that a condition is known."""
        numbers = tf.convert_to_tensor(self.numbers)
        if self.channels is not None:
            numbers = tf.linalg.matrix_transpose(numbers)
            iso = iso[..., tf.newaxis]
        values = iso[..., tf.newaxis]
        if self._camera is None:
            return self.combine(values, numbers)
        camera = tf.convert_to_tensor(camera)
        is_known = tf.logical_and(camera >= 0, camera < self._camera.count)
        if self.channels is not None:
            is_known = is_known[..., tf.newaxis]
        found = self.combine(values, tf.gather(numbers, camera))
        # NaN is better than a wrong number.
        return tf.where(is_known, found, tf.constant(np.nan, found.dtype))
