"""The camera NLF baseline: a noise level function for each camera and ISO (paper, table 1)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.optimize
import tensorflow as tf

from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.captures.capture_file import SMALLEST_BETA, Captures
from tfp_noiseflow.captures.code_sample import CodePixels
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics, noise_statistics
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.conditions.camera_names import checked_cameras
from tfp_noiseflow.conditions.conditions import Iso
from tfp_noiseflow.laws import ConditionTable
from tfp_noiseflow.laws.code_likelihood import code_nll
from tfp_noiseflow.models.noise_model import NoiseModel


class CameraNLF(NoiseModel):
    """Heteroscedastic Gaussian noise, var = beta1 * clean + beta2, by camera and ISO.

    Args:
      cameras: M names.
      iso_levels: K ISOs.
      beta1, beta2: [M, K], or [M, K, C] with numbers for each channel, in fractions of full scale
        (beta1) and its square (beta2). NaN in either where a camera at an ISO is unknown, which a
        call for it then says. Values <= 0 become 1e-6, with a warning.
      dtype: float32 or float64 (or its name).

    Raises:
      ValueError: tables of another shape.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        iso_levels: Sequence[float],
        beta1,
        beta2,
        dtype=tf.float32,
    ):
        dtype = tf.as_dtype(dtype)
        cameras = checked_cameras(cameras)
        if not cameras:
            raise ValueError(f"expected camera names, each once, received {cameras}.")
        iso_levels = Iso(tuple(iso_levels)).levels
        beta1, beta2 = (np.array(beta, np.float64) for beta in (beta1, beta2))  # None gives NaN.
        if beta1.shape == beta2.shape:
            is_known = ~(np.isnan(beta1) | np.isnan(beta2))
            beta1, beta2 = (np.where(is_known, beta, np.nan) for beta in (beta1, beta2))
        shape = (len(cameras), len(iso_levels))
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
                num_cameras=len(cameras),
                iso_levels=iso_levels,
                channels=channels,
                dtype=dtype,
                name=name,
            )
        layer = SignalDependent(**tables, dtype=dtype)
        super().__init__(
            ConditionalChain([layer], dtype=dtype, name="camera_nlf"),
            cameras=cameras,
            channels=channels,
            name="camera_nlf",
        )
        self._tables = layer

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
        """
        fitted = {
            condition: fit_nlf(*sums)
            for condition, sums in noise_statistics(captures).by_condition.items()
        }
        if codes is not None:
            fitted = {key: fit_nlf_to_codes(codes[key], nlf) for key, nlf in fitted.items()}
        cameras, iso_levels = (sorted(set(values)) for values in zip(*fitted, strict=True))
        table = np.full((2, len(cameras), len(iso_levels)), np.nan)
        for (camera, iso), nlf in fitted.items():
            table[:, cameras.index(camera), iso_levels.index(iso)] = nlf
        return cls(cameras, iso_levels, *table)

    @classmethod
    def _from_cells(cls, captures: Captures, nlf_of) -> CameraNLF:
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
        return type(self)(cameras, iso_levels, *table, dtype=self.dtype)

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
        def as_lists(beta):
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


def fit_nlf(counts: np.ndarray, clean_sums: np.ndarray, square_sums: np.ndarray):
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

    def nll(log_beta):
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

    def nll(log_beta):
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
