"""Training a denoiser on pairs, resumably."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

import tensorflow as tf
import tf_keras

from tfp_noiseflow.atomic_write import write_json
from tfp_noiseflow.repeatable import repeatable_sums
from tfp_noiseflow.training.checkpoints import Checkpoints
from tfp_noiseflow.training.execution import ONE_BY_ONE, Execution
from tfp_noiseflow.training.replicas import is_chief, shared_among, take_from_chief
from tfp_noiseflow.training.shown_progress import ShownProgress
from tfp_noiseflow.training.train_noise_model import Schedule, StopAtNaN


@repeatable_sums()
def train_denoiser(
    denoiser: tf_keras.Model,
    pairs_from: Callable[[int], tf.data.Dataset],
    steps_per_epoch: int,
    denoiser_dir: str | os.PathLike,
    schedule: Schedule,
    *,
    about: Mapping,
    loss: str = "squared_error",
    execution: Execution = ONE_BY_ONE,
    verbose: int = 2,
) -> tf_keras.Model:
    """Trains a denoiser and keeps checkpoints.

    When the folder holds a last checkpoint, training goes on from it as if it had not stopped.
    The weights after the last step are the result: picking a checkpoint by real pairs would show
    the noise of the real camera to a denoiser that is trained without it.

    Args:
      denoiser: such as `dncnn()`, made in the scope of the execution's strategy; its weights are
        moved.
      pairs_from: gives the stream of (noisy, clean) batches that begins with an epoch.
      steps_per_epoch: batches.
      denoiser_dir: where checkpoints go.
      schedule: Adam's; its `epochs` must be given.
      about: JSON values that identify the training (noise, data, network), kept in denoiser.json.
      loss: a key of `LOSSES`.
      execution: how it runs; resumed it may run in another way. Its cache is of no account: pairs
        come as they are given.
      verbose: 0 silent, 1 a bar with the time left, 2 a line an epoch.

    Returns:
      The trained denoiser, the one that was given.

    Raises:
      ValueError: an unknown loss, a schedule without epochs, batches that the strategy's replicas
        cannot share in equal parts, batch normalisation on several workers, a folder that holds
        another training or a damaged checkpoint, or a loss that is not finite.

    #### References
    [1]: Zhang, Zuo, Chen, Meng, Zhang. Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
         for Image Denoising. IEEE TIP 2017. Equation 1 (the loss).
    """
    if loss not in LOSSES:
        raise ValueError(f"expected a loss among {list(LOSSES)}, received {loss!r}.")
    epochs = schedule.epochs
    if epochs is None:
        raise ValueError(f"expected a schedule with epochs, received {schedule}.")
    strategy = execution.strategy
    _check_shared(denoiser, schedule, strategy)
    if is_chief(strategy):
        _claim(denoiser_dir, about)
    with strategy.scope():
        optimizer = schedule.optimizer(epochs * steps_per_epoch)
        denoiser.compile(optimizer, LOSSES[loss], **execution.compile_arguments)
        optimizer.build(denoiser.trainable_variables)
    checkpoints = Checkpoints(denoiser_dir, denoiser, {"denoiser": denoiser})
    first_epoch = checkpoints.restore()
    take_from_chief(strategy, denoiser.variables)
    if first_epoch < epochs:
        callbacks = [StopAtNaN()]
        if is_chief(strategy):
            callbacks += [
                checkpoints,
                ShownProgress(epochs, steps_per_epoch, verbose, first_epoch=first_epoch),
            ]
        denoiser.fit(
            shared_among(strategy, pairs_from(first_epoch)),
            steps_per_epoch=steps_per_epoch,
            initial_epoch=first_epoch,
            epochs=epochs,
            callbacks=callbacks,
            verbose=0,
        )
    # The other workers wait for the last checkpoint.
    take_from_chief(strategy, denoiser.variables)
    return denoiser


def _check_shared(denoiser: tf_keras.Model, schedule: Schedule, strategy) -> None:
    """Raises ValueError where replicas would not train what one device trains."""
    if schedule.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"expected a batch size that {strategy.num_replicas_in_sync} replicas can share in "
            f"equal parts, received {schedule.batch_size}."
        )
    # Reading such a variable, as the chief does for a checkpoint, would wait for all workers.
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and any(
        variable.synchronization == tf.VariableSynchronization.ON_READ
        for variable in denoiser.variables
    ):
        raise ValueError(
            "expected a denoiser without batch normalisation on several workers; one machine's "
            "devices share its statistics."
        )


def squared_error(clean: tf.Tensor, denoised: tf.Tensor) -> tf.Tensor:
    """[B]: half the sum of squared errors over an image [.., H, W, C].

    A sum, not a mean: noise of a hundredth of full scale makes gradients of a mean so small that
    Adam's epsilon of 1e-7 counts beside them, and steps shrink.
    """
    return 0.5 * tf.reduce_sum(tf.math.squared_difference(denoised, clean), axis=[-3, -2, -1])


def log_error(clean: tf.Tensor, denoised: tf.Tensor) -> tf.Tensor:
    """[B]: the logarithm of the mean squared error of images [.., H, W, C], PSNR but for its unit.

    Every image counts alike, whatever its noise. In a sum of squares over images of ISO 100 and
    3200, those at 3200 are all that counts.
    """
    error = tf.reduce_mean(tf.math.squared_difference(denoised, clean), axis=[-3, -2, -1])
    return tf.math.log(error + SMALLEST_ERROR)


LOSSES = {"squared_error": squared_error, "log_error": log_error}
# Of `log_error`, which has no lower bound without: that of a PSNR of 80 dB.
SMALLEST_ERROR = 1e-8


def _claim(denoiser_dir, about: Mapping) -> None:
    path = os.path.join(denoiser_dir, "denoiser.json")
    if not os.path.exists(path):
        write_json(path, about)
        return
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    if found != about:
        raise ValueError(f"{denoiser_dir} holds another training: expected {about}, found {found}.")
