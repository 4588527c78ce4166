"""Augmentation: a camera's noise added to clean images, in Keras models and in `tf.data`."""

from tfp_noiseflow.augmentation.add_camera_noise import AddCameraNoise

__all__ = ["AddCameraNoise"]
