"""The base of all layers: a bijector on images that depends on named conditions."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_noiseflow.composition.carried_interval import carried_interval
from tfp_noiseflow.conditions.conditions import Condition, checked
from tfp_noiseflow.images.image import IMAGE_NDIMS
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike


class ConditionalBijector(tfb.Bijector, abc.ABC):
    """A bijector on images [.., H, W, C] that depends on named conditions.

    A subclass declares its conditions and writes its equation in both directions, each time with
    its log-det; most are a `Layer`, which writes them over an `Image`:

    ```none
    _forward_and_log_det(x, **conditions) -> y, log|det dy/dx|
    _inverse_and_log_det(y, **conditions) -> x, log|det dx/dy|
    ```

    The log-dets are per image: of the batch shape, or of a shape that broadcasts to it. Value and
    log-det come together, so that a network in a layer runs once for both.

    Conditions are keyword arguments of TFP's own methods: `forward(x, clean=, iso=, camera=)`.
    They are checked once a call, here; missing and unknown ones raise.

    TFP's cache of inputs and outputs is not used. It would return log-dets from before a change
    of a variable when the same tensor is passed again.
    """

    def __init__(self, *, dtype: tf.DType, parameters: dict, name: str):
        super().__init__(
            forward_min_event_ndims=IMAGE_NDIMS,
            inverse_min_event_ndims=IMAGE_NDIMS,
            is_constant_jacobian=False,
            validate_args=False,
            dtype=tf.as_dtype(dtype),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        # Batches come with the conditions. A class whose arguments may be tensors of a user names
        # them, and what they are made of adds its own.
        return {}

    @property
    def is_scaling(self) -> bool:
        """Whether every value is multiplied by a number that depends on the conditions alone.

        Of N(0, I) it makes independent Gaussians of mean 0.
        """
        return False

    @property
    def is_pixelwise(self) -> bool:
        """Whether each value becomes a monotone function of itself and its conditions alone.

        Then the probability of an interval is that of the interval that it is carried to. True of
        what only scales; a layer that bends each value by itself declares it.
        """
        return self.is_scaling

    @property
    def pixelwise_part(self) -> ConditionalBijector | None:
        """What is left of it without members that mix values; None: nothing.

        It takes the same checked conditions.
        """
        return self if self.is_pixelwise else None

    # TFP takes bijectors of equal class and constructor arguments for equal, whatever their
    # variables hold: two flows of different weights would have a KL divergence of 0.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    @abc.abstractmethod
    def conditions(self) -> Mapping[str, Condition]:
        """The conditions of a call, by name."""

    @abc.abstractmethod
    def _forward_and_log_det(self, x: tf.Tensor, **conditions: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """y [.., H, W, C] and log|det dy/dx|, given checked conditions."""

    @abc.abstractmethod
    def _inverse_and_log_det(self, y: tf.Tensor, **conditions: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """x [.., H, W, C] and log|det dx/dy|, given checked conditions."""

    def _inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor, **conditions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What intervals of single values become, of a pixel-wise bijector.

        Half the width is right to a share of itself, which a difference of edges is not where an
        interval is narrow. A layer that knows a closed form gives it here.

        Args:
          middle, half_width: [.., H, W, C] both.
          **conditions: checked.

        Returns:
          The middle and half the width, negative where the inverse falls.
        """
        if self.is_scaling:
            scale = self._inverse_and_log_det(tf.ones_like(middle), **conditions)[0]
            return scale * middle, scale * half_width
        return carried_interval(
            lambda y: self._inverse_and_log_det(y, **conditions)[0], middle, half_width
        )

    # Nothing here is for AutoGraph to convert, and converting it doubles the time of tracing.
    @not_converted
    def forward_and_log_det(
        self, x: TensorLike, name: str = "forward_and_log_det", **conditions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`forward(x)` and `forward_log_det_jacobian(x)` in one pass.

        Args:
          x: float [.., H, W, C].
          name: of the ops.
          **conditions: the values of `self.conditions`.

        Returns:
          y [.., H, W, C] and its log-det, nats, one an image.

        Raises:
          ValueError: a condition is missing, unknown or invalid, or shapes do not fit.
        """
        with self._name_and_control_scope(name):
            x = self._as_images(x)
            return self._forward_and_log_det(x, **self.check_conditions(conditions, x))

    @not_converted
    def inverse_and_log_det(
        self, y: TensorLike, name: str = "inverse_and_log_det", **conditions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`inverse(y)` and `inverse_log_det_jacobian(y)` in one pass; see the forward one."""
        with self._name_and_control_scope(name):
            y = self._as_images(y)
            return self._inverse_and_log_det(y, **self.check_conditions(conditions, y))

    @not_converted
    def inverse_interval(
        self, middle: TensorLike, half_width: TensorLike, **conditions: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What intervals of single values become by `inverse`, of a pixel-wise bijector.

        Args:
          middle, half_width: float [.., H, W, C] both.
          **conditions: the values of `self.conditions`.

        Returns:
          The middle and half the width of each, as accurate for narrow intervals as for wide ones;
          half the width is negative where the inverse falls.

        Raises:
          ValueError: a bijector that mixes values; conditions as for `inverse`.
        """
        if not self.is_pixelwise:
            raise ValueError(
                f"{self.name}: expected a bijector that acts on each value alone to carry "
                "intervals, this one mixes values."
            )
        with self._name_and_control_scope("inverse_interval"):
            middle, half_width = self._as_images(middle), self._as_images(half_width)
            given = self.check_conditions(conditions, middle)
            return self._inverse_interval(middle, half_width, **given)

    def check_conditions(self, given: Mapping, x: tf.Tensor) -> dict:
        """The conditions as tensors.

        Args:
          given: condition name -> value.
          x: the image that they go with.

        Returns:
          What `_forward_and_log_det` takes as keyword arguments.

        Raises:
          ValueError: one is missing, unknown or invalid.
        """
        return self.from_shared(checked(self.name, self.conditions, given, self.dtype, x))

    def from_shared(self, given: Mapping) -> dict:
        """What `check_conditions` returns, out of conditions that are checked already."""
        return {name: given[name] for name in self.conditions if name in given}

    # What TFP calls. Its own versions consult the cache.

    def _call_forward(self, x: TensorLike, name: str, **kwargs: Any) -> tf.Tensor:
        return self.forward_and_log_det(x, name, **kwargs)[0]

    def _call_inverse(self, y: TensorLike, name: str, **kwargs: Any) -> tf.Tensor:
        return self.inverse_and_log_det(y, name, **kwargs)[0]

    def _call_forward_log_det_jacobian(
        self, x: TensorLike, event_ndims: int | None, name: str, **kwargs: Any
    ) -> tf.Tensor:
        log_det = self.forward_and_log_det(x, name, **kwargs)[1]
        return self._summed_over_events(log_det, x, event_ndims)

    def _call_inverse_log_det_jacobian(
        self, y: TensorLike, event_ndims: int | None, name: str, **kwargs: Any
    ) -> tf.Tensor:
        log_det = self.inverse_and_log_det(y, name, **kwargs)[1]
        return self._summed_over_events(log_det, y, event_ndims)

    def _as_images(self, x: TensorLike) -> tf.Tensor:
        x = tf.convert_to_tensor(x, dtype=self.dtype)
        if x.shape.rank is not None and x.shape.rank < IMAGE_NDIMS:
            raise ValueError(f"{self.name}: expected images [.., H, W, C], received {x.shape}.")
        return x

    def _summed_over_events(
        self, log_det: tf.Tensor, x: TensorLike, event_ndims: int | None
    ) -> tf.Tensor:
        """TFP's meaning of event_ndims > 3: the leading dimensions belong to one event."""
        extra = 0 if event_ndims is None else int(event_ndims) - IMAGE_NDIMS
        if extra < 0:
            raise ValueError(
                f"{self.name}: expected event_ndims >= {IMAGE_NDIMS} ([H, W, C]), "
                f"received {event_ndims}."
            )
        # Some layers give one log-det for all images.
        batch_shape = tf.broadcast_dynamic_shape(tf.shape(x)[:-IMAGE_NDIMS], tf.shape(log_det))
        log_det = tf.broadcast_to(log_det, batch_shape)
        return tf.reduce_sum(log_det, axis=list(range(-extra, 0))) if extra else log_det
