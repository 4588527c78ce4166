"""The marginal divergence of the validation captures, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tf_keras

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.dataset import validation_dataset
from tfp_noiseflow.evaluation import histograms
from tfp_noiseflow.models.noise_model import NoiseModel


class ValidationKl(tf_keras.callbacks.Callback):
    """Adds `val_kl` to the logs: `kl` of the report, with one draw a pixel.

    NLL and KL can disagree on which epoch was the best; `Checkpoints` keeps both. The draws are
    the same in every epoch, so that epochs differ by the model alone.

    Args:
      model: the noise model in training.
      captures: the validation captures.
      batch_size: captures at a time.
      dataset: their batches, as of `validation_dataset`; None: read once an epoch.
    """

    def __init__(
        self,
        model: NoiseModel,
        captures: Captures,
        *,
        batch_size: int,
        dataset: tf.data.Dataset | None = None,
    ):
        super().__init__()
        pairs = list(zip(captures.camera.tolist(), captures.iso.tolist(), strict=True))
        known = {pair: number for number, pair in enumerate(sorted(set(pairs)))}
        self._group = np.array([known[pair] for pair in pairs], np.int32)
        if dataset is None:
            dataset = validation_dataset(captures, cameras=model.cameras, batch_size=batch_size)
        self._dataset = dataset
        sums = np.zeros((3, len(known)))
        for group, batch in self._batches():
            noise = batch["noise"].numpy().astype(np.float64).reshape(len(group), -1)
            moments = (np.full(len(group), noise.shape[1]), noise.sum(1), np.square(noise).sum(1))
            for total, values in zip(sums, moments, strict=True):
                np.add.at(total, group, values)
        variance = sums[2] / sums[0] - (sums[1] / sums[0]) ** 2
        # A constant noise has no histogram; any width will do.
        self._deviation = tf.constant(np.sqrt(np.where(variance > 0, variance, 1.0)), tf.float32)
        self._real = sum(
            histograms.pooled_counts(batch["noise"], group, self._deviation).numpy().astype(int)
            for group, batch in self._batches()
        )

        @tf.function(reduce_retracing=True)
        def counts(
            clean: tf.Tensor, iso: tf.Tensor, camera: tf.Tensor, group: tf.Tensor, seed: tf.Tensor
        ) -> tf.Tensor:
            clean, iso = tf.cast(clean, model.dtype), tf.cast(iso, model.dtype)
            noise = model(clean, iso=iso, camera=camera).sample(seed=seed)
            return histograms.pooled_counts(tf.cast(noise, tf.float32), group, self._deviation)

        self._counts = counts

    def _batches(self) -> Iterator[tuple[tf.Tensor, dict]]:
        start = 0
        for batch in self._dataset:
            group = self._group[start : start + len(batch["iso"])]
            start += len(group)
            yield tf.constant(group), batch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        assert logs is not None  # Keras gives those of the epoch.
        logs["val_kl"] = self.kl()

    def kl(self) -> float:
        """`kl` of the model as it is."""
        drawn = sum(
            self._counts(
                batch["clean"], batch["iso"], batch["camera"], group, tf.constant([number, 0])
            ).numpy().astype(int)
            for number, (group, batch) in enumerate(self._batches())
        )  # fmt: skip
        return float(histograms.kl_smoothed(self._real, drawn).mean())
