"""Noise models as versioned SavedModels."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.serving.compact import compact_saved_model
from tfp_noiseflow.serving.signatures import ServedNoiseModel
from tfp_noiseflow.serving.warmup import write_warmup_requests

# What is served is not trained; gradients that layers define would need their nodes' names.
WITHOUT_CUSTOM_GRADIENTS = tf.saved_model.SaveOptions(experimental_custom_gradients=False)


def export_saved_model(
    model: NoiseModel,
    base_dir: str | os.PathLike,
    *,
    channels: int | None = None,
    training_data: Mapping[str, str] | None = None,
    has_valid_output: bool = False,
) -> str:
    """Exports a noise model for TF Serving and for every language that loads SavedModels.

    The signatures are those of `ServedNoiseModel`; a model without a density has no `log_prob`.
    With the extra `serving` the export has warm-up requests for a model server; without it, a
    warning says that it has none.

    Args:
      model: any noise model.
      base_dir: the served model's folder; the next free integer becomes the version under it.
      channels: of the images, for models that take any number (a NoiseFlow has its own); by
        default 4.
      training_data: `licence` and `origin` of what it was trained on, which clients can ask for:
        the entry `training_data` of a model directory's config.json. By default those that the
        model was loaded with; a model that was then trained on other data has others.
      has_valid_output: rows with a wrong value give `valid` = false and zeros, instead of failing
        the batch that they are in.

    Returns:
      The folder of the new version. It is whole: written beside and renamed.

    Raises:
      ValueError: other channels than the model's, or a model that knows no camera at any ISO.
    """
    if None not in (channels, model.channels) and channels != model.channels:
        raise ValueError(
            f"expected channels={model.channels}, which the model has, received {channels}."
        )
    base_dir = os.fspath(base_dir)
    versions = os.listdir(base_dir) if os.path.isdir(base_dir) else []
    version = 1 + max((int(name) for name in versions if name.isdecimal()), default=0)
    path = os.path.join(base_dir, str(version))
    channels = model.channels or channels or 4
    about = {"licence": model.licence, "origin": model.origin, **(training_data or {})}
    served = ServedNoiseModel(model, channels, about, has_valid_output)
    with written_beside(path) as partial:
        tf.saved_model.save(served, partial, served.signatures, WITHOUT_CUSTOM_GRADIENTS)
        compact_saved_model(partial)
        name = os.path.basename(os.path.abspath(base_dir))
        write_warmup_requests(partial, model, channels=channels, model_name=name)
    return path
