"""A calibrated camera against flows that are trained on captures of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.calibration import calibrate
from tfp_noiseflow.captures.capture_file import Captures, read_captures
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.evaluation.likelihood import paired_difference
from tfp_noiseflow.experiments.splits import Splits
from tfp_noiseflow.experiments.trained_flow import train_flow
from tfp_noiseflow.models import NoiseModel, load_model
from tfp_noiseflow.reporting.table import table
from tfp_noiseflow.simulation.phones import ISO_LEVELS
from tfp_noiseflow.simulation.raw_folder import simulate_raw_folder
from tfp_noiseflow.simulation.raw_shoot import RawShoot
from tfp_noiseflow.simulation.sensor import RAW_SENSOR, SensorProcess
from tfp_noiseflow.simulation.simulate_captures import simulate_captures
from tfp_noiseflow.simulation.truth import true_negative_log_likelihood
from tfp_noiseflow.training.train_noise_model import Schedule

# To train on, to pick the best checkpoint and to compare on, of all ISOs together.
CAPTURES = {"train": 5000, "validation": 250, "test": 500}
CALIBRATED, TRUTH = "calibrated", "truth"


class CalibratedCameraExperiment:
    """Compares the NLL of a calibrated camera with that of flows trained on captures of it.

    A phone is simulated twice: as a folder of raw frames, from which it is calibrated, and as
    captures of the same noise, without the fixed pattern, some to train flows on and others to
    compare on. Their exact likelihood is the truth. What is in the folder is not made again.

    Args:
      output_dir: of frames, captures, models, calibrated_camera.json and table.md.
      phone: of `phones.PHONES`, by name.
      shoot: of the frames; None: a `RawShoot` at the captures' ISOs.
      architectures: of the flows, which are trained by the likelihood of codes; none: the
        comparison is with the truth alone, which no flow exceeds.
      captures: of each split, of all ISOs together.
      epochs: of their training; None: as `Schedule` says.
      seed: of frames, captures and flows.
      verbose: as for `train_noise_model`; 0 prints nothing.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        phone: str = "Pixel",
        shoot: RawShoot | None = None,
        *,
        architectures: Sequence[str] = ("L-R-P", "L-Ax8"),
        captures: Mapping[str, int] = CAPTURES,
        epochs: int | None = None,
        seed: int = 0,
        verbose: int = 2,
    ):
        self._dir, self._phone, self._seed = os.fspath(output_dir), phone, seed
        self._shoot = shoot or RawShoot(iso_levels=ISO_LEVELS)
        self._architectures, self._captures = architectures, captures
        self._schedule = Schedule(epochs=epochs, seed=seed)
        self._verbose = verbose

    def calibrated(self) -> NoiseModel:
        """The model of the frames, which are shot first where they are not there."""
        model_dir, frames = self._path("model"), self._path("frames")
        if not os.path.exists(os.path.join(model_dir, "config.json")):
            if not os.path.exists(os.path.join(frames, "truth.json")):
                simulate_raw_folder(frames, self._phone, self._shoot, seed=self._seed)
            calibrate(frames, self._phone, self._path("report"), model_dir, dark_frames=False)
        return load_model(model_dir)

    def captures(self, split: str) -> Captures:
        """Captures of a split, as many for each ISO."""
        path = self._path(f"{split}.h5")
        if not os.path.exists(path):
            isos = self._shoot.iso_levels
            simulate_captures(
                path,
                process=SensorProcess(isos, RAW_SENSOR, [self._phone]),
                split=split,
                patches_per_combination=self._captures[split] // len(isos),
                seed=self._seed,
            )
        return read_captures(path)

    def run(self) -> dict[str, dict]:
        """Writes calibrated_camera.json and table.md.

        Returns:
          Of "calibrated", each architecture and "truth": `nll`, nats/dim of the test captures'
          codes, and `calibrated_minus_it`, as `paired_difference`.
        """
        test = self.captures("test")
        nll = {CALIBRATED: negative_log_likelihood(self.calibrated(), test)}
        splits = None
        for architecture in self._architectures:
            splits = splits or Splits(
                self.captures("train"), self.captures("validation"), test, "Simulated."
            )
            model_dir = train_flow(
                architecture,
                splits,
                self._dir,
                self._schedule,
                clips=["white"],
                verbose=self._verbose,
            )
            nll[architecture] = negative_log_likelihood(load_model(model_dir), test)
        truth = true_negative_log_likelihood(test)
        assert truth is not None  # The captures are simulated.
        nll[TRUTH] = truth
        found = {
            name: {
                "nll": float(np.mean(values)),
                "calibrated_minus_it": paired_difference(nll[CALIBRATED], values),
            }
            for name, values in nll.items()
        }
        write_json(self._path("calibrated_camera.json"), found)
        write_text(self._path("table.md"), _table(found))
        return found

    def _path(self, name: str) -> str:
        return os.path.join(self._dir, name)


def _table(found: dict[str, dict]) -> str:
    rows = []
    for name, row in found.items():
        difference = row["calibrated_minus_it"]
        error = difference["paired_standard_error"]
        text = f"{difference['nll']:+.5f} ± {error:.5f}" if name != CALIBRATED else ""
        rows.append([name, f"{row['nll']:.5f}", text])
    return table(["model", "NLL, nats/dim", "calibrated minus it"], rows) + "\n"
