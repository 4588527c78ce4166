"""A noise model as the process that captures are simulated with."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.models.model_directory import load_model, read_config
from tfp_noiseflow.models.noise_model import NoiseModel, sample_noise


class ModelProcess:
    """Captures whose noise a noise model draws: neither clipped nor quantised.

    `simulate_captures` takes it as its process. The true density of such captures is the model's
    own, so that they show what another model loses against it.

    Args:
      model: a noise model of 4 channels (or of any number), with cameras.
      training_data: "description", "origin" and "licence" of what the model was trained on.
      iso_levels: ISOs of the captures; None: the model's levels.

    Raises:
      ValueError: the model knows no cameras, or not each of them at the ISOs, or has other
        channels; no ISOs for a model without levels.
    """

    # Fractions of full scale, continuous.
    black_level = 0.0
    white_level = 1.0
    quantization_step = 0.0
    true_nlf = None
    reported_nlf = None

    def __init__(
        self,
        model: NoiseModel,
        training_data: dict | None = None,
        iso_levels: Sequence[float] | None = None,
    ):
        iso_levels = iso_levels or model.iso_levels
        if model.cameras is None or not iso_levels or model.channels not in (None, 4):
            raise ValueError(
                "expected a model of 4 channels that knows its cameras, and ISOs where it has no "
                f"levels, received {model!r} of {model.channels} channels and ISOs {iso_levels}."
            )
        model.known.require_each(model.cameras, iso_levels)
        about = training_data or {}
        self.cameras = model.cameras
        self.iso_levels = tuple(float(iso) for iso in iso_levels)
        self.description = (
            f"Simulated captures with noise drawn from {model!r}, trained on: "
            f"{about.get('description') or 'not known'}."
        )
        self.licence = (
            f"The noise: drawn from a model trained on {about.get('origin') or 'unnamed data'}, "
            f"licence: {about.get('licence') or 'not known'}."
        )
        image = tf.TensorSpec([None, None, None, 4], model.dtype)

        @tf.function(
            input_signature=[
                image,
                tf.TensorSpec([None], model.dtype),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, 2], tf.int64),
            ]
        )
        def draw(clean, iso, camera, seeds):
            return sample_noise(model, clean, iso, camera, seeds=seeds)

        self._draw = draw
        self._dtype = model.dtype.as_numpy_dtype

    @classmethod
    def load(
        cls, model_dir: str | os.PathLike, iso_levels: Sequence[float] | None = None
    ) -> ModelProcess:
        """The process of a model directory; `iso_levels` as for the class.

        Raises:
          FileNotFoundError, ValueError: as `load_model`.
        """
        training_data = read_config(model_dir).get("training_data")
        return cls(load_model(model_dir), training_data, iso_levels)

    def store_clean(self, clean: np.ndarray) -> np.ndarray:
        """Clean images in the units of `observe`'s: the same.

        Args:
          clean: [n, H, W, 4] in [0, 1].

        Returns:
          The same, float32.
        """
        return clean.astype(np.float32)

    def observe(
        self, clean: np.ndarray, camera: np.ndarray, iso: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws one noisy image for each clean one.

        Args:
          clean: [n, H, W, 4] packed, in [0, 1].
          camera, iso: [n], positions in `cameras` and `iso_levels`.
          rng: random numbers.

        Returns:
          [n, H, W, 4] float32.
        """
        noise = self._draw(
            clean.astype(self._dtype),
            np.asarray(self.iso_levels, self._dtype)[iso],
            camera.astype(np.int32),
            rng.integers(2**31, size=(len(clean), 2)),
        )
        return (clean + noise.numpy()).astype(np.float32)
