"""Noise models: conditions of a capture -> a distribution over its noise."""

from tfp_noiseflow.models.architecture import register_layer
from tfp_noiseflow.models.camera_nlf import CameraNLF
from tfp_noiseflow.models.dark_frame_distribution import DarkFrameDistribution
from tfp_noiseflow.models.dark_frame_noise import DarkFrameNoise
from tfp_noiseflow.models.gaussian_noise import GaussianNoise
from tfp_noiseflow.models.model_directory import (
    load_baselines,
    load_model,
    load_named_models,
    register_noise_model,
    save_model,
    untrained_model,
)
from tfp_noiseflow.models.model_of_captures import model_of_captures
from tfp_noiseflow.models.new_camera import with_camera_law
from tfp_noiseflow.models.noise_distribution import NoiseDistribution
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel, sample_noise
from tfp_noiseflow.models.stored_distribution import StoredDistribution
from tfp_noiseflow.models.stored_noise import StoredNoise

__all__ = [
    "CameraNLF",
    "DarkFrameDistribution",
    "DarkFrameNoise",
    "GaussianNoise",
    "NoiseDistribution",
    "NoiseFlow",
    "NoiseModel",
    "StoredDistribution",
    "StoredNoise",
    "load_baselines",
    "load_model",
    "load_named_models",
    "model_of_captures",
    "register_layer",
    "register_noise_model",
    "sample_noise",
    "save_model",
    "untrained_model",
    "with_camera_law",
]
