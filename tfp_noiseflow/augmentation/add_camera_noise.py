"""A Keras layer and a `tf.data` map function that add a camera's noise to clean images."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from tfp_noiseflow.augmentation.camera_output import camera_output
from tfp_noiseflow.augmentation.pattern_crops import PatternCrops
from tfp_noiseflow.captures.fixed_pattern import FixedPattern
from tfp_noiseflow.conditions.conditions import CleanImage
from tfp_noiseflow.images.stored_codes import as_stored
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
        only_in_training: bool = True,
        seed: int = 0,
        name: str = "add_camera_noise",
    ):
        super().__init__(name=name, trainable=False, dtype=noise_model.dtype.name)
        if not 0 <= quantization_step < 1:
            raise ValueError(f"expected 0 <= quantization_step < 1, received {quantization_step}.")
        gains = np.broadcast_to(np.asarray(digital_gain, np.float64), [2])
        if not 1 <= gains[0] <= gains[1] < np.inf:
            raise ValueError(
                "expected a digital gain of at least 1, or (lowest, highest) of them, received "
                f"{digital_gain}."
            )
        self.digital_gain = (float(gains[0]), float(gains[1]))
        self._pattern_crops = None
        if fixed_patterns:
            self._pattern_crops = PatternCrops(
                fixed_patterns, noise_model.known, noise_model.channels or 4, noise_model.dtype
            )
        self._draw_conditions = noise_model.known.drawing(camera, iso, iso_range)
        self.noise_model = noise_model
        self.quantization_step = quantization_step
        self.clips = clips
        self.returns_pairs = returns_pairs
        self.only_in_training = only_in_training
        self.seed = seed
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

    def call(self, inputs, training: bool = True):
        """Noisy images, or (noisy, clean); see the class."""
        if self.only_in_training and not training:
            clean = _features(inputs)["clean"]
            return (clean, clean) if self.returns_pairs else clean
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        seed = self._seed_of(self.calls, replica)
        self.calls.assign_add(1)
        return self._add(inputs, seed)

    def map_function(self, index, element=None):
        """For `dataset.enumerate().map(..)`: the element with the noise of its index.

        Args:
          index: int64 scalar, from `enumerate`.
          element: images or a dict as for the layer, batched or not.

        Returns:
          noisy, or (noisy, clean) with returns_pairs.
        """
        # -1 is the replica of no layer: a map function and a layer of one seed differ.
        if not _is_index(index):
            raise ValueError(
                "expected the element's index first: dataset.enumerate().map(map_function), "
                f"received {index}."
            )
        return self._add(element, self._seed_of(index, -1))

    def _seed_of(self, number, replica) -> tf.Tensor:
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(number, tf.int64)])
        # fold_in hashes to the dtype of what is folded in, and of 32 bits 80,000 calls repeat one.
        return tf.random.fold_in(seed, tf.cast(replica, tf.int64))

    @tf.autograph.experimental.do_not_convert
    def _add(self, inputs, seed: tf.Tensor):
        features = _features(inputs)
        clean = features["clean"]
        if clean.dtype.is_floating:
            clean = tf.cast(clean, self.noise_model.dtype)
        clean = CleanImage().convert("clean", clean, self.noise_model.dtype)
        # As tf.random.split, but in the dtype that TFP's seeds have.
        seeds = tf.random.stateless_uniform([2, 2], seed, None, None, tf.int32)
        condition_seed, noise_seed = tf.unstack(seeds)
        iso, camera = features.get("iso"), features.get("camera")
        if iso is not None:
            iso = tf.cast(iso, self.noise_model.dtype)
        iso, camera = self._draw_conditions(clean, condition_seed, iso, camera)
        # Of other numbers than what follows is drawn with.
        gain_seed, pattern_seed = (tf.random.fold_in(condition_seed, number) for number in (1, 2))
        pattern = None
        if self._pattern_crops is not None:
            pattern = functools.partial(self._pattern_crops, seed=pattern_seed)
        noisy = camera_output(
            self.noise_model,
            clean,
            iso,
            camera,
            draw=lambda unstored: unstored.sample(seed=noise_seed),
            pattern=pattern,
            digital_gain=self._gain(clean, gain_seed, features.get("digital_gain")),
        )
        clips = {"clips_black": self.clips, "clips_white": self.clips}
        noisy = as_stored(noisy, self.quantization_step, **clips)
        # The first term is zero and has clean's gradient; the second stays exactly on its code.
        noisy = (clean - tf.stop_gradient(clean)) + tf.stop_gradient(noisy)
        return (noisy, clean) if self.returns_pairs else noisy

    def _gain(self, clean: tf.Tensor, seed: tf.Tensor, given) -> tf.Tensor:
        """The digital gain, of each image where it is given or drawn."""
        if given is not None:
            return tf.cast(given, clean.dtype)
        low, high = np.log(self.digital_gain)
        if low == high:
            return tf.constant(self.digital_gain[0], clean.dtype)
        drawn = tf.random.stateless_uniform(tf.shape(clean)[:-3], seed, low, high, clean.dtype)
        return tf.ensure_shape(tf.maximum(tf.exp(drawn), 1), clean.shape[:-3])

    def get_config(self):
        """Refuses: Keras's model formats know no variables outside Keras layers.

        Raises:
          ValueError: always; says what to use instead.
        """
        raise ValueError(
            "expected TensorFlow checkpoints or tf.saved_model.save of a model with AddCameraNoise "
            "in it, or the layer outside of what is saved (in tf.data, or in front of the model); "
            "Keras's model formats would lose the noise model's variables."
        )

    def save_own_variables(self, store):
        """Refuses, see `get_config`."""
        self.get_config()


def _is_index(index) -> bool:
    """Whether it is an integer scalar, as `enumerate` gives."""
    if isinstance(index, Mapping):
        return False
    index = tf.convert_to_tensor(index)
    return index.dtype.is_integer and index.shape.rank in (0, None)


def _features(inputs) -> Mapping:
    features = inputs if isinstance(inputs, Mapping) else {"clean": inputs}
    unknown = sorted(set(features) - {"clean", "iso", "camera", "digital_gain"})
    if "clean" not in features or unknown:
        raise ValueError(
            "expected clean images, or a dict with clean and optionally iso, camera and "
            f"digital_gain, received a dict with {sorted(features)}."
        )
    clean = tf.convert_to_tensor(features["clean"])
    return {**features, "clean": clean}
