"""Cameras' laws by maximum likelihood on captures, at whatever ISOs they were taken.

The noise is taken as independent Gaussians of mean 0. Their variance is linear in the five numbers,

var = p (g x) + q x + r g^2 + s g + t,  g = ISO / 100, x the clean value

so that the sums over a camera and ISO that `NoiseStatistics` holds are all that is needed, and the
Fisher information is 1/2 sum n / var^2 (terms)(terms)^T. Its inverse gives the standard errors;
where it is singular, captures do not determine a number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics, noise_statistics
from tfp_noiseflow.laws.camera_law import TERMS, TERMS1, CameraLaw
from tfp_noiseflow.laws.polynomial_fit import solve_non_negative

# Read noise below this share of the variance of even the darkest pixels is an extrapolation: one
# per cent of error in the rest of the variance is ten in it.
DARK_SHARE = 0.1
# A beta that is no further from 0 at any ISO was not seen.
SEEN_ERRORS = 2.0
# Eigenvalues of the information, its diagonal scaled to 1, below which it is singular; rounding
# leaves 1e-16.
SINGULAR = 1e-13
# A term of the law that is 0 stands as this share of the least variance while it is sought.
SMALLEST_SHARE = 1e-9
REWEIGHTINGS = 10


@dataclass(frozen=True, eq=False)
class LawEstimate:
    """A law that was fitted to a camera's captures, and how well they determine it.

    The standard errors are those of independent Gaussian noise. What bends the law, such as noise
    that is clipped at black or a black level that is off, they do not know.

    Attributes:
      law: CameraLaw, for all channels.
      standard_errors: [5], of p, q, r, s, t; infinite where the captures do not determine the
        number. Of a number that is 0, its bound, and of those that it stands beside: as if it could
        be negative, which is at least what they are.
      pixels: values of noise that it was fitted to.
      log_likelihood: of them, in nats.
      warnings: what the captures do not determine, as sentences.
      unseen: of "beta1" and "beta2", those that the captures do not determine at any ISO.
      seen_at_one_iso: those that they determine there alone, not how they go with ISO.
    """

    law: CameraLaw
    standard_errors: np.ndarray
    pixels: int
    log_likelihood: float
    warnings: tuple[str, ...]
    unseen: frozenset[str] = frozenset()
    seen_at_one_iso: frozenset[str] = frozenset()

    def completed_by(self, other: Callable[[float], CameraLaw]) -> CameraLaw:
        """The law, with another's numbers for what captures do not determine.

        Args:
          other: makes a law for all channels of an ISO: near it, it should be right. It is the
            middle of the captures' ISOs.

        Returns:
          CameraLaw: a beta that is unseen is the other's, one that is seen at one ISO the other's
          times what it takes to be right there.
        """
        if not self.unseen | self.seen_at_one_iso:
            return self.law
        iso = float(np.sqrt(np.prod(self.law.iso_range)))
        whole = other(iso)
        betas = {}
        for name, own, there in zip(("beta1", "beta2"), self.law(iso), whole(iso), strict=True):
            scale = own / there if name in self.seen_at_one_iso else 1.0
            is_own = name not in self.unseen | self.seen_at_one_iso
            betas[name] = getattr(self.law if is_own else whole, name)
            if not is_own:
                betas[name] = tuple(scale * number for number in betas[name])
        return replace(self.law, **betas, origin=f"{self.law.origin}, completed by other cameras'")

    def __str__(self) -> str:
        numbers = [*self.law.beta1, *self.law.beta2]
        lines = [f"{self.law.camera}: {self.pixels} pixels"]
        for term, number, error in zip(TERMS, numbers, self.standard_errors, strict=True):
            is_known = np.isfinite(error)
            lines.append(f"  {term} {number:.4g} " + (f"+- {error:.2g}" if is_known else "unknown"))
        return "\n".join([*lines, *(f"  {text}" for text in self.warnings)])


def fit_camera_laws(captures: Captures | NoiseStatistics) -> dict[str, LawEstimate]:
    """The law of each camera of captures, by maximum likelihood.

    ```python
    estimates = nf.fit_camera_laws(nf.read_captures("captures.h5"))
    flow = nf.NoiseFlow.from_laws([e.law for e in estimates.values()], "L-Ax8")
    ```

    Of captures at two ISOs, beta2 = r g^2 + t; at one, beta1 = p g and beta2 = r g^2: its law holds
    there, and elsewhere is a guess. Python warnings name the cameras of which captures determine
    too little; numbers that are 0 within their standard error are named in the estimate alone.

    Args:
      captures: at any ISOs, or their statistics.

    Returns:
      Camera name to LawEstimate, in the order of the names.

    Raises:
      ValueError: no noise in the captures of a camera at an ISO, values that are not finite, or
        that cannot be fractions of full scale.
    """
    by_camera: dict[str, dict[float, np.ndarray]] = {}
    for (camera, iso), sums in sorted(noise_statistics(captures).by_condition.items()):
        by_camera.setdefault(camera, {})[iso] = sums
    estimates = {camera: fit_law(sums, camera) for camera, sums in by_camera.items()}
    for camera, estimate in estimates.items():
        serious = [text for text in estimate.warnings if not text.endswith(_WITHIN)]
        if serious:
            warnings.warn(f"{camera}: {'; '.join(serious)}", stacklevel=2)
    return estimates


def fit_law(sums_by_iso: dict[float, np.ndarray], camera: str = "") -> LawEstimate:
    """The law of one camera.

    Args:
      sums_by_iso: ISO to [3, L] as in `NoiseStatistics.by_condition`.
      camera: its name.

    Returns:
      LawEstimate.

    Raises:
      ValueError: as `fit_camera_laws`.
    """
    bins = _Bins(sums_by_iso, camera)
    isos = np.array(sorted(sums_by_iso))
    numbers = _most_likely(bins, _fitted_terms(len(isos)))
    law = CameraLaw(
        numbers[:2], numbers[2:], camera, "maximum likelihood on captures", (isos[0], isos[-1])
    )
    information = bins.information(numbers)
    errors = _standard_errors(information, np.eye(5))
    unclear = _Unclear(bins, isos, numbers, information, errors)
    return LawEstimate(
        law,
        errors,
        int(bins.counts.sum()),
        -bins.nll(numbers)[0] - 0.5 * np.log(2 * np.pi) * bins.counts.sum(),
        tuple(unclear.warnings()),
        frozenset(unclear.unseen()),
        frozenset(unclear.seen_at_one_iso()),
    )


def log_likelihood(law: CameraLaw, sums_by_iso: dict[float, np.ndarray]) -> float:
    """Of the noise of a camera's captures under a law for all channels, in nats.

    Args:
      law: for all channels.
      sums_by_iso: as for `fit_law`.
    """
    bins = _Bins(sums_by_iso, law.camera)
    nll, _ = bins.nll(np.array([*law.beta1, *law.beta2]))
    return -nll - 0.5 * np.log(2 * np.pi) * bins.counts.sum()


class _Bins:
    """A camera's pixels by ISO and clean level.

    Attributes:
      terms: [n, 5], of the variance, at the mean clean value of each bin. counts [n]: of pixels.
      squares [n]: sums of squared noise. clean [n]. variance: [n], the mean at the bin's ISO.
    """

    def __init__(self, sums_by_iso: dict[float, np.ndarray], camera: str):
        columns = []
        for iso, sums in sums_by_iso.items():
            if not np.isfinite(sums).all():
                raise ValueError(f"{camera} at ISO {iso:g}: expected finite values, received NaN.")
            counts, clean_sums, squares = sums[:, sums[0] > 0]
            variance = squares.sum() / max(counts.sum(), 1)
            if not variance > 0:
                raise ValueError(f"{camera} at ISO {iso:g}: expected noise, all of it is 0.")
            gain, clean = np.full_like(counts, iso / 100), clean_sums / counts
            columns.append([counts, squares, clean, gain, np.full_like(counts, variance)])
        self.counts, self.squares, self.clean, gain, self.variance = np.hstack(columns)
        one = np.ones_like(gain)
        self.terms = np.stack([gain * self.clean, self.clean, gain**2, gain, one], axis=-1)

    def nll(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The total but for its constant, and its gradient [5]."""
        variance = self.terms @ numbers
        value = 0.5 * np.sum(self.counts * np.log(variance) + self.squares / variance)
        slope = 0.5 * (self.counts - self.squares / variance) / variance
        return value, slope @ self.terms

    def information(self, numbers: np.ndarray) -> np.ndarray:
        """Fisher's, [5, 5]."""
        weighted = self.terms / (self.terms @ numbers)[:, None]
        return 0.5 * (weighted * self.counts[:, None]).T @ weighted


