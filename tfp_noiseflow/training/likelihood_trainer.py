"""A noise model as a Keras model that `fit` trains by maximum likelihood."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd

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

    def compile(self, *args: Any, jit_compile: bool = False, **kwargs: Any) -> None:
        """As Keras's; the optimizer's variables are made here.

        Otherwise the first step would make them, and TensorFlow trace it twice.

        Args:
          *args, **kwargs: Keras's.
          jit_compile: whether XLA compiles likelihoods and their gradients; not what makes batches,
            which may be kept on another device, nor what replicas exchange.
        """
        super().compile(*args, **kwargs)
        self.optimizer.build(self.trainable_variables)
        self._nll_and_gradients, self._nll_in_test = self._differentiated, self.__call__
        if jit_compile:
            self._nll_and_gradients, self._nll_in_test = (
                tf.function(function, jit_compile=True, reduce_retracing=True)
                for function in (self._differentiated, self.call)
            )

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

    def log_prob(
        self, distribution: tfd.Distribution, noise: tf.Tensor, seed: tf.Tensor | None
    ) -> tf.Tensor:
        """[B], the log-likelihood that is trained, in nats."""
        return distribution.log_prob(noise, seed=seed)

    @property
    def trainable_weights(self) -> list[tf.Variable]:
        weights = super().trainable_weights
        return [w for w in weights if self._trained is None or w.ref() in self._trained]

    @property
    def metrics(self) -> list:
        return [self._nll]

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        batch = self._training_batch(data)
        nll, gradients = self._nll_and_gradients(batch, _rows_of_all(batch))
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self._nll.update_state(nll)
        return {"loss": self._nll.result()}

    def _differentiated(
        self, batch: dict, rows_of_all: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """[B], the NLL of each capture, and the gradients of its mean.

        Of several replicas they are this one's part of the mean over all rows, whose sum that is.
        """
        with tf.GradientTape() as tape:
            nll = self(batch, training=True)
            if rows_of_all is None:
                loss = tf.reduce_mean(nll)
            else:
                loss = tf.reduce_sum(nll) / tf.cast(rows_of_all, nll.dtype)
        return nll, tape.gradient(loss, self.trainable_variables)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        self._nll.update_state(self._nll_in_test(self._validation_batch(data)))
        return {"loss": self._nll.result()}

    def save_weights(
        self,
        filepath: Any,
        overwrite: bool = True,
        save_format: str | None = None,
        options: Any = None,
    ) -> None:
        """Saves TensorFlow checkpoints alone.

        Raises:
          ValueError: an HDF5 or Keras format, which would lose the noise model's variables.
        """
        is_other = os.fspath(filepath).endswith((".h5", ".hdf5", ".keras"))
        if is_other or save_format not in (None, "tf"):
            _refuse(f"save_weights({os.fspath(filepath)!r}, save_format={save_format!r})")
        return super().save_weights(filepath, overwrite, save_format="tf", options=options)

    # What Keras calls to write the model itself, whichever function and format was asked for.

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses, see `get_config`."""
        _refuse(f"save{args}")

    def get_config(self) -> dict:
        """Refuses: Keras's model formats know no variables outside Keras layers.

        Raises:
          ValueError: always; says what to use instead.
        """
        _refuse("Keras's model formats")

    def save_own_variables(self, store: Any) -> None:
        """Refuses, see `get_config`."""
        _refuse("Keras's weight files")


def _rows_of_all(batch: dict) -> tf.Tensor | None:
    """How many captures the batches of all replicas hold together; None for a single one."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.shape(batch["noise"])[0])


def _refuse(received: str) -> NoReturn:
    raise ValueError(
        "expected save_weights(prefix) with TensorFlow checkpoints to keep the variables, "
        "nf.save_model(noise_model, folder, ...) to keep the model, or "
        f"nf.export_saved_model(noise_model, folder) to serve it; {received} would lose the noise "
        "model's variables and restore initial values without an error."
    )
