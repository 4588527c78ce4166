"""Keras 3: a layer that adds a camera's noise to clean images."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfp_noiseflow.augmentation.noise_adder import NoiseAdder
from tfp_noiseflow.models.noise_model import NoiseModel


class AddCameraNoise(keras.layers.Layer):
    """`nf.AddCameraNoise` for Keras 3 with the TensorFlow backend.

    ```python
    import keras
    from tfp_noiseflow.frameworks.keras3 import AddCameraNoise

    noisy_and_denoised = keras.Sequential([AddCameraNoise(model, iso_range=(100, 3200)), denoiser])
    ```

    The noise of call number k depends on (seed, k), and is that of `nf.AddCameraNoise` of the same
    seed; a batch's own camera names are a tensor of strings. `calls` counts the calls and is one of
    the layer's weights, so that Keras's checkpoints resume it. With other backends images get their
    noise in `tf.data`: `nf.AddCameraNoise`'s `map_function` serves any framework.

    A model with this layer is compiled by XLA only where `compile(jit_compile=True)` asks for it:
    XLA draws other noise of the same seed and drops the checks of values.

    Args:
      noise_model: any noise model; it is never trained by the layer.
      only_in_training: as Keras's own noise layers: with training=False images pass unchanged.
        Training is the default of a call outside of `fit`, `evaluate` and `predict`.
      name: of the layer.
      **options: camera, iso, iso_range, quantization_step, clips, digital_gain, fixed_patterns,
        returns_pairs, jit_compile and seed, as for `nf.AddCameraNoise`.

    Raises:
      ValueError: as for `nf.AddCameraNoise`; another backend; `get_config`, which Keras's `.keras`
        format needs.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        *,
        only_in_training: bool = True,
        name: str = "add_camera_noise",
        **options,
    ):
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "expected Keras with the TensorFlow backend (KERAS_BACKEND=tensorflow), received "
                f"{keras.backend.backend()!r}: for that, add noise in tf.data by "
                "nf.AddCameraNoise(..).map_function."
            )
        # Images of half precision would round the noise away.
        super().__init__(name=name, trainable=False, dtype=noise_model.dtype.name, autocast=False)
        self._adder = NoiseAdder(noise_model, **options)
        self.only_in_training = only_in_training
        self.supports_jit = False
        self.calls = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="calls"
        )

    def call(self, inputs, training=None):
        """Noisy images, or (noisy, clean); see `nf.AddCameraNoise`."""
        if self.only_in_training and training is False:
            return self._adder.unchanged(inputs)
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        number = tf.identity(self.calls.value)
        self.calls.assign(number + 1)
        return self._adder(inputs, number, replica)

    def get_config(self):
        """Refuses: a configuration cannot hold the noise model's variables.

        Raises:
          ValueError: always; says what to use instead.
        """
        raise ValueError(
            "expected the weights alone to be saved (`model.save_weights`), or AddCameraNoise "
            "outside of the model that is saved (in front of it, or in tf.data): Keras's .keras "
            "format would lose the noise model."
        )
