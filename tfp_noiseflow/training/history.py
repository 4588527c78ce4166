"""The course of a training, a row an epoch, in history.csv."""

from __future__ import annotations

import csv
import io
import os

import tf_keras

from tfp_noiseflow.atomic_write import write_text
from tfp_noiseflow.models.model_directory import HISTORY, read_history


class History(tf_keras.callbacks.Callback):
    """Writes history.csv: epoch, step, loss, val_loss, learning_rate and physical parameters.

    The file is written whole each epoch, so that a kill leaves the one before, and rows from
    `first_epoch` on, which a killed run may have written and a resumed one repeats, are replaced.

    Args:
      model_dir: where history.csv is.
      first_epoch: the epoch that training begins with.
    """

    def __init__(self, model_dir: str | os.PathLike, first_epoch: int):
        super().__init__()
        self._path = os.path.join(model_dir, HISTORY)
        # As they were written: the file of a resumed run is that of one that was not stopped.
        self._rows = [
            row | {name: int(row[name]) for name in ("epoch", "step") if name in row}
            for row in read_history(model_dir)
            if row["epoch"] < first_epoch
        ]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        optimizer = self.model.optimizer
        row: dict[str, float] = {"epoch": epoch, "step": int(optimizer.iterations.numpy())}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        row["learning_rate"] = float(optimizer.learning_rate.numpy())
        physical = self.model.noise_model.physical_parameters()
        self._rows.append(row | {name: float(value) for name, value in physical.items()})
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self._rows[-1]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self._path, text.getvalue())
