"""Flags of how flows are trained, for the commands that train some."""

from __future__ import annotations

from absl import flags

import tfp_noiseflow as nf

FLAGS = flags.FLAGS

flags.DEFINE_integer(
    "epochs", None, "Passes over the captures. Default: about 1000 steps.", lower_bound=1
)
flags.DEFINE_integer("batch_size", 138, "Captures a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 3e-2, "Adam's, at its highest. The paper's is 1e-4.")
flags.DEFINE_enum(
    "decay", "cosine", ["cosine", "constant"], "Of the learning rate. The paper's is constant."
)


def schedule(**options) -> nf.Schedule:
    """The schedule of the flags, with further options of `Schedule`."""
    return nf.Schedule(
        epochs=FLAGS.epochs,
        batch_size=FLAGS.batch_size,
        learning_rate=FLAGS.learning_rate,
        decay=FLAGS.decay,
        **options,
    )
