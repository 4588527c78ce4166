"""What a training shows of itself: a bar over all of its epochs, or a line an epoch."""

from __future__ import annotations

import time

import tf_keras
from tqdm import tqdm

from tfp_noiseflow.progress import Progress


class ShownProgress(tf_keras.callbacks.Callback):
    """Shows how far a training is, how good the model is, and the time left.

    Keras's own bar begins anew with each epoch, and does not know how many are to come.

    Args:
      epochs: of the whole training.
      steps_per_epoch: batches.
      verbose: 0 shows nothing, 1 a bar, 2 a line an epoch.
      first_epoch: where a resumed training goes on.
      title: of the training.
    """

    def __init__(
        self,
        epochs: int,
        steps_per_epoch: int,
        verbose: int,
        *,
        first_epoch: int = 0,
        title: str = "training",
    ):
        super().__init__()
        # Logs of batches are not looked at, so that no step waits until they have come from the
        # device. Keras sets it in its constructor.
        self._supports_tf_logs = True
        self._epochs, self._steps = epochs, steps_per_epoch
        self._first, self._verbose, self._title = first_epoch, verbose, title
        self._epoch, self._text = first_epoch, ""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._started = time.monotonic()
        self._progress = Progress("steps", self._title, is_shown=self._verbose == 1)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # A bar of what this run has to do: its rate tells the time left.
        done = (self._epoch - self._first) * self._steps + batch + 1
        self._progress(done, (self._epochs - self._first) * self._steps, self._text)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        shown = logs or {}
        self._text = ", ".join(
            f"{name} {float(shown[name]):.4f}" for name in ("loss", "val_loss") if name in shown
        )
        if self._verbose == 2:
            done = epoch + 1 - self._first
            left = (time.monotonic() - self._started) / done * (self._epochs - epoch - 1)
            print(
                f"{self._title}: epoch {epoch + 1} of {self._epochs}, {self._text}, "
                f"{tqdm.format_interval(left)} left",
                flush=True,
            )

    def on_train_end(self, logs: dict | None = None) -> None:
        self._progress.close()
