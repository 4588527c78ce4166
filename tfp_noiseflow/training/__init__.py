"""Training with Keras `fit`."""

from tfp_noiseflow.training.execution import Execution
from tfp_noiseflow.training.finetune_camera import finetune_camera
from tfp_noiseflow.training.likelihood_trainer import LikelihoodTrainer
from tfp_noiseflow.training.train_noise_model import Schedule, train_noise_model

__all__ = ["Execution", "LikelihoodTrainer", "Schedule", "finetune_camera", "train_noise_model"]
