"""Cameras' laws by maximum likelihood on captures, at whatever ISOs they were taken.

The noise is taken as independent Gaussians of mean 0. Their variance is linear in the five numbers,

var = p (g x) + q x + r g^2 + s g + t,  g = ISO / 100, x the clean value

so that the sums over a camera and ISO that `NoiseStatistics` holds are all that is needed, and the
Fisher information is 1/2 sum n / var^2 (terms)(terms)^T. Its inverse gives the standard errors;
where it is singular, captures do not determine a number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.code_sample import CodePixels
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics, noise_statistics
from tfp_noiseflow.laws.camera_law import TERMS, TERMS1, CameraLaw
from tfp_noiseflow.laws.code_likelihood import code_nll
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

    @property
    def serious_warnings(self) -> tuple[str, ...]:
        """The warnings but for those of numbers that are 0 within their standard error."""
        return tuple(text for text in self.warnings if not text.endswith(_WITHIN))

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
        assert self.law.iso_range is not None  # It was fitted there.
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
        """In a line, and one for each serious warning."""
        numbers = [*self.law.beta1, *self.law.beta2]
        terms = [
            f"{term} {number:.4g} " + (f"+- {error:.2g}" if np.isfinite(error) else "unknown")
            for term, number, error in zip(TERMS, numbers, self.standard_errors, strict=True)
        ]
        line = f"{self.law.camera}: {', '.join(terms)} ({self.pixels} pixels)"
        return "\n".join([line, *(f"  {text}" for text in self.serious_warnings)])


def fit_camera_laws(
    captures: Captures | NoiseStatistics,
    codes: Mapping[tuple[str, float], CodePixels] | None = None,
) -> dict[str, LawEstimate]:
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
      codes: (camera, ISO) to pixels of the captures as codes (`sample_codes`), by whose likelihood
        laws are fitted: not bent by codes and clipping, for `StoredNoise`.

    Returns:
      Camera name to LawEstimate, in the order of the names.

    Raises:
      ValueError: no noise in the captures of a camera at an ISO, values that are not finite, or
        that cannot be fractions of full scale.
    """
    by_camera: dict[str, dict[float, np.ndarray]] = {}
    for (camera, iso), sums in sorted(noise_statistics(captures).by_condition.items()):
        by_camera.setdefault(camera, {})[iso] = sums
    codes_by_camera: dict[str, dict[float, CodePixels]] = {}
    for (camera, iso), pixels in (codes or {}).items():
        codes_by_camera.setdefault(camera, {})[iso] = pixels
    estimates = {
        camera: fit_law(sums, camera, codes_by_camera.get(camera))
        for camera, sums in by_camera.items()
    }
    for camera, estimate in estimates.items():
        if estimate.serious_warnings:
            warnings.warn(f"{camera}: {'; '.join(estimate.serious_warnings)}", stacklevel=2)
    return estimates


def fit_law(
    sums_by_iso: dict[float, np.ndarray],
    camera: str = "",
    codes_by_iso: Mapping[float, CodePixels] | None = None,
) -> LawEstimate:
    """The law of one camera.

    Args:
      sums_by_iso: ISO to [3, L] as in `NoiseStatistics.by_condition`.
      camera: its name.
      codes_by_iso: ISO to pixels as codes, by whose likelihood the law is fitted; `sums_by_iso`
        gives the start.

    Returns:
      LawEstimate.

    Raises:
      ValueError: as `fit_camera_laws`.
    """
    bins = _Bins(sums_by_iso, camera)
    isos = np.array(sorted(sums_by_iso))
    lowest = bins.least_numbers()
    # A number that the captures' clean values give nothing of, all of them black, stays at 0.
    fitted = [term for term in _fitted_terms(len(isos)) if bins.terms[:, term].any()]
    numbers = _descend(bins, _least_squares(bins, fitted, lowest), fitted, lowest)
    pixels: _Bins | _Codes = bins
    origin = "maximum likelihood on captures"
    if codes_by_iso is not None:
        pixels, origin = _Codes(codes_by_iso), "maximum likelihood on captures' codes"
        numbers = _descend(pixels, numbers, fitted, lowest)
    numbers = _with_zeros(numbers, lowest)
    law = CameraLaw(tuple(numbers[:2]), tuple(numbers[2:]), camera, origin, (isos[0], isos[-1]))
    information = pixels.information(numbers)
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


