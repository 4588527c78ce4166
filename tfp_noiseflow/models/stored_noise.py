"""A noise model of what a sensor stores: another model's noise, rounded to codes and clipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.code_sample import CodePixels, sample_codes
from tfp_noiseflow.models.model_directory import (
    describe_model,
    model_from_description,
    register_noise_model,
)
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.models.stored_distribution import StoredDistribution
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike

# Steps come from files in float32.
STEP_TOLERANCE = 1e-6


@register_noise_model
class StoredNoise(NoiseModel):
    """Noise as a sensor stores it: clean + noise is a code, and ends at black and white.

    ```python
    model = nf.StoredNoise(nf.NoiseFlow("S-Ax4-G-Ax4-CAM"), quantization_step=1 / 1023)
    noise = model(clean, iso=800, camera="G4")  # a StoredDistribution
    noise.log_prob(codes - clean)  # log-probability of the codes as a density, or a bound of it
    ```

    Args:
      unstored: the noise model of the noise before it is stored; its variables are this model's.
      quantization_step: codes' distance as a fraction of full scale, 1 / (white - black): one for
        all cameras, one for each by name, or one for each in the order of `unstored.cameras`. 0:
        continuous, values are clipped alone.
      clips_black, clips_white: whether values end at 0 and at 1. Not at 0 where files keep codes
        below the black level.

    Attributes:
      unstored, clips_black, clips_white: as given. quantization_step: a number, or where cameras
        differ a tuple of one for each.

    Raises:
      ValueError: a step that is negative, NaN or above 1; steps of other cameras than the model's;
        0 for some cameras alone; where white clips, a step of which white is no multiple.
    """

    dequantises = False
    quantization_step: float | tuple[float, ...]

    def __init__(
        self,
        unstored: NoiseModel,
        quantization_step: float | Sequence[float] | Mapping[str, float],
        *,
        clips_black: bool = True,
        clips_white: bool = True,
    ):
        super().__init__(
            unstored.bijector,
            channels=unstored.channels,
            known=unstored.known,
            dtype=unstored.dtype,
            name="stored_noise",
        )
        self._unstored = unstored
        self.has_density = unstored.has_density
        self.licence, self.origin = unstored.licence, unstored.origin
        self.trained_iso_range = unstored.trained_iso_range
        self.clips_black, self.clips_white = clips_black, clips_white
        self.quantization_step = _checked_steps(quantization_step, self.cameras, clips_white)
        if isinstance(self.quantization_step, tuple):
            assert self.known.camera is not None  # Each camera has a step.
            self.known = replace(self.known, camera=replace(self.known.camera, is_needed=True))

    @not_converted
    def __call__(
        self, clean: TensorLike, iso: TensorLike = None, camera: TensorLike = None
    ) -> StoredDistribution:
        """The distribution of the noise that is stored of captures.

        Args:
          clean, iso, camera: as for any noise model; camera too where the step depends on it.

        Returns:
          A `StoredDistribution`: batch_shape [B], event_shape [H, W, C].

        Raises:
          ValueError: as for any noise model.
        """
        with self.name_scope:
            unstored = self.unstored(clean, iso=iso, camera=camera)
            step = self.quantization_step
            if isinstance(step, tuple):
                if "camera" not in unstored.given:
                    raise ValueError(
                        f"expected camera, on which the quantization step {step} depends, received "
                        "None."
                    )
                step = tf.gather(tf.constant(step, self.dtype), unstored.given["camera"])
            return StoredDistribution(
                unstored, step, clips_black=self.clips_black, clips_white=self.clips_white
            )

    @property
    def unstored(self) -> NoiseModel:
        return self._unstored

    def storing(
        self, unstored: NoiseModel, code_steps: Mapping[str, float] | None = None
    ) -> StoredNoise:
        step: float | Sequence[float] = self.quantization_step
        if not isinstance(step, float) or code_steps:
            cameras = self.cameras or ()
            own = [step] * len(cameras) if isinstance(step, float) else step
            by_camera = {**(code_steps or {}), **dict(zip(cameras, own, strict=True))}
            step = [by_camera[camera] for camera in unstored.cameras or ()]
        ends = {"clips_black": self.clips_black, "clips_white": self.clips_white}
        return StoredNoise(unstored, step, **ends)

    def sample_codes(
        self, captures: Captures, **options: Any
    ) -> dict[tuple[str, float], CodePixels]:
        """As `NoiseModel`'s; ValueError too for captures whose quantization step is another."""
        self.check_steps(captures)
        return sample_codes(
            captures, clips_black=self.clips_black, clips_white=self.clips_white, **options
        )

    def check_steps(self, captures: Captures) -> None:
        """Raises ValueError for captures whose quantization step is not this model's."""
        own, cameras = self.quantization_step, self.cameras or ()
        for camera, step in captures.code_steps().items():
            expected = own[cameras.index(camera)] if isinstance(own, tuple) else own
            if abs(step - expected) > STEP_TOLERANCE * expected:
                raise ValueError(
                    f"{captures.path}: expected captures of {camera!r} with a quantization step of "
                    f"{expected:.9g} of full scale, received {step:.9g}."
                )

    @property
    def is_exact(self) -> bool:
        """Whether `log_prob` is the log-probability, not a bound of it."""
        return self.bijector is not None and self.bijector.is_pixelwise

    @property
    def architecture(self) -> str:
        """That of the unstored noise, in words for `describe` and reports."""
        return getattr(self.unstored, "architecture", type(self.unstored).__name__)

    @property
    def in_words(self) -> str:
        kind = "codes" if self.quantization_step else "values"
        return f"{kind} that a sensor stores, clipped at {self._ends}, of {self.unstored.in_words}"

    @property
    def _ends(self) -> str:
        ends = ["black"] * self.clips_black + ["white"] * self.clips_white
        return " and ".join(ends) or "no end"

    def get_config(self) -> dict:
        step = self.quantization_step
        return {
            "unstored": describe_model(self.unstored),
            "quantization_step": list(step) if isinstance(step, tuple) else step,
            "clips_black": self.clips_black,
            "clips_white": self.clips_white,
        }

    @classmethod
    def from_config(cls, config: dict) -> StoredNoise:
        return cls(**{**config, "unstored": model_from_description(config["unstored"])})

    def __repr__(self) -> str:
        return (
            f"StoredNoise({self.unstored}; quantization step {self.quantization_step}, clipped at "
            f"{self._ends})"
        )


