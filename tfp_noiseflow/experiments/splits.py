"""Captures to train on, to validate and to test with, from whatever files there are."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tfp_noiseflow.captures.capture_file import Captures, read_captures
from tfp_noiseflow.captures.split import split_captures


@dataclass(frozen=True)
class Splits:
    """Three splits of captures, and how they came about.

    Attributes:
      train, validation, test: captures.
      how: in words, a sentence.
    """

    train: Captures
    validation: Captures
    test: Captures
    how: str


def read_splits(path: str | os.PathLike, *, validates_on_test: bool = False) -> Splits:
    """Reads the splits that there are, and splits off what is missing.

    By scene, or where there are too few, at random; `how` says which.

    Args:
      path: a folder with train.h5, test.h5 and, if there is one, validation.h5; or a capture file.
      validates_on_test: whether the test captures are the validation captures too, as in the
        paper, and all others are trained on.

    Raises:
      ValueError: validates_on_test, and a folder with validation.h5; as `split_captures`.
      OSError: as `read_captures`.
    """
    if not os.path.isdir(path):
        captures = read_captures(path)
        if validates_on_test:
            (train, test), how = split_captures(captures, (0.8, 0.2))
            how = f"Training and test captures were split {how}; the test's validate."
            return Splits(train, test, test, how)
        (train, validation, test), how = split_captures(captures, (0.7, 0.1, 0.2))
        how = f"Training, validation and test captures were split {how}."
        return Splits(train, validation, test, how)
    validation_path = os.path.join(path, "validation.h5")
    train, test = (read_captures(os.path.join(path, f"{split}.h5")) for split in ("train", "test"))
    if validates_on_test:
        if os.path.exists(validation_path):
            raise ValueError(
                f"{validation_path}: expected none with --validate_on_test, which trains on all "
                "but the test captures; these would be left out."
            )
        return Splits(train, test, test, "The test captures validate.")
    if os.path.exists(validation_path):
        how = "Training, validation and test captures are three files."
        return Splits(train, read_captures(validation_path), test, how)
    (train, validation), how = split_captures(train, (7 / 8, 1 / 8))
    how = f"Validation captures were split off the training captures {how}."
    return Splits(train, validation, test, how)
