"""Cameras and ISOs of images that have none: fixed ones, or drawn from sets and ranges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfp_noiseflow.conditions.camera_names import camera_indices
from tfp_noiseflow.conditions.conditions import Iso, known_pairs
from tfp_noiseflow.types import TensorLike

if TYPE_CHECKING:
    from tfp_noiseflow.conditions.known import Known


class Drawing:
    """Draws the camera and the ISO that a noise model needs for each image.

    Of a model that does not know every camera at every ISO, the pairs that it knows are drawn with
    equal chances.

    Args:
      known: what the model knows.
      camera: a name, or names to draw from with equal chances; None: all the model knows.
      iso: an ISO, or ISOs to draw from; None: all levels the model knows. Of a model without levels
        none is drawn then: all images have to bring their own.
      iso_range: (lowest, highest), instead of `iso`. A model with ISO levels draws among those in
        the range with equal chances, one without draws log-uniformly.

    Raises:
      ValueError: a camera or ISO that the model does not know, or knows with none of the others;
        both `iso` and `iso_range`, a range that is empty.
    """

    def __init__(
        self,
        known: Known,
        camera: str | Sequence[str] | None = None,
        iso: float | Sequence[float] | None = None,
        iso_range: tuple[float, float] | None = None,
    ):
        self._known = known
        self._needs_iso = known.iso.is_needed
        self._cameras: np.ndarray | None = None
        self._isos: np.ndarray | None = None
        self._log_range: tuple[float, float] | None = None
        self._pairs: _Pairs | None = None
        if known.cameras is not None and known.camera is not None:
            names = known.cameras if camera is None else camera
            if not np.size(names):
                raise ValueError(f"expected at least one camera, received {camera}.")
            cameras = np.atleast_1d(camera_indices(names, known.cameras).numpy())
            known.require((int(index), None) for index in cameras)
            if known.camera.is_needed:
                self._cameras = cameras
        self._choose_isos(iso, iso_range)
        if not self._needs_iso:
            self._isos = self._log_range = None
        if known.is_by_pair and self._cameras is not None and self._isos is not None:
            self._pairs = _Pairs(known, self._isos, self._cameras)
            self._pairs.check(is_camera_given=camera is not None, is_iso_given=iso is not None)

    def _choose_isos(
        self, iso: float | Sequence[float] | None, iso_range: tuple[float, float] | None
    ) -> None:
        rule = self._known.iso
        if iso is not None and iso_range is not None:
            raise ValueError(f"expected iso or iso_range, received {iso} and {iso_range}.")
        if iso_range is None:
            isos = rule.levels if iso is None else np.atleast_1d(iso)
            if isos is None:
                return
            isos = np.array(isos, np.float64)
            is_valid = isos.size and np.all((isos > 0) & np.isfinite(isos))
            if not (is_valid and np.all(rule.is_known(isos))):
                known = f" among the known ones ({rule.known})" if rule.known else ""
                raise ValueError(f"expected positive ISOs{known}, received {iso}.")
            self._isos = isos
            return
        low, high = (float(end) for end in iso_range)
        if not 0 < low <= high < math.inf:
            raise ValueError(f"expected iso_range (lowest, highest) above 0, received {iso_range}.")
        if rule.levels is None:
            if not np.all(rule.is_known(np.array([low, high]))):
                raise ValueError(
                    f"expected an iso_range within the known one ({rule.known}), received "
                    f"{iso_range}."
                )
            self._log_range = (math.log(low), math.log(high))
            return
        isos = np.array([level for level in rule.levels if low <= level <= high])
        if not isos.size:
            raise ValueError(
                f"expected an iso_range with some of the model's ISO levels {rule.levels} in it, "
                f"received {iso_range}."
            )
        self._isos = isos

    def __call__(
        self, clean: tf.Tensor, seed: tf.Tensor, iso: TensorLike = None, camera: TensorLike = None
    ) -> tuple:
        """Draws ISOs and cameras.

        Args:
          clean: [.., H, W, C], the images they are for.
          seed: int [2], stateless.
          iso, camera: what the images bring, of clean's batch shape: the other one is drawn to it.

        Returns:
          iso (clean's dtype) and camera (int32 indices) of clean's batch shape, or as they were
          given; None for what the model does not depend on.

        Raises:
          ValueError: neither the images bring an ISO nor is there one to draw.
        """
        has_iso = iso is not None or self._isos is not None or self._log_range is not None
        if self._needs_iso and not has_iso:
            raise ValueError(
                "expected iso or iso_range, or images that bring their iso: the noise model has no "
                "ISO levels to draw from."
            )
        drawn_iso, drawn_camera = self._draw(clean, seed, iso, camera)
        return drawn_iso if iso is None else iso, drawn_camera if camera is None else camera

    def _draw(
        self, clean: tf.Tensor, seed: tf.Tensor, given_iso: TensorLike, given_camera: TensorLike
    ) -> tuple:
        iso_seed, camera_seed = tf.unstack(tf.random.split(seed, 2))
        is_given = given_iso is not None or given_camera is not None
        if self._pairs is not None and (is_given or not self._pairs.are_free):
            chance = _uniform(clean, iso_seed, 0, 1, clean.dtype)
            return self._pairs.drawn(chance, given_iso, given_camera)
        iso = camera = None
        if self._isos is not None:
            isos = tf.constant(self._isos, clean.dtype)
            iso = tf.gather(isos, _index(self._isos, clean, iso_seed))
        elif self._log_range is not None:
            low, high = self._log_range
            iso = tf.exp(_uniform(clean, iso_seed, low, high, clean.dtype))
        if self._cameras is not None:
            cameras = tf.constant(self._cameras, tf.int32)
            camera = tf.gather(cameras, _index(self._cameras, clean, camera_seed))
        return iso, camera


class _Pairs:
    """The pairs of camera and ISO that a model knows, and which of its cameras and ISOs to draw.

    Args:
      known: with cameras and ISO levels, K and M of them.
      isos, cameras: to draw, ISOs and indices.
    """

    def __init__(self, known: Known, isos: np.ndarray, cameras: np.ndarray):
        assert known.camera is not None and known.cameras is not None
        assert known.iso_levels is not None
        self._camera, self._camera_names = known.camera, known.cameras
        self._iso_levels = known.iso_levels
        numbers = range(len(known.cameras))
        self._is_known = np.array(
            [[known.holds(iso, camera) for camera in numbers] for iso in known.iso_levels]
        )
        self._is_drawn_iso = known.iso.is_level(isos).any(axis=0)
        self._is_drawn_camera = np.isin(numbers, cameras)

    @property
    def are_free(self) -> bool:
        """Whether every ISO to draw is known for every camera to draw."""
        return bool(self._is_known[self._is_drawn_iso][:, self._is_drawn_camera].all())

    def check(self, *, is_camera_given: bool, is_iso_given: bool) -> None:
        """Raises ValueError where what was asked for by name, or everything, is in no known pair.

        Args:
          is_camera_given, is_iso_given: whether the cameras and ISOs were asked for by name.
        """
        is_pair = self._is_known & self._is_drawn_iso[:, None] & self._is_drawn_camera
        cameras = np.array(self._camera_names)
        isos = np.array(self._iso_levels)
        lost_cameras = cameras[self._is_drawn_camera & ~is_pair.any(axis=0)].tolist()
        lost_isos = isos[self._is_drawn_iso & ~is_pair.any(axis=1)].tolist()
        is_wrong = (is_camera_given and lost_cameras) or (is_iso_given and lost_isos)
        if is_wrong or not is_pair.any():
            raise ValueError(
                f"expected cameras and ISOs that the noise model knows together "
                f"({known_pairs(self._camera, self._camera_names)}), received cameras "
                f"{lost_cameras} and ISOs {lost_isos} that it does not know with any of the others."
            )

    def drawn(
        self, chance: tf.Tensor, iso: TensorLike = None, camera: TensorLike = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A known pair for each image.

        Args:
          chance: [..] uniform in [0, 1).
          iso, camera: [..], what is given: the pair then has it, where there is one.

        Returns:
          iso and camera, [..].
        """
        is_iso, is_camera = tf.constant(self._is_drawn_iso), tf.constant(self._is_drawn_camera)
        levels = Iso(self._iso_levels)
        if iso is not None:
            is_iso = levels.is_level(tf.cast(iso, chance.dtype))
        if camera is not None:
            camera = tf.cast(camera_indices(camera, self._camera_names), tf.int32)
            is_camera = tf.equal(camera[..., None], tf.range(self._is_known.shape[1]))
        is_pair = self._is_known & is_iso[..., :, None] & is_camera[..., None, :]
        is_pair = tf.reshape(is_pair, tf.concat([tf.shape(is_pair)[:-2], [-1]], axis=0))
        count = tf.cumsum(tf.cast(is_pair, chance.dtype), axis=-1)
        # Below the last count also where the product is rounded up.
        wanted = tf.minimum(tf.floor(chance * count[..., -1]), count[..., -1] - 1)
        # Where no pair is known, the first, which the noise model then refuses.
        pair = tf.argmax(count > wanted[..., None], axis=-1, output_type=tf.int32)
        level, camera = pair // self._is_known.shape[1], pair % self._is_known.shape[1]
        return tf.gather(tf.constant(levels.levels, chance.dtype), level), camera


def _index(values: np.ndarray, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return _uniform(clean, seed, 0, len(values), tf.int32)


def _uniform(
    clean: tf.Tensor, seed: tf.Tensor, low: float, high: float, dtype: tf.DType
) -> tf.Tensor:
    drawn = tf.random.stateless_uniform(tf.shape(clean)[:-3], seed, low, high, dtype)
    return tf.ensure_shape(drawn, clean.shape[:-3])
