"""Metrics: how well a noise model fits captures, beside its baselines."""

from tfp_noiseflow.evaluation.compare_noise import NoiseComparison, compare_noise
from tfp_noiseflow.evaluation.likelihood import negative_log_likelihood
from tfp_noiseflow.evaluation.measurement import Measurement, evaluate, measure

__all__ = [
    "Measurement",
    "NoiseComparison",
    "compare_noise",
    "evaluate",
    "measure",
    "negative_log_likelihood",
]
