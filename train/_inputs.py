"""Checks of the files and folders that flags name, before TensorFlow is imported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.shipped_models import SHIPPED_MODELS, model_directory


def are_capture_files(*names: str) -> None:
    """Makes flags ones that name a whole capture file each."""
    for name in names:
        pass_check(name, _check_captures)


def are_model_dirs(*names: str) -> None:
    """Makes flags ones that name a model directory each, or a model that is shipped."""
    for name in names:
        pass_check(name, _check_model_dir)


def are_named_model_dirs(*names: str) -> None:
    """Makes flags ones that are lists of NAME=MODEL_DIR."""
    for name in names:
        pass_check(name, _check_named_model_dir)


def exist(*names: str) -> None:
    """Makes flags ones that name a file or a folder each that is there."""
    for name in names:
        pass_check(name, _check_exists)


def pass_check(name: str, check: Callable[[str], object]) -> None:
    """Makes a flag one whose value, or each of its values, does not make a check raise.

    Args:
      name: of the flag.
      check: takes a value, raises ValueError or OSError.
    """

    def passes(value: str | list[str] | None) -> bool:
        for one in value if isinstance(value, list) else [value] if value else []:
            try:
                check(one)
            except (ValueError, OSError) as error:
                raise flags.ValidationError(str(error)) from error
        return True

    flags.register_validator(name, passes)


def _check_captures(path: str) -> None:
    nf.read_captures(path).close()


def _check_named_model_dir(text: str) -> None:
    name, _, path = text.partition("=")
    if not name or not path:
        raise ValueError("expected NAME=MODEL_DIR, each of another NAME")
    _check_model_dir(path)


def _check_model_dir(path: str) -> None:
    config = os.path.join(model_directory(path), "config.json")
    if not os.path.exists(config):
        raise ValueError(
            "expected a model directory, with a config.json, or a model that comes with the "
            f"library, {', '.join(SHIPPED_MODELS)}"
        )
    try:
        with open(config, encoding="utf-8") as file:
            json.load(file)
    except json.JSONDecodeError as error:
        raise ValueError(f"{config}: expected JSON, received {error}") from error


def _check_exists(path: str) -> None:
    if not os.path.exists(path):
        raise ValueError("expected a file or a folder, found none")
