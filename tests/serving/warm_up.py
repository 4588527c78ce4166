"""The warm-up requests of an export, run."""

from __future__ import annotations

import os

import pytest
import tensorflow as tf


def run_warm_up_requests(path, signatures) -> list[tuple[str, str, int]]:
    """Model, signature and rows of each record; those of up to 8 rows are run."""
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    file_name = os.path.join(path, "assets.extra", "tf_serving_warmup_requests")
    ran = []
    for record in tf.data.TFRecordDataset(file_name):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        (rows,) = {len(value) for value in inputs.values()}
        if rows <= 8:
            answer = signatures[request.model_spec.signature_name](
                **{name: tf.constant(value) for name, value in inputs.items()}
            )
            assert all(len(output) == rows for output in answer.values())
        ran.append((request.model_spec.name, request.model_spec.signature_name, rows))
    return ran
