"""Denoising: what a noise model is worth as training noise."""

from tfp_noiseflow.denoising.dncnn import dncnn
from tfp_noiseflow.denoising.train_denoiser import train_denoiser
from tfp_noiseflow.denoising.training_pairs import AddGaussianNoise, training_pairs

__all__ = ["AddGaussianNoise", "dncnn", "train_denoiser", "training_pairs"]
