"""A camera's noise on clean images, of drawn cameras and ISOs: what the layers have in common."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.augmentation.camera_output import camera_output, checked_gain
from tfp_noiseflow.augmentation.pattern_crops import PatternCrops
from tfp_noiseflow.captures.fixed_pattern import FixedPattern
from tfp_noiseflow.conditions.conditions import CleanImage
from tfp_noiseflow.images.image import over_image
from tfp_noiseflow.images.stored_codes import as_stored
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike


class NoiseAdder:
    """Adds a noise model's noise to images, each of a camera and an ISO of its own.

    A pure function of images and of a number: `AddCameraNoise` counts its calls, a `tf.data`
    pipeline its elements.

    Args:
      noise_model, camera, iso, iso_range, quantization_step, clips, digital_gain, fixed_patterns,
        returns_pairs, jit_compile, seed: as for `AddCameraNoise`.

    Raises:
      ValueError: as for `AddCameraNoise`.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        camera: str | Sequence[str] | None = None,
        iso: float | Sequence[float] | None = None,
        *,
        iso_range: tuple[float, float] | None = None,
        quantization_step: float = 0.0,
        clips: bool = False,
        digital_gain: float | tuple[float, float] = 1.0,
        fixed_patterns: Sequence[FixedPattern] = (),
        returns_pairs: bool = False,
        jit_compile: bool = False,
        seed: int = 0,
    ):
        if jit_compile and noise_model.bijector is None:
            raise ValueError(
                "expected jit_compile=False for a noise model without a bijector, received "
                f"{noise_model}."
            )
        if not 0 <= quantization_step < 1:
            raise ValueError(f"expected 0 <= quantization_step < 1, received {quantization_step}.")
        gains = np.broadcast_to(np.asarray(digital_gain, np.float64), [2])
        if not 1 <= gains[0] <= gains[1] < np.inf:
            raise ValueError(
                "expected a digital gain of at least 1, or (lowest, highest) of them, received "
                f"{digital_gain}."
            )
        self.digital_gain = (float(gains[0]), float(gains[1]))
        self._pattern_crops = None
        if fixed_patterns:
            self._pattern_crops = PatternCrops(
                fixed_patterns, noise_model.known, noise_model.channels or 4, noise_model.dtype
            )
        self._draw_conditions = noise_model.known.drawing(camera, iso, iso_range)
        self.noise_model = noise_model
        self.quantization_step = quantization_step
        self.clips = clips
        self.returns_pairs = returns_pairs
        self.seed = seed
        self._noisy = self._noisy_of_latent if jit_compile else self._noisy_at_once
        self._compiled = tf.function(self._of_latent, jit_compile=True, autograph=False)

    def __call__(self, inputs: Any, number: TensorLike, replica: TensorLike) -> Any:
        """Noisy images, or (noisy, clean), [.., H, W, C] in the noise model's dtype.

        Args:
          inputs: images or a dict as for `AddCameraNoise`.
          number, replica: integers of which, with the seed, all that is drawn depends.
        """
        return self._add(inputs, self._seed_of(number, replica))

    def unchanged(self, inputs: Any) -> Any:
        """The clean images, in the place of noisy ones."""
        clean = _features(inputs)["clean"]
        return (clean, clean) if self.returns_pairs else clean

    def map_function(self, index: Any, element: Any = None) -> Any:
        """As `AddCameraNoise.map_function`."""
        # -1 is the replica of no layer: a map function and a layer of one seed differ.
        if not _is_index(index):
            raise ValueError(
                "expected the element's index first: dataset.enumerate().map(map_function), "
                f"received {index}."
            )
        return self(element, index, -1)

    def _seed_of(self, number: TensorLike, replica: TensorLike) -> tf.Tensor:
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(number, tf.int64)])
        # fold_in hashes to the dtype of what is folded in, and of 32 bits 80,000 calls repeat one.
        return tf.random.fold_in(seed, tf.cast(replica, tf.int64))

    @not_converted
    def _add(self, inputs: Any, seed: tf.Tensor) -> Any:
        features = _features(inputs)
        clean = features["clean"]
        if clean.dtype.is_floating:
            clean = tf.cast(clean, self.noise_model.dtype)
        clean = CleanImage().convert("clean", clean, self.noise_model.dtype)
        # As tf.random.split, but in the dtype that TFP's seeds have.
        seeds = tf.random.stateless_uniform([2, 2], seed, None, None, tf.int32)
        condition_seed, noise_seed = tf.unstack(seeds)
        iso, camera = features.get("iso"), features.get("camera")
        if iso is not None:
            iso = tf.cast(iso, self.noise_model.dtype)
        iso, camera = self._draw_conditions(clean, condition_seed, iso, camera)
        # Of other numbers than what follows is drawn with.
        gain_seed, pattern_seed = (tf.random.fold_in(condition_seed, number) for number in (1, 2))
        pattern = None
        if self._pattern_crops is not None:
            pattern = functools.partial(self._pattern_crops, seed=pattern_seed)
        gain = self._gain(clean, gain_seed, features.get("digital_gain"))
        noisy = self._noisy(clean, iso, camera, gain, noise_seed, pattern)
        # The first term is zero and has clean's gradient; the second stays exactly on its code.
        noisy = (clean - tf.stop_gradient(clean)) + tf.stop_gradient(noisy)
        return (noisy, clean) if self.returns_pairs else noisy

    def _noisy_at_once(
        self,
        clean: tf.Tensor,
        iso: TensorLike,
        camera: TensorLike,
        gain: tf.Tensor,
        seed: tf.Tensor,
        pattern: tf.Tensor | None,
    ) -> tf.Tensor:
        return self._stored(
            camera_output(
                self.noise_model,
                clean,
                iso,
                camera,
                draw=lambda unstored: unstored.sample(seed=seed),
                pattern=pattern,
                digital_gain=gain,
            )
        )

    def _noisy_of_latent(
        self,
        clean: tf.Tensor,
        iso: TensorLike,
        camera: TensorLike,
        gain: tf.Tensor,
        seed: tf.Tensor,
        pattern: tf.Tensor | None,
    ) -> tf.Tensor:
        """The same noise, by XLA but for what is checked and drawn.

        XLA drops checks, and draws normal numbers otherwise, and slowly on CPUs.
        """
        gain = checked_gain(gain, clean.dtype)
        unstored = self.noise_model(clean / over_image(gain), iso=iso, camera=camera).unstored
        latent = unstored.distribution.sample(seed=seed)
        pattern = None if pattern is None else pattern(unstored)
        given = {name: value for name, value in unstored.given.items() if name != "clean"}
        return self._compiled(clean, gain, latent, pattern, given)

    def _of_latent(
        self,
        clean: tf.Tensor,
        gain: tf.Tensor,
        latent: tf.Tensor,
        pattern: tf.Tensor | None,
        given: Mapping,
    ) -> tf.Tensor:
        return self._stored(
            camera_output(
                self.noise_model,
                clean,
                given.get("iso"),
                given.get("camera"),
                draw=lambda unstored: unstored.bijector.forward(latent),
                pattern=None if pattern is None else lambda _: pattern,
                digital_gain=gain,
            )
        )

    def _stored(self, noisy: tf.Tensor) -> tf.Tensor:
        clips = {"clips_black": self.clips, "clips_white": self.clips}
        return as_stored(noisy, self.quantization_step, **clips)

    def _gain(self, clean: tf.Tensor, seed: tf.Tensor, given: TensorLike) -> tf.Tensor:
        """The digital gain, of each image where it is given or drawn."""
        if given is not None:
            return tf.cast(given, clean.dtype)
        low, high = np.log(self.digital_gain)
        if low == high:
            return tf.constant(self.digital_gain[0], clean.dtype)
        drawn = tf.random.stateless_uniform(tf.shape(clean)[:-3], seed, low, high, clean.dtype)
        return tf.ensure_shape(tf.maximum(tf.exp(drawn), 1), clean.shape[:-3])


def _is_index(index: Any) -> bool:
    """Whether it is an integer scalar, as `enumerate` gives."""
    if isinstance(index, Mapping):
        return False
    index = tf.convert_to_tensor(index)
    return index.dtype.is_integer and index.shape.rank in (0, None)


def _features(inputs: Any) -> Mapping:
    features = inputs if isinstance(inputs, Mapping) else {"clean": inputs}
    unknown = sorted(set(features) - {"clean", "iso", "camera", "digital_gain"})
    if "clean" not in features or unknown:
        raise ValueError(
            "expected clean images, or a dict with clean and optionally iso, camera and "
            f"digital_gain, received a dict with {sorted(features)}."
        )
    clean = tf.convert_to_tensor(features["clean"])
    return {**features, "clean": clean}
