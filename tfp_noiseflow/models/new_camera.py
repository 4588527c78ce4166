"""A camera that a trained flow does not know.

A flow depends on the camera through its laws alone: psi of the gain (CAM), beta and u of an `N`,
the law of an `L`. So a flow of the new camera alone has all values of the trained one but a row of
its own in each of their variables, and training that row leaves everything else as it is. The row
starts at the mean of the known cameras' rows: at its initial value it would be as far off as the
known ones have moved together.

Abdelhamed, Brubaker, Brown: Noise Flow, ICCV 2019, the closing discussion of camera-specific
parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.laws import Law
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel

BOTH = {"camera", "iso"}


def _laws(model: NoiseModel) -> list[Law]:
    return [module for module in model.submodules if isinstance(module, Law)]


def camera_variables(model: NoiseModel) -> list[tf.Variable]:
    """The variables with a row for each camera: [M, ..], M cameras."""
    found = [variable for law in _laws(model) for variable in law.camera_variables]
    # Those of a law within a law are named by both.
    return list({variable.ref(): variable for variable in found}.values())


def levels_of_cameras(model: NoiseModel) -> tuple[float, ...]:
    """The ISOs at which a camera has numbers of its own, ascending; none where it has one for all.

    Those of an ISO are trained by captures at that ISO alone.
    """
    by_both = [law.conditions["iso"] for law in _laws(model) if {*law.conditions} >= BOTH]
    return tuple(sorted({iso for rule in by_both for iso in rule.levels or ()}))


def flow_of_new_camera(flow: NoiseFlow, camera: str) -> NoiseFlow:
    """A flow of a new camera alone.

    Args:
      flow: of other cameras.
      camera: its name.

    Returns:
      A NoiseFlow that knows the new camera alone, at the same ISOs. Its `camera_variables` are the
      means over the cameras of `flow`, all else is equal to `flow`'s.

    Raises:
      ValueError: the flow does not tell cameras apart, or knows the camera already.
    """
    if not isinstance(flow, NoiseFlow) or not camera_variables(flow):
        raise ValueError(
            "expected a flow that tells cameras apart (CAM, N or L in its architecture), received "
            f"{flow}."
        )
    if camera in flow.cameras:
        raise ValueError(
            f"expected a camera that the model does not know, received {camera!r}; it knows "
            f"{list(flow.cameras)}."
        )
    alone = _untrained(flow, [camera])
    by_camera = {variable.ref() for variable in camera_variables(flow)}
    for known, new in zip(flow.variables, alone.variables, strict=True):
        is_table = known.ref() in by_camera
        new.assign(tf.reduce_mean(known, axis=0, keepdims=True) if is_table else known)
    return alone


def with_camera_of(flow: NoiseFlow, alone: NoiseFlow) -> NoiseFlow:
    """The flow of the cameras of both.

    Args:
      flow: of other cameras.
      alone: from `flow_of_new_camera`, its `camera_variables` trained.

    Returns:
      A NoiseFlow that knows the cameras of `flow`, whose values are bit-identical, and after them
      that of `alone`.

    Raises:
      ValueError: `alone` differs from `flow` in more than its camera.
    """
    joined = _untrained(flow, [*flow.cameras, *alone.cameras])
    by_camera = {variable.ref() for variable in camera_variables(flow)}
    for known, new, both in zip(flow.variables, alone.variables, joined.variables, strict=True):
        if known.ref() in by_camera:
            both.assign(tf.concat([known, new], axis=0))
            continue
        if not np.array_equal(known, new):
            raise ValueError(
                f"expected a flow that differs from the known one in its camera alone, {new.name} "
                f"{list(new.shape)} differs too; was it trained on from another model?"
            )
        both.assign(known)
    return joined


def _untrained(flow: NoiseFlow, cameras: Sequence[str]) -> NoiseFlow:
    """A flow like another one, of other cameras."""
    config = {**flow.get_config(), "cameras": list(cameras)}
    # Where the other's cameras started: all values are given.
    config.pop("laws", None)
    like = NoiseFlow.from_config(config)
    like.trained_iso_range = flow.trained_iso_range
    return like
