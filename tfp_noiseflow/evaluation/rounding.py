"""What float32 costs a noise model: its numbers beside those of the same model in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfp_noiseflow.images.image import IMAGE_NDIMS
from tfp_noiseflow.models.model_directory import describe_model, model_from_description
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.types import TensorLike

IMAGE_AXES = list(range(-IMAGE_NDIMS, 0))

# Half the distance of 1 to the next number of float32: what a rounding is of what is rounded.
UNIT = float(np.finfo(np.float32).eps) / 2
# Roundings of a layer's state, there and back: less than two were seen where no layer stretches.
ROUNDINGS = 8

# What an evaluation calls too much: of the noise's standard deviation, and nats per dimension.
HARMFUL = 0.01
HARMFUL_NATS = 0.001


class Off(NamedTuple):
    """How far numbers are off: the one that is farthest, and the root mean square."""

    largest: float
    rms: float


class Rounding(NamedTuple):
    """How far a model's numbers are from those of the same model in float64.

    Attributes:
      nll: of continuous noise, nats per dimension, over images.
      log_det: its part that is the log-det of the inverse, nats per dimension.
      codes: NLL of what is stored, without layers that mix values (with them it is a bound whose
        draws go by the bits of the noise); None for a model of continuous noise.
      sample: noise of the same latent, over values, in standard deviations of its image's noise.
      round_trip: noise through the latent and back, beside itself, in the same unit: how well the
        inverse that gives the density is the inverse of what samples.
    """

    nll: Off
    log_det: Off
    codes: Off | None
    sample: Off
    round_trip: Off


def in_float64(model: NoiseModel) -> NoiseModel:
    """The same model with variables and arithmetic in float64.

    Raises:
      ValueError: a model whose class is not registered, or whose `get_config` has no dtype.
    """
    twin = model_from_description(_of_float64(describe_model(model)))
    if twin.dtype != tf.float64:
        raise ValueError(
            f"expected a model whose get_config() has its dtype, received {type(model).__name__}."
        )
    for target, source in zip(twin.variables, model.variables, strict=True):
        target.assign(tf.cast(source, target.dtype))
    return twin


def _of_float64(description: Mapping) -> dict:
    return {
        name: "float64"
        if name == "dtype"
        else _of_float64(value)
        if isinstance(value, Mapping)
        else value
        for name, value in description.items()
    }


def measure_rounding(
    model: NoiseModel,
    clean: ArrayLike,
    iso: TensorLike | None = None,
    camera: TensorLike | None = None,
    *,
    seed: Sequence[int] = (0, 0),
) -> Rounding:
    """Draws noise and compares a model's numbers with those of its twin in float64.

    Args:
      model: any registered noise model of float32 whose noise is a bijector's.
      clean, iso, camera: as for the model's call, of float32; clean [.., H, W, C].
      seed: int [2], of the latent.

    Returns:
      Rounding.

    Raises:
      ValueError: as for the model's call and `in_float64`; a model without a bijector.
    """
    model.require_density("a comparison of precisions")
    clean = np.asarray(clean, np.float32)
    ours = model(clean, iso=iso, camera=camera)
    exact = in_float64(model)(clean, iso=iso, camera=camera)
    sampled, sampled_exactly = ours.unstored.bijector, exact.unstored.bijector
    shape = tf.concat([ours.batch_shape_tensor(), ours.event_shape_tensor()], axis=0)
    latent = tf.random.stateless_normal(shape, seed)
    noise = sampled.forward(latent)
    exact_noise = sampled_exactly.forward(_exact(latent))
    del latent
    deviation = tf.sqrt(tf.reduce_mean(tf.square(exact_noise), axis=IMAGE_AXES, keepdims=True))
    sample = _off((_exact(noise) - exact_noise) / deviation)
    del exact_noise
    again = sampled.forward(sampled.inverse(noise))
    round_trip = _off(_exact(again - noise) / deviation)
    del again
    codes = None
    dimensions = float(np.prod(clean.shape[-IMAGE_NDIMS:]))

    def per_dimension(numbers: tf.Tensor, exact_numbers: tf.Tensor) -> Off:
        return _off((_exact(numbers) - exact_numbers) / dimensions)

    if not model.dequantises:
        stored = ours.stored(noise)
        codes = per_dimension(
            ours.pixelwise_log_prob(stored), exact.pixelwise_log_prob(_exact(stored))
        )
    nll = per_dimension(ours.unstored.log_prob(noise), exact.unstored.log_prob(_exact(noise)))
    log_det = per_dimension(
        sampled.inverse_log_det_jacobian(noise, IMAGE_NDIMS),
        sampled_exactly.inverse_log_det_jacobian(_exact(noise), IMAGE_NDIMS),
    )
    return Rounding(nll, log_det, codes, sample, round_trip)


def round_trip_bound(
    model: NoiseModel,
    clean: ArrayLike,
    iso: TensorLike | None = None,
    camera: TensorLike | None = None,
    *,
    seed: Sequence[int] = (0, 0),
) -> Off:
    """How far noise may come back from its latent, in float32, to the first order of roundings.

    ```none
    x_0 = latent, .., x_n = noise      the states between the layers, forward
    |off_i|  <=  ROUNDINGS u sum_k sum_j |d noise_i / d x_kj| |x_kj|,   u = 2^-24
    ```

    The inverse rounds each state by u of itself, and so does the way forward; what is behind it
    stretches that by its slope. Scales and shapes of single values stretch a rounding as they
    stretch the value, so that a model without steps is off by some roundings. A coupling takes
    a value apart into a large one and a large shift: where states are thousands of standard
    deviations, noise comes back by thousands of roundings. A product of the layers' Lipschitz
    constants would be true too, and larger by many powers of ten.

    Args:
      model, clean, iso, camera, seed: as for `measure_rounding`; clean [H, W, C], a small image:
        its slopes are those of each value to each.

    Returns:
      The largest bound of a value and their root mean square, in standard deviations of the noise.

    Raises:
      ValueError: as `measure_rounding`.
    """
    model.require_density("a comparison of precisions")
    clean = np.asarray(clean, np.float32)
    bijector = in_float64(model)(clean, iso=iso, camera=camera).unstored.bijector
    latent = _exact(tf.random.stateless_normal(clean.shape, seed))
    # A copy for each value, whose slopes are of that value alone.
    copies = tf.tile(latent[tf.newaxis], [clean.size, 1, 1, 1])
    with tf.GradientTape() as tape:
        tape.watch(copies)
        states = bijector.states(copies)
    one_each = tf.reshape(tf.eye(clean.size, dtype=tf.float64), copies.shape)
    slopes = tape.gradient(states[-1], states, output_gradients=one_each)
    bounds = tf.add_n(
        [
            tf.reduce_sum(tf.abs(slope * state), axis=IMAGE_AXES)
            for slope, state in zip(slopes, states, strict=True)
        ]
    )
    deviation = tf.sqrt(tf.reduce_mean(tf.square(states[-1][0])))
    return _off(ROUNDINGS * UNIT * bounds / deviation)


def _exact(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(values, tf.float64)


def _off(differences: tf.Tensor) -> Off:
    largest = tf.reduce_max(tf.abs(differences))
    return Off(float(largest), float(tf.sqrt(tf.reduce_mean(tf.square(differences)))))
