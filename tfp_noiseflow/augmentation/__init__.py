"""A camera's noise added to clean images, in Keras models and in `tf.data`, and to whole frames."""

from tfp_noiseflow.augmentation.add_camera_noise import AddCameraNoise
from tfp_noiseflow.augmentation.noisy_frame import noisy_frame

__all__ = ["AddCameraNoise", "noisy_frame"]