def _fitted_terms(isos: int) -> list[int]:
    """No more terms of beta1 and of beta2 than ISOs."""
    names = {1: "pr", 2: "pqrt"}.get(isos, TERMS)
    return [TERMS.index(name) for name in names]


def _most_likely(bins: _Bins, fitted: list[int]) -> np.ndarray:
    """[5], >= 0."""
    largest = bins.terms.max(axis=0)
    lowest = SMALLEST_SHARE * bins.variance.min() / np.where(largest > 0, largest, 1.0)
    fitted = [term for term in fitted if largest[term] > 0]
    terms = bins.terms[:, fitted]
    # Weighted least squares of the mean squares: each step one of Fisher's scoring.
    variance = bins.variance
    for _ in range(REWEIGHTINGS):
        weight = np.sqrt(bins.counts) / variance
        found = solve_non_negative(terms * weight[:, None], weight * bins.squares / bins.counts)
        found = np.maximum(found, lowest[fitted])
        variance = terms @ found
    # In units of the error that each number has where the others are known.
    scale = np.sqrt(np.diag(0.5 * (terms * (bins.counts / variance**2)[:, None]).T @ terms))
    numbers = np.zeros(5)
    numbers[fitted] = found
    at_start = bins.nll(numbers)[0]

    def objective(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        numbers[fitted] = scaled / scale
        value, gradient = bins.nll(numbers)
        return value - at_start, gradient[fitted] / scale

    result = scipy.optimize.minimize(
        objective,
        found * scale,
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, None) for low in lowest[fitted] * scale],
        options={"ftol": 1e-14, "gtol": 1e-5, "maxiter": 1000, "maxcor": 20},
    )
    if result.fun < 0:
        found = result.x / scale
    numbers = lowest.copy()
    numbers[fitted] = found
    for part in (slice(None, len(TERMS1)), slice(len(TERMS1), None)):
        # A law has a term of each: the least where neither was seen.
        is_seen = numbers[part] > 2 * lowest[part]
        if is_seen.any():
            numbers[part] *= is_seen
    return numbers