def fit_numbers(sums_by_iso: dict[float, np.ndarray], camera: str = "") -> np.ndarray:
    """p, q, r, s, t as `fit_law` finds them but for its last digits, and ten times as fast.

    Args:
      sums_by_iso, camera: as for `fit_law`.

    Returns:
      [5] float64.
    """
    bins = _Bins(sums_by_iso, camera)
    lowest = bins.least_numbers()
    fitted = [term for term in _fitted_terms(len(sums_by_iso)) if bins.terms[:, term].any()]
    return _with_zeros(_least_squares(bins, fitted, lowest), lowest)


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

    def least_numbers(self) -> np.ndarray:
        """[5], what counts as 0: a small share of the least variance."""
        largest = self.terms.max(axis=0)
        return SMALLEST_SHARE * self.variance.min() / np.where(largest > 0, largest, 1.0)

    def information(self, numbers: np.ndarray) -> np.ndarray:
        """Fisher's, [5, 5]."""
        weighted = self.terms / (self.terms @ numbers)[:, None]
        return 0.5 * (weighted * self.counts[:, None]).T @ weighted


class _Codes:
    """A camera's pixels of all ISOs as codes."""

    def __init__(self, codes_by_iso: Mapping[float, CodePixels]):
        self._parts = []
        for iso, pixels in codes_by_iso.items():
            gain = iso / 100
            one = np.ones_like(pixels.clean)
            terms = [gain * pixels.clean, pixels.clean, gain**2 * one, gain * one, one]
            self._parts.append((pixels, np.stack(terms, axis=-1)))

    def nll(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The total and its gradient [5]."""
        total, gradient = 0.0, np.zeros(len(TERMS))
        for pixels, terms in self._parts:
            nll, slope = code_nll(pixels, terms @ numbers)
            total += nll.sum()
            gradient += slope @ terms
        return total, gradient

    def information(self, numbers: np.ndarray) -> np.ndarray:
        """Fisher's, [5, 5]: the mean square of the gradients of all pixels."""
        total = np.zeros((len(TERMS), len(TERMS)))
        for pixels, terms in self._parts:
            scores = code_nll(pixels, terms @ numbers)[1][:, None] * terms
            total += scores.T @ scores
        return total


def _fitted_terms(isos: int) -> list[int]:
    """No more terms of beta1 and of beta2 than ISOs."""
    names = {1: "pr", 2: "pqrt"}.get(isos, TERMS)
    return [TERMS.index(name) for name in names]


def _least_squares(bins: _Bins, fitted: list[int], lowest: np.ndarray) -> np.ndarray:
    """[5], by weighted least squares of the mean squares: each step one of Fisher's scoring."""
    terms, variance = bins.terms[:, fitted], bins.variance
    for _ in range(REWEIGHTINGS):
        weight = np.sqrt(bins.counts) / variance
        found = solve_non_negative(terms * weight[:, None], weight * bins.squares / bins.counts)
        found = np.maximum(found, lowest[fitted])
        variance = terms @ found
    numbers = np.zeros(len(TERMS))
    numbers[fitted] = found
    return numbers


def _descend(
    pixels: _Bins | _Codes, start: np.ndarray, fitted: list[int], lowest: np.ndarray
) -> np.ndarray:
    """The most likely numbers [5] from a start on; those that are not fitted stay as they are."""
    numbers = start.copy()
    # In units of the error that each number has where the others are known.
    scale = np.sqrt(np.diag(pixels.information(numbers))[fitted])
    at_start = pixels.nll(numbers)[0]

    def objective(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        numbers[fitted] = scaled / scale
        value, gradient = pixels.nll(numbers)
        return value - at_start, gradient[fitted] / scale

    result = scipy.optimize.minimize(
        objective,
        start[fitted] * scale,
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, None) for low in lowest[fitted] * scale],
        options={"ftol": 1e-14, "gtol": 1e-5, "maxiter": 1000, "maxcor": 20},
    )
    if not result.fun < 0:
        return start
    numbers[fitted] = result.x / scale
    return numbers


def _with_zeros(numbers: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Numbers that are least become 0, but for those of a beta of which none was seen."""
    numbers = np.maximum(numbers, lowest)
    for part in (slice(None, len(TERMS1)), slice(len(TERMS1), None)):
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

    def __init__(
        self,
        bins: _Bins,
        isos: np.ndarray,
        numbers: np.ndarray,
        information: np.ndarray,
        errors: np.ndarray,
    ):
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

    def unseen(self) -> Iterator[str]:
        """The betas of which captures tell nothing."""
        if not self._is_found["beta1"]:
            yield "beta1"
        if not self._is_found["beta2"] or self._read_noise.max() < DARK_SHARE:
            yield "beta2"

    def seen_at_one_iso(self) -> Iterator[str]:
        """The betas that captures tell, but not how they go with ISO."""
        for name in {"beta1", "beta2"} - {*self.unseen()}:
            if len(self._isos) == 1 or self._could_all_be_0(name):
                yield name

    def _could_all_be_0(self, name: str) -> bool:
        part = slice(None, 2) if name == "beta1" else slice(2, None)
        numbers, errors = self._numbers[part], self._errors[part]
        is_unclear = (numbers <= errors) & np.isfinite(errors)
        return bool(self._is_found[name] and is_unclear.all())

    def warnings(self) -> Iterator[str]:
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
