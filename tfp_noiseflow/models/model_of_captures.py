"""The untrained model of captures: what training begins with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.models.model_directory import untrained_model
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.models.stored_noise import StoredNoise

ENDS = ("black", "white")


def model_of_captures(
    architecture: str,
    captures: Captures,
    *,
    cameras: Sequence[str] | None = None,
    iso_levels: Sequence[float] | None = None,
    clips: Collection[str] | None = None,
    seed: int | None = None,
    **options: Any,
) -> NoiseModel:
    """A flow of the cameras and ISOs of captures, with its variables at their start.

    Args:
      architecture: as for `untrained_model`.
      captures: to train on.
      cameras, iso_levels: those of the captures by default.
      clips: the ends of `ENDS` at which values are clipped where the model is of the codes that the
        captures store (`StoredNoise`); None: it is of dequantised noise.
      seed: of the initial weights.
      **options: the other arguments of `NoiseFlow`.

    Raises:
      ValueError: as `untrained_model` and `StoredNoise`; clips at another end; captures without
        codes.
    """
    flow = untrained_model(
        architecture,
        cameras=cameras or captures.cameras,
        iso_levels=iso_levels or captures.iso_levels,
        channels=captures.image_shape[-1],
        seed=seed,
        **options,
    )
    if clips is None:
        return flow
    if unknown := {*clips} - {*ENDS}:
        raise ValueError(f"expected ends among {list(ENDS)}, received {sorted(unknown)}.")
    return StoredNoise(
        flow.unstored,
        captures.code_steps(),
        clips_black="black" in clips,
        clips_white="white" in clips,
    )
