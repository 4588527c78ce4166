"""A camera's law: its noise level function at any ISO, in five numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfp_noiseflow.captures.capture_file import SMALLEST_BETA
from tfp_noiseflow.laws.polynomial_fit import fit_polynomial

# Of beta1 and beta2: the terms' names and their powers of g = ISO / 100.
TERMS1 = {"p": 1, "q": 0}
TERMS2 = {"r": 2, "s": 1, "t": 0}
TERMS = "pqrst"

# No camera is set to less or more: over these a term that stands for 0 must not be seen.
LOWEST_ISO, HIGHEST_ISO = 25.0, 409600.0
SMALLEST_SHARE = 1e-6

# From planes of a law to planes of an image: one plane, R G B, or packed R Gr Gb B. Half of the
# pixels are green. A coefficient's mean is the mean of the noise level functions.
_CHANNELS = {
    (3, 1): [[0.25, 0.5, 0.25]],
    (4, 1): [[0.25, 0.25, 0.25, 0.25]],
    (3, 4): [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]],
    (4, 3): [[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]],
}


@dataclass(frozen=True)
class CameraLaw:
    """A camera's noise level function at any ISO.

    In units of ISO 100, g = ISO / 100, and in fractions of full scale:

    beta1 = p g + q,  beta2 = r g^2 + s g + t,  var = beta1 * clean + beta2

    clean is gain-amplified. p is the shot noise, r the read noise before the amplifier, t the one
    after it. The five numbers are p, q, r, s, t; a flow learns their logarithms.

    #### Examples

    A calibration in ISO, beta1 = 2.194e-6 ISO + 8.7e-6 and beta2 = 1.73e-11 ISO^2 + 1.7e-6:

    ```python
    law = nf.CameraLaw((2.194e-4, 8.7e-6), (1.73e-7, 0.0, 1.7e-6), camera="Pixel")
    beta1, beta2 = law(640)
    ```

    Attributes:
      beta1: (p, q), each >= 0 and not both 0; a number, or one for each channel.
      beta2: (r, s, t), each >= 0 and not all 0; numbers as in beta1.
      camera: its name, or "".
      origin: where the numbers come from.
      iso_range: the lowest and the highest ISO that they were made from; None: not known.

    Raises:
      ValueError: other counts, numbers that are negative or not finite, channels that differ in
        number, a beta1 above 1 at ISO 100, an ISO range that is none.
    """

    beta1: tuple
    beta2: tuple
    camera: str = ""
    origin: str = ""
    iso_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        beta1 = _coefficients("beta1", self.beta1, TERMS1)
        beta2 = _coefficients("beta2", self.beta2, TERMS2)
        shapes = {beta1.shape[1:], beta2.shape[1:]} - {()}
        if len(shapes) > 1:
            raise ValueError(
                f"expected as many channels in beta1 as in beta2, received {beta1.shape[1]} and "
                f"{beta2.shape[1]}."
            )
        shape = shapes.pop() if shapes else ()
        for name, values in (("beta1", beta1), ("beta2", beta2)):
            by_channel = np.broadcast_to(values.T, (*shape, len(values))).T
            object.__setattr__(self, name, _tuples(by_channel))
        check_fractions(self(100.0)[0])
        if self.iso_range is not None:
            object.__setattr__(self, "iso_range", _iso_range(self.iso_range))

    @property
    def channels(self) -> int:
        """How many channels have numbers of their own; 1: all share them."""
        return np.size(self.beta1[0])

    def __call__(self, iso: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The noise level function at an ISO.

        Args:
          iso: > 0, of any shape [..].

        Returns:
          beta1 and beta2, [..] float64; [.., C] where each channel has its numbers.

        Raises:
          ValueError: an ISO that is 0, negative or not finite.
        """
        gain = check_iso(iso) / 100
        return _polynomial(self.beta1, gain), _polynomial(self.beta2, gain)

    def in_channels(self, channels: int) -> CameraLaw:
        """The same law for an image of other channels.

        Args:
          channels: of the image. One law for all channels holds in any number of them. Laws of R,
            G, B and of the packed R, Gr, Gb, B become each other (Gr and Gb have G's, G their mean)
            and, for an image of one channel, the mean over the pixels.

        Returns:
          CameraLaw, of `channels` or of one for all.

        Raises:
          ValueError: other channels.
        """
        if self.channels == channels or np.ndim(self.beta1[0]) == 0:
            return self
        if (self.channels, channels) not in _CHANNELS:
            raise ValueError(
                f"expected an image of {self.channels} channels as the law of {self.camera!r} has "
                f"(or 1, 3, 4 for laws of 3 or 4), received {channels}."
            )
        matrix = np.array(_CHANNELS[self.channels, channels]).T
        beta1, beta2 = np.array(self.beta1) @ matrix, np.array(self.beta2) @ matrix
        if channels == 1:
            beta1, beta2 = beta1[:, 0], beta2[:, 0]
        return CameraLaw(beta1, beta2, self.camera, self.origin, self.iso_range)

    def five_numbers(
        self,
        smallest_share: float = SMALLEST_SHARE,
        iso_range: tuple[float, float] = (LOWEST_ISO, HIGHEST_ISO),
    ) -> np.ndarray:
        """The logarithms of p, q, r, s, t.

        A number that is 0 has no logarithm. It stands as a term that is at most a share of the sum
        of the others at any ISO of a range.

        Args:
          smallest_share: that share. iso_range: that range.

        Returns:
          [5] float64, or [5, C]: a, b, c, d, e of beta1 = exp(a) g + exp(b) and
          beta2 = exp(c) g^2 + exp(d) g + exp(e).
        """
        gain = np.geomspace(*_iso_range(iso_range), 200) / 100
        logs = []
        for coefficients, terms in ((self.beta1, TERMS1), (self.beta2, TERMS2)):
            others = _polynomial(coefficients, gain)
            for coefficient, power in zip(coefficients, terms.values(), strict=True):
                shape = gain.reshape(-1, *[1] * np.ndim(coefficient)) ** power
                unseen = smallest_share * (others / shape).min(axis=0)
                logs.append(np.log(np.where(np.array(coefficient) > 0, coefficient, unseen)))
        return np.stack(logs)

    @classmethod
    def from_five_numbers(cls, logs: ArrayLike, **about: Any) -> CameraLaw:
        """The law of the logarithms of p, q, r, s, t.

        Args:
          logs: [5] or [5, C]; -inf: the term is 0.
          **about: camera, origin, iso_range.
        """
        logs = np.asarray(logs, np.float64)
        if logs.ndim not in (1, 2) or len(logs) != 5:
            raise ValueError(f"expected five numbers, [5] or [5, C], received {logs.shape}.")
        numbers = np.exp(logs)
        return cls(numbers[:2], numbers[2:], **about)

    @classmethod
    def from_table(
        cls,
        iso: ArrayLike,
        beta1: ArrayLike,
        beta2: ArrayLike,
        *,
        terms: str = TERMS,
        camera: str = "",
        origin: str = "",
    ) -> LawFit:
        """The law that is nearest to a table, by relative errors (`polynomial_fit`).

        Args:
          iso: [n], > 0.
          beta1, beta2: [n], or [n, C] with a law for each channel; fractions of full scale. beta2
            of 0 or less becomes 1e-6, or the smallest other beta2 where that is smaller, with a
            warning.
          terms: those of "pqrst" that are fitted, the rest are 0. "prt": beta1 = p g and
            beta2 = r g^2 + t.
          camera, origin: of the law.

        Returns:
          LawFit: the law, and by how much it misses each row.

        Raises:
          ValueError: fewer different ISOs than terms of beta1 or of beta2, an ISO or beta1 that is
            not above 0, beta1 above 1, shapes that do not fit, unknown terms.
        """
        iso = check_iso(iso)
        beta1, beta2 = (
            _column(name, values, iso) for name, values in (("beta1", beta1), ("beta2", beta2))
        )
        if beta1.shape != beta2.shape:
            raise ValueError(
                f"expected as many channels in beta1 as in beta2, received {beta1.shape} and "
                f"{beta2.shape}."
            )
        powers = _powers(terms)
        needed = max(map(len, powers))
        different = len(np.unique(iso))
        if different < needed:
            raise ValueError(
                f"expected a table of {len(powers[0])} different ISOs for beta1 and "
                f"{len(powers[1])} for beta2, one for each term of {terms!r}, received {different} "
                f"({np.unique(iso).tolist()}); fewer terms, terms='pr' for instance, need fewer."
            )
        if not (beta1 > 0).all():
            raise ValueError(f"expected beta1 > 0, received {beta1.min()}.")
        check_fractions(beta1)
        beta2 = _floored(beta2, camera)
        coefficients = []
        for values, all_terms, fitted in zip((beta1, beta2), (TERMS1, TERMS2), powers, strict=True):
            found = np.zeros([len(all_terms), *values.shape[1:]])
            rows = [list(all_terms.values()).index(power) for power in fitted]
            for channel in np.ndindex(values.shape[1:]):
                at = (slice(None), *channel)
                found[(rows, *channel)] = fit_polynomial(iso / 100, values[at], fitted)
            coefficients.append(found)
        of_beta1, of_beta2 = map(tuple, coefficients)
        law = cls(of_beta1, of_beta2, camera, origin, (iso.min(), iso.max()))
        fitted1, fitted2 = (values.reshape(beta1.shape) for values in law(iso))
        return LawFit(law, fitted1 / beta1 - 1, fitted2 / beta2 - 1)

    def to_config(self) -> dict:
        """What JSON can hold; `from_config` makes the law of it again."""
        return {
            "camera": self.camera,
            "beta1": np.array(self.beta1).tolist(),
            "beta2": np.array(self.beta2).tolist(),
            "origin": self.origin,
            "iso_range": None if self.iso_range is None else list(self.iso_range),
        }

    @classmethod
    def from_config(cls, config: dict) -> CameraLaw:
        """The law of a `to_config`."""
        expected = {"camera", "beta1", "beta2", "origin", "iso_range"}
        if not {"beta1", "beta2"} <= set(config) <= expected:
            raise ValueError(
                f"expected a law's {sorted(expected)}, received the names {sorted(config)}."
            )
        return cls(**config)


