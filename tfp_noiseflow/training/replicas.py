"""Training on several devices or machines by tf.distribute: who takes which part of a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_noiseflow.choices import STRATEGIES


def strategy_of(name: str) -> tf.distribute.Strategy:
    """The strategy of a name.

    Variables that it trains are to be made in its `scope()`.

    Args:
      name: "one": the device that TensorFlow chooses. "mirrored": all GPUs of this machine, or its
        logical CPUs where there is no GPU. "multi_worker": all machines that the environment
        variable TF_CONFIG lists; one such process runs on each.

    Raises:
      ValueError: another name; several workers without TF_CONFIG.
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        if not os.environ.get("TF_CONFIG"):
            raise ValueError(
                "expected the environment variable TF_CONFIG for several workers, received none: "
                '{"cluster": {"worker": ["host1:port", "host2:port"]}, '
                '"task": {"type": "worker", "index": 0}}, with the index of this worker.'
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise ValueError(f"expected a strategy among {list(STRATEGIES)}, received {name!r}.")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes what one process has to write."""
    return _worker(strategy) == 0


def shared_among(
    strategy: tf.distribute.Strategy,
    dataset: tf.data.Dataset,
    *,
    whole: Sequence[str] = (),
) -> tf.data.Dataset:
    """A dataset whose batches are shared among a strategy's replicas, in equal parts.

    All workers go through the same batches in the same order, and each replica takes its rows of
    every one: whatever the number of replicas, a step is of the same captures. Where a batch has
    fewer rows than replicas, or no equal parts, some replicas take fewer.

    Args:
      strategy: that of `strategy_of`.
      dataset: of tensors [B, ..], in dicts or tuples.
      whole: names, in dicts, of tensors that every replica takes whole.

    Returns:
      What `fit` and `evaluate` take under the strategy; the same dataset for a single replica.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return dataset

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own = replicas // context.num_input_pipelines
        first = own * context.input_pipeline_id

        def parts(*batch: Any) -> tf.data.Dataset:
            # `flat_map` gives the parts of a tuple apart.
            named = batch[0] if isinstance(batch[0], dict) else dict(enumerate(batch))
            size = tf.shape(next(v for k, v in named.items() if k not in whole))[0]

            def part(replica: tf.Tensor) -> Any:
                # The rows of numpy.array_split.
                start = replica * size // replicas
                stop = (replica + 1) * size // replicas
                own = {k: v if k in whole else v[start:stop] for k, v in named.items()}
                return own if named is batch[0] else tuple(own.values())

            return tf.data.Dataset.range(first, first + own, output_type=tf.int32).map(part)

        # One after the other, as the worker's replicas take them.
        return dataset.flat_map(parts).prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(of_worker)


def take_from_chief(strategy: tf.distribute.Strategy, variables: Sequence[tf.Variable]) -> None:
    """Gives the variables of all workers the values of the chief's; all workers call it.

    It returns on no worker before all have come.
    """
    if strategy.num_replicas_in_sync == 1:
        return

    @tf.function
    def total(values: Any) -> tf.Tensor:
        def of_replica(values: Any) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            is_first = context.replica_id_in_sync_group == 0
            own = [tf.where(is_first, value, tf.zeros_like(value)) for value in values]
            return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

        return strategy.run(of_replica, args=(values,))

    totals = total([tf.convert_to_tensor(variable) for variable in variables])
    for variable, value in zip(variables, totals, strict=True):
        variable.assign(strategy.experimental_local_results(value)[0])


def _worker(strategy: tf.distribute.Strategy) -> int:
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type in (None, "chief"):
        return 0
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_id + has_chief
