"""A noise model as a Keras model that `fit` trains by maximum likelihood."""

from __future__ import annotations

import os

import tensorflow as tf
import tf_keras

from tfp_noiseflow.models.noise_model import NoiseModel


class LikelihoodTrainer(tf_keras.Model):
    """Trains a noise model with `fit`; its loss is the NLL in nats per dimension.

    ```python
    trainer = nf.LikelihoodTrainer(model)
    trainer.compile(tf_keras.optimizers.Adam(1e-2))
    trainer.fit(dataset)  # of dicts: noise, clean [B, H, W, C], iso [B], camera [B]
    ```

    This is `tf_keras` (Keras 2), with which TensorFlow Probability works: a Keras 3 model tracks
    none of the variables of a bijector or distribution.

    Args:
      noise_model: any noise model; training moves its variables.
    """

    def __init__(self, noise_model: NoiseModel):
        super().__init__(name="likelihood_trainer")
        self.noise_model = noise_model
        self._nll = tf_keras.metrics.Mean(name="loss")

    def call(self, captures: dict[str, tf.Tensor]) -> tf.Tensor:
        """[B], the NLL of each capture in nats per dimension."""
        noise = captures["noise"]
        distribution = self.noise_model(
            captures["clean"], iso=captures.get("iso"), camera=captures.get("camera")
        )
        dimensions = tf.cast(tf.reduce_prod(tf.shape(noise)[-3:]), noise.dtype)
        return -distribution.log_prob(noise) / dimensions

    @property
    def metrics(self):
        return [self._nll]

    def train_step(self, data):
        with tf.GradientTape() as tape:
            nll = self(data, training=True)
            loss = tf.reduce_mean(nll)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._nll.update_state(nll)
        return {"loss": self._nll.result()}

    def test_step(self, data):
        self._nll.update_state(self(data, training=False))
        return {"loss": self._nll.result()}

    def save_weights(self, filepath, *args, save_format=None, **kwargs):
        """Saves TensorFlow checkpoints alone.

        Raises:
          ValueError: an HDF5 or Keras format: it knows no variables outside Keras layers and
            would restore the initial values without an error.
        """
        if save_format in ("h5", "keras") or os.fspath(filepath).endswith(
            (".h5", ".hdf5", ".keras")
        ):
            raise ValueError(
                f"expected the path of a TensorFlow checkpoint (save_format='tf'), received "
                f"{filepath!r}: HDF5 and Keras files would lose the noise model's variables."
            )
        return super().save_weights(filepath, *args, save_format="tf", **kwargs)

    def save(self, *args, **kwargs):
        """Refuses: Keras's own formats would lose the noise model.

        Raises:
          ValueError: always; says what to use instead.
        """
        raise ValueError(
            "expected nf.export_saved_model(noise_model, folder) to serve the model or "
            "save_weights(prefix) to keep its variables; Keras's save() would lose the noise "
            f"model's variables (received {args})."
        )
