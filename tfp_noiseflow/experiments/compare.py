"""Architectures on the same captures: what each reaches, what structure it has, what it costs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.captures.dataset import validation_dataset
from tfp_noiseflow.evaluation import measure
from tfp_noiseflow.evaluation.likelihood import dequantises
from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.evaluation.statistics import STRUCTURE
from tfp_noiseflow.experiments.operations import Operations, median_seconds
from tfp_noiseflow.experiments.splits import Splits
from tfp_noiseflow.experiments.trained_flow import train_flow
from tfp_noiseflow.models import NoiseModel, load_baselines, load_model
from tfp_noiseflow.progress import Progress
from tfp_noiseflow.reporting.comparison import comparison_text
from tfp_noiseflow.reporting.plots import plot_likelihood_and_cost
from tfp_noiseflow.training.train_noise_model import Schedule

# The cheapest model that is fitted to the captures, and costs what independent noise does.
BASELINE = "recalibrated_nlf"
# Of each operation, after the calls that compile it.
TIMED_CALLS = 9


class ArchitectureComparison:
    """Trains architectures with the same seeds and sets them beside each other.

    Trained models are kept in <architecture>-<seed>: what is finished is not trained again, and
    what was stopped goes on.

    Args:
      splits: captures to train on, to pick the best epochs by, and to compare on.
      output_dir: of models, comparison.json, comparison.md and comparison.png.
      schedule: of every flow; its seed is replaced.
      architectures: as `model_of_captures` takes them. Differences are to the first one.
      clips: the ends at which values are clipped where all flows are of stored codes; None: they
        are of dequantised noise.
      compared: trained models beside them, by name.
      verbose: as for `train_noise_model`; 0 prints nothing.

    Raises:
      ValueError: no architectures, or one twice; a name of `compared` that another model has.
    """

    def __init__(
        self,
        splits: Splits,
        output_dir: str | os.PathLike,
        schedule: Schedule,
        *,
        architectures: Sequence[str],
        clips: Collection[str] | None = None,
        compared: Mapping[str, NoiseModel] | None = None,
        verbose: int = 2,
    ):
        if not architectures or len({*architectures}) < len(architectures):
            raise ValueError(f"expected architectures, each once, received {list(architectures)}.")
        self._splits = splits
        self._output_dir = os.fspath(output_dir)
        self._schedule = schedule
        self._architectures = list(architectures)
        self._clips = clips
        self._compared = dict(compared or {})
        self._verbose = verbose
        # A report has models of these names of its own.
        taken = {*architectures, BASELINE, MODEL, "gaussian", "camera_nlf", "true_nlf", "real"}
        if taken & set(self._compared):
            raise ValueError(
                "expected --compare=NAME=MODEL_DIR, each of another NAME than those of the "
                f"comparison, {sorted(taken)}, received {sorted(self._compared)}."
            )

    def run(self, seeds: Sequence[int]) -> str:
        """Trains, compares, and writes comparison.json, comparison.md and comparison.png.

        Args:
          seeds: of the initial weights and of the order of the data.

        Returns:
          The text of comparison.md.
        """
        folders = [self._train(seed) for seed in seeds]
        reports = [self._report(of_seed) for of_seed in folders]
        # Of those that know the cameras and ISOs of the test captures.
        names = [name for name, entry in reports[0]["models"].items() if entry["nll"] is not None]
        content = {
            "captures": reports[0]["captures"],
            "how_split": self._splits.how,
            "seeds": [int(seed) for seed in seeds],
            "first": next(iter(folders[0])),
            "batch_size": self._batch_size,
            **_compared(reports, self._costs(folders[0], names)),
        }
        text = comparison_text(content)
        os.makedirs(self._output_dir, exist_ok=True)
        plot_likelihood_and_cost(content, os.path.join(self._output_dir, "comparison.png"))
        write_text(os.path.join(self._output_dir, "comparison.md"), text)
        write_json(os.path.join(self._output_dir, "comparison.json"), content)
        return text

    def _train(self, seed: int) -> dict[str, str]:
        """The model directories by architecture."""
        folders = {}
        for architecture in self._architectures:
            folder = train_flow(
                architecture,
                self._splits,
                self._output_dir,
                replace(self._schedule, seed=seed),
                clips=self._clips,
                verbose=self._verbose,
            )
            folders[load_model(folder).architecture] = folder
        return folders

    def _models(self, folders: Mapping[str, str]) -> dict[str, NoiseModel]:
        """All that are compared, by name, loaded anew; the first architecture's is `MODEL`."""
        first, *others = folders
        models = {MODEL: load_model(folders[first])}
        models |= {name: load_model(folders[name]) for name in others}
        return models | self._compared | {BASELINE: load_baselines(folders[first])[BASELINE]}

    def _report(self, folders: Mapping[str, str]) -> dict:
        models = self._models(folders)
        with Progress("patches", "comparing", is_shown=self._verbose > 0) as progress:
            return measure(
                models.pop(MODEL), self._splits.test, baselines=models, on_progress=progress
            ).report

    @property
    def _batch_size(self) -> int:
        return min(self._schedule.batch_size, len(self._splits.test))

    def _costs(self, folders: Mapping[str, str], names: Collection[str]) -> dict[str, dict]:
        """Milliseconds of a training step and of a sampled patch, by name."""
        size = self._batch_size
        functions = {}
        models = self._models(folders)
        for name in (name for name in models if name in names):
            # Training steps move variables: not those of a model that was given.
            model = _copy(models[name])
            captures = self._splits.test.dequantised(dequantises(model)).select(np.arange(size))
            dataset = validation_dataset(captures, cameras=model.cameras, batch_size=size)
            operations = Operations(model, next(iter(dataset)))
            functions[name, "step"] = operations.train
            functions[name, "sample"] = operations.sample
        seconds = median_seconds(functions, rounds=TIMED_CALLS)
        return {
            name: {
                "milliseconds_a_training_step": 1e3 * seconds[name, "step"],
                "milliseconds_a_sampled_patch": 1e3 * seconds[name, "sample"] / size,
            }
            for name, operation in functions
            if operation == "step"
        }


