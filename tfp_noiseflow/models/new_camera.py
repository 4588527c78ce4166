"""A camera that a trained flow does not know.

A flow depends on the camera through its laws alone: psi of the gain (CAM), beta and u of an `N`,
the law of an `L`. So a flow of the new camera alone has all values of the trained one but a row of
its own in each of their variables, and training that row leaves everything else as it is. The row
starts at a law that is given, or at the mean of the known cameras' rows: at its initial value it
would be as far off as the known ones have moved together.

Abdelhamed, Brubaker, Brown: Noise Flow, ICCV 2019, the closing discussion of camera-specific
parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.row_noise import RowNoise
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.conditions.conditions import Iso
from tfp_noiseflow.laws import FOLLOWED_ISOS, CameraLaw, Law, PolynomialLaw
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel

BOTH = {"camera", "iso"}

# Images, H and W by which the variance of steps is measured: 262,144 values of 4 channels, which
# give it to 0.3 % where they are normal.
SAMPLES = (16, 64, 64)
# The conditions at which it is measured, of steps that depend on some.
MIDDLE_GREY, MIDDLE_ISO = 0.18, 400.0


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
    levels = [rule.levels or () for rule in by_both if isinstance(rule, Iso)]
    return tuple(sorted({iso for own in levels for iso in own}))


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
    if camera in _cameras(flow):
        raise ValueError(
            f"expected a camera that the model does not know, received {camera!r}; it knows "
            f"{list(_cameras(flow))}."
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
    joined = _untrained(flow, [*_cameras(flow), *_cameras(alone)])
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


def takes_law(flow: NoiseModel) -> bool:
    """Whether a camera can be added by its law.

    An L, and behind it nothing that depends on camera and ISO but by sharing the law: R and T.
    """
    if not isinstance(flow, NoiseFlow) or not flow.has_laws or not camera_variables(flow):
        return False
    first, *steps = flow.layers.values()
    is_first = isinstance(first, SignalDependent)
    return is_first and not any(_has_conditions_of_its_own(step, first) for step in steps)


def _has_conditions_of_its_own(step: ConditionalBijector, law: SignalDependent) -> bool:
    return bool(step.conditions) and getattr(step, "noise", None) is not law


def flow_of_camera_law(flow: NoiseFlow, law: CameraLaw, camera: str | None = None) -> NoiseFlow:
    """A flow of a new camera alone, by its law.

    Args:
      flow, law, camera: as for `with_camera_law`.

    Returns:
      A NoiseFlow like that of `flow_of_new_camera`, whose `camera_variables` are the law, divided
      by the variance of what the steps make of N(0, I), and by what rows add to it.

    Raises:
      ValueError: as `with_camera_law`.
    """
    if not takes_law(flow):
        raise ValueError(
            "expected a flow of cameras that begins with L and goes on with layers that need no "
            f"ISO and no camera, or with R, P and T (L, L-R-P, L-Ax8), received {flow}."
        )
    camera = camera or law.camera
    if not camera:
        raise ValueError("expected a camera's name, of the law or as `camera`, received none.")
    alone = flow_of_new_camera(flow, camera)
    is_by_channel = flow.layers["signal_dependent"].channels is not None
    law = replace(law, camera=camera)
    alone.start_at_laws([law if is_by_channel else law.in_channels(1)])
    variance = _variance_of_steps(flow)
    share = _row_share(flow)
    layer = alone.layers["signal_dependent"]
    for own, whole in ((layer.log_beta1, 1.0), (layer.log_beta2, 1.0 + share)):
        numbers = _polynomial(own).log_coefficients
        numbers.assign_sub(tf.broadcast_to(tf.math.log(whole * variance), numbers.shape))
    for rows in _rows(alone):
        rows.log_variance.follow(layer.log_beta2, share)
    return alone


def mean_law(flow: NoiseFlow, iso: float) -> CameraLaw:
    """A law like those of a flow's cameras: what to expect of one more.

    Args:
      flow: one that `takes_law`.
      iso: where beta1 and beta2 are the cameras' geometric means. Elsewhere each of their terms has
        the share that it has of the cameras' at this ISO, on average: a term that some cameras lack
        counts as the others have it.

    Returns:
      CameraLaw, for all channels.
    """
    layer = flow.layers["signal_dependent"]
    log_variance = np.mean(np.log(_variance_of_steps(flow)))
    betas = []
    for law, whole in ((layer.log_beta1, 1.0), (layer.log_beta2, 1.0 + _row_share(flow))):
        part = _polynomial(law)
        # [M, T], or [M, T, C] as [M C, T].
        logs = np.moveaxis(part.log_coefficients.numpy().astype(np.float64), 1, -1)
        powers = (iso / 100) ** np.array(part.powers)
        terms = np.exp(logs.reshape(-1, len(powers))) * powers
        beta = terms.sum(axis=1)
        shares = (terms / beta[:, None]).mean(axis=0)
        betas.append(whole * np.exp(np.log(beta).mean() + log_variance) * shares / powers)
    beta1, beta2 = map(tuple, betas)
    return CameraLaw(beta1, beta2, origin=f"mean of {', '.join(_cameras(flow))}")


def _cameras(flow: NoiseFlow) -> tuple[str, ...]:
    """Of a flow that tells cameras apart."""
    assert flow.cameras is not None
    return flow.cameras


def _polynomial(law: Law) -> PolynomialLaw:
    """A law of an L without its corrections at knots."""
    (part,) = (part for part in (law, *law.submodules) if isinstance(part, PolynomialLaw))
    return part


def _rows(flow: NoiseFlow) -> list[RowNoise]:
    return [layer for layer in flow.layers.values() if isinstance(layer, RowNoise)]


def _row_share(flow: NoiseFlow) -> float:
    """The geometric mean over cameras and ISOs of rows' variance over the read noise's; 0: no R."""
    logs = []
    for rows in _rows(flow):
        for camera in range(len(_cameras(flow))):
            at = {"iso": tf.constant(FOLLOWED_ISOS, flow.dtype), "camera": camera}
            log_read = np.asarray(rows.noise.log_beta2.at(**at))
            if rows.noise.channels is not None:
                log_read = log_read.mean(axis=-1)
            logs.append(np.asarray(rows.log_variance.at(**at)) - log_read)
    return float(np.exp(np.mean(logs))) if logs else 0.0


def _variance_of_steps(flow: NoiseFlow) -> np.ndarray:
    """Of what the steps make of N(0, I): a number, [C] where the law is by channel.

    Without what rows add. Of layers that share the law, at middle grey, of all cameras in turn.
    """
    first, *steps = flow.layers.values()
    channels = 4 if flow.channels == 1 else flow.channels
    sample = tf.random.stateless_normal([*SAMPLES, channels], seed=(0, 1), dtype=flow.dtype)
    given = {
        "clean": tf.fill(sample.shape, tf.constant(MIDDLE_GREY, flow.dtype)),
        "iso": tf.constant(MIDDLE_ISO, flow.dtype),
        "camera": tf.range(SAMPLES[0]) % len(_cameras(flow)),
    }
    for step in reversed(steps):
        if not isinstance(step, RowNoise):
            sample = step.forward(sample, **{name: given[name] for name in step.conditions})
    axis = None if first.channels is None else [0, 1, 2]
    return tf.reduce_mean(sample**2, axis=axis).numpy()


def with_camera_law(flow: NoiseFlow, law: CameraLaw, camera: str | None = None) -> NoiseFlow:
    """A trained flow that knows one more camera, by its law alone.

    ```python
    (table,) = nf.read_noise_profiles("my_phone/")
    flow = nf.with_camera_law(nf.load_model("model_dir"), table.fit().law)
    ```

    Steps may scale what they sample; the laws that were trained with them make up for it. So the
    new law is divided by the variance of what the steps make of N(0, I), measured on samples: the
    noise has the law's variance, to half a percent. Corrections at knots are 0 for the new camera.

    Args:
      flow: of cameras, an L and behind it R, P, T and steps: L, L-R-P, L-Ax8.
      law: of the new camera. Where the flow has one law for all channels, and this has numbers for
        each of 3 or 4, it becomes their mean over the pixels.
      camera: its name; None: the law's.

    Returns:
      A NoiseFlow that knows the cameras of `flow`, whose values are bit-identical, and after them
      the new one.

    Raises:
      ValueError: a flow of another kind, or that knows the camera already; no name; a law of
        channels that do not fit.
    """
    alone = flow_of_camera_law(flow, law, camera)
    joined = with_camera_of(flow, alone)
    joined.licence, joined.origin = flow.licence, flow.origin
    return joined


def _untrained(flow: NoiseFlow, cameras: Sequence[str]) -> NoiseFlow:
    """A flow like another one, of other cameras."""
    config = {**flow.get_config(), "cameras": list(cameras)}
    # Where the other's cameras started: all values are given.
    config.pop("laws", None)
    like = NoiseFlow.from_config(config)
    like.trained_iso_range = flow.trained_iso_range
    return like
