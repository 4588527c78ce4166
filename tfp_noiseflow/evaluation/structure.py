"""Structure of the noise by camera and ISO, captured noise beside that of models.

A model recovers what captured noise shows where the two agree up to what chance does. For kurtosis
and correlations bootstrap intervals tell that: the patches of a camera and ISO, in 32 parts, are
drawn with replacement 200 times, the same ones for captured and modelled noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfp_noiseflow.evaluation.statistics import STRUCTURE, NoiseStatistics, resampling_weights
from tfp_noiseflow.evaluation.survey import PARTS, Survey

RESAMPLES = 200
QUANTILES = (0.025, 0.975)
FEWEST_PARTS = 8


def structure(survey: Survey, statistics: Mapping[str, NoiseStatistics], seed: int) -> list[dict]:
    """The figures of `STRUCTURE` by camera, ISO and source, with 95 % bootstrap intervals.

    Args:
      survey: of the captures.
      statistics: of "real" and of the models.
      seed: of the resampling.

    Returns:
      For each camera, ISO and source a row: `camera`, `iso`, `source`, and by the figures' names
      `value`, `interval` [low, high], and of a model `difference_interval`, that of its value minus
      the captured noise's. Intervals are None for fewer than 8 patches, values where there are
      none.
    """
    patches = np.zeros([PARTS, len(survey.conditions)])
    np.add.at(patches, (survey.part, survey.group), 1)
    weights = resampling_weights(patches, RESAMPLES, seed)
    values = {
        name: {figure: compute(of) for figure, compute in STRUCTURE.items()}
        for name, of in statistics.items()
    }
    resampled = {name: _resampled(of, weights) for name, of in statistics.items()}
    has_interval = np.count_nonzero(patches, axis=0) >= FEWEST_PARTS
    rows = []
    for g, (camera, iso) in enumerate(survey.conditions):
        for name in statistics:
            row: dict[str, Any] = {"camera": camera, "iso": iso, "source": name}
            for figure in STRUCTURE:
                value, found = values[name][figure][g], resampled[name][figure][:, g]
                row[figure] = {
                    "value": float(value) if np.isfinite(value) else None,
                    "interval": _interval(found, has_interval[g]),
                }
                if name != "real":
                    difference = found - resampled["real"][figure][:, g]
                    row[figure]["difference_interval"] = _interval(difference, has_interval[g])
            rows.append(row)
    return rows


def _resampled(statistics: NoiseStatistics, weights: np.ndarray) -> dict[str, np.ndarray]:
    """[resamples, G] of each figure."""
    found: dict[str, list[np.ndarray]] = {figure: [] for figure in STRUCTURE}
    for resample in weights:
        of = statistics.resampled(resample)
        for figure, compute in STRUCTURE.items():
            found[figure].append(compute(of))
    return {figure: np.stack(values) for figure, values in found.items()}


def _interval(values: np.ndarray, is_wanted: bool) -> list[float] | None:
    if not is_wanted or not np.isfinite(values).all():
        return None
    return [float(end) for end in np.quantile(values, QUANTILES)]


def levels(survey: Survey, statistics: Mapping[str, NoiseStatistics]) -> list[dict]:
    """Mean and standard deviation of the noise by camera, ISO, channel and clean level.

    Args:
      survey: of the captures.
      statistics: of "real" and of the models.

    Returns:
      For each camera, ISO and channel a row: `camera`, `iso`, `channel`, and lists over those clean
      levels that hold 2000 values or more: `clean`, `values`, and by source `mean`, in the source's
      own standard deviations, and `deviation`, a fraction of full scale.
    """
    found = {name: of.channel_levels() for name, of in statistics.items()}
    rows = []
    for g, (camera, iso) in enumerate(survey.conditions):
        for channel, clean in enumerate(found["real"]["clean"][g]):
            # The clean images are the same for all. A source without deviation has no ratio.
            is_shown = np.isfinite(clean)
            for of in found.values():
                is_shown = is_shown & (of["deviation"][g, channel] > 0)

            def shown(
                values: np.ndarray, place: tuple = (g, channel), is_shown: np.ndarray = is_shown
            ) -> list[float]:
                return [float(f"{value:.5g}") for value in values[place][is_shown]]

            with np.errstate(invalid="ignore", divide="ignore"):
                means = {n: of["mean"] / of["deviation"] for n, of in found.items()}
            rows.append(
                {
                    "camera": camera,
                    "iso": iso,
                    "channel": channel,
                    "clean": shown(found["real"]["clean"]),
                    "values": found["real"]["values"][g, channel][is_shown].tolist(),
                    "mean": {name: shown(mean) for name, mean in means.items()},
                    "deviation": {name: shown(of["deviation"]) for name, of in found.items()},
                }
            )
    return rows
