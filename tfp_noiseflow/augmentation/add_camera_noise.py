"""A Keras layer and a `tf.data` map function that add a camera's noise to clean images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from tfp_noiseflow.augmentation.noise_adder import NoiseAdder
from tfp_noiseflow.captures.fixed_pattern import FixedPattern
from tfp_noiseflow.models.noise_model import NoiseModel


class AddCameraNoise(tf_keras.layers.Layer):
    """Adds a noise model's noise to clean images, each of a camera and an ISO of its own.

    ```python
    add_noise = nf.AddCameraNoise(flow, iso=[800, 1600], returns_pairs=True, seed=0)

    noisy, clean = add_noise(clean)  # a Keras layer (tf_keras)
    pairs = clean_batches.repeat().enumerate().map(  # tf.data, for any framework
        add_noise.map_function, num_parallel_calls=tf.data.AUTOTUNE
    )
    ```

    Images are the tensor itself, [.., H, W, C] in [0, 1] of full scale, or a dict with `clean` and
    optionally `iso`, `camera` (names or indices) and `digital_gain` of the batch shape, which then
    are not drawn.

    Reproducible: the noise of the layer's call number k on replica r depends on (seed, k, r), that
    of the map function on (seed, the element's index); the number of parallel calls changes
    nothing. `calls` counts the calls and is kept in checkpoints; assigning to it (0, or epoch *
    steps) starts an epoch again. In `tf.data`, `repeat().enumerate()` gives each epoch other noise,
    `enumerate().repeat()` the same one, and `enumerate(start=epoch * steps)` resumes.

    It works in the noise model's dtype and returns that, whatever the mixed-precision policy: the
    steps of float16 and bfloat16 near 1 (0.0005 and 0.004) are as large as the noise. The layers
    after it cast as they do. The noise model is never trained by it, and no gradient passes the
    noise: that of noisy with respect to clean is the identity.

    Args:
      noise_model: any noise model.
      camera: a name or names to draw from; None: all that the model knows. Pairs of camera and ISO
        that the model does not know are not drawn.
      iso: an ISO or ISOs to draw from; None: all levels of the model. For a model that takes any
        ISO it or `iso_range` is needed where images do not bring theirs.
      iso_range: (lowest, highest), instead of `iso`: among the model's levels, or log-uniform for
        a model that takes any ISO.
      quantization_step: codes' distance as a fraction of full scale, to which noisy images are
        rounded; 0: not rounded.
      clips: whether noisy images are clipped to [0, 1], after rounding.
      digital_gain: by which the camera multiplies its values, at least 1 (`camera_output`): a
        number, or (lowest, highest) between which it is drawn log-uniformly. Clean images are as
        they are after it, `iso` is the analogue ISO.
      fixed_patterns: of each camera of the model: crops of them at random positions, in the phase
        of the mosaic, are added before codes are made. Where the model takes any number of
        channels, images are packed.
      returns_pairs: (noisy, clean) instead of noisy.
      jit_compile: whether XLA compiles all but what is drawn: the same noise, but for roundings, by
        layers without convolutions in half the time, and for each image size a second of
        compilation. Not for noise models without a bijector.
      only_in_training: as Keras's own noise layers: with training=False images pass unchanged.
        Training is the default of a call outside of `fit`, `evaluate` and `predict`.
      seed: of all that is drawn.
      name: of the layer.

    Raises:
      ValueError: conditions that the model does not know; a quantization_step below 0; a digital
        gain below 1, fixed patterns of other cameras, ISOs or smaller than an image; a call as
        the noise model's call; InvalidArgumentError where only the graph knows.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        camera: str | Sequence[str] | None = None,
        iso: float | Sequence[float] | None = None,
        *,
        iso_range: tuple[float, float] | None = None,
        quantization_step: float = 0.0,
        clips: bool = False,
        digital_gain: float | tuple[float, float] = 1.0,
        fixed_patterns: Sequence[FixedPattern] = (),
        returns_pairs: bool = False,
        jit_compile: bool = False,
        only_in_training: bool = True,
        seed: int = 0,
        name: str = "add_camera_noise",
    ):
        super().__init__(name=name, trainable=False, dtype=noise_model.dtype.name)
        self._adder = NoiseAdder(
            noise_model,
            camera,
            iso,
            iso_range=iso_range,
            quantization_step=quantization_step,
            clips=clips,
            digital_gain=digital_gain,
            fixed_patterns=fixed_patterns,
            returns_pairs=returns_pairs,
            jit_compile=jit_compile,
            seed=seed,
        )
        self.noise_model = noise_model
        self.only_in_training = only_in_training
        # Every replica counts for itself: synchronising them would cost a merge in each call.
        self.calls = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="calls",
        )

    # A model around it may set `trainable` on all its layers; the noise model is not for training.
    @property
    def trainable_weights(self) -> list[tf.Variable]:
        """None: what trains around this layer must not train the noise model."""
        return []

    @property
    def non_trainable_weights(self) -> list[tf.Variable]:
        """The count of calls and the noise model's variables."""
        return [self.calls, *self.noise_model.variables]

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Noisy images, or (noisy, clean); see the class."""
        if self.only_in_training and not training:
            return self._adder.unchanged(inputs)
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        number = tf.identity(self.calls)
        self.calls.assign_add(1)
        return self._adder(inputs, number, replica)

    def map_function(self, index: Any, element: Any = None) -> Any:
        """For `dataset.enumerate().map(..)`: the element with the noise of its index.

        Args:
          index: int64 scalar, from `enumerate`.
          element: images or a dict as for the layer, batched or not.

        Returns:
          noisy, or (noisy, clean) with returns_pairs.
        """
        return self._adder.map_function(index, element)

    def get_config(self) -> dict:
        """Refuses: Keras's model formats know no variables outside Keras layers.

        Raises:
          ValueError: always; says what to use instead.
        """
        raise ValueError(
            "expected TensorFlow checkpoints or tf.saved_model.save of a model with AddCameraNoise "
            "in it, or the layer outside of what is saved (in tf.data, or in front of the model); "
            "Keras's model formats would lose the noise model's variables."
        )

    def save_own_variables(self, store: Any) -> None:
        """Refuses, see `get_config`."""
        self.get_config()
