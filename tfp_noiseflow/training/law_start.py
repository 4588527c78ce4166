"""Where the training of a flow with an L starts: at the laws of its captures."""

from __future__ import annotations

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.laws import LawEstimate, fit_camera_laws
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel


def start_at_fitted_laws(model: NoiseModel, captures: Captures) -> dict[str, LawEstimate]:
    """Sets the laws of an L to those of captures (`fit_camera_laws`).

    Args:
      model: a flow of any architecture, or what a sensor stores of one: then laws are fitted by the
        likelihood of codes. Nothing is done where it has no L, where it was given `laws`, or
        where captures are not of all of its cameras and of no others.
      captures: to train on.

    Returns:
      Camera name to what was fitted; empty where nothing was done.

    Raises:
      ValueError: as `fit_camera_laws`.
    """
    flow = model.unstored
    if not isinstance(flow, NoiseFlow):
        return {}
    if flow.options.get("laws") or flow.cameras is None or {*flow.cameras} != {*captures.cameras}:
        return {}
    if not flow.has_laws:
        return {}
    estimates = fit_camera_laws(captures, model.sample_codes(captures))
    flow.start_at_laws([estimate.law for estimate in estimates.values()])
    return estimates
