"""The camera NLF baseline: a noise level function for each camera and ISO (paper, table 1)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import tensorflow as tf
from numpy.typing import ArrayLike

from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.captures.capture_file import SMALLEST_BETA, Captures
from tfp_noiseflow.captures.clean_noise import clean_noise
from tfp_noiseflow.captures.code_sample import CodePixels
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics, noise_statistics
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.conditions.camera_names import checked_cameras
from tfp_noiseflow.conditions.conditions import Iso
from tfp_noiseflow.laws import ConditionTable
from tfp_noiseflow.laws.code_likelihood import code_nll
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.photon_transfer import PairEstimate, estimate_pair

# What an estimate of 0 stands for in a table, which holds logarithms: far below any camera's.
SMALLEST_ESTIMATE = 1e-12


class CameraNLF(NoiseModel):
    """Heteroscedastic Gaussian noise, var = beta1 * clean + beta2, by camera and ISO.

    Args:
      cameras: M names.
      iso_levels: K ISOs.
      beta1, beta2: [M, K], or [M, K, C] with numbers for each channel, in fractions of full scale
        (beta1) and its square (beta2). NaN in either where a camera at an ISO is unknown, which a
        call for it then says. Values <= 0 become 1e-6, with a warning.
      dtype: float32 or float64 (or its name).

    Attributes:
      quality: (camera, ISO) to how well it fits what it was fitted to: an `NlfQuality` of `fit`,
        a `PairEstimate` of `from_pairs`. Not stored; empty where nothing was fitted.

    Raises:
      ValueError: tables of another shape.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        iso_levels: Sequence[float],
        beta1: ArrayLike,
        beta2: ArrayLike,
        dtype: tf.DType | str = tf.float32,
    ):
        dtype = tf.as_dtype(dtype)
        names = checked_cameras(cameras)
        if not names:
            raise ValueError(f"expected camera names, each once, received {names}.")
        levels = Iso(tuple(iso_levels)).levels or ()
        beta1, beta2 = (np.array(beta, np.float64) for beta in (beta1, beta2))  # None gives NaN.
        if beta1.shape == beta2.shape:
            is_known = ~(np.isnan(beta1) | np.isnan(beta2))
            beta1, beta2 = (np.where(is_known, beta, np.nan) for beta in (beta1, beta2))
        shape = (len(names), len(levels))
        channels = beta1.shape[2] if beta1.ndim == 3 else None
        tables = {}
        for name, beta in (("log_beta1", beta1), ("log_beta2", beta2)):
            if beta.shape != (shape if channels is None else (*shape, channels)):
                raise ValueError(
                    f"expected tables of shape {list(shape)} (cameras, ISO levels), or with "
                    f"channels at the end, received {list(beta1.shape)} and {list(beta2.shape)}."
                )
            if np.isinf(beta).any():
                raise ValueError(f"expected finite {name[4:]} (or NaN: unknown), received {beta}.")
            if np.any(beta <= 0):
                warnings.warn(
                    f"{name[4:]} is 0 or less at {int(np.sum(beta <= 0))} of {beta.size} cameras "
                    f"and ISOs, the least is {np.nanmin(beta):g}; there it becomes "
                    f"{SMALLEST_BETA:g}.",
                    stacklevel=2,
                )
            tables[name] = ConditionTable(
                np.log(np.where(beta <= 0, SMALLEST_BETA, beta)),
                num_cameras=len(names),
                iso_levels=levels,
                channels=channels,
                dtype=dtype,
                name=name,
            )
        layer = SignalDependent(**tables, dtype=dtype)
        super().__init__(
            ConditionalChain([layer], dtype=dtype, name="camera_nlf"),
            cameras=names,
            channels=channels,
            name="camera_nlf",
        )
        self._tables = layer
        self.quality: dict[tuple[str, float], NlfQuality | PairEstimate] = {}

    @classmethod
    def from_reported(cls, captures: Captures) -> CameraNLF:
        """The NLFs that the image files report (`nlf`), the mean over a camera and ISO.

        Raises:
          ValueError: the captures hold no `nlf`.
        """
        return cls._from_captures(captures, "nlf")

    @classmethod
    def from_true(cls, captures: Captures) -> CameraNLF:
        """The NLFs that captures were simulated with (`nlf_true`).

        Raises:
          ValueError: the captures hold no `nlf_true`.
        """
        return cls._from_captures(captures, "nlf_true")

    @classmethod
    def from_pairs(
        cls,
        a: ArrayLike,
        b: ArrayLike,
        *,
        black_level: ArrayLike,
        white_level: float,
        cfa: str | None,
        iso: float,
        camera: str = "camera",
    ) -> CameraNLF:
        """The NLF of two frames of a static scene at one ISO: the shortest way to a camera's noise.

        ```python
        nlf = nf.CameraNLF.from_pairs(a, b, black_level=64, white_level=1023, cfa="RGGB", iso=800)
        estimate = nlf.quality["camera", 800.0]  # a PairEstimate: intervals, share of pixels used
        ```

        By channel and robust: edges, texture and a shift of a pixel do not count as noise, nor do
        pixels at an end of the codes. Python warnings say what is not as it should be.

        Args:
          a, b: [H, W] codes of the mosaics, or of planes with cfa=None.
          black_level: a number, or [2, 2] by position in the CFA's cell. white_level: a number.
          cfa: "RGGB", "GRBG", "GBRG", "BGGR", or None. iso: > 0.
          camera: its name.

        Returns:
          CameraNLF of one camera and ISO, with numbers for R, Gr, Gb, B, or one for all.

        Raises:
          ValueError: as `estimate_pair`.
        """
        estimate = estimate_pair(
            a, b, black_level=black_level, white_level=white_level, cfa=cfa, iso=iso
        )
        for text in estimate.warnings:
            warnings.warn(f"{camera}, ISO {iso:g}: {text}", stacklevel=2)
        betas = [
            np.array([getattr(channel, name) for channel in estimate.channels])
            for name in ("beta1", "beta2")
        ]
        # 0 is what an estimate gives at best; a table holds logarithms.
        betas = [np.maximum(beta, SMALLEST_ESTIMATE)[None, None] for beta in betas]
        nlf = cls([camera], [iso], *(beta if cfa else beta[..., 0] for beta in betas))
        nlf.quality[camera, float(iso)] = estimate
        return nlf

    @classmethod
    def _from_captures(cls, captures: Captures, data_set: str) -> CameraNLF:
        nlf = getattr(captures, data_set)
        if nlf is None:
            raise ValueError(f"{captures.path}: expected a data set {data_set!r}, it holds none.")
        return cls._from_cells(captures, lambda is_in_cell: nlf[is_in_cell].mean(axis=0))

    @classmethod
    def fit(
        cls,
        captures: Captures | NoiseStatistics,
        codes: Mapping[tuple[str, float], CodePixels] | None = None,
    ) -> CameraNLF:
        """The recalibrated NLF: maximum likelihood for each camera and ISO of captures.

        Args:
          captures: at any ISOs, or their statistics.
          codes: (camera, ISO) to pixels of the captures as codes (`sample_codes`), by whose
            likelihood it is fitted, for `StoredNoise`.

        Returns:
          CameraNLF, whose `quality` says how far the noise is from a line. A Python warning says
          where clean images hold noise of their own, or of the noisy ones.
        """
        if isinstance(captures, Captures):
            for text in clean_noise(captures):
                warnings.warn(f"{captures.path}: {text}", stacklevel=2)
        by_condition = noise_statistics(captures).by_condition
        fitted = {condition: fit_nlf(*sums) for condition, sums in by_condition.items()}
        if codes is not None:
            fitted = {key: fit_nlf_to_codes(codes[key], nlf) for key, nlf in fitted.items()}
        cameras, iso_levels = (sorted(set(values)) for values in zip(*fitted, strict=True))
        table = np.full((2, len(cameras), len(iso_levels)), np.nan)
        for (camera, iso), nlf in fitted.items():
            table[:, cameras.index(camera), iso_levels.index(iso)] = nlf
        nlf = cls(cameras, iso_levels, *table)
        for condition, sums in by_condition.items():
            counts, clean_sums, square_sums = sums
            beta1, beta2 = fitted[condition]
            nlf.quality[condition] = nlf_quality(counts, clean_sums, square_sums, beta1, beta2)
        return nlf

    @classmethod
    def _from_cells(
        cls, captures: Captures, nlf_of: Callable[[np.ndarray], np.ndarray]
    ) -> CameraNLF:
        table = np.full((2, len(captures.cameras), len(captures.iso_levels)), np.nan)
        for m, camera in enumerate(captures.cameras):
            for k, iso in enumerate(captures.iso_levels):
                is_in_cell = (captures.camera == camera) & (captures.iso == iso)
                if is_in_cell.any():
                    table[:, m, k] = nlf_of(is_in_cell)
        return cls(captures.cameras, captures.iso_levels, table[0], table[1])

    def with_cameras_of(self, other: CameraNLF) -> CameraNLF:
        """The noise level functions of the cameras of both, at the ISOs of both.

        Raises:
          ValueError: a camera that both know, or other channels.
        """
        if self.channels != other.channels:
            raise ValueError(
                f"expected noise level functions of channels={self.channels}, received "
                f"channels={other.channels}."
            )
        cameras = (*self.cameras, *other.cameras)
        iso_levels = tuple(sorted({*self.iso_levels, *other.iso_levels}))
        channels = () if self.channels is None else (self.channels,)
        table = np.full((2, len(cameras), len(iso_levels), *channels), np.nan)
        for nlf in (self, other):
            rows = [cameras.index(camera) for camera in nlf.cameras]
            columns = [iso_levels.index(iso) for iso in nlf.iso_levels]
            table[np.ix_((0, 1), rows, columns)] = nlf.beta1, nlf.beta2
        return type(self)(cameras, iso_levels, table[0], table[1], dtype=self.dtype)

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.known.cameras or ()

    @property
    def iso_levels(self) -> tuple[float, ...]:
        return self.known.iso_levels or ()

    @property
    def beta1(self) -> tf.Tensor:
        """[M, K], or [M, K, C]."""
        return tf.exp(self._tables.log_beta1.values)

    @property
    def beta2(self) -> tf.Tensor:
        """[M, K], or [M, K, C]."""
        return tf.exp(self._tables.log_beta2.values)

    @property
    def in_words(self) -> str:
        return "Gaussian noise of variance beta1 x clean + beta2, by camera and ISO"

    def get_config(self) -> dict:
        def as_lists(beta: np.ndarray) -> list | float | None:
            if np.ndim(beta):
                return [as_lists(part) for part in beta]
            return None if np.isnan(beta) else float(beta)

        return {
            "cameras": list(self.cameras),
            "iso_levels": list(self.iso_levels),
            "beta1": as_lists(self.beta1.numpy()),
            "beta2": as_lists(self.beta2.numpy()),
            "dtype": self.dtype.name,
        }


