"""Training from capture files into a model directory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import tensorflow as tf
import tf_keras

from tfp_noiseflow.captures.about import about_captures
from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.captures.noise_statistics import NoiseStatistics
from tfp_noiseflow.conditions.conditions import LARGEST_CLEAN
from tfp_noiseflow.models.camera_nlf import CameraNLF
from tfp_noiseflow.models.gaussian_noise import GaussianNoise
from tfp_noiseflow.models.model_directory import (
    describe_model,
    load_model,
    read_config,
    write_baselines,
    write_config,
)
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.repeatable import repeatable_sums
from tfp_noiseflow.training.checkpoints import Checkpoints
from tfp_noiseflow.training.execution import ONE_BY_ONE, Execution, training_input
from tfp_noiseflow.training.history import History
from tfp_noiseflow.training.likelihood_trainer import LikelihoodTrainer
from tfp_noiseflow.training.replicas import is_chief, shared_among, take_from_chief
from tfp_noiseflow.training.shown_progress import ShownProgress
from tfp_noiseflow.training.validation_kl import ValidationKl

# From the paper's start (b2 = 0, noise of full scale) the logarithm of beta2 has some 12 to go, and
# Adam moves it by about its rate a step: 3e-2 gets there in 400 steps and leaves as many to settle.
DEFAULT_STEPS = 1000


@dataclass(frozen=True)
class Schedule:
    """How the weights are trained: Adam, its gradient clipped to norm 10.

    Attributes:
      epochs: passes over the training captures; None: as many as give about 1000 steps.
      batch_size: captures a step; the paper's is 138.
      learning_rate: at its highest.
      decay: "cosine": 50 steps of warm-up, then a half cosine down to 0; "constant": as in the
        paper, whose rate is 1e-4.
      seed: of the order of the captures and of their dequantisation.
    """

    epochs: int | None = None
    batch_size: int = 138
    learning_rate: float = 3e-2
    decay: str = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"expected epochs >= 1, received {self.epochs}.")
        if self.batch_size < 1:
            raise ValueError(f"expected batch_size >= 1, received {self.batch_size}.")
        if self.decay not in ("cosine", "constant"):
            raise ValueError(f"expected decay 'cosine' or 'constant', received {self.decay!r}.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"expected learning_rate > 0, received {self.learning_rate}.")

    def optimizer(self, steps: int) -> tf_keras.optimizers.Optimizer:
        """Adam for a training of `steps` steps."""
        rate = self.learning_rate
        if self.decay == "cosine":
            warm_up = min(50, steps // 4)
            rate = tf_keras.optimizers.schedules.CosineDecay(
                0.0, steps - warm_up, warmup_target=self.learning_rate, warmup_steps=warm_up
            )
        return tf_keras.optimizers.Adam(rate, global_clipnorm=10.0)


@repeatable_sums()
def train_noise_model(
    model: NoiseModel,
    train_captures: Captures,
    validation_captures: Captures,
    model_dir: str | os.PathLike,
    schedule: Schedule = Schedule(),
    *,
    trained_variables: Sequence[tf.Variable] | None = None,
    started_from: Mapping | None = None,
    execution: Execution = ONE_BY_ONE,
    verbose: int = 1,
) -> NoiseModel:
    """Trains a noise model by maximum likelihood and keeps everything in a model directory.

    Writes config.json, baselines.json (the Gaussian and the recalibrated NLF of the training
    captures), history.csv, TensorBoard logs, and the last checkpoint and the best ones by
    validation NLL and by KL. When the folder holds a last checkpoint already, training goes on
    from it as if it had not stopped.

    Args:
      model: any noise model.
      train_captures, validation_captures: of cameras and ISOs that the model knows.
      model_dir: the folder.
      schedule: how to train.
      trained_variables: the model's variables that training moves; None: all.
      started_from: the `training_data` of the model whose variables the model begins with, which
        is kept in config.json: what that has seen, this has.
      execution: how it runs; resumed it may run in another way.
      verbose: 0 silent, 1 a bar with the time left, 2 a line an epoch.

    Returns:
      The model of the best checkpoint.

    Raises:
      ValueError: a model without a density, unknown cameras or ISOs, pixels that are not finite,
        clean images above full scale, a model directory of another model, data or schedule (more
        epochs are fine), or a loss that is not finite (the last checkpoint is from before it).
    """
    model.require_density("training by likelihood")
    for captures in (train_captures, validation_captures):
        model.known.check_captures(captures)
        _check_channels(captures, model)
    strategy = execution.strategy
    if is_chief(strategy):
        _begin(model_dir, model, train_captures, validation_captures, schedule, started_from)
    train_captures = train_captures.dequantised(model.dequantises)
    validation_captures = validation_captures.dequantised(model.dequantises)
    steps = epoch_steps(train_captures, schedule.batch_size)
    epochs = schedule.epochs or max(1, round(DEFAULT_STEPS / steps))
    with strategy.scope():
        trainer = LikelihoodTrainer(model, trained_variables=trained_variables, seed=schedule.seed)
        trainer.compile(schedule.optimizer(epochs * steps), **execution.compile_arguments)
    checkpoints = Checkpoints(model_dir, trainer)
    first_epoch = checkpoints.restore()
    take_from_chief(strategy, model.variables)
    if first_epoch < epochs:
        data = training_input(
            train_captures,
            validation_captures,
            cache=execution.cache,
            cameras=model.cameras,
            batch_size=schedule.batch_size,
            seed=schedule.seed,
            first_epoch=first_epoch,
            replicas=strategy.num_replicas_in_sync,
        )
        trainer.makes_batches(data.training_features, data.validation_features)
        callbacks = [StopAtNaN()]
        if is_chief(strategy):
            callbacks += [
                ValidationKl(
                    model,
                    validation_captures,
                    batch_size=schedule.batch_size,
                    dataset=data.validation.map(data.validation_features),
                ),
                History(model_dir, first_epoch),
                tf_keras.callbacks.TensorBoard(
                    os.path.join(model_dir, "logs"), write_graph=False, profile_batch=0
                ),
                checkpoints,
                # After what adds to the logs.
                ShownProgress(epochs, steps, verbose, first_epoch=first_epoch),
            ]
        trainer.fit(
            shared_among(strategy, data.training, whole=("key",)),
            steps_per_epoch=steps,
            initial_epoch=first_epoch,
            epochs=epochs,
            validation_data=shared_among(strategy, data.validation, whole=("key",)),
            validation_steps=-(-len(validation_captures) // schedule.batch_size),
            callbacks=callbacks,
            verbose=0,
        )
    # The other workers wait for the last checkpoint.
    take_from_chief(strategy, model.variables)
    return load_model(model_dir)


def _begin(
    model_dir: str | os.PathLike,
    model: NoiseModel,
    train_captures: Captures,
    validation_captures: Captures,
    schedule: Schedule,
    started_from: Mapping | None,
) -> None:
    """Checks the captures, and writes config.json and the baselines where they are not there."""
    # One pass gathers what the baselines need too: the file may be larger than memory.
    has_baselines = os.path.exists(os.path.join(model_dir, "baselines.json"))
    statistics = NoiseStatistics()
    for block in _checked_blocks(train_captures):
        if not has_baselines:
            statistics.add(block)
    if validation_captures is not train_captures:
        for _ in _checked_blocks(validation_captures):
            pass
    _claim(model_dir, model, train_captures, validation_captures, schedule, started_from)
    if not has_baselines:
        write_baselines(model_dir, _baselines(model, train_captures, statistics))


def _baselines(
    model: NoiseModel, captures: Captures, statistics: NoiseStatistics
) -> dict[str, NoiseModel]:
    """The Gaussian, and the recalibrated NLF, of stored codes where the model is."""
    nlf = CameraNLF.fit(statistics, model.sample_codes(captures))
    return {"gaussian": GaussianNoise.fit(statistics), "recalibrated_nlf": model.storing(nlf)}


def _check_channels(captures: Captures, model: NoiseModel) -> None:
    """Raises ValueError for images of other channels than the model's."""
    channels = captures.image_shape[-1]
    if model.channels not in (None, channels):
        raise ValueError(
            f"{captures.path}: expected images of {model.channels} channels, received {channels}."
        )