def _copy(model: NoiseModel) -> NoiseModel:
    copy = type(model).from_config(model.get_config())
    for variable, value in zip(copy.variables, model.variables, strict=True):
        variable.assign(value)
    return copy


def _compared(reports: Sequence[dict], costs: Mapping[str, Mapping[str, float]]) -> dict:
    """The comparison's figures: means over seeds.

    Returns:
      `models`: a row for each, best first, and `captured`: what the captured noise has; `truth`:
      the NLL of what simulated it, None where that is not known.
    """
    truth = reports[0]["floor"]["nll"]
    rows = []
    for name, entry in reports[0]["models"].items():
        if name not in costs:
            continue
        nll = [report["models"][name]["nll"] for report in reports]
        differences = [
            row for report in reports for row in report["differences"] if row["baseline"] == name
        ]
        rows.append(
            {
                "name": entry["name"] if name == MODEL else name,
                "in_words": entry["in_words"],
                "parameters": entry["parameters"],
                "likelihood": entry["likelihood"],
                "nll": float(np.mean(nll)),
                "nll_range_over_seeds": float(np.ptp(nll)),
                "nll_above_truth": None if truth is None else float(np.mean(nll)) - truth,
                "minus_first": -float(np.mean([d["nll"] for d in differences]))
                if differences
                else None,
                "paired_standard_error": _mean([d["paired_standard_error"] for d in differences]),
                "kl": float(np.mean([report["models"][name]["kl"] for report in reports])),
                **_structure(reports, name),
                **costs[name],
            }
        )
    rows.sort(key=lambda row: row["nll"])
    for row in rows:
        row["is_on_front"] = not any(_is_better(other, row) for other in rows)
    return {"models": rows, "captured": _structure(reports[:1], "real"), "truth": truth}


def _structure(reports: Sequence[dict], source: str) -> dict:
    figures: dict[str, Any] = {
        name: _mean([report["correlations"][source][name] for report in reports])
        for name in STRUCTURE
    }
    tails = [report["tails"][source] for report in reports]
    figures["tails"] = [
        {"share": row["share"]}
        | {
            side: _mean([of_seed[number][side] for of_seed in tails])
            for side in ("absolute", "lower", "upper")
        }
        for number, row in enumerate(tails[0])
    ]
    return figures


def _mean(values: Sequence[float | None]) -> float | None:
    """None where there is none, or not of every seed."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _is_better(other: dict, row: dict) -> bool:
    """Whether another model samples faster and is likelier."""
    cost = "milliseconds_a_sampled_patch"
    return other["nll"] < row["nll"] and other[cost] < row[cost]
