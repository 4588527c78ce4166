"""The report's metrics for arrays of anyone's noise, from anyone's model, without files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfp_noiseflow.evaluation import histograms, likelihood
from tfp_noiseflow.evaluation.statistics import (
    STRUCTURE,
    NoiseStatistics,
    clean_level_edges,
    mean_or_none,
)
from tfp_noiseflow.models.noise_model import NoiseModel

DRAWS = 16
# Values that are drawn at once.
BLOCK_VALUES = 1 << 20


@dataclass(frozen=True)
class NoiseComparison:
    """What noise looks like, real beside modelled; printed, it is a Markdown table.

    Attributes:
      kl, kl_paper: divergences of histograms, in nats, as every report defines them
        (`evaluation/histograms.py`): 0 where they are equal. `kl_paper` has a floor above 0.
      nll: negative log-likelihood of the real noise in nats per dimension; None without a density.
      standard_deviation, mean: by "real" and "model", of all values of a camera and ISO, a mean
        over these; fractions of full scale.
      structure: by figure, by "real" and "model": excess kurtosis at a clean level, the correlation
        of the values of a row, of horizontal and of vertical neighbours; None where too few values
        tell it.
      by_camera_iso: a row for each pair: camera, iso, patches, kl, and the ratio of the standard
        deviations, model over real.
    """

    kl: float
    kl_paper: float
    nll: float | None
    standard_deviation: Mapping[str, float]
    mean: Mapping[str, float]
    structure: Mapping[str, Mapping[str, float | None]]
    by_camera_iso: tuple[Mapping, ...]

    def __str__(self) -> str:
        rows = [
            ("standard deviation", self.standard_deviation),
            ("mean", self.mean),
            *((name.replace("_", " "), values) for name, values in self.structure.items()),
        ]
        lines = ["| | real | model |", "|---|---|---|"]
        lines += [f"| {name} | {_shown(v['real'])} | {_shown(v['model'])} |" for name, v in rows]
        lines += [f"| kl | | {self.kl:.4f} |", f"| kl_paper | | {self.kl_paper:.4f} |"]
        if self.nll is not None:
            lines.append(f"| NLL, nats per dimension | | {self.nll:.4f} |")
        return "\n".join(lines)


def compare_noise(
    real: np.ndarray,
    model: NoiseModel | np.ndarray,
    *,
    clean: np.ndarray | None = None,
    iso: np.ndarray | float | None = None,
    camera: ArrayLike | None = None,
    quantization_step: float = 0.0,
    seed: int = 0,
) -> NoiseComparison:
    """Compares real noise with that of a model, by the metrics of the reports.

    ```python
    print(nf.compare_noise(noisy - clean, my_samples))  # arrays alone
    print(nf.compare_noise(noisy - clean, nf.load_model("phones"), clean=clean, iso=800,
                           camera="Pixel", quantization_step=1 / 1023))
    ```

    Args:
      real: [N, H, W, C], fractions of full scale, N captures.
      model: draws of noise for the same captures, [N, H, W, C] or [D, N, H, W, C], of any model; or
        a noise model, of which 16 draws are made.
      clean: [N, H, W, C]; a noise model needs it, and excess kurtosis at a clean level. Without it
        all pixels count as of one level.
      iso: [N] or a number. camera: names or indices, [N] or one. Captures of other values are
        compared apart; a noise model needs those that it depends on.
      quantization_step: codes' distance where `real` is noise of codes, a fraction of full scale;
        they are dequantised before histograms are compared, and so are the draws of a noise model
        of codes. Draws that are given are compared as they are.
      seed: of draws and dequantisation.

    Returns:
      NoiseComparison.

    Raises:
      ValueError: shapes that do not fit, noise that is not finite or has no variance, a noise model
        without clean images or with conditions that it does not know.
    """
    real = _checked("real", real)
    captures = len(real)
    if clean is not None:
        clean = _checked("clean", clean)
        if clean.shape != real.shape:
            raise ValueError(
                f"expected clean images of the shape of the noise, {list(real.shape)}, received "
                f"{list(clean.shape)}."
            )
    group, conditions = _groups(iso, camera, captures)
    rng = np.random.default_rng([seed, 0])
    within = (rng.random(real.shape, np.float32) - 0.5) * quantization_step
    nll = None
    if isinstance(model, NoiseModel) or callable(model):
        if clean is None:
            raise ValueError("expected clean images, of which a noise model makes noise.")
        makes_codes = not likelihood.dequantises(model)
        iso, indices = _conditions_of(model, iso, camera, captures)
        nll = _nll(model, real if makes_codes else real + within, clean, iso, indices)
        step = quantization_step if makes_codes else 0.0
        drawn = _draws(model, clean, iso, indices, step, seed)
    else:
        drawn = iter(_given_draws(model, real.shape))
    real = real + within
    deviation = np.array([real[group == g].std() for g in range(len(conditions))])
    if not np.all(deviation > 0):
        raise ValueError("expected noise of some variance, received noise that is constant.")

    edges = clean_level_edges(*((0, 1) if clean is None else (clean.min(), clean.max())))
    levels = np.zeros_like(real) if clean is None else clean
    statistics = {
        name: NoiseStatistics(len(conditions), edges, real.shape[-1]) for name in ("real", "model")
    }
    statistics["real"].add(real, levels, group)
    first = next(drawn)
    statistics["model"].add(first, levels, group)
    model_counts = histograms.counts_of(first, group, deviation)
    for draw in drawn:
        model_counts = model_counts + histograms.counts_of(draw, group, deviation)
    kl = histograms.kl_smoothed(histograms.counts_of(real, group, deviation), model_counts)
    of_model = np.array([first[group == g].std() for g in range(len(conditions))])
    every_fifth = np.concatenate(
        [np.flatnonzero(group == g)[:: histograms.PAPER_STRIDE] for g in range(len(conditions))]
    )
    return NoiseComparison(
        kl=float(kl.mean()),
        kl_paper=float(histograms.kl_paper(real[every_fifth], first[every_fifth]).mean()),
        nll=nll,
        standard_deviation={"real": float(deviation.mean()), "model": float(of_model.mean())},
        mean={"real": float(real.mean()), "model": float(first.mean())},
        structure={
            figure: {name: mean_or_none(compute(of)) for name, of in statistics.items()}
            for figure, compute in STRUCTURE.items()
        },
        by_camera_iso=tuple(
            {
                "camera": camera,
                "iso": iso,
                "patches": int(np.sum(group == g)),
                "kl": float(kl[g]),
                "deviation_ratio": float(of_model[g] / deviation[g]),
            }
            for g, (camera, iso) in enumerate(conditions)
        ),
    )


def _checked(name: str, images: ArrayLike) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"expected {name} of [N, H, W, C], received shape {list(images.shape)}.")
    images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise ValueError(f"expected finite values of {name}, received NaN or infinity.")
    return images


def _given_draws(model: Any, shape: tuple[int, ...]) -> np.ndarray:
    """[D, N, H, W, C]."""
    draws = np.asarray(model)
    draws = draws[None] if draws.ndim == 4 else draws
    if draws.ndim != 5 or draws.shape[1:] != shape or not len(draws):
        raise ValueError(
            f"expected draws of the shape of the real noise, {list(shape)}, or several of them "
            f"[D, ..], received {list(np.shape(model))}."
        )
    return np.stack([_checked("draws", draw) for draw in draws])


def _groups(iso: Any, camera: Any, captures: int) -> tuple[np.ndarray, list]:
    """[N], which pair of camera and ISO each capture has, and the pairs."""
    columns = []
    for name, values in (("camera", camera), ("iso", iso)):
        values = np.asarray([None] if values is None else values).reshape(-1)
        if len(values) not in (1, captures):
            raise ValueError(f"expected one {name} or {captures}, received {len(values)}.")
        columns.append(np.broadcast_to(values, captures).tolist())
    pairs = list(zip(*columns, strict=True))
    conditions = list(dict.fromkeys(pairs))
    place = {pair: index for index, pair in enumerate(conditions)}
    return np.array([place[pair] for pair in pairs], np.int32), conditions


def _conditions_of(
    model: Any, iso: Any, camera: Any, captures: int
) -> tuple[np.ndarray, np.ndarray]:
    """[N] float32 and [N] int32; of conditions that the model does not need, any."""
    known = likelihood.known_by(model)
    if iso is None and known.iso.is_needed:
        raise ValueError("expected iso, on which the noise model depends, received None.")
    if camera is None and known.camera is not None and known.camera.is_needed:
        raise ValueError(f"expected camera, one of {list(known.cameras or ())}, received None.")
    iso = np.broadcast_to(np.asarray(100.0 if iso is None else iso, np.float32), captures)
    names = np.broadcast_to(np.asarray(0 if camera is None else camera), captures)
    indices = names if names.dtype.kind in "iu" else known.indices(names)
    return iso, np.asarray(indices, np.int32)


def _blocks(captures: int, values: int) -> list[slice]:
    size = max(1, BLOCK_VALUES // values)
    return [slice(start, min(start + size, captures)) for start in range(0, captures, size)]


def _nll(model: Any, noise: np.ndarray, clean: Any, iso: Any, camera: Any) -> float | None:
    """Mean over the captures, nats per dimension."""
    if not likelihood.has_density(model):
        return None
    size = int(np.prod(noise.shape[1:]))
    total = 0.0
    for rows in _blocks(len(noise), size):
        given = [tf.constant(values[rows]) for values in (clean, iso, camera)]
        distribution = likelihood.noise_distribution(model, *given)
        log_prob = distribution.log_prob(tf.cast(noise[rows], distribution.dtype))
        total -= float(np.sum(log_prob.numpy().astype(np.float64)))
    return total / noise.size


def _draws(
    model: Any, clean: Any, iso: Any, camera: Any, step: float, seed: int
) -> Iterator[np.ndarray]:
    """16 times [N, H, W, C]; of codes dequantised."""
    for number in range(DRAWS):
        parts = []
        for rows in _blocks(len(clean), int(np.prod(clean.shape[1:]))):
            words = np.random.SeedSequence([seed, 1, number, rows.start]).generate_state(2)
            given = [tf.constant(values[rows]) for values in (clean, iso, camera)]
            distribution = likelihood.noise_distribution(model, *given)
            parts.append(np.asarray(distribution.sample(seed=words.view(np.int32)), np.float32))
        rng = np.random.default_rng([seed, 2, number])
        drawn = np.concatenate(parts)
        yield drawn + step * (rng.random(drawn.shape, np.float32) - 0.5) if step else drawn


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
