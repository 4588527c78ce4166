"""Cameras and ISOs of models that do not know every camera at every ISO."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.conditions import ISO_TOLERANCE, Iso
from tfp_noiseflow.models.cameras import camera_indices
from tfp_noiseflow.models.noise_model import NoiseModel


class KnownPairs:
    """The pairs of camera and ISO that a model knows, and which of its cameras and ISOs to draw.

    Args:
      model: with cameras and ISO levels.
      is_known: [K, M] bool, for each of its K levels and M cameras.
      is_drawn_iso, is_drawn_camera: [K] and [M] bool.
    """

    def __init__(self, model: NoiseModel, is_known, is_drawn_iso, is_drawn_camera):
        self._model = model
        self._is_known = is_known
        self._is_drawn_iso = is_drawn_iso
        self._is_drawn_camera = is_drawn_camera

    @classmethod
    def of(cls, model: NoiseModel, isos: np.ndarray, cameras: np.ndarray) -> KnownPairs | None:
        """The known pairs of a model, None where it knows all of them."""
        numbers = range(len(model.cameras))
        is_known = np.array(
            [[model.knows_together(iso, camera) for camera in numbers] for iso in model.iso_levels]
        )
        if is_known.all():
            return None
        difference = np.abs(isos[:, None] - np.array(model.iso_levels))
        is_drawn_iso = np.any(difference <= ISO_TOLERANCE * isos[:, None], axis=0)
        return cls(model, is_known, is_drawn_iso, np.isin(numbers, cameras))

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
        cameras = np.array(self._model.cameras)
        isos = np.array(self._model.iso_levels)
        lost_cameras = cameras[self._is_drawn_camera & ~is_pair.any(axis=0)].tolist()
        lost_isos = isos[self._is_drawn_iso & ~is_pair.any(axis=1)].tolist()
        is_wrong = (is_camera_given and lost_cameras) or (is_iso_given and lost_isos)
        if is_wrong or not is_pair.any():
            known = [f"{cameras[m]} at ISO {isos[k]:g}" for k, m in np.argwhere(self._is_known)]
            raise ValueError(
                f"expected cameras and ISOs that the noise model knows together "
                f"({', '.join(known)}), received cameras {lost_cameras} and ISOs {lost_isos} that "
                "it does not know with any of the others."
            )

    def drawn(self, chance: tf.Tensor, iso=None, camera=None) -> tuple[tf.Tensor, tf.Tensor]:
        """A known pair for each image.

        Args:
          chance: [..] uniform in [0, 1).
          iso, camera: [..], what is given: the pair then has it, where there is one.

        Returns:
          iso and camera, [..].
        """
        is_iso, is_camera = tf.constant(self._is_drawn_iso), tf.constant(self._is_drawn_camera)
        if iso is not None:
            is_iso = Iso(self._model.iso_levels).is_level(tf.cast(iso, chance.dtype))
        if camera is not None:
            camera = tf.cast(camera_indices(camera, self._model.cameras), tf.int32)
            is_camera = tf.equal(camera[..., None], tf.range(self._is_known.shape[1]))
        is_pair = self._is_known & is_iso[..., :, None] & is_camera[..., None, :]
        is_pair = tf.reshape(is_pair, tf.concat([tf.shape(is_pair)[:-2], [-1]], axis=0))
        count = tf.cumsum(tf.cast(is_pair, chance.dtype), axis=-1)
        # Below the last count also where the product is rounded up.
        wanted = tf.minimum(tf.floor(chance * count[..., -1]), count[..., -1] - 1)
        # Where no pair is known, the first, which the noise model then refuses.
        pair = tf.argmax(count > wanted[..., None], axis=-1, output_type=tf.int32)
        level, camera = pair // self._is_known.shape[1], pair % self._is_known.shape[1]
        return tf.gather(tf.constant(self._model.iso_levels, chance.dtype), level), camera
