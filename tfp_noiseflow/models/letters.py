"""The letters of this library's architectures: which layers each stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_noiseflow.bijectors.affine_coupling import AffineCoupling
from tfp_noiseflow.bijectors.conditioner import Conditioner
from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tfp_noiseflow.bijectors.marginal_shape import MarginalShape
from tfp_noiseflow.bijectors.pixel_noise_conditioner import PixelNoiseConditioner
from tfp_noiseflow.bijectors.pixel_shape import PixelShape
from tfp_noiseflow.bijectors.power_tailed_shape import PowerTailedShape
from tfp_noiseflow.bijectors.row_noise import RowNoise
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.unconditional import Unconditional
from tfp_noiseflow.laws import (
    CameraLaw,
    ConditionTable,
    InterpolatedTable,
    Law,
    PolynomialLaw,
    Sum,
    laws_of_cameras,
)
from tfp_noiseflow.models.architecture import Context, register_layer

# Where cameras' laws start that are not given: about the noisiest of phones. The gradient of the
# NLL by log variance is at most 1/2 where a model is noisier than the captures, and without bound
# where it is less noisy; Adam would remember that for a thousand steps.
FIRST_LAW = CameraLaw(beta1=(6e-4, 6e-5), beta2=(1e-6, 1e-7, 2e-5))

# Where rows start: a share of the read noise's variance that is hardly seen.
FIRST_ROW_SHARE = 0.02


def _gain(context: Context) -> Gain:
    """The gain layer of a flow, which S shares."""
    if "gain" not in context.shared:
        num_cameras = context.num_cameras if context.has_camera_factors else None
        context.shared["gain"] = Gain(
            context.iso_levels,
            num_cameras,
            interpolates=context.options["interpolates_gain"],
            dtype=context.dtype,
        )
    return context.shared["gain"]


def _signal_dependent(context: Context) -> list[SignalDependent]:
    # An S without a G acts on the clean image as it is.
    has_gain = "G" in context.letters
    gain = _gain(context) if has_gain else None
    return _shared(context, SignalDependent(gain, dtype=context.dtype))


def _shared(context: Context, noise: SignalDependent) -> list[SignalDependent]:
    """The noise level function of a flow, for what stands behind it."""
    context.shared["noise"] = noise
    return [noise]


def _noise(context: Context, letter: str) -> SignalDependent:
    if "noise" not in context.shared:
        raise ValueError(
            f"expected S, N or L before {letter}, which shares the noise level function, received "
            f"{'-'.join(context.letters)}."
        )
    return context.shared["noise"]


def _signal_dependent_by_camera(context: Context) -> list[SignalDependent]:
    def table(initial: float, name: str, kind: type[Law] = ConditionTable, **axes: Any) -> Law:
        return kind(
            initial, num_cameras=context.num_cameras, dtype=context.dtype, name=name, **axes
        )

    kind = InterpolatedTable if context.options["interpolates_gain"] else ConditionTable
    log_u = table(np.log(1 / 200), "log_u", kind, iso_levels=context.iso_levels)
    noise = SignalDependent(
        Gain(log_u=log_u, dtype=context.dtype),
        log_beta1=table(-5.0, "log_beta1"),
        log_beta2=table(0.0, "log_beta2"),
        is_amplified=False,
        dtype=context.dtype,
    )
    return _shared(context, noise)


def _camera_laws(context: Context) -> tuple[Law, Law]:
    """log beta1 and log beta2 of every camera, at any ISO."""
    is_by_camera = context.cameras is not None
    cameras = context.cameras or ("",)
    given = [CameraLaw.from_config(law) for law in context.options["laws"] or ()]
    by_name = {law.camera: law for law in given}
    if given and (len(by_name) < len(given) or {*by_name} != {*cameras}):
        raise ValueError(
            f"expected a law for each of the cameras {list(cameras)}, received laws of "
            f"{[law.camera for law in given]}."
        )
    channels = context.channels if context.options["has_law_by_channel"] else None
    laws: tuple[Law, Law] = laws_of_cameras(
        [by_name[camera] if given else FIRST_LAW for camera in cameras],
        is_by_camera=is_by_camera,
        channels=channels,
        dtype=context.dtype,
    )
    knots = context.options["law_knots"]
    if not knots:
        return laws
    log_beta1, log_beta2 = (
        Sum(
            law,
            InterpolatedTable(
                0.0,
                iso_levels=tuple(knots),
                num_cameras=len(cameras) if is_by_camera else None,
                channels=channels,
                dtype=context.dtype,
                name=f"{name}_correction",
            ),
            name=name,
        )
        for law, name in zip(laws, ("log_beta1", "log_beta2"), strict=True)
    )
    return log_beta1, log_beta2


def _law(context: Context) -> list[SignalDependent]:
    log_beta1, log_beta2 = _camera_laws(context)
    noise = SignalDependent(log_beta1=log_beta1, log_beta2=log_beta2, dtype=context.dtype)
    return _shared(context, noise)


def _row_noise(context: Context) -> list[RowNoise]:
    noise = _noise(context, "R")
    if context.is_transposed:
        raise ValueError(
            "expected layers that see the rows of the sensor as rows, for R, received "
            "is_transposed=True."
        )
    law = PolynomialLaw.following(
        noise.log_beta2,
        FIRST_ROW_SHARE,
        num_cameras=None if context.cameras is None else context.num_cameras,
        name="log_row_variance",
    )
    # The packed mosaic.
    rows = [channel // 2 for channel in context.channel_order] if context.channels == 4 else None
    return [RowNoise(noise, law, mosaic_rows=rows, dtype=context.dtype)]


def _shape(context: Context, letter: str, kind: type[PixelShape]) -> list[PixelShape]:
    noise = _noise(context, letter)
    if "G" in context.letters[context.letters.index(letter) :]:
        raise ValueError(
            f"expected {letter} behind G, where noise is standardised, received "
            f"{'-'.join(context.letters)}."
        )
    laws = {}
    if context.options["has_shape_by_camera"]:
        laws = {
            number: ConditionTable(
                first, num_cameras=context.num_cameras, dtype=context.dtype, name=number
            )
            for number, first in kind.first_numbers.items()
        }
    return [kind(noise, **laws, dtype=context.dtype)]


def _constant_gain(context: Context) -> list[ConditionalBijector]:
    log_gain = tf.Variable(tf.zeros([], context.dtype), name="log_gain")
    scale = tfb.Scale(log_scale=log_gain)
    return [Unconditional(scale, dtype=context.dtype, name="constant_gain")]


def _step(
    context: Context, name: str, conditioner: Conditioner | None = None
) -> list[ConditionalBijector]:
    """A 1x1 convolution and a coupling, by default of the paper's network."""
    return [
        InvertibleConv1x1(
            context.channels,
            seed=context.seed(),
            dtype=context.dtype,
            name=f"{name}conv1x1_{context.number}",
        ),
        AffineCoupling(
            context.channels,
            hidden_channels=context.options["hidden_channels"],
            has_border_indicator=context.options["has_border_indicator"],
            conditioner=conditioner,
            seed=context.seed(),
            dtype=context.dtype,
            name=f"{name}coupling_{context.number}",
        ),
    ]


