"""Flows of experiments: trained once, found again when the experiment is run again."""

from __future__ import annotations

import os
from collections.abc import Collection

from tfp_noiseflow.experiments.splits import Splits
from tfp_noiseflow.models import model_of_captures
from tfp_noiseflow.training.checkpoints import is_begun
from tfp_noiseflow.training.pixelwise_start import start_at_pixelwise_fit
from tfp_noiseflow.training.train_noise_model import Schedule, train_noise_model


def train_flow(
    architecture: str,
    splits: Splits,
    output_dir: str | os.PathLike,
    schedule: Schedule,
    *,
    clips: Collection[str] | None = None,
    verbose: int = 2,
) -> str:
    """Trains a flow in <architecture>-<seed>, goes on with its training, or finds it trained.

    Args:
      architecture: of a flow, or a model directory, which stands for its flow's layers.
      splits: captures to train on and to pick the best epochs by.
      output_dir: of the model directory.
      schedule: of the training; its seed is that of the initial weights too.
      clips: as in `model_of_captures`.
      verbose: as for `train_noise_model`; 0 prints nothing.

    Returns:
      The model directory.

    Raises:
      ValueError: as `model_of_captures` and `train_noise_model`.
    """
    model = model_of_captures(architecture, splits.train, clips=clips, seed=schedule.seed)
    model_dir = os.path.join(output_dir, f"{model.architecture}-{schedule.seed}")
    if verbose:
        print(f"{model_dir}: {model}", flush=True)
    # Its checkpoint would replace what is fitted.
    if not is_begun(model_dir):
        start_at_pixelwise_fit(model, splits.train, seed=schedule.seed, verbose=verbose)
    train_noise_model(model, splits.train, splits.validation, model_dir, schedule, verbose=verbose)
    return model_dir
