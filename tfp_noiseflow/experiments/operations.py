"""What a noise model costs: compiled operations on one batch, and the time of a call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import tensorflow as tf
import tf_keras

from tfp_noiseflow.evaluation.likelihood import noise_distribution
from tfp_noiseflow.models import NoiseModel
from tfp_noiseflow.training.likelihood_trainer import LikelihoodTrainer

Name = TypeVar("Name", bound=Hashable)

LEARNING_RATE = 1e-4


class Operations:
    """A training step, an NLL and a sample of a model, as its users call them.

    Training steps move the model's variables.

    Args:
      model: any noise model with variables that can be trained.
      captures: a batch as `training_dataset` gives it: `noise`, `clean` [B, H, W, C], `iso` [B],
        `camera` [B] int32, the noise as the model takes it.
      jit_compile: whether XLA compiles them.

    Attributes:
      train, nll, sample: compiled, without arguments; they return the loss, the NLL, and noise
        [B, H, W, C].
    """

    def __init__(
        self, model: NoiseModel, captures: Mapping[str, tf.Tensor], *, jit_compile: bool = False
    ):
        trainer = LikelihoodTrainer(model)
        trainer.compile(tf_keras.optimizers.Adam(LEARNING_RATE), jit_compile=jit_compile)
        train_step, test_step = tf.function(trainer.train_step), tf.function(trainer.test_step)

        @tf.function(jit_compile=jit_compile or None)
        def sample(clean, iso, camera):
            return noise_distribution(model, clean, iso, camera).sample(seed=(1, 2))

        given = [captures[name] for name in ("clean", "iso", "camera")]
        self.train: Callable[[], tf.Tensor] = lambda: train_step(captures)["loss"]
        self.nll: Callable[[], tf.Tensor] = lambda: test_step(captures)["loss"]
        self.sample: Callable[[], tf.Tensor] = lambda: sample(*given)


def seconds_of(function: Callable[[], tf.Tensor]) -> float:
    """Of a call, until its result is there; of an image, one number comes back."""
    start = time.perf_counter()
    result = function()
    result[(0,) * result.shape.rank].numpy()
    return time.perf_counter() - start


def median_seconds(
    functions: Mapping[Name, Callable[[], tf.Tensor]], *, rounds: int, warm_up: int = 3
) -> dict[Name, float]:
    """The median time of a call of each.

    They are called in turn, so that what else the machine does meets all of them.

    Args:
      functions: without arguments, by name.
      rounds: timed calls of each. warm_up: calls before them, the first of which compiles.
    """
    for function in functions.values():
        for _ in range(warm_up):
            seconds_of(function)
    times = [{name: seconds_of(f) for name, f in functions.items()} for _ in range(rounds)]
    return {name: statistics.median(of[name] for of in times) for name in functions}