def _standard_errors(information: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Of sums of the numbers, [n], with the weights directions [n, 5]; infinite: not determined."""
    size = np.sqrt(np.diag(information))
    is_seen = size > 0
    scale = np.where(is_seen, size, 1.0)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    parts = directions / scale @ vectors
    length = np.linalg.norm(parts, axis=1, keepdims=True)
    is_singular = values < SINGULAR * values.max()
    is_lost = ((np.abs(parts) > 1e-6 * length) & is_singular).any(axis=1)
    inverse = np.where(is_singular, 0.0, 1 / np.where(is_singular, 1.0, values))
    return np.where(is_lost, np.inf, np.sqrt(parts**2 @ inverse))


_WITHIN = "within its standard error"


class _Unclear:
    """What a camera's captures do not determine."""

    def __init__(self, bins: _Bins, isos, numbers, information, errors):
        self._bins, self._isos, self._numbers, self._errors = bins, isos, numbers, errors
        gain, none = isos / 100, np.zeros_like(isos)
        directions = {
            "beta1": np.stack([gain, none + 1, none, none, none], axis=-1),
            "beta2": np.stack([none, none, gain**2, gain, none + 1], axis=-1),
        }
        self._is_found = {
            name: (rows @ numbers > SEEN_ERRORS * _standard_errors(information, rows)).any()
            for name, rows in directions.items()
        }
        self._read_noise = bins.terms[:, 2:] @ numbers[2:] / (bins.terms @ numbers)

    def unseen(self):
        """The betas of which captures tell nothing."""
        if not self._is_found["beta1"]:
            yield "beta1"
        if not self._is_found["beta2"] or self._read_noise.max() < DARK_SHARE:
            yield "beta2"

    def seen_at_one_iso(self):
        """The betas that captures tell, but not how they go with ISO."""
        for name in {"beta1", "beta2"} - {*self.unseen()}:
            if len(self._isos) == 1 or self._could_all_be_0(name):
                yield name

    def _could_all_be_0(self, name: str) -> bool:
        part = slice(None, 2) if name == "beta1" else slice(2, None)
        numbers, errors = self._numbers[part], self._errors[part]
        is_unclear = (numbers <= errors) & np.isfinite(errors)
        return bool(self._is_found[name] and is_unclear.all())

    def warnings(self):
        """As sentences."""
        isos = self._isos
        if len(isos) == 1:
            yield (
                f"captures at ISO {isos[0]:g} alone: beta1 = p g and beta2 = r g^2 are right there "
                "and a guess elsewhere"
            )
        elif len(isos) == 2:
            yield (
                f"captures at ISO {isos[0]:g} and {isos[1]:g} alone: of beta2, r and t are fitted, "
                "s is taken as 0; a third ISO would tell"
            )
        for name in ("beta1", "beta2"):
            if self._could_all_be_0(name):
                yield (
                    f"captures at ISO {isos[0]:g} to {isos[-1]:g} do not tell how {name} goes with "
                    "ISO: each of its terms could be 0"
                )
        unseen = {*self.unseen()}
        clean = self._bins.clean
        if "beta1" in unseen:
            yield (
                f"no bright pixels: the clean values, up to {clean.max():.3g}, do not determine "
                "beta1"
            )
        if "beta2" in unseen:
            yield (
                f"no dark pixels: at the darkest, of clean value {clean.min():.3g}, read noise is "
                f"{self._read_noise.max():.1%} of the variance at most; beta2 is an extrapolation"
            )
        for term, number, error in zip(TERMS, self._numbers, self._errors, strict=True):
            if np.isfinite(error) and number <= error:
                yield f"{term} = {number:.3g} +- {error:.2g}: 0 {_WITHIN}"