def _flow_step(context: Context) -> list[ConditionalBijector]:
    return _step(context, "")


def _conditional_step(context: Context) -> list[ConditionalBijector]:
    half = context.channels // 2
    conditioner = PixelNoiseConditioner(
        _noise(context, "B"),
        context.channels,
        half,
        2 * (context.channels - half),
        hidden_channels=context.options["hidden_channels"],
        has_border_indicator=context.options["has_border_indicator"],
        seed=context.seed(),
        dtype=context.dtype,
    )
    return _step(context, "conditional_", conditioner)


register_layer("S", "signal-dependent layer", _signal_dependent, once_among="SNL")
register_layer(
    "N",
    "signal-dependent layer whose beta and gain each camera has for itself",
    _signal_dependent_by_camera,
    once_among="SNL",
    options={"interpolates_gain": False},
)
register_layer(
    "L",
    "signal-dependent layer of each camera's law, at any ISO",
    _law,
    once_among="SNL",
    options={"laws": None, "has_law_by_channel": False, "law_knots": None},
)
register_layer(
    "G",
    "gain layer",
    lambda context: [_gain(context)],
    once_among="G",
    options={"interpolates_gain": False},
)
register_layer("R", "rows: what the pixels of a row share", _row_noise, once_among="R")
register_layer(
    "T",
    "shape: skew and tails, heavier or lighter than a Gaussian's",
    lambda context: _shape(context, "T", MarginalShape),
    once_among="TP",
    options={"has_shape_by_camera": False},
)
register_layer(
    "P",
    "shape: skew and power-law tails",
    lambda context: _shape(context, "P", PowerTailedShape),
    once_among="TP",
    options={"has_shape_by_camera": False},
)
register_layer(
    "B",
    "flow step that sees what the noise of each pixel is made of",
    _conditional_step,
    options={"hidden_channels": 4, "has_border_indicator": False},
)
register_layer("C", "constant gain", _constant_gain, once_among="C")
register_layer(
    "A",
    "flow step: 1x1 convolution and affine coupling",
    _flow_step,
    options={"hidden_channels": 4, "has_border_indicator": False},
)
