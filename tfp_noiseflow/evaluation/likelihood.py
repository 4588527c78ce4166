"""Negative log-likelihoods of captures under a noise model, and differences between models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.conditions.known import Known
from tfp_noiseflow.models.noise_model import NoiseModel


def negative_log_likelihood(
    model: NoiseModel,
    captures: Captures,
    *,
    batch_size: int = 256,
    seed: int = 0,
    num_draws: int = 1,
    jit_compile: bool = False,
) -> np.ndarray:
    """The negative log-likelihood of every capture.

    Args:
      model: a noise model, `model(clean, iso=, camera=)` -> distribution over the noise.
      captures: N captures.
      batch_size: patches computed at once; the result does not depend on it.
      seed: of the dequantisation.
      num_draws: of each image, where the NLL is a bound of that of codes (`StoredDistribution`);
        more make it tighter. Of no account where it is exact.
      jit_compile: whether XLA compiles it.

    Returns:
      [N] float64, nats per dimension: -log_prob / (H W C), in the order of the file.

    Raises:
      ValueError: the model has no density, or does not know a camera or an ISO of the captures.
    """
    if not has_density(model):
        model.require_density("a likelihood")
    known_by(model).check_captures(captures)
    compute = compile_negative_log_likelihood(
        model, captures.image_shape, num_draws, jit_compile=jit_compile
    )
    blocks = []
    captures = captures.dequantised(dequantises(model))
    for block in captures.blocks(batch_size, seed=seed):
        camera = known_by(model).indices(block.camera)
        inputs = (block.noise, block.clean, block.iso, camera)
        blocks.append(compute(*map(tf.constant, inputs)).numpy())
    return np.concatenate(blocks).astype(np.float64)


def compile_negative_log_likelihood(
    model: NoiseModel,
    image_shape: tuple[int, int, int],
    num_draws: int = 1,
    *,
    jit_compile: bool = False,
) -> Callable:
    """A compiled function of tensors (noise, clean, iso, camera) -> [n] nats per dimension.

    It is traced once, for any number of patches n, so that a short last block costs nothing.
    `camera` holds indices into the model's cameras, see `Known.indices`. Compiled by XLA
    (`jit_compile`) a batch of another size is compiled anew when it comes.
    """
    size = float(np.prod(image_shape))
    options = {"num_draws": num_draws} if (kind(model) or "").startswith("bound") else {}

    @tf.function(jit_compile=jit_compile or None)
    def compute(noise: tf.Tensor, clean: tf.Tensor, iso: tf.Tensor, camera: tf.Tensor) -> tf.Tensor:
        distribution = noise_distribution(model, clean, iso, camera)
        return -distribution.log_prob(tf.cast(noise, distribution.dtype), **options) / size

    images = tf.TensorSpec([None, *image_shape], tf.float32)
    return compute.get_concrete_function(
        images, images, tf.TensorSpec([None], tf.float32), tf.TensorSpec([None], tf.int32)
    )


def noise_distribution(
    model: NoiseModel, clean: tf.Tensor, iso: tf.Tensor, camera: tf.Tensor
) -> Any:
    """The model's distribution for float32 conditions, whatever the model's own dtype."""
    dtype = getattr(model, "dtype", tf.float32)
    return model(tf.cast(clean, dtype), iso=tf.cast(iso, dtype), camera=camera)


def known_by(model: NoiseModel) -> Known:
    """What a model knows; of one that does not say, only its call is needed, and it serves any."""
    return getattr(model, "known", Known())


def dequantises(model: NoiseModel) -> bool:
    """Whether a model takes quantised noise dequantised, as a density of continuous values does."""
    return getattr(model, "dequantises", True)


def has_density(model: NoiseModel) -> bool:
    """Whether there is a likelihood: a model that does not say has one."""
    return getattr(model, "has_density", True)


def kind(model: NoiseModel) -> str | None:
    """What a model's NLL is of: "dequantised" noise, "codes", or a "bound of codes"; None: none."""
    if not has_density(model):
        return None
    if dequantises(model):
        return "dequantised"
    return "codes" if model.is_exact else "bound of codes"


def mean_and_standard_error(values: np.ndarray) -> tuple[float, float | None]:
    """Mean over patches and its standard error, sd / sqrt(N); None for a single patch."""
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return float(values.mean()), None
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def paired_difference(model_nll: np.ndarray, baseline_nll: np.ndarray) -> dict:
    """What a model gains over a baseline on the same patches with the same dequantisation.

    Patches differ far more from each other than two models do on one of them, so the standard
    error is that of the per-patch differences.

    Args:
      model_nll, baseline_nll: [N], nats per dimension.

    Returns:
      `nll`: mean of model - baseline, negative where the model is better;
      `paired_standard_error`: of that mean, None for a single patch;
      `relative_improvement`: exp(-nll) - 1, as the paper prints it (0.42 nats are 0.52).
    """
    mean, standard_error = mean_and_standard_error(
        np.asarray(model_nll, np.float64) - np.asarray(baseline_nll, np.float64)
    )
    # exp of a hopeless baseline's difference overflows; no JSON number holds it.
    improvement = float(np.expm1(-mean)) if -mean < 700 else None
    return {
        "nll": mean,
        "paired_standard_error": standard_error,
        "relative_improvement": improvement,
    }
