"""The logarithm of a polynomial in ISO: what beta1 and beta2 of real cameras follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfp_noiseflow.laws.any_iso_law import AnyIsoLaw
from tfp_noiseflow.laws.camera_law import TERMS1, TERMS2, CameraLaw
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.laws.polynomial_fit import fit_polynomial
from tfp_noiseflow.types import TensorLike

# Of a term that is 0: exp(-100) is nothing beside the noise of any camera at any ISO, and its
# gradient is 0, so that the term stays 0 in a training.
LOG_OF_ZERO = -100.0

# Where a law follows another one: the ISOs at which it does, and of the others' sum what a term
# of 0 is, so that training can move it.
FOLLOWED_ISOS = np.geomspace(50, 25600, 10)
LEAST_SHARE = 1e-3


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
        initial: TensorLike,
        powers: Sequence[int],
        *,
        num_cameras: int | None = None,
        channels: int | None = None,
        dtype: tf.DType = tf.float32,
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

    @classmethod
    def following(
        cls,
        law: Law,
        factor: float,
        *,
        powers: Sequence[int] = tuple(TERMS2.values()),
        num_cameras: int | None = None,
        name: str = "polynomial_law",
    ) -> PolynomialLaw:
        """A law for all channels that is a multiple of another one, see `follow`."""
        shape = (len(powers),) if num_cameras is None else (num_cameras, len(powers))
        found = cls(np.zeros(shape), powers, num_cameras=num_cameras, dtype=law.dtype, name=name)
        found.follow(law, factor)
        return found

    def follow(self, law: Law, factor: float) -> None:
        """Sets the law, of all channels, to a multiple of another one.

        Args:
          law: of the logarithm of a positive number, at any ISO, of the same cameras or for all;
            the mean of its channels is followed.
          factor: positive. The multiple is as near as a polynomial comes (`fit_polynomial`); a term
            that would be 0 stands as a thousandth of the others.
        """
        gain = FOLLOWED_ISOS / 100
        rows = []
        for camera in range(1 if self._camera is None else self._camera.count):
            values = law.at(
                iso=tf.constant(FOLLOWED_ISOS, law.dtype), camera=tf.fill([len(gain)], camera)
            )
            values = factor * np.exp(np.asarray(values, np.float64))
            if law.channels is not None:
                values = values.mean(axis=-1)
            values = np.broadcast_to(values, gain.shape)
            rows.append(_log_terms(fit_polynomial(gain, values, self.powers), self.powers, values))
        self._assign(rows)

    def become(self, coefficients: ArrayLike) -> None:
        """Sets the law to polynomials that are given.

        Args:
          coefficients: [T], of all cameras, or [M, T], of each; >= 0, of no camera all 0. A term
            of 0 stands as a thousandth of the others, so that training can move it.

        Raises:
          ValueError: another shape, numbers that are negative or not finite, none above 0.
        """
        rows = np.asarray(coefficients, np.float64)
        is_valid = rows.shape == self.numbers_shape and np.isfinite(rows).all() and rows.min() >= 0
        if self.channels is not None or not is_valid or not rows.any(axis=-1).all():
            raise ValueError(
                f"{self.name}: expected coefficients >= 0, not all 0, of shape "
                f"{list(self.numbers_shape)}, received {rows.tolist()}."
            )
        gain = FOLLOWED_ISOS / 100
        terms = np.stack([gain**power for power in self.powers])
        self._assign([_log_terms(row, self.powers, row @ terms) for row in np.atleast_2d(rows)])

    def _assign(self, rows: Sequence[np.ndarray]) -> None:
        """Of each camera, or of all the first."""
        numbers = np.stack(rows) if self._camera is not None else rows[0]
        self.log_coefficients.assign(tf.constant(numbers, self.dtype))

    @property
    def numbers(self) -> tf.Variable:
        return self.log_coefficients

    def combine(self, iso: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        log_gain = tf.math.log(iso) - tf.constant(np.log(100), self.dtype)
        return tf.reduce_logsumexp(
            numbers + log_gain * tf.constant(self.powers, self.dtype), axis=-1
        )


def _log_terms(coefficients: np.ndarray, powers: Sequence[int], values: np.ndarray) -> np.ndarray:
    """Logarithms of coefficients; one of 0 is a thousandth of what gives values, at all ISOs."""
    terms = np.stack([(FOLLOWED_ISOS / 100) ** power for power in powers])
    return np.log(np.maximum(coefficients, LEAST_SHARE * (values / terms).min(axis=1)))


def laws_of_cameras(
    laws: Sequence[CameraLaw],
    *,
    is_by_camera: bool = True,
    channels: int | None = None,
    dtype: tf.DType = tf.float32,
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
    log_beta1, log_beta2 = (
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
    return log_beta1, log_beta2


def _with_channels(coefficients: tuple, channels: int | None) -> np.ndarray:
    """[terms] or [terms, C]."""
    terms = np.array(coefficients)
    if channels is None or terms.ndim == 2:
        return terms
    return np.repeat(terms[:, np.newaxis], channels, axis=1)
