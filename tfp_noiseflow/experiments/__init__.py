"""Experiments: trainings whose comparison is the result. Each goes on where it was stopped."""

from tfp_noiseflow.experiments.calibrated_camera import CalibratedCameraExperiment
from tfp_noiseflow.experiments.compare import ArchitectureComparison
from tfp_noiseflow.experiments.new_camera import NewCameraExperiment
from tfp_noiseflow.experiments.paper import PaperExperiment
from tfp_noiseflow.experiments.splits import Splits, read_splits

__all__ = [
    "ArchitectureComparison",
    "CalibratedCameraExperiment",
    "NewCameraExperiment",
    "PaperExperiment",
    "Splits",
    "read_splits",
]
