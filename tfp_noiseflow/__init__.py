"""Noise of real cameras as TensorFlow Probability distributions: Noise Flow and its baselines.

A noise model maps the conditions of a capture (the clean image, its ISO, its camera) to a
distribution over the noise:

```python
import tfp_noiseflow as nf

flow = nf.load_model("model_dir")
noise = flow(clean, iso=800, camera="Pixel")
noise.sample(seed=(0, 1))
```
"""

from tfp_noiseflow import bijectors
from tfp_noiseflow.augmentation import AddCameraNoise
from tfp_noiseflow.calibration import calibrate
from tfp_noiseflow.captures import (
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
from tfp_noiseflow.evaluation import evaluate
from tfp_noiseflow.interop import load_released_checkpoint
from tfp_noiseflow.laws import (
    CameraLaw,
    CameraTable,
    fit_camera_laws,
    generic_cameras,
    noise_profile,
    read_camera_tables,
    read_noise_profiles,
    write_camera_tables,
)
from tfp_noiseflow.models import (
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
from tfp_noiseflow.serving import export_saved_model
from tfp_noiseflow.training import (
    Execution,
    LikelihoodTrainer,
    Schedule,
    finetune_camera,
    train_noise_model,
)
from tfp_noiseflow.version import __version__

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
    "NoiseDistribution",
    "NoiseFlow",
    "NoiseModel",
    "Schedule",
    "StoredDistribution",
    "StoredNoise",
    "__version__",
    "bijectors",
    "calibrate",
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
