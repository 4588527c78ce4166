"""Flags of what raw files say of themselves, for the commands that read some."""

from __future__ import annotations

from absl import flags

FLAGS = flags.FLAGS

flags.DEFINE_float("black_level", None, "In codes, in place of what the files say.")
flags.DEFINE_float("white_level", None, "In codes, in place of what the files say.")
flags.DEFINE_enum("cfa", None, ["RGGB", "GRBG", "GBRG", "BGGR"], "In place of the files'.")
flags.DEFINE_float("iso", None, "Of all frames, in place of what files and folders say.")
flags.DEFINE_enum("on_bad_file", "stop", ["stop", "skip"], "Either way bad files are named.")


def given() -> dict:
    """What is given in place of the files', by the name of the argument."""
    return {name: FLAGS[name].value for name in ("black_level", "white_level", "cfa", "iso")}


def skips_bad() -> bool:
    """Whether bad files are left out."""
    return FLAGS.on_bad_file == "skip"
