"""A noise model as a Keras model that `fit` trains by maximum likelihood."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

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
      trained_variables: those of them that training moves; None: all that are trainable.
      seed: of the draws of a model whose likelihood takes some: other ones each step.

    Raises:
      ValueError: a model without a density.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        *,
        trained_variables: Sequence[tf.Variable] | None = None,
        seed: int = 0,
    ):
        noise_model.require_density("training by likelihood")
        super().__init__(name="likelihood_trainer", dtype=noise_model.dtype.name)
        self.noise_model = noise_model
        self._seed = seed
        self._trained = None
        if trained_variables is not None:
            self._trained = frozenset(variable.ref() for variable in trained_variables)
        self._nll = tf_keras.metrics.Mean(name="loss")
        self.makes_batches()

    def makes_batches(
        self,
        training: Callable[[dict], dict] = lambda batch: batch,
        validation: Callable[[dict], dict] = lambda batch: batch,
    ) -> None:
        """Says how a step makes its batch of what the data holds.

        Args:
          training, validation: of the elements of a dataset, a batch as `training_dataset` gives
            it; by default elements are batches. `CachedCaptures.features` is such a function.
        """
        self._training_batch, self._validation_batch = training, validation

    def compile(self, *args, **kwargs):
        """As Keras's; the optimizer's variables are made here.

        Otherwise the first step would make them, and TensorFlow trace it twice.
        """
        super().compile(*args, **kwargs)
        self.optimizer.build(self.trainable_variables)

    def call(self, captures: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """[B], the NLL of each capture in nats per dimension."""
        dtype = self.noise_model.dtype
        noise = tf.cast(captures["noise"], dtype)
        distribution = self.noise_model(
            tf.cast(captures["clean"], dtype),
            iso=None if captures.get("iso") is None else tf.cast(captures["iso"], dtype),
            camera=captures.get("camera"),
        )
        dimensions = tf.cast(tf.reduce_prod(tf.shape(noise)[-3:]), noise.dtype)
        seed = None
        if training:
            seed = tf.stack([tf.constant(self._seed, tf.int64), self.optimizer.iterations])
        return -self.log_prob(distribution, noise, seed) / dimensions

    def log_prob(self, distribution, noise: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """[B], the log-likelihood that is trained, in nats."""
        return distribution.log_prob(noise, seed=seed)

    @property
    def trainable_weights(self):
        weights = super().trainable_weights
        return [w for w in weights if self._trained is None or w.ref() in self._trained]

    @property
    def metrics(self):
        return [self._nll]

    def train_step(self, data):
        data = self._training_batch(data)
        with tf.GradientTape() as tape:
            nll = self(data, training=True)
            loss = self._mean_of_all(nll)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._nll.update_state(nll)
        return {"loss": self._nll.result()}

    def _mean_of_all(self, nll: tf.Tensor) -> tf.Tensor:
        """This replica's part of the mean over the batches of all replicas, [] whose sum it is."""
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return tf.reduce_mean(nll)
        count = tf.cast(tf.size(nll), nll.dtype)
        return tf.reduce_sum(nll) / context.all_reduce(tf.distribute.ReduceOp.SUM, count)

    def test_step(self, data):
        self._nll.update_state(self(self._validation_batch(data), training=False))
        return {"loss": self._nll.result()}

    def save_weights(self, filepath, overwrite=True, save_format=None, options=None):
        """Saves TensorFlow checkpoints alone.

        Raises:
          ValueError: an HDF5 or Keras format, which would lose the noise model's variables.
        """
        is_other = os.fspath(filepath).endswith((".h5", ".hdf5", ".keras"))
        if is_other or save_format not in (None, "tf"):
            _refuse(f"save_weights({os.fspath(filepath)!r}, save_format={save_format!r})")
        return super().save_weights(filepath, overwrite, save_format="tf", options=options)

    # What Keras calls to write the model itself, whichever function and format was asked for.

    def save(self, *args, **kwargs):
        """Refuses, see `get_config`."""
        _refuse(f"save{args}")

    def get_config(self):
        """Refuses: Keras's model formats know no variables outside Keras layers.

        Raises:
          ValueError: always; says what to use instead.
        """
        _refuse("Keras's model formats")

    def save_own_variables(self, store):
        """Refuses, see `get_config`."""
        _refuse("Keras's weight files")


def _refuse(received: str):
    raise ValueError(
        "expected save_weights(prefix) with TensorFlow checkpoints to keep the variables, "
        "nf.save_model(noise_model, folder, ...) to keep the model, or "
        f"nf.export_saved_model(noise_model, folder) to serve it; {received} would lose the noise "
        "model's variables and restore initial values without an error."
    )
