"""All layers and all noise models: the generic tests run over these two tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.laws import CameraLaw, laws_of_cameras
from tfp_noiseflow.models import CameraNLF, GaussianNoise, NoiseFlow, NoiseModel, StoredNoise

tfb = tfp.bijectors

CAMERAS = ("Alpha", "Beta", "Gamma")
ISO_LEVELS = (100.0, 400.0, 1600.0)


def _chain(dtype):
    gain = nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=dtype)
    layers = [
        nb.SignalDependent(gain, dtype=dtype),
        nb.InvertibleConv1x1(4, seed=1, dtype=dtype),
        nb.AffineCoupling(4, seed=2, dtype=dtype),
        gain,
    ]
    return nb.ConditionalChain(layers, dtype=dtype)


def _short_chain(dtype):
    """With a condition that is an image, and channels that are not alike."""
    gain = nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=dtype)
    layers = [nb.SignalDependent(gain, dtype=dtype), nb.InvertibleConv1x1(4, seed=1, dtype=dtype)]
    return nb.ConditionalChain(layers, dtype=dtype)


def _by_camera_and_iso(name, initial, dtype):
    return nb.ConditionTable(
        initial, num_cameras=len(CAMERAS), iso_levels=ISO_LEVELS, dtype=dtype, name=name
    )


LAWS = (
    CameraLaw((2e-3, 1e-4), (3e-5, 2e-5, 1e-5), camera="Alpha"),
    CameraLaw((4e-3, 3e-4), (1e-5, 4e-5, 6e-5), camera="Beta"),
    CameraLaw((1e-3, 5e-4), (2e-5, 3e-5, 5e-5), camera="Gamma"),
)
BY_CHANNEL = np.array([1.0, 1.1, 1.3, 0.8])
LAWS_BY_CHANNEL = tuple(
    CameraLaw(np.outer(law.beta1, BY_CHANNEL), np.outer(law.beta2, BY_CHANNEL**2), law.camera)
    for law in LAWS
)
KNOTS = (150.0, 900.0)


def _law(laws, dtype, knots=None, channels=None):
    betas = laws_of_cameras(laws, channels=channels, dtype=dtype)
    if knots is not None:
        corrections = [
            nb.InterpolatedTable(
                0.0, iso_levels=knots, num_cameras=len(laws), channels=channels, dtype=dtype
            )
            for _ in betas
        ]
        betas = [nb.Sum(*laws) for laws in zip(betas, corrections, strict=True)]
    return nb.SignalDependent(log_beta1=betas[0], log_beta2=betas[1], dtype=dtype)


def _amplified(dtype):
    """A noise level function of latent images, and what shares it."""
    return nb.SignalDependent(
        nb.Gain(ISO_LEVELS, 3, dtype=dtype), log_beta1=-5.0, log_beta2=-6.0, dtype=dtype
    )


def _by_camera(name, dtype):
    return nb.ConditionTable(0.0, num_cameras=len(CAMERAS), dtype=dtype, name=name)


def _row_law(dtype):
    return nb.PolynomialLaw(
        np.log([[2e-6, 3e-6, 1e-5]] * len(CAMERAS)),
        (2, 1, 0),
        num_cameras=len(CAMERAS),
        dtype=dtype,
        name="log_row_variance",
    )


# Name -> (builder of a dtype, channels of its images).
LAYERS: dict[str, tuple[Callable, int]] = {
    "signal_dependent": (lambda dtype: nb.SignalDependent(dtype=dtype), 4),
    "signal_dependent_with_gain": (
        lambda dtype: nb.SignalDependent(nb.Gain(ISO_LEVELS, 3, dtype=dtype), dtype=dtype),
        4,
    ),
    "signal_dependent_by_camera_and_iso": (
        lambda dtype: nb.SignalDependent(
            log_beta1=_by_camera_and_iso("log_beta1", -5.0, dtype),
            log_beta2=_by_camera_and_iso("log_beta2", -7.0, dtype),
            dtype=dtype,
        ),
        4,
    ),
    "law": (lambda dtype: _law(LAWS, dtype), 4),
    "law_with_knots": (lambda dtype: _law(LAWS, dtype, knots=KNOTS), 4),
    "law_by_channel": (lambda dtype: _law(LAWS_BY_CHANNEL, dtype, channels=4), 4),
    "law_by_channel_with_knots": (
        lambda dtype: _law(LAWS_BY_CHANNEL, dtype, knots=KNOTS, channels=4),
        4,
    ),
    "gain": (lambda dtype: nb.Gain(ISO_LEVELS, dtype=dtype), 4),
    "gain_with_cameras": (lambda dtype: nb.Gain(ISO_LEVELS, 3, dtype=dtype), 4),
    "gain_by_camera_and_iso": (
        lambda dtype: nb.Gain(log_u=_by_camera_and_iso("log_u", -5.0, dtype), dtype=dtype),
        4,
    ),
    "interpolated_gain": (
        lambda dtype: nb.Gain(KNOTS, 3, interpolates=True, dtype=dtype),
        4,
    ),
    "affine_coupling": (lambda dtype: nb.AffineCoupling(4, seed=3, dtype=dtype), 4),
    "affine_coupling_with_border": (
        lambda dtype: nb.AffineCoupling(4, has_border_indicator=True, seed=3, dtype=dtype),
        4,
    ),
    "affine_coupling_of_3_channels": (lambda dtype: nb.AffineCoupling(3, seed=3, dtype=dtype), 3),
    "coupling_that_sees_pixel_noise": (
        lambda dtype: nb.AffineCoupling(
            4,
            conditioner=nb.PixelNoiseConditioner(_law(LAWS, dtype), 4, 2, 4, seed=3, dtype=dtype),
            dtype=dtype,
        ),
        4,
    ),
    "invertible_conv1x1": (lambda dtype: nb.InvertibleConv1x1(4, seed=4, dtype=dtype), 4),
    "marginal_shape": (lambda dtype: nb.MarginalShape(_law(LAWS, dtype), dtype=dtype), 4),
    "marginal_shape_by_camera": (
        lambda dtype: nb.MarginalShape(
            _amplified(dtype),
            photon_skew=_by_camera("photon_skew", dtype),
            read_log_tail=_by_camera("read_log_tail", dtype),
            dtype=dtype,
        ),
        4,
    ),
    "power_tailed_shape": (lambda dtype: nb.PowerTailedShape(_law(LAWS, dtype), dtype=dtype), 4),
    "power_tailed_shape_by_camera": (
        lambda dtype: nb.PowerTailedShape(
            _amplified(dtype),
            photon_skew=_by_camera("photon_skew", dtype),
            log_read_tail=_by_camera("log_read_tail", dtype),
            dtype=dtype,
        ),
        4,
    ),
    "row_noise": (
        lambda dtype: nb.RowNoise(
            _law(LAWS_BY_CHANNEL, dtype, channels=4),
            _row_law(dtype),
            mosaic_rows=(0, 0, 1, 1),
            dtype=dtype,
        ),
        4,
    ),
    "row_noise_of_3_channels": (
        lambda dtype: nb.RowNoise(_amplified(dtype), -6.0, dtype=dtype),
        3,
    ),
    "chain": (_chain, 4),
    "scale_of_tfp": (
        lambda dtype: nb.Unconditional(
            tfb.Scale(log_scale=tf.Variable(tf.constant(-2.0, dtype))), dtype=dtype
        ),
        4,
    ),
    "sinh_arcsinh_of_tfp": (
        lambda dtype: nb.Unconditional(
            tfb.SinhArcsinh(skewness=tf.Variable(tf.constant(0.3, dtype)), tailweight=1.2),
            dtype=dtype,
        ),
        4,
    ),
    "reordered_chain": (
        lambda dtype: nb.Reordered(_short_chain(dtype), (2, 0, 3, 1), is_transposed=True),
        4,
    ),
    "squeezed_chain": (lambda dtype: nb.Squeezed(_short_chain(dtype)), 1),
}


def _flow(architecture, channels=4, **options):
    return lambda dtype: NoiseFlow(
        architecture,
        cameras=CAMERAS,
        iso_levels=ISO_LEVELS,
        channels=channels,
        dtype=dtype,
        seed=5,
        **options,
    )


# Name -> (builder of a dtype, channels of its images): noise of continuous values, whose
# distribution is a bijector's.
CONTINUOUS_MODELS: dict[str, tuple[Callable[..., NoiseModel], int]] = {
    "S-G": (_flow("S-G"), 4),
    "S-G-CAM": (_flow("S-G-CAM"), 4),
    "S-Ax1-G-Ax1-CAM": (_flow("S-Ax1-G-Ax1-CAM"), 4),
    "S-Ax4-G-Ax4-CAM": (_flow("S-Ax4-G-Ax4-CAM"), 4),
    "Ax2": (_flow("Ax2"), 4),
    "N-Ax1-C-Ax1": (_flow("N-Ax1-C-Ax1"), 4),
    "L": (_flow("L"), 4),
    "L-Bx1": (_flow("L-Bx1", laws=LAWS), 4),
    "L-Ax1 from laws by channel with knots": (
        _flow("L-Ax1", laws=LAWS_BY_CHANNEL, has_law_by_channel=True, law_knots=KNOTS),
        4,
    ),
    "L of planes": (_flow("L", channels=1), 1),
    "L-R-P": (_flow("L-R-P", laws=LAWS), 4),
    "L-R-P-Ax1 of planes": (_flow("L-R-P-Ax1", channels=1), 1),
    "S-Ax1-R-G-T-CAM by camera": (_flow("S-Ax1-R-G-T-CAM", has_shape_by_camera=True), 4),
    "S-Ax1-G-CAM at any ISO": (_flow("S-Ax1-G-CAM", interpolates_gain=True), 4),
    "N-Ax1 at any ISO": (_flow("N-Ax1", interpolates_gain=True), 4),
    "S-Ax1-G-CAM of planes": (_flow("S-Ax1-G-CAM", channels=1), 1),
    "S-Ax1-G of another arrangement": (
        lambda dtype: NoiseFlow(
            "S-Ax1-G",
            cameras=CAMERAS,
            iso_levels=ISO_LEVELS,
            channel_order=(3, 1, 0, 2),
            is_transposed=True,
            dtype=dtype,
            seed=5,
        ),
        4,
    ),
    "Gaussian": (lambda dtype: GaussianNoise(0.02, dtype=dtype), 4),
    "camera NLF": (
        lambda dtype: CameraNLF(
            CAMERAS,
            ISO_LEVELS,
            beta1=1e-5 * np.outer([1, 2, 3], ISO_LEVELS),
            beta2=1e-9 * np.outer([1, 2, 3], np.square(ISO_LEVELS)),
            dtype=dtype,
        ),
        4,
    ),
    "camera NLF by channel": (
        lambda dtype: CameraNLF(
            CAMERAS,
            ISO_LEVELS,
            beta1=1e-5 * np.multiply.outer(np.outer([1, 2, 3], ISO_LEVELS), BY_CHANNEL),
            beta2=1e-9 * np.multiply.outer(np.outer([1, 2, 3], ISO_LEVELS), BY_CHANNEL),
            dtype=dtype,
        ),
        4,
    ),
}


def _stored(name, step):
    build, channels = CONTINUOUS_MODELS[name]
    return lambda dtype: StoredNoise(build(dtype), step), channels


# Noise of codes.
STORED_MODELS: dict[str, tuple[Callable[..., NoiseModel], int]] = {
    "stored camera NLF": _stored(
        "camera NLF", {"Alpha": 1 / 255, "Beta": 1 / 1023, "Gamma": 1 / 959}
    ),
    "stored L-R-P": _stored("L-R-P", 1 / 255),
    "stored L-R-P-Ax1 of planes": _stored("L-R-P-Ax1 of planes", 1 / 255),
    "stored S-Ax1-G-Ax1-CAM": _stored("S-Ax1-G-Ax1-CAM", 1 / 255),
    "stored S-Ax1-G-CAM of planes": _stored("S-Ax1-G-CAM of planes", 1 / 255),
}
MODELS = {**CONTINUOUS_MODELS, **STORED_MODELS}


def moved(module: tf.Module, seed: int = 0, by: float = 0.3) -> tf.Module:
    """The module with all trained variables moved away from their start.

    Couplings start as the identity, so that at the start many a wrong layer passes.
    """
    generator = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        variable.assign_add(by * generator.standard_normal(variable.shape))
    return module


def images(shape, seed: int = 0, scale: float = 1.0, dtype=np.float64) -> np.ndarray:
    """Normal numbers."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def conditions(batch_shape, image_shape, seed: int = 0, dtype=np.float64) -> dict:
    """A clean image, an ISO and a camera for each row of a batch."""
    generator = np.random.default_rng(seed + 100)
    return {
        "clean": generator.uniform(-0.05, 1.0, (*batch_shape, *image_shape)).astype(dtype),
        "iso": generator.choice(ISO_LEVELS, batch_shape).astype(dtype),
        "camera": generator.integers(0, len(CAMERAS), batch_shape).astype(np.int32),
    }


def needed(bijector, given: dict) -> dict:
    """The conditions among `given` that a bijector declares."""
    return {name: value for name, value in given.items() if name in bijector.conditions}
