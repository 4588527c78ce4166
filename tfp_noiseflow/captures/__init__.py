"""Capture files: the one data format, and its stream for training."""

from tfp_noiseflow.captures.capture_file import (
    CaptureBlock,
    Captures,
    CaptureWriter,
    read_captures,
    write_captures,
)
from tfp_noiseflow.captures.dataset import epoch_steps, training_dataset, validation_dataset

__all__ = [
    "CaptureBlock",
    "CaptureWriter",
    "Captures",
    "epoch_steps",
    "read_captures",
    "training_dataset",
    "validation_dataset",
    "write_captures",
]
