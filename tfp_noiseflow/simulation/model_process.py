"""A noise model as the process that captures are simulated with."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from tfp_noiseflow.models.model_directory import load_model, read_config
from tfp_noiseflow.models.noise_model import NoiseModel, sample_noise


class ModelProcess:
    """Captures whose noise a noise model draws: neither clipped nor quantised.

    `simulate_captures` takes it as its process. The true density of such captures is the model's
    own, so that they show what another model loses against it.

    Args:
      model: a noise model of 4 channels (or of any number), with cameras and ISO levels.
      training_data: "description", "origin" and "licence" of what the model was trained on.

    Raises:
      ValueError: the model knows no cameras or no ISOs by themselves, or has other channels.
    """

    # Fractions of full scale, continuous.
    black_level = 0.0
    white_level = 1.0
    quantization_step = 0.0
    true_nlf = None
    reported_nlf = None

    def __init__(self, model: NoiseModel, training_data: dict | None = None):
        if model.cameras is None or model.iso_levels is None or model.channels not in (None, 4):
            raise ValueError(
                "expected a model of 4 channels that knows its cameras and ISOs, received "
                f"{model!r} of {model.channels} channels."
            )
        about = training_data or {}
        self.cameras = model.cameras
        self.iso_levels = model.iso_levels
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
    def load(cls, model_dir: str | os.PathLike) -> ModelProcess:
        """The process of a model directory.

        Raises:
          FileNotFoundError, ValueError: as `load_model`.
        """
        return cls(load_model(model_dir), read_config(model_dir).get("training_data"))

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