@dataclass(frozen=True)
class LawFit:
    """A law that was fitted to a table, and by how much it misses it.

    Attributes:
      law: CameraLaw.
      relative_residual_beta1, relative_residual_beta2: [n] or [n, C], the law's value over the
        table's minus 1, in the table's order; where the table's beta2 was raised to a floor, over
        the floor.
    """

    law: CameraLaw
    relative_residual_beta1: np.ndarray
    relative_residual_beta2: np.ndarray


def check_iso(iso: ArrayLike) -> np.ndarray:
    """ISOs as float64; an error where one is 0, negative or not finite."""
    iso = np.asarray(iso, np.float64)
    if not (np.isfinite(iso) & (iso > 0)).all():
        wrong = iso[~(np.isfinite(iso) & (iso > 0))]
        raise ValueError(f"expected ISOs above 0, received {wrong.ravel()[0]}.")
    return iso


def check_fractions(beta1: np.ndarray | float) -> None:
    """An error where beta1 cannot be in fractions of full scale."""
    if np.max(beta1) > 1:
        raise ValueError(
            f"expected beta1 in fractions of full scale, received {np.max(beta1):g}, above 1. "
            "Digital numbers? Divide beta1 by (white level - black level), and beta2 by its square."
        )


def _coefficients(name: str, values: Iterable, terms: dict) -> np.ndarray:
    try:
        rows = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in values))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected {name} as {tuple(terms)}, each a number or one for each channel, received "
            f"{values!r}."
        ) from error
    numbers = np.stack(rows) if rows else np.zeros([0])
    if len(numbers) != len(terms) or numbers.ndim > 2 or numbers.size == 0:
        raise ValueError(
            f"expected {name} as {tuple(terms)}, each a number or one for each channel, received "
            f"{values!r}."
        )
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ValueError(f"expected {name} of numbers >= 0, received {numbers.tolist()}.")
    if not numbers.any(axis=0).all():
        raise ValueError(f"expected {name} with a term above 0, received {numbers.tolist()}.")
    return numbers[:, 0] if numbers.shape[1:] == (1,) else numbers


