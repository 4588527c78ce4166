"""A number that depends on ISO and camera."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfp_noiseflow.conditions.conditions import Camera, Condition, check_names
from tfp_noiseflow.conditions.known import Known


class Law(tf.Module, abc.ABC):
    """A number that depends on ISO, camera, both or neither; layers are built of laws.

    A subclass declares its conditions and gives its value:

    ```python
    class PowerLaw(Law):  # log beta1 = intercept + slope log(ISO / 100), any ISO
        conditions = {"iso": Iso()}

        def __call__(self, *, iso):
            return self.intercept + self.slope * tf.math.log(iso / 100.0)
    ```

    Attributes:
      dtype: of the values.
      channels: C, where each channel of an image has a value of its own; None: all share it.
    """

    dtype: tf.DType
    channels: int | None = None

    @property
    @abc.abstractmethod
    def conditions(self) -> Mapping[str, Condition]:
        """The conditions that a value depends on, by name."""

    @abc.abstractmethod
    def __call__(self, **conditions: Any) -> tf.Tensor:
        """The values of a batch.

        Args:
          **conditions: those that the law declares, checked before: iso [..] float, camera [..]
            int32.

        Returns:
          Values of the shape to which those of the conditions and `batch_shape` broadcast; the
          channels, where they have values of their own, follow at the end.
        """

    def at(self, **conditions: Any) -> tf.Tensor:
        """The values of a batch, of its conditions those that the law declares.

        Raises:
          ValueError: one is missing.
        """
        given = {name: conditions.get(name) for name in self.conditions}
        check_names(self.name, expected=self.conditions, given=given)
        return self(**given)

    @property
    def batch_shape(self) -> tf.TensorShape:
        """The batch dimensions of the law's own parameters, which broadcast with conditions.

        [chains, 1] has for each chain a law for all images of a batch.
        """
        return tf.TensorShape([])

    def batch_shape_tensor(self) -> tf.Tensor:
        """`batch_shape`, where only the graph knows it."""
        return tf.constant(self.batch_shape.as_list(), tf.int32)

    @property
    def camera_variables(self) -> tuple[tf.Variable, ...]:
        """The variables whose first axis is the camera: a new camera is one more row in each.

        By default all, for a law that depends on the camera.
        """
        return self.variables if "camera" in self.conditions else ()

    def shown(self, cameras: Sequence[str] | None = None) -> tuple[list[str], dict]:
        """The conditions at which reports show the law.

        Args:
          cameras: names; None: their indices.

        Returns:
          Labels, such as "(Pixel, ISO 100)", "" for a law that depends on nothing; and the
          conditions, by name: [n], or none. There is a label for each of the law's values there,
          n or n times C of them: "(Pixel, ISO 100, channel 0)".
        """
        camera = self.conditions.get("camera")
        assert camera is None or isinstance(camera, Camera)
        names = () if camera is None else tuple(cameras or map(str, range(camera.count)))
        known = Known.of(self.conditions, names or None)
        labels, rows = [], []
        for name, iso in known.pairs():
            texts = [f"{name}"] * (name is not None) + [f"ISO {iso or 0:g}"] * (iso is not None)
            for channel in range(self.channels or 1):
                named = texts + [f"channel {channel}"] * (self.channels is not None)
                labels.append(f"({', '.join(named)})" if named else "")
            rows.append((iso, None if name is None else names.index(name)))
        given = {}
        if rows[0][0] is not None:
            given["iso"] = tf.constant([iso for iso, _ in rows], self.dtype)
        if rows[0][1] is not None:
            given["camera"] = tf.constant([index for _, index in rows], tf.int32)
        return labels, given

    def shown_values(
        self, function: Callable, cameras: Sequence[str] | None = None
    ) -> dict[str, tf.Tensor]:
        """The law at the conditions at which reports show it, by their labels.

        Args:
          function: of the law's values and the conditions by name, to what is shown of them.
          cameras: names; None: their indices.

        Returns:
          Label -> numbers of the shape `batch_shape`: scalars, unless parameters have batches.
        """
        labels, given = self.shown(cameras)
        rows_first = [-1] + [1] * self.batch_shape.rank
        given = {name: tf.reshape(value, rows_first) for name, value in given.items()}
        values = function(self(**given), given)
        if self.channels is not None:
            # [n, .., C] or [.., C]: a row for each channel.
            values = tf.experimental.numpy.moveaxis(values, -1, 1 if given else 0)
            values = tf.reshape(values, tf.concat([[len(labels)], self.batch_shape_tensor()], 0))
        is_one = not given and self.channels is None
        rows = [values] if is_one else tf.unstack(values, num=len(labels))
        return dict(zip(labels, rows, strict=True))
