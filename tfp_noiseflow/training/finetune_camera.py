"""Fine-tuning a model directory to a new camera."""

from __future__ import annotations

import functools
import os
import warnings
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from tfp_noiseflow.captures.about import about_captures
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.choices import NEW_CAMERA_BATCH_SIZE, NEW_CAMERA_LEARNING_RATE
from tfp_noiseflow.conditions.conditions import Iso
from tfp_noiseflow.laws import fit_camera_laws
from tfp_noiseflow.models.model_directory import (
    load_baselines,
    load_model,
    read_config,
    save_model,
    write_baselines,
)
from tfp_noiseflow.models.new_camera import (
    camera_variables,
    flow_of_camera_law,
    flow_of_new_camera,
    levels_of_cameras,
    mean_law,
    takes_law,
    with_camera_of,
)
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.training.train_noise_model import Schedule, train_noise_model

# They move a number by up to 7.
STEPS = 300
SCHEDULE = Schedule(batch_size=NEW_CAMERA_BATCH_SIZE, learning_rate=NEW_CAMERA_LEARNING_RATE)

TRAINING = "new_camera"


def finetune_camera(
    model_dir: str | os.PathLike,
    captures: Captures,
    camera: str,
    output_model_dir: str | os.PathLike,
    *,
    validation_captures: Captures | None = None,
    schedule: Schedule = SCHEDULE,
    verbose: int = 1,
) -> NoiseModel:
    """Adds a camera to a trained flow and trains that camera's parameters alone.

    A model of stored codes gets the captures' quantization step for the camera, and is trained by
    the likelihood of codes. A flow that takes a camera's law (L, L-Ax4, L-Ax8) starts at the law
    fitted to the captures (`fit_camera_laws`, which warns of what they do not determine). A beta
    that they determine at one ISO alone goes on from there as the known cameras' do on average; one
    that they do not determine is the known cameras' mean. Other flows start at the mean of the
    known cameras' rows.

    Of the flow everything else stays bit-identical. Writes a model directory like
    `train_noise_model`: config.json, the checkpoint and baselines.json, to whose recalibrated NLF
    that of the new camera is added. The training itself is in its folder `new_camera`, from which
    it goes on when it was stopped.

    Args:
      model_dir: of a flow that tells cameras apart (CAM, N or L in its architecture), or of what
        a sensor stores of one.
      captures: of the new camera, at ISOs that the flow knows; captures of other cameras are left
        out. Where the flow has numbers for each camera and ISO (`N`), those of an ISO that they
        lack stay the mean of the known cameras; a warning names the ISO.
      camera: the new camera's name.
      output_model_dir: where the flow of all cameras goes.
      validation_captures: pick the best epoch; by default, as there are so few parameters,
        `captures`.
      schedule: how to train; without `epochs`, as many as give about 300 steps.
      verbose: as for `train_noise_model`.

    Returns:
      The model of all cameras, the new one last.

    Raises:
      ValueError: the model does not tell cameras apart or knows the camera; no captures of it, or
        at unknown ISOs, or of a model of codes without them; output_model_dir holds another model.
    """
    model = load_model(model_dir)
    flow = model.unstored
    alone = flow_of_new_camera(flow, camera)
    captures = _of_camera(captures, camera)
    _warn_of_untrained(alone, captures, camera)
    alone.known.check_captures(captures)
    code_steps = None if model.dequantises else captures.code_steps()
    if takes_law(flow):
        codes = model.storing(alone, code_steps).sample_codes(captures)
        estimate = fit_camera_laws(captures, codes)[camera]
        law = estimate.completed_by(functools.partial(mean_law, flow))
        alone = flow_of_camera_law(flow, law)
    validation = captures
    if validation_captures is not None:
        validation = _of_camera(validation_captures, camera)
    training_dir = os.path.join(output_model_dir, TRAINING)
    is_other = os.path.exists(os.path.join(output_model_dir, "config.json"))
    if is_other and not os.path.isdir(training_dir):
        raise ValueError(f"{output_model_dir} holds another model.")
    if schedule.epochs is None:
        epochs = max(1, round(STEPS / epoch_steps(captures, schedule.batch_size)))
        schedule = replace(schedule, epochs=epochs)
    trained = train_noise_model(
        model.storing(alone, code_steps),
        captures,
        validation,
        training_dir,
        schedule,
        trained_variables=camera_variables(alone),
        verbose=verbose,
    )
    joined = model.storing(with_camera_of(flow, trained.unstored), code_steps)
    training_data = _training_data(
        read_config(model_dir)["training_data"], captures, validation, camera, schedule
    )
    save_model(joined, output_model_dir, training_data)
    joined.licence, joined.origin = training_data["licence"], training_data["origin"]
    if "iso_range" in training_data:
        joined.trained_iso_range = tuple(training_data["iso_range"])
    baselines = load_baselines(model_dir)
    if "recalibrated_nlf" in baselines:
        new = load_baselines(training_dir)["recalibrated_nlf"]
        known = baselines["recalibrated_nlf"]
        both = known.unstored.with_cameras_of(new.unstored)
        baselines["recalibrated_nlf"] = known.storing(both, code_steps)
        write_baselines(output_model_dir, baselines)
    return joined


def _of_camera(captures: Captures, camera: str) -> Captures:
    if camera not in captures.cameras:
        raise ValueError(
            f"{captures.path}: expected captures of {camera!r}, received captures of "
            f"{list(captures.cameras)}."
        )
    return captures.select(captures.camera == camera)


def _warn_of_untrained(alone: NoiseFlow, captures: Captures, camera: str) -> None:
    """Warns of ISOs at which the flow will know the camera by the mean of others alone.

    No error: a camera that is used at one ISO needs no captures at the rest.
    """
    there = Iso(captures.iso_levels)
    levels = levels_of_cameras(alone)
    missing = [f"{iso:g}" for iso in levels if not there.is_known(np.array(iso))]
    if missing:
        warnings.warn(
            f"{captures.path}: no captures of {camera!r} at ISO {', '.join(missing)}; there the "
            f"flow keeps the mean of the cameras it knows, not the noise of {camera!r}.",
            stacklevel=3,
        )


def _training_data(
    before: dict, captures: Captures, validation: Captures, camera: str, schedule: Schedule
) -> dict:
    """What a model was trained on before, and the captures of its new camera."""
    new: dict[str, Any] = {
        "camera": camera,
        **about_captures(captures),
        "validation_scenes": about_captures(validation)["scenes"],
        "schedule": asdict(schedule),
    }
    # What holds for the model as a whole names both.
    both: dict[str, Any] = {
        name: "; ".join(dict.fromkeys(text for text in (before.get(name), new[name]) if text))
        for name in ("origin", "licence")
    }
    for name in ("scenes", "validation_scenes"):
        old, own = before.get(name), new.get(name)
        both[name] = None if old is None or own is None else sorted({*old, *own})
    if before.get("iso_range") is not None:
        isos = [*before["iso_range"], *captures.iso_levels]
        both["iso_range"] = [min(isos), max(isos)]
    return {**before, **both, "new_cameras": [*before.get("new_cameras", []), new]}
