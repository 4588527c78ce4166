"""A denoiser as a versioned SavedModel."""

from __future__ import annotations

import json
import os

import tensorflow as tf
import tf_keras

from tfp_noiseflow.atomic_write import write_json, written_beside


def export_denoiser(denoiser: tf_keras.Model, base_dir: str | os.PathLike) -> str:
    """Exports a denoiser for TF Serving and for every language that loads SavedModels.

    Its signature `serving_default` is noisy [B, H, W, C] float32 -> denoised, clipped to [0, 1].

    Args:
      denoiser: such as `dncnn()`.
      base_dir: the served model's folder; the next free integer becomes the version under it.

    Returns:
      The folder of the new version. It is whole: written beside and renamed.
    """
    base_dir = os.fspath(base_dir)
    versions = os.listdir(base_dir) if os.path.isdir(base_dir) else []
    version = 1 + max((int(name) for name in versions if name.isdecimal()), default=0)
    path = os.path.join(base_dir, str(version))
    channels = denoiser.input_shape[-1]

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, channels], tf.float32, name="noisy")],
        autograph=False,
    )
    def serving_default(noisy):
        denoised = denoiser(noisy, training=False)
        return {"denoised": tf.clip_by_value(denoised, 0.0, 1.0)}

    served = tf.Module(name="served_denoiser")
    served.denoiser = denoiser
    with written_beside(path) as partial:
        tf.saved_model.save(served, partial, signatures={"serving_default": serving_default})
    return path


def export_once(
    denoiser: tf_keras.Model, folder: str | os.PathLike, source: str, seed: int
) -> None:
    """Exports a denoiser, unless a run that was stopped has exported this one.

    `exported.json` says of which seed each export is; another seed's becomes a new version.

    Args:
      denoiser: trained.
      folder: of the exports, a folder a source.
      source: what it was trained on.
      seed: of its training.
    """
    record = os.path.join(folder, "exported.json")
    seeds = {}
    if os.path.exists(record):
        with open(record, encoding="utf-8") as file:
            seeds = json.load(file)
    path = os.path.join(folder, source)
    if seeds.get(source) != seed or not os.path.isdir(path):
        export_denoiser(denoiser, path)
        write_json(record, {**seeds, source: seed})
