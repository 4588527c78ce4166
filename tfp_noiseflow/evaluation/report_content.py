"""The content of report.json, of what the sources of noise gathered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.evaluation import histograms, likelihood
from tfp_noiseflow.evaluation.statistics import NoiseStatistics, mean_or_none
from tfp_noiseflow.evaluation.structure import levels, structure
from tfp_noiseflow.evaluation.survey import PARTS, Survey
from tfp_noiseflow.evaluation.tails import TailCounts
from tfp_noiseflow.models.noise_model import NoiseModel

MODEL = "noise_flow"
KL_DRAWS = 16
NO_REPEAT = "captures hold no noisy_repeat data set"
NO_DENSITY = "the model has no density, only samples of it are known"
ONE_CHANNEL = "the images have one channel"


@dataclass
class Scores:
    """What one source of noise gathers over the blocks: the truth, its second draw or a model."""

    survey: Survey
    nll: list = field(default_factory=list)
    nll_paper: list = field(default_factory=list)
    kl_paper: list = field(default_factory=list)

    def __post_init__(self) -> None:
        groups = len(self.survey.conditions)
        channels = self.survey.example_clean.shape[-1]
        self.counts = np.zeros([groups, histograms.KL_BINS + 2], np.int64)
        self.statistics = NoiseStatistics(groups, self.survey.clean_edges, channels, PARTS)
        self.tails = TailCounts()

    def kl_paper_by_group(self) -> np.ndarray:
        group = self.survey.group[self.survey.is_in_kl_paper]
        values = np.concatenate(self.kl_paper)
        return np.bincount(group, values) / np.bincount(group)


def report_content(
    captures: Captures,
    survey: Survey,
    sources: dict[str, Scores],
    models: dict,
    reasons: dict[str, str],
    truth: np.ndarray | None,
    dark: list[dict],
    seed: int,
) -> dict:
    """What `evaluate` returns.

    Args:
      captures, survey: what was measured on.
      sources: "real", "floor" and the models' names.
      models: those that were compared.
      reasons: why others were not.
      truth: [N], the NLL of the captures under what simulated them, where that is known.
      dark: the dark patches.
      seed: of the dequantisation and of the draws.
    """
    nll = {name: np.concatenate(sources[name].nll) for name in models if sources[name].nll}
    kl = {
        name: histograms.kl_smoothed(sources["real"].counts, sources[name].counts)
        for name in sources
    }
    patches = np.bincount(survey.group)

    entries = {}
    for name, model in models.items():
        mean = standard_error = None
        if name in nll:
            mean, standard_error = likelihood.mean_and_standard_error(nll[name])
        entries[name] = {
            "nll": mean,
            "nll_standard_error": standard_error,
            "nll_paper": _nll_paper(model, sources[name], mean),
            "kl": float(kl[name].mean()),
            "kl_paper": float(np.concatenate(sources[name].kl_paper).mean()),
            "parameters": _parameters(model),
            "likelihood": likelihood.kind(model),
            "name": model_name(model),
            "in_words": getattr(model, "in_words", type(model).__name__),
            **({} if name in nll else {"reason": NO_DENSITY}),
        }
    for name, reason in reasons.items():
        entries[name] = {**dict.fromkeys(entries[MODEL]), "reason": reason}

    by_camera_iso = []
    for name in models:
        nll_by_group = np.bincount(survey.group, nll[name]) / patches if name in nll else None
        kl_paper_by_group = sources[name].kl_paper_by_group()
        for g, (camera, iso) in enumerate(survey.conditions):
            by_camera_iso.append(
                {
                    "camera": camera,
                    "iso": iso,
                    "model": name,
                    "nll": None if nll_by_group is None else float(nll_by_group[g]),
                    "kl": float(kl[name][g]),
                    "kl_paper": float(kl_paper_by_group[g]),
                    "patches": int(patches[g]),
                }
            )
    statistics = {name: sources[name].statistics for name in ("real", *models)}
    # A second draw of the captured noise tells what chance alone does.
    second = ("floor",) if captures.has_repeat else ()
    with_floor = {name: sources[name].statistics for name in ("real", *second, *models)}
    by_camera_iso.sort(key=lambda row: survey.conditions.index((row["camera"], row["iso"])))

    return {
        "captures": _describe(captures, survey),
        "models": entries,
        "differences": [
            {
                "model": MODEL,
                "baseline": name,
                **likelihood.paired_difference(nll[MODEL], nll[name]),
            }
            for name in nll
            if name != MODEL and MODEL in nll
        ],
        "by_camera_iso": by_camera_iso,
        "floor": _floor(captures, survey, sources, kl, truth),
        "correlations": {name: _correlations(of) for name, of in with_floor.items()},
        "tails": {name: sources[name].tails.quantiles() for name in with_floor},
        "photon_transfer": _photon_transfer(survey, statistics),
        "structure": structure(survey, statistics, seed),
        "levels": levels(survey, with_floor),
        "dark_patches": dark,
        "seed": int(seed),
        "draws_per_pixel": KL_DRAWS,
    }


def model_name(model: NoiseModel) -> str:
    """What people call a model: its architecture, or its class where it has none."""
    return getattr(model, "architecture", None) or type(model).__name__


def _nll_paper(model: NoiseModel, scores: Scores, nll: float | None) -> float | None:
    """NLL of what is stored as if it were continuous; of a model of codes there is none."""
    if nll is None or not likelihood.dequantises(model):
        return None
    if not scores.nll_paper:
        return nll  # Continuous captures.
    mean = float(np.concatenate(scores.nll_paper).mean())
    return mean if np.isfinite(mean) else None


def _parameters(model: NoiseModel) -> int:
    return sum(int(v.shape.num_elements()) for v in getattr(model, "trainable_variables", ()))


def _describe(captures: Captures, survey: Survey) -> dict:
    steps = np.unique(captures.quantization_step).tolist()
    return {
        "file": os.path.basename(captures.path),
        "patches": len(captures),
        "image_shape": list(captures.image_shape),
        "cameras": list(captures.cameras),
        "iso_levels": list(captures.iso_levels),
        "camera_iso_pairs": len(survey.conditions),
        "noise_standard_deviation": [
            float(survey.standard_deviation.min()),
            float(survey.standard_deviation.max()),
        ],
        "quantization_step": steps[0] if len(steps) == 1 else [steps[0], steps[-1]],
        "has_second_draw": bool(captures.has_repeat),
        "description": captures.description,
        "origin": captures.origin,
        "licence": captures.licence,
    }


def _floor(
    captures: Captures,
    survey: Survey,
    sources: Mapping[str, Scores],
    kl: Mapping[str, np.ndarray],
    truth: np.ndarray | None,
) -> dict:
    """What a perfect model would have: its NLL where that is known, KL of a second draw."""
    patches = np.bincount(survey.group)
    mean, standard_error = (
        (None, None) if truth is None else likelihood.mean_and_standard_error(truth)
    )
    floor: dict[str, Any] = {
        "nll": mean,
        "nll_standard_error": standard_error,
        "kl": None,
        "kl_paper": None,
    }
    columns = {}
    if truth is not None:
        columns["nll"] = np.bincount(survey.group, truth) / patches
    if captures.has_repeat:
        floor["kl"] = float(kl["floor"].mean())
        floor["kl_paper"] = float(np.concatenate(sources["floor"].kl_paper).mean())
        columns["kl"], columns["kl_paper"] = kl["floor"], sources["floor"].kl_paper_by_group()
    else:
        floor["reason"] = NO_REPEAT
    rows = [
        {"camera": camera, "iso": iso, "patches": int(patches[g])}
        | {name: float(column[g]) for name, column in columns.items()}
        for g, (camera, iso) in enumerate(survey.conditions)
    ]
    return {**floor, "by_camera_iso": rows if columns else []}


def _correlations(statistics: NoiseStatistics) -> dict:
    channels = statistics.channel_correlation()
    entry = {
        "horizontal": mean_or_none(statistics.autocorrelation("horizontal")),
        "vertical": mean_or_none(statistics.autocorrelation("vertical")),
        "row_correlation": mean_or_none(statistics.row_correlation()),
        "excess_kurtosis": mean_or_none(statistics.excess_kurtosis()),
        "excess_kurtosis_given_clean": mean_or_none(statistics.excess_kurtosis_given_clean()),
        "largest_bright_mean": _largest_or_none(statistics.bright_mean()),
    }
    size = channels.shape[-1]
    if size == 1:
        return {**entry, "channels": None, "reason": ONE_CHANNEL}
    matrix = [[mean_or_none(channels[:, i, j]) for j in range(size)] for i in range(size)]
    return {**entry, "channels": matrix}


def _largest_or_none(values: np.ndarray) -> float | None:
    """The value that is farthest from 0, with its sign."""
    values = values[np.isfinite(values)]
    return float(values[np.argmax(np.abs(values))]) if len(values) else None


def _photon_transfer(survey: Survey, statistics: Any) -> list[dict]:
    curves = {name: of.photon_transfer() for name, of in statistics.items()}
    rows = []
    for g, (camera, iso) in enumerate(survey.conditions):
        # The clean images are the same for all, and so are the bins that hold enough of them.
        is_full = np.isfinite(curves["real"]["clean"][g])
        rows.append(
            {
                "camera": camera,
                "iso": iso,
                "clean": curves["real"]["clean"][g][is_full].tolist(),
                "values": curves["real"]["values"][g][is_full].tolist(),
                "variance": {n: c["variance"][g][is_full].tolist() for n, c in curves.items()},
            }
        )
    return rows
