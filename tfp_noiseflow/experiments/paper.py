"""The paper's tables 1 and 2 and figures 4 to 7, on any captures, with flows of any ISO beside."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.captures.about import about_captures
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.choices import EXPERIMENT_ARCHITECTURES
from tfp_noiseflow.evaluation import Measurement, measure, negative_log_likelihood
from tfp_noiseflow.experiments.splits import Splits
from tfp_noiseflow.experiments.trained_flow import train_flow
from tfp_noiseflow.models import (
    CameraNLF,
    NoiseModel,
    load_baselines,
    load_model,
)
from tfp_noiseflow.models.model_directory import model_digest, read_history
from tfp_noiseflow.progress import Progress
from tfp_noiseflow.reporting import paper_tables, plots, write_report
from tfp_noiseflow.reporting.paper_tables import TABLE_1
from tfp_noiseflow.training.train_noise_model import DEFAULT_STEPS, Schedule
from tfp_noiseflow.training.validation_kl import ValidationKl

# The points of the figures of a training.
FEWEST_EPOCHS = 10


class PaperExperiment:
    """Trains flows, sets each seed's last beside all others, and writes the paper's tables.

    Trained models are kept in <architecture>-<seed>, reports in report-<seed>: what is there is
    not made again, unless it is of other captures or models.

    Args:
      splits: captures to train on, to pick the best epochs by, and to compare on.
      output_dir: of models, reports and tables.
      schedule: of every flow. Its seed is replaced; without epochs they are as many as give about
        1000 steps, but at least 10.
      architectures: the last one is the reports' model, the others are compared with it. A model
        directory stands for its flow's layers, trained anew.
      compared: trained models beside them, by name.
      clips: the ends at which values are clipped where all flows are of stored codes; None: they
        are of dequantised noise.
      verbose: as for `train_noise_model`; 0 prints nothing.

    Raises:
      ValueError: a name of `compared` is that of another model of the reports.
    """

    def __init__(
        self,
        splits: Splits,
        output_dir: str | os.PathLike,
        schedule: Schedule,
        *,
        architectures: Sequence[str] = EXPERIMENT_ARCHITECTURES,
        compared: Mapping[str, NoiseModel] | None = None,
        clips: Collection[str] | None = None,
        verbose: int = 2,
    ):
        self._splits = splits
        self._output_dir = os.fspath(output_dir)
        self._schedule = schedule
        self._architectures = list(architectures)
        self._compared = dict(compared or {})
        self._clips = clips
        self._verbose = verbose
        taken = {*architectures, *TABLE_1, "true_nlf", "noise_flow"}
        if taken & set(self._compared):
            raise ValueError(
                "expected --compare=NAME=MODEL_DIR, each of another NAME than those of the "
                f"experiment, {sorted(taken)}, received {sorted(self._compared)}."
            )

    def run(self, seeds: Sequence[int]) -> str:
        """Trains, compares and writes tables.md and training_of_models.png (figure 4).

        Args:
          seeds: of the initial weights and of the order of the data. Figure 4 shows the first's.

        Returns:
          The text of tables.md.
        """
        results = [self._compare(seed) for seed in seeds]
        reports, by_kl, folders = zip(*results, strict=True)
        own = folders[0][self._architectures[-1]]
        tables = paper_tables(reports, load_model(own).architecture, by_kl=by_kl)
        text = f"# Noise Flow's experiment\n\n{self._splits.how}\n\n{tables}"
        write_text(os.path.join(self._output_dir, "tables.md"), text)
        histories = {
            os.path.basename(folder): plots.history_columns(read_history(folder))
            for folder in folders[0].values()
        }
        plots.plot_trainings(
            histories,
            os.path.join(self._output_dir, "training_of_models.png"),
            levels=_baseline_levels(own, self._splits.validation, self._schedule.batch_size),
        )
        return text

    def _train(self, architecture: str, seed: int) -> str:
        """Trains a flow, or finds it trained; returns its model directory."""
        steps = epoch_steps(self._splits.train, self._schedule.batch_size)
        schedule = replace(
            self._schedule,
            epochs=self._schedule.epochs or max(FEWEST_EPOCHS, round(DEFAULT_STEPS / steps)),
            seed=seed,
        )
        return train_flow(
            architecture,
            self._splits,
            self._output_dir,
            schedule,
            clips=self._clips,
            verbose=self._verbose,
        )

    def _compare(self, seed: int) -> tuple[dict, dict, dict[str, str]]:
        """Trains all architectures with a seed and writes a report, or finds it written.

        Returns:
          The report, that of the best models by KL, and the model directories.
        """
        folders = {name: self._train(name, seed) for name in self._architectures}
        output_dir = os.path.join(self._output_dir, f"report-{seed}")
        by_kl_path = os.path.join(output_dir, "best_kl.json")
        about = self._about(folders)
        # The last file to be written: where it is, the report is whole.
        if os.path.exists(by_kl_path):
            with open(by_kl_path, encoding="utf-8") as file:
                found = json.load(file)
            if found["about"] == about:
                with open(os.path.join(output_dir, "report.json"), encoding="utf-8") as file:
                    return json.load(file), found["report"], folders
            os.remove(by_kl_path)
        own = folders[self._architectures[-1]]
        measurement = self._measure(folders, "best", {**load_baselines(own), **self._compared})
        write_report(measurement, output_dir, model_dir=own)
        by_kl = self._measure(folders, "best_kl", {}).report
        write_json(by_kl_path, {"about": about, "report": by_kl})
        return measurement.report, by_kl, folders

    def _about(self, folders: Mapping[str, str]) -> dict:
        """What a report is of."""
        return {
            "test": about_captures(self._splits.test),
            "models": [
                model_digest(load_model(folder, kind=kind))
                for folder in folders.values()
                for kind in ("best", "best_kl")
            ],
            "compared": {name: model_digest(model) for name, model in self._compared.items()},
        }

    def _measure(self, folders, kind: str, baselines: Mapping[str, NoiseModel]) -> Measurement:
        models = {name: load_model(folder, kind=kind) for name, folder in folders.items()}
        own = models.pop(self._architectures[-1])
        with Progress("patches", "comparing", is_shown=self._verbose > 0) as progress:
            return measure(
                own, self._splits.test, baselines={**baselines, **models}, on_progress=progress
            )


def _baseline_levels(
    folder: str, validation: Captures, batch_size: int
) -> dict[str, dict[str, float]]:
    """Figure 4's levels of the baselines that know all of the validation captures.

    Returns:
      `val_loss` and `val_kl`, as a training logs them: the figure by baseline.
    """
    models = load_baselines(folder)
    if validation.nlf is not None:
        models["camera_nlf"] = CameraNLF.from_reported(validation)
    levels: dict[str, dict[str, float]] = {"val_loss": {}, "val_kl": {}}
    for name, model in models.items():
        # A fitted NLF knows the pairs of camera and ISO that it was fitted on.
        try:
            model.known.check_captures(validation)
        except ValueError:
            continue
        nll = float(negative_log_likelihood(model, validation).mean())
        kl = ValidationKl(model, validation, batch_size=batch_size).kl()
        levels["val_loss"][name], levels["val_kl"][name] = nll, kl
    return levels
