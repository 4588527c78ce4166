"""Keras 3: layers that add a camera's noise to clean images, of a noise model or of an export."""

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


class ServedNoise(keras.layers.Layer):
    """An exported noise model as a layer of Keras 3, without this library's models.

    ```python
    add_noise = ServedNoise("saved_models/noise_flow/1")
    noisy = add_noise(clean, iso=800, camera="Pixel")["noisy"]
    ```

    `keras.layers.TFSMLayer` of the same export takes a seed and a temperature for each row; here
    they have defaults, and numbers stand for all rows.

    Args:
      export_dir: a version of an export, the folder of saved_model.pb.
      signature: "serving_default" gives `noisy` and `noise`, "sample_noise" `noise` alone.
      seed: of the rows that get no seed of their own: row k has (seed, k), the same at each call.
      name: of the layer.

    Raises:
      ValueError: another backend than TensorFlow's, a signature that the export does not have.
    """

    def __init__(
        self,
        export_dir: str,
        *,
        signature: str = "serving_default",
        seed: int = 0,
        name: str = "served_noise",
    ):
        super().__init__(name=name, trainable=False, autocast=False)
        self._served = keras.layers.TFSMLayer(export_dir, call_endpoint=signature)
        self._seed = seed

    def call(self, clean, iso, camera, seed=None, temperature=1.0):
        """A dict of [B, H, W, C].

        Args:
          clean: [B, H, W, C] in fractions of full scale.
          iso, camera, temperature: [B], or one for all rows; camera as text.
          seed: int [B, 2]; None: by the layer's.
        """
        rows = tf.shape(clean)[0]
        if seed is None:
            own = tf.range(rows)
            seed = tf.stack([tf.fill([rows], self._seed), own], axis=-1)
        return self._served(
            tf.cast(clean, tf.float32),
            iso=tf.broadcast_to(tf.cast(iso, tf.float32), [rows]),
            camera=tf.broadcast_to(camera, [rows]),
            seed=tf.cast(seed, tf.int32),
            temperature=tf.broadcast_to(tf.cast(temperature, tf.float32), [rows]),
        )
