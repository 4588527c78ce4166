"""Best and last checkpoints, and exact resume from the last."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from tfp_noiseflow.models.model_directory import checkpoint_manager, restore_checkpoint


class Checkpoints(tf_keras.callbacks.Callback):
    """Keeps `checkpoints/best` (lowest validation loss) and `checkpoints/last` in a folder.

    The last one holds all that training goes on from: the model, the optimizer, the number of
    epochs done and the best validation NLL. With a data stream that depends on the epoch alone
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
        trained = trained or {"noise_model": trainer.noise_model}
        trainer.optimizer.build(trainer.trainable_variables)
        self._epochs_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._lowest = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        self._best = checkpoint_manager(model_dir, "best", tf.train.Checkpoint(**trained))
        self._last = checkpoint_manager(
            model_dir,
            "last",
            tf.train.Checkpoint(
                **trained,
                optimizer=trainer.optimizer,
                epochs_done=self._epochs_done,
                lowest=self._lowest,
            ),
        )

    def restore(self) -> int:
        """Restores the last checkpoint, where there is one.

        Returns:
          The number of epochs done, 0 for a new run.

        Raises:
          ValueError: the checkpoint is damaged or of another model or optimizer.
        """
        path = self._last.latest_checkpoint
        if path is not None:
            restore_checkpoint(self._last.checkpoint, path)
        return int(self._epochs_done)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        nll = float(logs.get("val_loss", logs["loss"]))
        if nll < float(self._lowest):
            self._lowest.assign(nll)
            self._best.save(checkpoint_number=epoch + 1)
        self._epochs_done.assign(epoch + 1)
        self._last.save(checkpoint_number=epoch + 1)