@dataclass(frozen=True)
class NlfQuality:
    """How well a line fits the variance of noise at different clean levels.

    Attributes:
      pixels: values of noise. levels: groups of the clean level that were compared.
      residual: the root mean square of the variance's relative misses of the line, without those
        that Gaussian noise would have by chance; 0.1: the line is wrong by a tenth.
      worst: the level with the most significant miss, a fraction of full scale, and the miss.
    """

    pixels: int
    levels: int
    residual: float
    worst: tuple[float, float]


def nlf_quality(
    counts: np.ndarray, clean_sums: np.ndarray, square_sums: np.ndarray, beta1: float, beta2: float
) -> NlfQuality:
    """The quality of a line for the sums that `fit_nlf` takes."""
    # Some 32 groups of levels, so that each holds many pixels.
    groups = [
        np.add.reduceat(values, np.arange(0, len(values), max(1, len(values) // 32)))
        for values in (counts, clean_sums, square_sums)
    ]
    pixels = int(counts.sum())
    counts, clean_sums, square_sums = (values[groups[0] > 1] for values in groups)
    clean = clean_sums / counts
    miss = square_sums / counts / (beta1 * clean + beta2) - 1
    error = np.sqrt(2 / counts)
    excess = np.sum(counts * (miss**2 - error**2)) / counts.sum()
    worst = np.argmax(np.abs(miss) / error)
    return NlfQuality(
        pixels,
        len(counts),
        float(np.sqrt(max(excess, 0.0))),
        (float(clean[worst]), float(miss[worst])),
    )


def fit_nlf(
    counts: np.ndarray, clean_sums: np.ndarray, square_sums: np.ndarray
) -> tuple[float, float]:
    """Maximum likelihood of var = beta1 * clean + beta2 for zero-mean Gaussian noise.

    Args:
      counts, clean_sums, square_sums: [L], for each level of the clean image the number of
        pixels, the sum of their clean values and the sum of their squared noise.

    Returns:
      (beta1, beta2), both > 0.
    """
    is_used = counts > 0
    counts, clean_sums, square_sums = (a[is_used] for a in (counts, clean_sums, square_sums))
    clean = clean_sums / counts
    variance = square_sums.sum() / counts.sum()
    start = np.log([variance / (2 * max(clean.mean(), 1e-3)), variance / 2])

    def nll(log_beta: np.ndarray) -> tuple[float, np.ndarray]:
        beta1, beta2 = np.exp(log_beta)
        model = beta1 * clean + beta2
        slope = 0.5 * (counts - square_sums / model) / model
        gradient = [np.sum(slope * clean) * beta1, np.sum(slope) * beta2]
        value = 0.5 * np.sum(counts * np.log(model) + square_sums / model)
        return value / counts.sum(), np.array(gradient) / counts.sum()

    return _most_likely(nll, start)


def fit_nlf_to_codes(pixels: CodePixels, start: tuple[float, float]) -> tuple[float, float]:
    """Maximum likelihood of var = beta1 * clean + beta2 for the codes of Gaussian noise.

    Args:
      pixels: of a camera and ISO.
      start: (beta1, beta2), both > 0.

    Returns:
      (beta1, beta2), both > 0.
    """

    def nll(log_beta: np.ndarray) -> tuple[float, np.ndarray]:
        beta1, beta2 = np.exp(log_beta)
        value, slope = code_nll(pixels, beta1 * pixels.clean + beta2)
        gradient = [np.mean(slope * pixels.clean) * beta1, np.mean(slope) * beta2]
        return value.mean(), np.array(gradient)

    return _most_likely(nll, np.log(start))


def _most_likely(nll: Callable, start: np.ndarray) -> tuple[float, float]:
    """(beta1, beta2) of the least `nll` of their logarithms, which gives its gradient too."""
    found = scipy.optimize.minimize(
        nll,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-40, 5)] * 2,
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500},
    )
    return tuple(np.exp(found.x))
