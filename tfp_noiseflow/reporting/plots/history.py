"""The training log as columns, for pictures of a training."""

from __future__ import annotations

import re

import numpy as np


def history_columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """The rows of a training log as columns: `epoch`, `step`, `loss`, `val_loss`, `beta1`, ...

    Missing cells are NaN.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def step_axis(history) -> np.ndarray:
    """What the rows lie at: optimiser steps, or what the log has of them."""
    for name in ("step", "epoch"):
        if name in history and np.isfinite(history[name]).all():
            return history[name]
    return np.arange(len(history["loss"]))


def columns_of(history, name: str) -> dict[str, np.ndarray]:
    """`gamma(ISO 100)`, ... as {"ISO 100": values}."""
    columns = {}
    for column, values in history.items():
        match = re.fullmatch(rf"{name}\((.*)\)", column)
        if match:
            columns[match[1]] = values
    return columns


def iso_of(label: str) -> float:
    """Of `ISO 100`, or of `Pixel, ISO 100` where each camera has its own."""
    return float(label.rsplit("ISO ", 1)[1])


def camera_of(label: str) -> str:
    """What stands before the ISO; empty where all cameras share a gamma."""
    return label.rsplit("ISO ", 1)[0]