def _tuples(values: np.ndarray) -> tuple:
    """Numbers that can be compared and hashed."""
    return tuple(row if np.ndim(row) == 0 else tuple(row) for row in values.tolist())


def _iso_range(iso_range: ArrayLike) -> tuple[float, float]:
    values = check_iso(iso_range)
    if values.shape != (2,) or values[0] > values[1]:
        raise ValueError(f"expected the lowest and the highest ISO, received {iso_range!r}.")
    return tuple(values.tolist())


def _polynomial(coefficients: tuple, gain: np.ndarray) -> np.ndarray:
    """coefficients [terms] or [terms, C], highest power first -> gain's shape [.., C]."""
    terms = np.array(coefficients)
    return np.polyval(terms, np.reshape(gain, (*np.shape(gain), *[1] * (terms.ndim - 1))))


def _column(name: str, values: ArrayLike, iso: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if iso.ndim != 1 or values.ndim not in (1, 2) or len(values) != len(iso):
        raise ValueError(
            f"expected iso [n] and {name} [n] or [n, channels], received {iso.shape} and "
            f"{values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"expected {name} of finite numbers, received NaN or infinity.")
    return values


def _powers(terms: str) -> tuple[list[int], list[int]]:
    powers1, powers2 = (
        [power for term, power in all_terms.items() if term in terms]
        for all_terms in (TERMS1, TERMS2)
    )
    if not set(terms) <= set(TERMS) or not (powers1 and powers2):
        raise ValueError(
            f"expected terms among {TERMS!r}, one of p, q and one of r, s, t at least, received "
            f"{terms!r}."
        )
    return powers1, powers2


def _floored(beta2: np.ndarray, camera: str) -> np.ndarray:
    is_wrong = beta2 <= 0
    if not is_wrong.any():
        return beta2
    # A camera that is known to be better than the floor elsewhere.
    floor = min([SMALLEST_BETA, *beta2[~is_wrong]])
    warnings.warn(
        f"{camera or 'a table'}: expected beta2 > 0, received {beta2.min():g}; {is_wrong.sum()} of "
        f"{beta2.size} values of 0 or less are taken as {floor:g}.",
        stacklevel=3,
    )
    return np.where(is_wrong, floor, beta2)
