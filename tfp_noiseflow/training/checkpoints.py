"""Best and last checkpoints, and exact resume from the last."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from tfp_noiseflow.models.model_directory import (
    checkpoint_folder,
    checkpoint_manager,
    latest_checkpoint,
    restore_checkpoint,
)


class Checkpoints(tf_keras.callbacks.Callback):
    """Keeps `checkpoints/best` and `checkpoints/last` in a folder, and `checkpoints/best_kl`.

    `best` has the lowest validation loss, `best_kl` the lowest `val_kl`, where the logs have one
    (`ValidationKl`): the two can disagree.

    The last one holds all that training goes on from: the model, the optimizer, the number of
    epochs done and what the bests are. With a data stream that depends on the epoch alone
    (`training_dataset`) a run that was killed and resumed ends with the same weights as one that
    was not.

    Args:
      model_dir: the model directory.
      trainer: the compiled Keras model, such as a LikelihoodTrainer.
      trained: what is kept, by its name in the checkpoints; None: the trainer's noise model.
    """

    def __init__(
        self,
        model_dir: str | os.PathLike,
        trainer: tf_keras.Model,
        trained: Mapping[str, tf.Module] | None = None,
    ):
        super().__init__()
        self._model_dir = os.fspath(model_dir)
        trained = trained or {"noise_model": trainer.noise_model}
        trainer.optimizer.build(trainer.trainable_variables)
        self._epochs_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._bests = {
            kind: (
                log,
                tf.Variable(float("inf"), dtype=tf.float64, trainable=False),
                checkpoint_manager(model_dir, kind, tf.train.Checkpoint(**trained)),
            )
            for kind, log in (("best", "val_loss"), ("best_kl", "val_kl"))
        }
        self._last = checkpoint_manager(
            model_dir,
            "last",
            tf.train.Checkpoint(
                **trained,
                optimizer=trainer.optimizer,
                epochs_done=self._epochs_done,
                lowest={kind: lowest for kind, (_, lowest, _) in self._bests.items()},
            ),
        )

        # Made when asked for, and here: within `fit`, where the chief of several workers saves
        # alone, a new variable would wait for the others.
        for manager in (self._last, *(manager for _, _, manager in self._bests.values())):
            _ = manager.checkpoint.save_counter

    def restore(self) -> int:
        """Restores the last checkpoint, where there is one.

        Returns:
          The number of epochs done, 0 for a new run.

        Raises:
          ValueError: the checkpoint is damaged or of another model or optimizer; or there is none
            but a best one, of a model that was shipped, imported or saved: a new run would replace
            it.
        """
        path = latest_checkpoint(self._last.directory)
        if path is not None:
            restore_checkpoint(self._last.checkpoint, path)
        elif not os.path.isdir(self._last.directory) and any(
            manager.latest_checkpoint for _, _, manager in self._bests.values()
        ):
            raise ValueError(
                f"{self._model_dir}: expected a last checkpoint to go on from, found a best one "
                "alone, which a new training would replace. Train in another folder; "
                f"train.noise_flow --start_from={self._model_dir} begins with its variables."
            )
        return int(self._epochs_done)

    def on_train_begin(self, logs: dict | None = None) -> None:
        # By its folder, a run that was killed between its first best checkpoint and its first last
        # one is known from a model that was saved.
        os.makedirs(self._last.directory, exist_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = dict(logs or {})
        # Without validation captures, by the training loss.
        logs.setdefault("val_loss", logs["loss"])
        for log, lowest, manager in self._bests.values():
            if log in logs and float(logs[log]) < float(lowest):
                lowest.assign(logs[log])
                manager.save(checkpoint_number=epoch + 1)
        self._epochs_done.assign(epoch + 1)
        self._last.save(checkpoint_number=epoch + 1)


def is_begun(model_dir: str | os.PathLike) -> bool:
    """Whether a model directory holds a last checkpoint, from which its training goes on."""
    folder = os.path.join(model_dir, checkpoint_folder(model_dir), "last")
    return latest_checkpoint(folder) is not None