def _checked_blocks(captures: Captures) -> Iterator[CaptureBlock]:
    """All captures; raises ValueError for images that no model can take."""
    for block in captures.blocks():
        highest = block.clean.max()
        if highest > LARGEST_CLEAN:
            raise ValueError(
                f"{captures.path}: expected clean images of at most {LARGEST_CLEAN} of full scale, "
                f"received {highest} among captures {block.index[0]} to {block.index[-1]}; is "
                "white_level right?"
            )
        yield block


def _claim(
    model_dir: str | os.PathLike,
    model: NoiseModel,
    captures: Captures,
    validation_captures: Captures,
    schedule: Schedule,
    started_from: Mapping | None,
) -> None:
    """Writes config.json, or checks that the one there is of the same model and training.

    More epochs than before are a longer training of the same kind; all else would make what is
    resumed neither the one nor the other.
    """
    training = {
        **about_captures(captures),
        "iso_range": [min(captures.iso_levels), max(captures.iso_levels)],
        "validation_scenes": about_captures(validation_captures)["scenes"],
        "schedule": {k: v for k, v in asdict(schedule).items() if k != "epochs"},
    }
    if started_from is not None:
        training["started_from"] = dict(started_from)
    if not os.path.exists(os.path.join(model_dir, "config.json")):
        write_config(model_dir, model, training)
        return
    found = read_config(model_dir)
    # Of captures of one digest it is one.
    (found.get("training_data") or {}).setdefault("iso_range", training["iso_range"])
    expected = {**describe_model(model), "training_data": training}
    faults = "; ".join(
        f"{name}: expected {wanted}, found {found.get(name)}"
        for name, wanted in expected.items()
        if found.get(name) != wanted
    )
    if faults:
        raise ValueError(f"{model_dir} holds another model or training ({faults}).")


class StopAtNaN(tf_keras.callbacks.Callback):
    """Raises at the end of an epoch whose loss is not finite, before it is saved."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise ValueError(
                    f"expected a finite {name}, received {value} in epoch {epoch}; the last "
                    "checkpoint is from before it. A lower learning rate may help."
                )
