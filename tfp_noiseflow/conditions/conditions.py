"""What a layer may depend on, declared as data and checked in one place.

A layer says `conditions = {"clean": CleanImage(), "iso": Iso(levels), "camera": Camera(count)}`;
the values that a call brings are checked against that, so the layers themselves hold only their
equations. A condition states its rules once: they make the errors of a call and those that a
server gives for a row of a batch.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.checks import as_float, check_fits, known_in_python, require
from tfp_noiseflow.types import TensorLike

# Raw data that were scaled by rounded levels may pass full scale by a rounding error; a tenth of
# a percent leaves room for that and still catches images in other units.
LARGEST_CLEAN = 1.0 + 1e-3

# ISO levels are labels; a relative difference this small is a rounding of the label.
ISO_TOLERANCE = 1e-4


# Expected of a camera and an ISO where not every camera is known at every ISO.
TOGETHER = "camera and ISO to be known together"


@dataclass(frozen=True)
class Rule:
    """What must hold of the values of a condition.

    Attributes:
      expected: in words, the condition's name first.
      of: the names of the conditions that it is about.
      is_valid: bool, of the values' shape.
      known: the values that are known, where they can be listed.
    """

    expected: str
    of: tuple[str, ...]
    is_valid: tf.Tensor
    known: str = ""

    @property
    def text(self) -> str:
        """What was expected, with the known values."""
        return f"{self.expected} ({self.known})" if self.known else self.expected


class Condition(abc.ABC):
    """One thing that noise depends on.

    Attributes:
      is_image: whether its values are images [.., H, W, C], which are rearranged as the noise is;
        else numbers of the batch shape, which are not.
      is_needed: whether a call has to bring it. A model takes and checks a condition that it does
        not need, so that it means the same for all models.
    """

    is_image: bool = False
    is_needed: bool = True

    @abc.abstractmethod
    def convert(self, name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
        """A value as a tensor; ValueError for another type."""

    @abc.abstractmethod
    def rules(self, name: str, value: tf.Tensor) -> list[Rule]:
        """What must hold of a converted value."""

    @abc.abstractmethod
    def meet(self, other: Condition) -> Condition:
        """What satisfies both; ValueError where nothing does."""

    def as_tensor(self, name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
        """A value, converted: eagerly, where it is known while a graph is traced."""
        with known_in_python(value):
            return self.convert(name, value, dtype)

    def check(self, name: str, value: TensorLike, dtype: tf.DType, x: tf.Tensor) -> tf.Tensor:
        """A value, converted, where all rules hold.

        Args:
          name: of the condition. value: what came. dtype: of images and ISOs.
          x: the image that it goes with.

        Raises:
          ValueError: it breaks a rule; InvalidArgumentError where only the graph knows.
        """
        del x
        with known_in_python(value):
            value = self.convert(name, value, dtype)
            for rule in self.rules(name, value):
                require(tf.reduce_all(rule.is_valid), rule.text, value)
            return value


@dataclass(frozen=True)
class CleanImage(Condition):
    """The clean image: float [.., H, W, C], a fraction of full scale, of the noise's H, W, C.

    Below 0 counts as 0 in the layers; above 1.001 or NaN is an error.
    """

    is_image = True

    def convert(self, name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
        raw = getattr(value, "dtype", None)
        if raw is not None and tf.as_dtype(raw) in (tf.uint8, tf.uint16):
            raise ValueError(
                f"expected {name} (the clean image) as fractions of full scale, received "
                f"{tf.as_dtype(raw).name}: subtract the black level and divide by the white level "
                "less the black level (255 for 8-bit images without a black level)."
            )
        return as_float(name, value, dtype)

    def as_tensor(self, name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
        # Images of a graph are constants of it, not copied out.
        return self.convert(name, value, dtype)

    def rules(self, name: str, value: tf.Tensor) -> list[Rule]:
        expected = f"no pixel of {name} to be NaN, infinite or above {LARGEST_CLEAN} of full scale"
        return [Rule(expected, (name,), self.is_valid(value))]

    def is_valid(self, clean: tf.Tensor) -> tf.Tensor:
        """Of each pixel value."""
        return tf.logical_and(clean <= LARGEST_CLEAN, clean > clean.dtype.min)

    def meet(self, other: Condition) -> Condition:
        return replace(self) if isinstance(other, CleanImage) else _contradiction(self, other)

    def check(self, name: str, value: TensorLike, dtype: tf.DType, x: tf.Tensor) -> tf.Tensor:
        clean = self.convert(name, value, dtype)
        check_fits(f"{name} (the clean image)", clean, x)
        (rule,) = self.rules(f"{name} (the clean image)", clean)

        def largest() -> tf.Tensor:
            is_number = tf.reduce_all(clean > clean.dtype.min)
            return tf.where(is_number, tf.reduce_max(clean), tf.constant(np.nan, dtype))

        # Each step of a training looks at every pixel: the largest is for the error alone.
        require(
            tf.reduce_all(rule.is_valid),
            f"{rule.expected} (was it divided by the white level?)",
            largest,
        )
        return clean


@dataclass(frozen=True)
class Iso(Condition):
    """The ISO: positive float, scalar or of a shape that broadcasts with the batch.

    Attributes:
      levels: the ISOs that are known; None admits any.
      limits: (lowest, highest) of those that are known, where they are no levels; None admits any.
      is_needed: whether a call has to bring it.
    """

    levels: tuple[float, ...] | None = None
    limits: tuple[float, float] | None = None
    is_needed: bool = True

    def __post_init__(self) -> None:
        if self.levels is not None:
            levels = tuple(float(level) for level in self.levels)
            is_valid = len(set(levels)) == len(levels) and all(0 < iso < math.inf for iso in levels)
            if not (is_valid and levels):
                raise ValueError(f"expected positive ISO levels, each once, received {levels}.")
            object.__setattr__(self, "levels", levels)
        if self.limits is not None:
            low, high = (float(end) for end in self.limits)
            if self.levels is not None or not 0 < low <= high < math.inf:
                raise ValueError(
                    f"expected ISO levels or limits (lowest, highest) above 0, received {self}."
                )
            object.__setattr__(self, "limits", (low, high))

    def is_level(self, iso: TensorLike) -> Any:
        """[.., K] bool: which of the K levels each ISO is. Of tensors and of NumPy arrays."""
        iso = iso[..., None]
        dtype = iso.dtype.as_numpy_dtype if tf.is_tensor(iso) else np.float64
        return abs(iso - np.array(self.levels, dtype)) <= ISO_TOLERANCE * iso

    def is_known(self, iso: TensorLike) -> Any:
        """Of each ISO, a tensor or a NumPy array: whether it is known."""
        any_of = tf.reduce_any if tf.is_tensor(iso) else np.any
        if self.levels is not None:
            return any_of(self.is_level(iso), axis=-1)
        if self.limits is not None:
            low, high = self.limits
            return (iso >= low * (1 - ISO_TOLERANCE)) & (iso <= high * (1 + ISO_TOLERANCE))
        return iso > 0

    def level(self, iso: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Which of the levels each ISO is, int32, and whether it is one."""
        is_level = self.is_level(iso)
        index = tf.argmax(is_level, axis=-1, output_type=tf.int32)
        return index, tf.reduce_any(is_level, axis=-1)

    @property
    def known(self) -> str:
        """The known ISOs in words; empty where any is."""
        if self.levels is not None:
            return ", ".join(f"{level:g}" for level in self.levels)
        return "" if self.limits is None else f"{self.limits[0]:g} to {self.limits[1]:g}"

    def convert(self, name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
        return as_float(name, value, dtype)

    def rules(self, name: str, value: tf.Tensor) -> list[Rule]:
        is_positive = tf.logical_and(value > 0, value <= value.dtype.max)
        rules = [Rule(f"{name} to be positive and finite", (name,), is_positive)]
        if self.levels is not None:
            expected = f"{name} to be one of the known levels"
            rules.append(Rule(expected, (name,), self.is_known(value), self.known))
        elif self.limits is not None:
            expected = f"{name} to be in the known range"
            rules.append(Rule(expected, (name,), self.is_known(value), self.known))
        return rules

    def meet(self, other: Condition) -> Condition:
        if not isinstance(other, Iso):
            return _contradiction(self, other)
        is_needed = self.is_needed or other.is_needed
        if self.levels is None and other.levels is None:
            limits = [c.limits for c in (self, other) if c.limits is not None]
            if not limits:
                return Iso(is_needed=is_needed)
            low, high = max(low for low, _ in limits), min(high for _, high in limits)
            if low > high:
                return _contradiction(self, other)
            return Iso(limits=(low, high), is_needed=is_needed)
        ours, theirs = (self, other) if self.levels is not None else (other, self)
        levels = tuple(iso for iso in ours.levels or () if theirs.is_known(np.array(iso)))
        if not levels:
            return _contradiction(self, other)
        return Iso(levels, is_needed=is_needed)


@dataclass(frozen=True)
class Camera(Condition):
    """The camera: an integer index from 0 to count - 1, scalar or broadcasting with the batch.

    Attributes:
      count: of known cameras.
      iso_levels: the ISO levels at which each of them is known; None: at all that are known.
      is_needed: whether a call has to bring it.
    """

    count: int
    iso_levels: tuple[tuple[float, ...], ...] | None = None
    is_needed: bool = True

    def convert(self, name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
        del dtype
        camera = tf.convert_to_tensor(value)
        if not camera.dtype.is_integer:
            raise ValueError(
                f"expected {name} as integer indices (the noise models take names too), "
                f"received dtype {camera.dtype.name}."
            )
        return camera

    def check(self, name: str, value: TensorLike, dtype: tf.DType, x: tf.Tensor) -> tf.Tensor:
        # Of its own type first: 2^32 would become camera 0.
        return tf.cast(super().check(name, value, dtype, x), tf.int32)

    def rules(self, name: str, value: tf.Tensor) -> list[Rule]:
        is_known = tf.logical_and(value >= 0, value < self.count)
        return [Rule(f"{name} to be from 0 to {self.count - 1}", (name,), is_known)]

    def meet(self, other: Condition) -> Condition:
        if not isinstance(other, Camera) or self.count != other.count:
            return _contradiction(self, other)
        iso_levels = self.iso_levels or other.iso_levels
        if self.iso_levels is not None and other.iso_levels is not None:
            pairs = zip(self.iso_levels, other.iso_levels, strict=True)
            iso_levels = tuple(_common_levels(ours, theirs) for ours, theirs in pairs)
        return Camera(self.count, iso_levels, self.is_needed or other.is_needed)

    def knows(self, iso: tf.Tensor, camera: tf.Tensor) -> tf.Tensor:
        """Whether each camera, known itself, is known at each ISO: tensors of a common shape.

        Asked of a camera with `iso_levels`.
        """
        assert self.iso_levels is not None
        own = [Iso(levels) if levels else None for levels in self.iso_levels]
        is_known = [
            tf.zeros_like(iso, tf.bool) if levels is None else levels.is_known(iso)
            for levels in own
        ]
        is_camera = [tf.equal(camera, number) for number in range(self.count)]
        of_each = [tf.logical_and(a, b) for a, b in zip(is_camera, is_known, strict=True)]
        return tf.reduce_any(tf.stack(of_each), axis=0)


def _common_levels(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    if not ours or not theirs:
        return ()
    return tuple(iso for iso in ours if Iso(tuple(theirs)).is_known(np.array(iso)))


def _contradiction(one: Condition, other: Condition) -> NoReturn:
    raise ValueError(f"expected conditions that can hold together, received {one} and {other}.")


def merged(*declarations: Mapping[str, Condition]) -> dict[str, Condition]:
    """What several declare together: of each condition what satisfies all of them.

    Raises:
      ValueError: two declare conditions of one name that nothing satisfies.
    """
    conditions: dict[str, Condition] = {}
    for declaration in declarations:
        for name, condition in declaration.items():
            try:
                conditions[name] = conditions.get(name, condition).meet(condition)
            except ValueError as error:
                raise ValueError(f"expected layers that agree on {name}: {error}") from error
    return conditions


def check_names(owner: str, *, expected: Mapping[str, Condition], given: Mapping) -> None:
    """Raises ValueError where a condition is missing or is not known to `owner`."""
    missing = [
        name for name, condition in expected.items()
        if condition.is_needed and given.get(name) is None
    ]  # fmt: skip
    unknown = [name for name in given if name not in expected]
    if missing or unknown:
        faults = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
        raise ValueError(
            f"{owner}: expected the conditions {list(expected)}, received {list(given)}: "
            f"{', '.join(faults)}."
        )


def checked(
    owner: str,
    declared: Mapping[str, Condition],
    given: Mapping,
    dtype: tf.DType,
    x: tf.Tensor,
    cameras: Sequence[str] | None = None,
) -> dict[str, tf.Tensor]:
    """The conditions of a call as tensors.

    Args:
      owner: whose conditions they are, for messages.
      declared: the conditions by name.
      given: condition name -> value.
      dtype: of images and ISOs.
      x: the image that they go with.
      cameras: names for messages; None: their indices.

    Returns:
      Name -> tensor, of those that were given.

    Raises:
      ValueError: one is missing, unknown or invalid, or a camera is not known at an ISO;
        InvalidArgumentError where only the graph knows.
    """
    check_names(owner, expected=declared, given=given)
    values = {
        name: declared[name].check(name, value, dtype, x)
        for name, value in given.items()
        if value is not None
    }
    camera = declared.get("camera")
    has_both = {"iso", "camera"} <= set(values)
    if has_both and isinstance(camera, Camera) and camera.iso_levels is not None:
        iso_and_camera = (values["iso"], values["camera"])
        of_graph = [v for v in iso_and_camera if not isinstance(v, tf.__internal__.EagerTensor)]
        with known_in_python((*of_graph, values["iso"])[0]):
            require(
                tf.reduce_all(camera.knows(*iso_and_camera)),
                f"{TOGETHER} ({known_pairs(camera, cameras)})",
                # The indices of the cameras: strings do not compile under XLA.
                lambda: tf.stack(
                    [
                        tf.broadcast_to(tf.cast(value, dtype), _shape_of(values))
                        for value in (values["camera"], values["iso"])
                    ]
                ),
            )
    return values


def _shape_of(values: Mapping[str, tf.Tensor]) -> tf.Tensor:
    return tf.broadcast_dynamic_shape(tf.shape(values["camera"]), tf.shape(values["iso"]))


def known_pairs(camera: Camera, cameras: Sequence[str] | None = None) -> str:
    """The cameras and ISOs that are known together, in words; `camera` has `iso_levels`."""
    assert camera.iso_levels is not None
    names = [f"camera {number}" for number in range(camera.count)] if cameras is None else cameras
    return ", ".join(
        f"{name} at ISO {iso:g}"
        for name, levels in zip(names, camera.iso_levels, strict=True)
        for iso in levels
    )
