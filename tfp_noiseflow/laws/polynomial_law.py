"""The logarithm of a polynomial in ISO: what beta1 and beta2 of real cameras follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.laws.any_iso_law import AnyIsoLaw
from tfp_noiseflow.laws.camera_law import TERMS1, TERMS2, CameraLaw

# Of a term that is 0: exp(-100) is nothing beside the noise of any camera at any ISO, and its
# gradient is 0, so that the term stays 0 in a training.
LOG_OF_ZERO = -100.0


class PolynomialLaw(AnyIsoLaw):
    """log of a polynomial with positive coefficients in g = ISO / 100, for all cameras or for each.

    ```none
    value(ISO) = log sum_k exp(v_k) g^k
    ```

    Learned are the logarithms v. They are summed as logarithms, so that in float32 too a value is
    right to rounding however small it is.

    Args:
      initial: v, [T], [T, C], [num_cameras, T] or [num_cameras, T, C]. A term of 0 is -100
        (`LOG_OF_ZERO`), which is also taken for everything below.
      powers: T powers of g, one for each term.
      num_cameras: M; None: the same for all cameras.
      channels: C; None: the same for all.
      dtype: of the values.
      name: of the variable.

    Raises:
      ValueError: initial values of another shape, NaN or +infinity among them.
    """

    def __init__(
        self,
        initial,
        powers: Sequence[int],
        *,
        num_cameras: int | None = None,
        channels: int | None = None,
        dtype=tf.float32,
        name: str = "polynomial_law",
    ):
        self.powers = tuple(powers)
        super().__init__(len(self.powers), num_cameras=num_cameras, channels=channels, name=name)
        values = np.asarray(initial, np.float64)
        if values.shape != self.numbers_shape or not (values < np.inf).all():
            raise ValueError(
                f"{name}: expected logarithms of shape {list(self.numbers_shape)}, received "
                f"{values.tolist()}."
            )
        values = np.maximum(values, LOG_OF_ZERO)
        self.log_coefficients = tf.Variable(tf.constant(values, dtype), name=name)
        self.dtype = self.log_coefficients.dtype

    @property
    def numbers(self):
        return self.log_coefficients

    def combine(self, iso, numbers):
        log_gain = tf.math.log(iso) - tf.constant(np.log(100), self.dtype)
        return tf.reduce_logsumexp(
            numbers + log_gain * tf.constant(self.powers, self.dtype), axis=-1
        )


def laws_of_cameras(
    laws: Sequence[CameraLaw],
    *,
    is_by_camera: bool = True,
    channels: int | None = None,
    dtype=tf.float32,
) -> tuple[PolynomialLaw, PolynomialLaw]:
    """log beta1 and log beta2 of cameras, at any ISO.

    Args:
      laws: of each camera, in order.
      is_by_camera: False: of one law, which holds for all cameras.
      channels: of the images, each of which then has a law of its own; None: all share one.
      dtype: of the values.

    Raises:
      ValueError: laws by channel where all channels share one, or of channels that do not fit.
    """
    numbers = []
    for law in laws:
        law = law if channels is None else law.in_channels(channels)
        if channels is None and law.channels > 1:
            raise ValueError(
                f"expected a law for all channels, the one of {law.camera!r} has numbers for each "
                f"of {law.channels}."
            )
        numbers.append([_with_channels(beta, channels) for beta in (law.beta1, law.beta2)])
    num_cameras = len(laws) if is_by_camera else None
    with np.errstate(divide="ignore"):
        tables = [np.log(np.stack(beta)) for beta in zip(*numbers, strict=True)]
    return tuple(
        PolynomialLaw(
            table if is_by_camera else table[0],
            tuple(terms.values()),
            num_cameras=num_cameras,
            channels=channels,
            dtype=dtype,
            name=name,
        )
        for name, table, terms in zip(
            ("log_beta1", "log_beta2"), tables, (TERMS1, TERMS2), strict=True
        )
    )


def _with_channels(coefficients: tuple, channels: int | None) -> np.ndarray:
    """[terms] or [terms, C]."""
    coefficients = np.array(coefficients)
    if channels is None or coefficients.ndim == 2:
        return coefficients
    return np.repeat(coefficients[:, np.newaxis], channels, axis=1)
