"""Cameras and ISOs of images that have none: fixed ones, or drawn from sets and ranges."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.augmentation.known_pairs import KnownPairs
from tfp_noiseflow.bijectors.conditions import ISO_TOLERANCE
from tfp_noiseflow.models.cameras import camera_indices
from tfp_noiseflow.models.noise_model import NoiseModel


class RandomConditions:
    """Draws the camera and the ISO that a noise model needs for each image.

    Of a model that does not know every camera at every ISO (`NoiseModel.knows_together`), the pairs
    that it knows are drawn with equal chances.

    Args:
      noise_model: whose cameras and ISO levels are known.
      camera: a name, or names to draw from with equal chances; None: all the model knows.
      iso: an ISO, or ISOs to draw from; None: all levels the model knows. Of a model that takes any
        ISO none is drawn then: all images have to bring their own.
      iso_range: (lowest, highest), instead of `iso`. A model with ISO levels draws among those in
        the range with equal chances, one that takes any ISO draws log-uniformly.

    Raises:
      ValueError: a camera or ISO that the model does not know, or knows with none of the others;
        both `iso` and `iso_range`, a range that is empty.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        camera: str | Sequence[str] | None = None,
        iso: float | Sequence[float] | None = None,
        iso_range: tuple[float, float] | None = None,
    ):
        needed = noise_model.bijector.conditions
        self._dtype = noise_model.dtype
        self._needs_iso = "iso" in needed
        self._cameras = self._isos = self._log_range = None
        if "camera" in needed:
            names = noise_model.cameras if camera is None else camera
            if not np.size(names):
                raise ValueError(f"expected at least one camera, received {camera}.")
            self._cameras = np.atleast_1d(camera_indices(names, noise_model.cameras).numpy())
        if self._needs_iso:
            self._choose_isos(noise_model.iso_levels, iso, iso_range)
        self._pairs = None
        # Of a model that takes any ISO there is no table of what it knows together.
        if self._cameras is not None and self._isos is not None and noise_model.iso_levels:
            self._pairs = KnownPairs.of(noise_model, self._isos, self._cameras)
        if self._pairs is not None:
            self._pairs.check(is_camera_given=camera is not None, is_iso_given=iso is not None)

    def _choose_isos(self, levels, iso, iso_range) -> None:
        if iso is not None and iso_range is not None:
            raise ValueError(f"expected iso or iso_range, received {iso} and {iso_range}.")
        if iso_range is None:
            isos = levels if iso is None else np.atleast_1d(iso)
            if isos is None:
                return
            self._isos = np.array(isos, np.float64)
            self._check_isos(levels, iso)
            return
        low, high = (float(end) for end in iso_range)
        if not 0 < low <= high < math.inf:
            raise ValueError(f"expected iso_range (lowest, highest) above 0, received {iso_range}.")
        if levels is None:
            self._log_range = (math.log(low), math.log(high))
            return
        self._isos = np.array([level for level in levels if low <= level <= high])
        if not self._isos.size:
            raise ValueError(
                f"expected an iso_range with some of the model's ISO levels {levels} in it, "
                f"received {iso_range}."
            )

    def _check_isos(self, levels, iso) -> None:
        is_valid = self._isos.size and np.all((self._isos > 0) & np.isfinite(self._isos))
        if is_valid and levels is not None:
            difference = np.abs(self._isos[:, None] - np.array(levels)).min(axis=1)
            is_valid = np.all(difference <= ISO_TOLERANCE * self._isos)
        if not is_valid:
            known = "" if levels is None else f" among the model's levels {levels}"
            raise ValueError(f"expected positive ISOs{known}, received {iso}.")

    def __call__(self, clean: tf.Tensor, seed: tf.Tensor, iso=None, camera=None) -> tuple:
        """Draws ISOs and cameras.

        Args:
          clean: [.., H, W, C], the images they are for.
          seed: int [2], stateless.
          iso, camera: what the images bring, of clean's batch shape: the other one is drawn to it.

        Returns:
          iso (float) and camera (int32 indices) of clean's batch shape, or as they were given;
          None for what the model does not depend on.

        Raises:
          ValueError: neither the images bring an ISO nor is there one to draw.
        """
        has_iso = iso is not None or self._isos is not None or self._log_range is not None
        if self._needs_iso and not has_iso:
            raise ValueError(
                "expected iso or iso_range, or images that bring their iso: the noise model takes "
                "any ISO."
            )
        drawn_iso, drawn_camera = self._draw(clean, seed, iso, camera)
        return drawn_iso if iso is None else iso, drawn_camera if camera is None else camera

    def _draw(self, clean, seed, given_iso, given_camera) -> tuple:
        iso_seed, camera_seed = tf.unstack(tf.random.split(seed, 2))
        is_given = given_iso is not None or given_camera is not None
        if self._pairs is not None and (is_given or not self._pairs.are_free):
            chance = _uniform(clean, iso_seed, 0, 1, self._dtype)
            return self._pairs.drawn(chance, given_iso, given_camera)
        iso = camera = None
        if self._isos is not None:
            iso = tf.gather(
                tf.constant(self._isos, self._dtype), _index(self._isos, clean, iso_seed)
            )
        elif self._log_range is not None:
            low, high = self._log_range
            iso = tf.exp(_uniform(clean, iso_seed, low, high, self._dtype))
        if self._cameras is not None:
            cameras = tf.constant(self._cameras, tf.int32)
            camera = tf.gather(cameras, _index(self._cameras, clean, camera_seed))
        return iso, camera


def _index(values: np.ndarray, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return _uniform(clean, seed, 0, len(values), tf.int32)


def _uniform(clean: tf.Tensor, seed: tf.Tensor, low, high, dtype: tf.DType) -> tf.Tensor:
    drawn = tf.random.stateless_uniform(tf.shape(clean)[:-3], seed, low, high, dtype)
    return tf.ensure_shape(drawn, clean.shape[:-3])
