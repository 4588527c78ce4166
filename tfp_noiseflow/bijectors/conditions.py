"""What a layer may depend on, declared as data and checked in one place.

A layer says `conditions = {"clean": CleanImage(), "iso": Iso(levels), "camera": Camera(count)}`;
the base class checks the values that a call brings against that, so the layers themselves hold
only their equations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

# Raw data that were scaled by rounded levels may pass full scale by a rounding error; a tenth of
# a percent leaves room for that and still catches images in other units.
LARGEST_CLEAN = 1.0 + 1e-3

# ISO levels are labels; a relative difference this small is a rounding of the label.
ISO_TOLERANCE = 1e-4


def known_in_python(value):
    """A context in which what is no tensor of a graph is checked eagerly, also while one is traced.

    Then a wrong value in the Python code of a `tf.function` is a ValueError when it is traced.
    """
    is_eager = isinstance(value, tf.__internal__.EagerTensor)
    if tf.is_tensor(value) and not is_eager:
        return contextlib.nullcontext()
    return tf.init_scope()


def require(holds: tf.Tensor, expected: str, received: tf.Tensor | Callable[[], tf.Tensor]) -> None:
    """Raises unless `holds`: ValueError where that is known in Python, else an op of the graph.

    Args:
      holds: bool scalar.
      expected: what was expected, in words.
      received: a tensor that shows what came, or a function that gives it, which is called only
        where `holds` is false.

    Raises:
      ValueError: eagerly; InvalidArgumentError when the graph runs.
    """
    message = f"expected {expected}, received"
    known = tf.get_static_value(holds)
    if known is None and callable(received):

        def fail():
            return tf.raw_ops.Assert(condition=holds, data=[message, received()], summarize=16)

        # What tf.debugging.Assert makes too, but for `received` within the branch.
        tf.cond(holds, tf.no_op, fail, name="AssertGuard")
    elif known is None:
        tf.debugging.Assert(holds, [message, received], summarize=16)
    elif not known:
        received = received() if callable(received) else received
        value = tf.get_static_value(received)
        raise ValueError(f"{message} {received if value is None else value}.")


@dataclass(frozen=True)
class CleanImage:
    """The clean image: float [.., H, W, C], a fraction of full scale, of the noise's H, W, C.

    Below 0 counts as 0 in the layers; above 1.001 or NaN is an error.
    """

    def is_valid(self, clean: tf.Tensor) -> tf.Tensor:
        """Of each pixel value."""
        return tf.logical_and(clean <= LARGEST_CLEAN, clean > clean.dtype.min)

    def check(self, name: str, value, dtype: tf.DType, x: tf.Tensor) -> tf.Tensor:
        clean = as_float(name, value, dtype)
        check_fits(f"{name} (the clean image)", clean, x)
        is_valid = self.is_valid(clean)
        # Each step of a training looks at every pixel: the count, a cast of all of them to int64,
        # is for the error alone.
        require(
            tf.reduce_all(is_valid),
            f"no pixel of {name} (the clean image) to be NaN, infinite or above {LARGEST_CLEAN} "
            "of full scale",
            lambda: tf.math.count_nonzero(tf.logical_not(is_valid)),
        )
        return clean


@dataclass(frozen=True)
class Iso:
    """The ISO: positive float, scalar or of a shape that broadcasts with the batch.

    Attributes:
      levels: the ISOs that are known; None admits any.
    """

    levels: tuple[float, ...] | None = None

    def is_positive(self, iso: tf.Tensor) -> tf.Tensor:
        """Of each ISO: whether it is positive and finite."""
        return tf.logical_and(iso > 0, iso <= iso.dtype.max)

    def is_known(self, iso: tf.Tensor) -> tf.Tensor:
        """Of each ISO: whether it is one of the levels."""
        return tf.reduce_any(self.is_level(iso), axis=-1)

    def is_level(self, iso: tf.Tensor) -> tf.Tensor:
        """[.., K] bool: which of the K levels each ISO is."""
        iso = iso[..., tf.newaxis]
        return tf.abs(iso - tf.constant(self.levels, iso.dtype)) <= ISO_TOLERANCE * iso

    def check(self, name: str, value, dtype: tf.DType, x: tf.Tensor) -> tf.Tensor:
        del x
        with known_in_python(value):
            return self._checked(name, value, dtype)

    def _checked(self, name: str, value, dtype: tf.DType) -> tf.Tensor:
        iso = as_float(name, value, dtype)
        is_positive = tf.reduce_all(self.is_positive(iso))
        require(is_positive, f"{name} to be positive and finite", iso)
        if self.levels is not None:
            known = ", ".join(f"{level:g}" for level in self.levels)
            require(
                tf.reduce_all(self.is_known(iso)),
                f"{name} to be one of the known levels ({known})",
                iso,
            )
        return iso


@dataclass(frozen=True)
class Camera:
    """The camera: an integer index from 0 to count - 1, scalar or broadcasting with the batch."""

    count: int

    def check(self, name: str, value, dtype: tf.DType, x: tf.Tensor) -> tf.Tensor:
        del dtype, x
        with known_in_python(value):
            return self._checked(name, value)

    def _checked(self, name: str, value) -> tf.Tensor:
        camera = tf.convert_to_tensor(value)
        if not camera.dtype.is_integer:
            raise ValueError(
                f"expected {name} as integer indices (the noise models take names too), "
                f"received dtype {camera.dtype.name}."
            )
        is_known = tf.logical_and(camera >= 0, camera < self.count)
        require(tf.reduce_all(is_known), f"{name} to be from 0 to {self.count - 1}", camera)
        return tf.cast(camera, tf.int32)


Condition = CleanImage | Iso | Camera


def as_float(name: str, value, dtype: tf.DType) -> tf.Tensor:
    """`value` as a tensor of `dtype`; numbers are converted, other floating tensors refused."""
    if tf.is_tensor(value) and value.dtype.is_integer:
        value = tf.cast(value, dtype)
    try:
        return tf.convert_to_tensor(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        received = value.dtype.name if tf.is_tensor(value) else repr(value)
        raise ValueError(f"expected {name} of dtype {dtype.name}, received {received}.") from error


def check_fits(name: str, image: tf.Tensor, x: tf.Tensor) -> None:
    """Raises unless `image` has x's H, W, C and its batch dimensions broadcast with x's."""
    if image.shape.rank is None or x.shape.rank is None:
        return
    message = f"expected {name} of x's shape {x.shape}, received {image.shape}."
    if image.shape.rank < 3:
        raise ValueError(f"{message} It needs at least the dimensions [H, W, C].")
    if not image.shape[-3:].is_compatible_with(x.shape[-3:]):
        raise ValueError(message)
    try:
        tf.broadcast_static_shape(image.shape[:-3], x.shape[:-3])
    except ValueError as error:
        raise ValueError(message) from error
    if not (image.shape[-3:].is_fully_defined() and x.shape[-3:].is_fully_defined()):
        # Two different sizes fail by themselves later, but a size of 1 would be broadcast.
        require(
            tf.reduce_all(tf.equal(tf.shape(image)[-3:], tf.shape(x)[-3:])),
            f"{name} of x's height, width and channels",
            tf.stack([tf.shape(image)[-3:], tf.shape(x)[-3:]]),
        )


def merged(*declarations: Mapping[str, Condition]) -> dict[str, Condition]:
    """What several declare together.

    Raises:
      ValueError: two declare one condition differently.
    """
    conditions: dict[str, Condition] = {}
    for declaration in declarations:
        for name, condition in declaration.items():
            if conditions.setdefault(name, condition) != condition:
                raise ValueError(
                    f"expected layers that agree on {name}, received {conditions[name]} and "
                    f"{condition}."
                )
    return conditions
