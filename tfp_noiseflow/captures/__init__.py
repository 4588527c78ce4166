"""Capture files: the one data format, and its stream for training."""

import lazy_loader

from tfp_noiseflow.captures.bayer import pack_bayer, unpack_bayer
from tfp_noiseflow.captures.capture_file import (
    CaptureBlock,
    Captures,
    CaptureWriter,
    read_captures,
    write_captures,
)
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.captures.fixed_pattern import (
    FixedPattern,
    read_fixed_pattern,
    write_fixed_pattern,
)
from tfp_noiseflow.captures.import_captures import import_captures
from tfp_noiseflow.captures.source import Source, SourceImage, SplitPlan, fingerprint_of

# Files are read and written without TensorFlow, whose import takes seconds.
__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cached_captures": ["CachedCaptures"],
        "dataset": ["training_dataset", "validation_dataset"],
    },
)

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
    "pack_bayer",
    "read_captures",
    "read_fixed_pattern",
    "training_dataset",
    "unpack_bayer",
    "validation_dataset",
    "write_captures",
    "write_fixed_pattern",
]
