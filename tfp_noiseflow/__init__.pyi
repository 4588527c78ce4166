"""What is public. `__init__.py` imports each name of this list when it is first used."""

from . import bijectors
from .augmentation import AddCameraNoise
from .calibration import calibrate
from .captures import (
    CachedCaptures,
    Captures,
    CaptureWriter,
    FixedPattern,
    read_captures,
    read_fixed_pattern,
    training_dataset,
    validation_dataset,
    write_captures,
    write_fixed_pattern,
)
from .evaluation import NoiseComparison, compare_noise, evaluate
from .interop import load_released_checkpoint
from .laws import (
    CameraLaw,
    CameraTable,
    fit_camera_laws,
    generic_cameras,
    noise_profile,
    read_camera_tables,
    read_noise_profiles,
    write_camera_tables,
)
from .models import (
    CameraNLF,
    DarkFrameNoise,
    GaussianNoise,
    NoiseDistribution,
    NoiseFlow,
    NoiseModel,
    StoredDistribution,
    StoredNoise,
    load_model,
    register_layer,
    register_noise_model,
    sample_noise,
    save_model,
    with_camera_law,
)
from .serving import export_saved_model
from .training import (
    Execution,
    LikelihoodTrainer,
    Schedule,
    finetune_camera,
    train_noise_model,
)
from .version import __version__

__all__ = [
    "AddCameraNoise",
    "CachedCaptures",
    "CameraLaw",
    "CameraNLF",
    "CameraTable",
    "CaptureWriter",
    "Captures",
    "DarkFrameNoise",
    "Execution",
    "FixedPattern",
    "GaussianNoise",
    "LikelihoodTrainer",
    "NoiseComparison",
    "NoiseDistribution",
    "NoiseFlow",
    "NoiseModel",
    "Schedule",
    "StoredDistribution",
    "StoredNoise",
    "__version__",
    "bijectors",
    "calibrate",
    "compare_noise",
    "evaluate",
    "export_saved_model",
    "finetune_camera",
    "fit_camera_laws",
    "generic_cameras",
    "load_model",
    "load_released_checkpoint",
    "noise_profile",
    "read_camera_tables",
    "read_captures",
    "read_fixed_pattern",
    "read_noise_profiles",
    "register_layer",
    "register_noise_model",
    "sample_noise",
    "save_model",
    "train_noise_model",
    "training_dataset",
    "validation_dataset",
    "with_camera_law",
    "write_camera_tables",
    "write_captures",
    "write_fixed_pattern",
]