def _checked_steps(
    steps: float | Sequence[float] | Mapping[str, float],
    cameras: tuple[str, ...] | None,
    clips_white: bool,
) -> float | tuple[float, ...]:
    """One number, or one for each camera."""
    if isinstance(steps, Mapping):
        if cameras is None or {*steps} != {*cameras}:
            raise ValueError(
                f"expected a quantization step for each of the cameras {cameras}, received steps "
                f"of {list(steps)}."
            )
        steps = [steps[camera] for camera in cameras]
    array = np.asarray(steps, np.float64)
    if array.ndim and array.shape != (len(cameras or ()),):
        raise ValueError(
            f"expected a quantization step, or one for each of the cameras {cameras}, received "
            f"{steps}."
        )
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(
            "expected a quantization step of 0 (continuous) or up to 1, a fraction of full scale, "
            f"received {steps}."
        )
    if np.any(array == 0):
        if np.any(array > 0):
            raise ValueError(
                f"expected quantization steps that are all positive or all 0, received {steps}."
            )
        return 0.0
    codes = 1 / array
    if clips_white and np.any(np.abs(codes - np.round(codes)) > STEP_TOLERANCE * codes):
        raise ValueError(
            "expected white, where values are clipped, to be a multiple of the quantization step "
            f"(1 / (white - black) in codes), received {steps}."
        )
    # Cameras of one step need not be told apart.
    return tuple(array.tolist()) if np.unique(array).size > 1 else float(array.flat[0])
