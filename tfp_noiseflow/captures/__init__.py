"""Capture files: the one data format, and its stream for training."""

from tfp_noiseflow.captures.cached_captures import CachedCaptures
from tfp_noiseflow.captures.capture_file import (
    CaptureBlock,
    Captures,
    CaptureWriter,
    read_captures,
    write_captures,
)
from tfp_noiseflow.captures.dataset import training_dataset, validation_dataset
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.captures.fixed_pattern import (
    FixedPattern,
    read_fixed_pattern,
    write_fixed_pattern,
)
from tfp_noiseflow.captures.import_captures import import_captures
from tfp_noiseflow.captures.source import Source, SourceImage, SplitPlan, fingerprint_of

__all__ = [
    "CachedCaptures",
    "CaptureBlock",
    "CaptureWriter",
    "Captures",
    "FixedPattern",
    "Source",
    "SourceImage",
    "SplitPlan",
    "epoch_steps",
    "fingerprint_of",
    "import_captures",
    "read_captures",
    "read_fixed_pattern",
    "training_dataset",
    "validation_dataset",
    "write_captures",
    "write_fixed_pattern",
]
