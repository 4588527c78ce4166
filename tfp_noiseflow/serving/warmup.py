"""Requests that a model server runs when it loads a model, before it answers clients."""

from __future__ import annotations

import os
import warnings
from typing import Any

import tensorflow as tf

from tfp_noiseflow.models.noise_model import NoiseModel

# Where TF Serving looks, in a version's folder.
WARMUP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")

# The usual requests: batches of patches of this side, in pixels of the model.
BATCH_SIZES = (1, 8, 64)
PATCH = 64


def write_warmup_requests(
    path: str | os.PathLike, model: NoiseModel, *, channels: int, model_name: str
) -> None:
    """Writes the warm-up requests of an export: PredictionLog records.

    Without the extra `serving` (tensorflow-serving-api) it warns and writes nothing: then a
    server answers its first requests more slowly.

    Args:
      path: the version's folder.
      model: the noise model, whose first camera and ISO are asked for.
      channels: of the images.
      model_name: as clients will call it.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        warnings.warn(
            "the export has no warm-up requests: they need tensorflow-serving-api, the extra "
            "`serving` of this library.",
            stacklevel=3,
        )
        return
    os.makedirs(os.path.join(path, os.path.dirname(WARMUP_FILE)))
    with tf.io.TFRecordWriter(os.path.join(path, WARMUP_FILE)) as writer:
        for signature, inputs in _usual_requests(model, channels):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, (value, dtype, shape) in inputs.items():
                # One value and a shape: the file stays small.
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype, shape))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def _usual_requests(model: NoiseModel, channels: int) -> Any:
    """(signature, input name -> (its value everywhere, dtype, shape))."""
    camera, iso = model.known.pairs()[0]
    for rows in BATCH_SIZES:
        images = [rows, PATCH, PATCH, channels]
        conditions = {
            "clean": (0.2, tf.float32, images),
            "iso": (iso or 100.0, tf.float32, [rows]),
            "camera": (camera or "", tf.string, [rows]),
        }
        draws = {"seed": (0, tf.int32, [rows, 2]), "temperature": (1.0, tf.float32, [rows])}
        yield "serving_default", {**conditions, **draws}
        yield "sample_noise", {**conditions, **draws}
        if model.has_density:
            yield "log_prob", {**conditions, "noise": (0.01, tf.float32, images)}
        yield "describe", {"dummy": (0.0, tf.float32, [rows])}
