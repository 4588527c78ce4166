"""Flags of how a training runs, for the commands that train."""

from __future__ import annotations

from absl import flags

from tfp_noiseflow.captures.cached_captures import CACHES
from tfp_noiseflow.training.execution import Execution
from tfp_noiseflow.training.replicas import STRATEGIES, strategy_of

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "cache",
    "auto",
    list(CACHES),
    "Where captures are kept: none reads the file each epoch; memory and device (a GPU's) keep "
    "codes as they are stored; auto goes by their size and the free memory, and says so. Batches "
    "are the same.",
)
flags.DEFINE_integer(
    "steps_per_execution", 1, "Steps in one call of the compiled function.", lower_bound=1
)
flags.DEFINE_enum(
    "strategy",
    "one",
    list(STRATEGIES),
    "Of tf.distribute: one device; mirrored, all GPUs of this machine; multi_worker, all machines "
    "that TF_CONFIG lists, with this command on each.",
)
flags.DEFINE_bool("jit_compile", False, "Whether XLA compiles the training step.")
flags.DEFINE_bool(
    "mixed_precision",
    False,
    "Refused, with the reason: log-dets and round trips need float32.",
)


def execution() -> Execution:
    """The execution of the flags.

    Raises:
      ValueError: mixed precision.
    """
    if FLAGS.mixed_precision:
        raise ValueError(
            "expected --nomixed_precision, received --mixed_precision: a log-det is a sum of "
            "thousands of logarithms and a flow's inverse undoes its forward; with the 8 or 11 "
            "bits of bfloat16 and float16 an NLL would be off by more than what models differ by."
        )
    return Execution(
        FLAGS.cache, FLAGS.steps_per_execution, FLAGS.jit_compile, strategy_of(FLAGS.strategy)
    )
