"""Crops of cameras' fixed patterns, for patches whose place on the sensor is not known."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import tensorflow as tf

from tfp_noiseflow.captures.fixed_pattern import FixedPattern, pattern_of
from tfp_noiseflow.conditions.checks import require
from tfp_noiseflow.conditions.conditions import Iso
from tfp_noiseflow.conditions.known import Known
from tfp_noiseflow.images.crops import ALGORITHM, random_crop, size_with_room
from tfp_noiseflow.models.noise_distribution import NoiseDistribution
from tfp_noiseflow.types import TensorLike


class PatternCrops:
    """Draws for each image a crop of its camera's fixed pattern at its ISO.

    Positions are random and keep the phase of the mosaic.

    Args:
      patterns: one of each camera that `known` names, or one where it names none.
      known: the cameras and ISOs of the noise model.
      channels: of the images, 4 (packed) or 1.
      dtype: of the images.

    Raises:
      ValueError: patterns of other cameras, or a pattern without channels of that number.
    """

    def __init__(
        self,
        patterns: Sequence[FixedPattern],
        known: Known,
        channels: int,
        dtype: tf.DType,
    ):
        cameras = known.cameras
        if cameras is None and len(patterns) == 1:
            cameras = (patterns[0].camera,)
        if sorted(pattern.camera for pattern in patterns) != sorted(cameras or ()):
            raise ValueError(
                f"expected a fixed pattern of each of the cameras {known.cameras} of the noise "
                f"model, received those of {[pattern.camera for pattern in patterns]}."
            )
        own = [pattern_of(patterns, camera) for camera in cameras or ()]
        self._levels = [Iso(pattern.iso_levels) for pattern in own]
        self._frames = [
            tf.stack(
                [
                    tf.constant(pattern.image(iso, (None, None, channels)), dtype)
                    for iso in pattern.iso_levels
                ]
            )
            for pattern in own
        ]

    def __call__(self, distribution: NoiseDistribution, seed: tf.Tensor) -> tf.Tensor:
        """A crop for each image of a batch.

        Args:
          distribution: of their noise, bound to their conditions.
          seed: int [2].

        Returns:
          [.., H, W, C].

        Raises:
          ValueError: no ISO; an ISO that a camera's pattern does not have, images larger than a
            pattern (InvalidArgumentError where only the graph knows).
        """
        given, batch = distribution.given, distribution.batch_shape_tensor()
        if "iso" not in given:
            raise ValueError("expected iso, by which fixed patterns go, received None.")
        iso = tf.reshape(tf.broadcast_to(given["iso"], batch), [-1])
        camera = tf.zeros_like(iso, tf.int32)
        if "camera" in given:
            camera = tf.reshape(tf.broadcast_to(given["camera"], batch), [-1])
        size = distribution.event_shape_tensor()[:2]
        for number, (levels, frames) in enumerate(zip(self._levels, self._frames, strict=True)):
            size = size_with_room(frames, size, "a fixed pattern")
            is_known = tf.logical_or(tf.not_equal(camera, number), levels.is_known(iso))
            require(
                tf.reduce_all(is_known),
                f"ISOs among those of the camera's fixed pattern ({levels.known})",
                iso,
            )
        seeds = tf.random.stateless_uniform(
            [tf.size(iso), 2], seed, None, None, tf.int32, alg=ALGORITHM
        )
        crops = tf.map_fn(
            lambda row: self._crop(size, *row),
            (iso, camera, seeds),
            fn_output_signature=distribution.dtype,
        )
        shape = tf.concat([batch, distribution.event_shape_tensor()], axis=0)
        return tf.ensure_shape(
            tf.reshape(crops, shape), [*distribution.batch_shape, *distribution.event_shape]
        )

    def _crop(
        self, size: tf.Tensor, iso: TensorLike, camera: TensorLike, seed: tf.Tensor
    ) -> tf.Tensor:
        def of_camera(number: int) -> tf.Tensor:
            place, _ = self._levels[number].level(iso)
            return random_crop(self._frames[number], place, 1, size, seed)

        branches = [functools.partial(of_camera, number) for number in range(len(self._frames))]
        return branches[0]() if len(branches) == 1 else tf.switch_case(camera, branches)
