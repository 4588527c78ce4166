"""Flags of how a training runs, for the commands that train."""

from __future__ import annotations

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.choices import CACHES, STRATEGIES

FLAGS = flags.FLAGS

flags.DEFINE_enum("cache", "auto", list(CACHES), "Where captures are kept.")
flags.DEFINE_integer(
    "steps_per_execution", 1, "Steps in one call of the compiled function.", lower_bound=1
)
flags.DEFINE_enum("strategy", "one", list(STRATEGIES), "The devices that train.")
flags.DEFINE_bool("jit_compile", False, "Compile the training step with XLA.")
flags.DEFINE_bool("mixed_precision", False, "Refused: log-dets and round trips need float32.")
flags.register_validator(
    "mixed_precision",
    lambda is_mixed: not is_mixed,
    "expected --nomixed_precision: a log-det is a sum of thousands of logarithms and a flow's "
    "inverse undoes its forward; with the 8 or 11 bits of bfloat16 and float16 an NLL would be off "
    "by more than what models differ by",
)


def execution() -> nf.Execution:
    """The execution of the flags."""
    from tfp_noiseflow.training.replicas import strategy_of

    return nf.Execution(
        FLAGS.cache, FLAGS.steps_per_execution, FLAGS.jit_compile, strategy_of(FLAGS.strategy)
    )
