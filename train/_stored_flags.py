"""Flags of whether models are of stored codes, for the commands that train some."""

from __future__ import annotations

from absl import flags

FLAGS = flags.FLAGS

flags.DEFINE_bool(
    "stored", False, "Model the codes that captures store, clipped, not dequantised noise."
)
flags.DEFINE_list("clips", ["black", "white"], "With --stored: where values are clipped.")


def clips() -> list[str] | None:
    """The ends at which values are clipped; None: the model is of dequantised noise."""
    return FLAGS.clips if FLAGS.stored else None
