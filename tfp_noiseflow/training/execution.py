"""How a training runs: where its captures are kept and how its steps are executed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfp_noiseflow.captures.cached_captures import CachedCaptures, chosen_cache
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.dataset import training_dataset, validation_dataset


@dataclass(frozen=True)
class Execution:
    """What changes a training's speed and memory, and nothing of what is trained but rounding.

    Attributes:
      cache: where captures are kept, see `training_dataset`; on a device or in memory batches are
        made in the step's own graph.
      steps_per_execution: steps in one call of Keras's compiled function; callbacks see every
        that many steps alone.
      strategy: the devices and machines that share each batch, see `replicas.strategy_of`; the
        model is made in its scope.
      jit_compile: whether XLA compiles the step's likelihoods and gradients. It may contract a
        product and a sum, so that results differ in their last bits; where a likelihood takes
        draws they are others; it raises no errors of values, which become NaN.

    Raises:
      ValueError: fewer than one step.
    """

    cache: str = "none"
    steps_per_execution: int = 1
    jit_compile: bool = False
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)

    def __post_init__(self) -> None:
        chosen_cache(self.cache)
        if self.steps_per_execution < 1:
            raise ValueError(
                f"expected steps_per_execution >= 1, received {self.steps_per_execution}."
            )

    @property
    def compile_arguments(self) -> dict:
        """For the `compile` of a LikelihoodTrainer."""
        return {
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }


# From the file, step by step.
ONE_BY_ONE = Execution()


@dataclass(frozen=True)
class TrainingInput:
    """Batches of a training, or what a step makes them of.

    Attributes:
      training, validation: `tf.data.Dataset`s of batches, or of positions.
      training_features, validation_features: make batches of elements, in a step's graph.
    """

    training: tf.data.Dataset
    validation: tf.data.Dataset
    training_features: Callable[[dict], dict]
    validation_features: Callable[[dict], dict]


def training_input(
    training: Captures,
    validation: Captures,
    *,
    cache: str,
    cameras: Sequence[str] | None,
    batch_size: int,
    seed: int,
    first_epoch: int,
    replicas: int = 1,
) -> TrainingInput:
    """The batches of a training from where its captures are kept.

    Args:
      training, validation: captures.
      cache: see `training_dataset`.
      cameras, batch_size, seed, first_epoch: as for `training_dataset`.
      replicas: devices that share a batch. Several take it from the host's memory: one device's
        would be the others' bottleneck.
    """
    cache, _ = chosen_cache(cache, training, validation)
    order: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "first_epoch": first_epoch}
    if cache == "none":
        return TrainingInput(
            training_dataset(training, cameras=cameras, **order),
            validation_dataset(validation, cameras=cameras, batch_size=batch_size),
            _as_they_are,
            _as_they_are,
        )
    kept = [
        CachedCaptures(captures, cameras=cameras, on_device=cache == "device" and replicas == 1)
        for captures in (training, validation)
    ]
    return TrainingInput(
        kept[0].positions(**order),
        kept[1].positions_in_order(batch_size=batch_size),
        kept[0].features,
        kept[1].features,
    )


def _as_they_are(batch: dict) -> dict:
    return batch
