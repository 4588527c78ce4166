"""Noise models as versioned SavedModels."""

from __future__ import annotations

import os

import tensorflow as tf

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.models.noise_model import NoiseModel, sample_noise


class ServedNoiseModel(tf.Module):
    """A noise model behind signatures of plain tensors, every one batched on dimension 0.

    - `sample`: clean [B, H, W, C], iso [B], camera [B] string, seed [B, 2] int32, temperature [B]
      -> noise [B, H, W, C].
    - `log_prob`: noise, clean [B, H, W, C], iso [B], camera [B] -> log_prob [B] in nats and
      nll_per_dim [B] in nats per dimension.

    H and W are free. Camera names become indices inside, so a client needs no table. An unknown
    camera or ISO is an INVALID_ARGUMENT that lists the known ones.

    Args:
      noise_model: any noise model. One that does not tell cameras apart ignores `camera`.
    """

    def __init__(self, noise_model: NoiseModel, channels: int):
        super().__init__(name="served_noise_model")
        self.noise_model = noise_model
        dtype = noise_model.dtype
        images = [None, None, None, channels]

        def batch(name, shape=(None,), dtype=dtype):
            return tf.TensorSpec(shape, dtype, name=name)

        conditions = [batch("clean", images), batch("iso"), batch("camera", dtype=tf.string)]

        @tf.function(
            input_signature=[
                *conditions,
                batch("seed", (None, 2), tf.int32),
                batch("temperature"),
            ],
            autograph=False,
        )
        def sample(clean, iso, camera, seed, temperature):
            noise = sample_noise(
                noise_model, clean, iso, camera, seeds=seed, temperature=temperature
            )
            return {"noise": noise}

        @tf.function(input_signature=[batch("noise", images), *conditions], autograph=False)
        def log_prob(noise, clean, iso, camera):
            value = noise_model(clean, iso=iso, camera=camera).log_prob(noise)
            dimensions = tf.cast(tf.reduce_prod(tf.shape(noise)[1:]), dtype)
            return {"log_prob": value, "nll_per_dim": -value / dimensions}

        self.sample = sample
        self.log_prob = log_prob


def export_saved_model(model: NoiseModel, base_dir: str | os.PathLike, *, channels: int = 4) -> str:
    """Exports a noise model for TF Serving and for every language that loads SavedModels.

    Args:
      model: any noise model.
      base_dir: the served model's folder; the next free integer becomes the version under it.
      channels: of the images, for models that take any number (a NoiseFlow has its own).

    Returns:
      The folder of the new version. It is whole: written beside and renamed.
    """
    base_dir = os.fspath(base_dir)
    versions = os.listdir(base_dir) if os.path.isdir(base_dir) else []
    version = 1 + max((int(name) for name in versions if name.isdecimal()), default=0)
    path = os.path.join(base_dir, str(version))
    served = ServedNoiseModel(model, model.channels or channels)
    with written_beside(path) as partial:
        tf.saved_model.save(
            served, partial, signatures={"sample": served.sample, "log_prob": served.log_prob}
        )
    return path
