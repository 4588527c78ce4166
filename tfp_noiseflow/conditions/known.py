"""What cameras and ISOs a noise model knows: one answer for all who ask."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.camera_names import camera_indices, name_rule
from tfp_noiseflow.conditions.conditions import (
    TOGETHER,
    Camera,
    Condition,
    Iso,
    Rule,
    known_pairs,
)
from tfp_noiseflow.conditions.drawing import Drawing
from tfp_noiseflow.types import TensorLike

# Shown for a model that has no levels: full stops, two apart.
ISOS_TO_SHOW = (100.0, 400.0, 1600.0, 6400.0)

ANY_ISO = Iso(is_needed=False)


class OfCameras(Protocol):
    """What captures tell of their cameras and ISOs, as those of a capture file do."""

    @property
    def path(self) -> str: ...
    @property
    def camera(self) -> np.ndarray: ...
    @property
    def cameras(self) -> tuple[str, ...]: ...
    @property
    def iso(self) -> np.ndarray: ...
    @property
    def iso_levels(self) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class Known:
    """The cameras and ISOs that a noise model knows.

    Attributes:
      cameras: their names; None where the model does not tell cameras apart.
      camera: the condition that goes with the names; None without them.
      iso: the ISOs: levels, limits, or any.
    """

    cameras: tuple[str, ...] | None = None
    camera: Camera | None = None
    iso: Iso = ANY_ISO

    @classmethod
    def of(
        cls, conditions: Mapping[str, Condition], cameras: tuple[str, ...] | None = None
    ) -> Known:
        """What follows from the conditions that a bijector declares.

        Args:
          conditions: of the bijector, by name.
          cameras: what the indices of its `camera` stand for.

        Raises:
          ValueError: names without such a condition or of another number, or the reverse.
        """
        camera, iso = conditions.get("camera"), conditions.get("iso", ANY_ISO)
        # A layer declares nothing else by these names.
        assert camera is None or isinstance(camera, Camera)
        assert isinstance(iso, Iso)
        if (0 if camera is None else camera.count) != len(cameras or ()):
            raise ValueError(
                f"expected the names of {camera.count if camera else 'no'} cameras, as the "
                f"bijector declares, received {cameras}."
            )
        return cls(cameras, camera, iso)

    @classmethod
    def of_cameras(cls, cameras: Sequence[str] | None) -> Known:
        """These cameras, any ISO; None: any camera."""
        if cameras is None:
            return cls()
        return cls.of({"camera": Camera(len(cameras))}, tuple(cameras))

    @property
    def iso_levels(self) -> tuple[float, ...] | None:
        """The known ISOs, where they can be listed."""
        return self.iso.levels

    @property
    def isos_to_show(self) -> tuple[float, ...]:
        """ISOs that stand for all in pictures and examples: the levels, or some that are known."""
        if self.iso.levels is not None:
            return self.iso.levels
        if not self.iso.is_needed and self.iso.limits is None:
            return ISOS_TO_SHOW[:1]
        shown = tuple(iso for iso in ISOS_TO_SHOW if self.iso.is_known(np.array(iso)))
        # None are shown only where limits leave them out.
        return shown or self.iso.limits or ()

    @property
    def is_by_pair(self) -> bool:
        """Whether some camera is not known at some ISO that is known."""
        return self.camera is not None and self.camera.iso_levels is not None

    def pairs(self) -> list[tuple[str | None, float | None]]:
        """Cameras and ISOs to show, of each pair whether it is known checked.

        Returns:
          (camera, ISO); None where the model does not depend on one.

        Raises:
          ValueError: there are none.
        """
        has_iso = self.iso.is_needed or self.iso.levels is not None
        found = [
            (camera, iso)
            for camera in self.cameras or (None,)
            for iso in (self.isos_to_show if has_iso else (None,))
            if self.holds(iso, camera)
        ]
        if not found:
            raise ValueError(f"expected a model that knows a camera at an ISO, received {self}.")
        return found

    def holds(self, iso: float | None = None, camera: str | int | None = None) -> bool:
        """Whether a camera (a name or an index) is known at an ISO; None: whether the other is."""
        index = None
        if self.cameras is not None and camera is not None:
            if isinstance(camera, str) and camera not in self.cameras:
                return False
            index = self.cameras.index(camera) if isinstance(camera, str) else camera
            if not 0 <= index < len(self.cameras):
                return False
        if iso is not None and not (0 < iso < np.inf and self.iso.is_known(np.array(iso))):
            return False
        if self.camera is None or self.camera.iso_levels is None or iso is None or index is None:
            return True
        levels = self.camera.iso_levels[index]
        return bool(levels) and bool(Iso(levels).is_known(np.array(iso)))

    def require(self, pairs: Iterable[tuple[str | int | None, float | None]]) -> None:
        """Raises ValueError unless all pairs of camera (a name or an index) and ISO are known."""
        unknown = [(camera, iso) for camera, iso in pairs if not self.holds(iso, camera)]
        if unknown:
            texts = [
                " at ".join(
                    [f"{camera!r}"] * (camera is not None) + [f"ISO {iso:g}"] * (iso is not None)
                )
                for camera, iso in unknown
            ]
            raise ValueError(f"expected {self}, received {', '.join(texts)}.")

    def __str__(self) -> str:
        cameras = "any camera" if self.cameras is None else f"cameras among {list(self.cameras)}"
        isos = f"ISOs among {self.iso.known}" if self.iso.known else "any ISO"
        if self.iso.limits is not None:
            isos = f"ISOs from {self.iso.known}"
        if self.camera is None or self.camera.iso_levels is None:
            return f"{cameras} at {isos}"
        return f"{cameras} at {isos}, together: {known_pairs(self.camera, self.cameras)}"

    def require_each(self, cameras: Sequence[str | None], isos: Sequence[float]) -> None:
        """Raises ValueError unless every camera of a list is known at every ISO of a list."""
        missing = [c is None for c in cameras] if self.camera and self.camera.is_needed else []
        if any(missing):
            raise ValueError(f"expected {self}, received no camera.")
        self.require(itertools.product(cameras, isos))

    def check_captures(self, captures: OfCameras) -> None:
        """Raises ValueError, with both sets, unless all conditions of captures are known.

        Args:
          captures: with `path`, `cameras`, `iso_levels`, and `camera`, `iso` of each.
        """
        known = captures.cameras if self.cameras is None else self.cameras
        unknown = sorted({*captures.cameras} - {*known})
        if unknown:
            raise ValueError(
                f"{captures.path}: expected captures of the cameras {sorted(known)} that "
                f"the model knows, received captures of {list(captures.cameras)}; unknown: "
                f"{unknown}."
            )
        if not np.all(self.iso.is_known(np.array(captures.iso_levels, np.float64))):
            raise ValueError(
                f"{captures.path}: expected captures at the ISOs {self.iso.known} that the model "
                "knows, received captures at the ISOs "
                f"{', '.join(f'{iso:g}' for iso in captures.iso_levels)}."
            )
        if self.is_by_pair:
            try:
                self.require(sorted(set(zip(captures.camera, captures.iso.tolist(), strict=True))))
            except ValueError as error:
                raise ValueError(f"{captures.path}: {error}") from error

    def indices(self, cameras: TensorLike) -> tf.Tensor:
        """Names of cameras as int32 indices; zeros of their shape where none are told apart.

        Raises:
          ValueError: an unknown name; InvalidArgumentError where only the graph knows.
        """
        if self.cameras is None:
            return tf.zeros(tf.shape(cameras), tf.int32)
        return tf.cast(camera_indices(cameras, self.cameras), tf.int32)

    def given(self, clean: tf.Tensor, iso: TensorLike, camera: TensorLike) -> tuple[dict, dict]:
        """The conditions of a call: what is declared, and what came, by name.

        An ISO is checked also where the model does not depend on it; a camera where it knows any.

        Args:
          clean: the clean image. iso, camera (names or indices): None where they did not come.

        Returns:
          Declared conditions, without the clean image, and values.
        """
        declared: dict[str, Condition] = {"iso": self.iso}
        values = {"clean": clean, "iso": iso}
        if self.camera is not None:
            assert self.cameras is not None  # They go with the condition.
            declared["camera"] = self.camera
            values["camera"] = None if camera is None else camera_indices(camera, self.cameras)
        return declared, {name: value for name, value in values.items() if value is not None}

    def rules(self, iso: tf.Tensor, camera: tf.Tensor) -> list[Rule]:
        """What must hold of the rows of a batch.

        Args:
          iso: [B] float. camera: [B] string; any where the model tells none apart.

        Returns:
          Rules; the last one, where not every camera is known at every ISO, of both together.
        """
        rules = [] if self.cameras is None else [name_rule(camera, self.cameras)]
        # Whoever sends a wrong ISO wants to see the right ones, whatever is wrong with it.
        rules += [replace(rule, known=self.iso.known) for rule in self.iso.rules("iso", iso)]
        if self.camera is not None and self.camera.iso_levels is not None:
            index = tf.argmax(
                tf.equal(camera[..., tf.newaxis], tf.constant(self.cameras)),
                axis=-1,
                output_type=tf.int32,
            )
            is_known = self.camera.knows(iso, index)
            known = known_pairs(self.camera, self.cameras)
            rules.append(Rule(TOGETHER, ("camera", "iso"), is_known, known))
        return rules

    def drawing(
        self,
        camera: str | Sequence[str] | None = None,
        iso: float | Sequence[float] | None = None,
        iso_range: tuple[float, float] | None = None,
    ) -> Drawing:
        """Cameras and ISOs to draw for images that have none, see `Drawing`."""
        return Drawing(self, camera, iso, iso_range)
