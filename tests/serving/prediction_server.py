"""A gRPC server of the official PredictionService protos over a SavedModel, for tests.

It stands in for TensorFlow's model server, which the tests do not run: same protos, same signature
names, a session that is fed and fetched by the signatures' tensors, and batches made as its
batching session makes them: requests of one signature are concatenated on dimension 0, padded
with copies of a row to an allowed size, and share what comes of it, errors included.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

CODES = {code.value[0]: code for code in grpc.StatusCode}


class ServedError(Exception):
    """What a request is answered with instead of outputs."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code


class PredictionServer(PredictionServiceServicer):
    """Serves one SavedModel.

    Args:
      path: a version's folder.
      model_name: that clients name.
      allowed_batch_sizes: None: every request runs by itself; else the largest is the limit up to
        which requests are merged, and batches are padded to one of them.
      batch_timeout: seconds that a batch waits for more requests.

    Attributes:
      batches: the number of rows of the requests of each batch that was run.
    """

    def __init__(self, path, model_name, *, allowed_batch_sizes=None, batch_timeout=0.2):
        self.model_name = model_name
        self.batches = []
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], path)
        # The init op that the loader ran stands among the signatures.
        self._signatures = {
            name: signature
            for name, signature in loaded.signature_def.items()
            if signature.method_name == tf.compat.v1.saved_model.PREDICT_METHOD_NAME
        }
        self._sizes = allowed_batch_sizes
        self._timeout = batch_timeout
        self._callables = {name: self._callable(name) for name in self._signatures}
        self._queues = {name: queue.Queue() for name in self._signatures}
        if allowed_batch_sizes:
            for name in self._signatures:
                threading.Thread(target=self._run_batches, args=(name,), daemon=True).start()

    def Predict(self, request, context):
        try:
            self._check_model(request.model_spec)
            name = request.model_spec.signature_name or "serving_default"
            if name not in self._signatures:
                raise ServedError(grpc.StatusCode.INVALID_ARGUMENT, f"no signature {name}")
            declared = self._signatures[name].inputs
            if set(request.inputs) != set(declared):
                raise ServedError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"expected the inputs {sorted(declared)}, received {sorted(request.inputs)}",
                )
            inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            outputs = self._merged(name, inputs) if self._sizes else self._run(name, inputs)
        except ServedError as error:
            context.abort(error.code, str(error))
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def GetModelMetadata(self, request, context):
        try:
            self._check_model(request.model_spec)
        except ServedError as error:
            context.abort(error.code, str(error))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        told = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in self._signatures.items():
            told.signature_def[name].CopyFrom(signature)
        response.metadata["signature_def"].Pack(told)
        return response

    def _check_model(self, model_spec):
        if model_spec.name != self.model_name:
            raise ServedError(grpc.StatusCode.NOT_FOUND, f"no model {model_spec.name}")

    def _callable(self, name):
        signature = self._signatures[name]
        options = config_pb2.CallableOptions(
            feed=[info.name for info in signature.inputs.values()],
            fetch=[info.name for info in signature.outputs.values()],
        )
        # Session.run would convert dtypes and compare shapes in Python, which no server does.
        call = self._session._make_callable_from_options(options)
        return list(signature.inputs), list(signature.outputs), call

    def _run(self, name, inputs):
        names, outputs, call = self._callables[name]
        try:
            return dict(zip(outputs, call(*(inputs[key] for key in names)), strict=True))
        except tf.errors.OpError as error:
            raise ServedError(CODES[error.error_code], error.message) from error

    def _merged(self, name, inputs):
        if len({np.shape(value)[:1] for value in inputs.values()}) > 1:
            raise ServedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "Batching session Run() input tensors must have equal 0th-dimension size",
            )
        if any(np.ndim(value) == 0 for value in inputs.values()):
            raise ServedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "Batching session Run() input tensors must have at least one dimension",
            )
        rows = len(next(iter(inputs.values())))
        if rows > max(self._sizes):
            raise ServedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size {max(self._sizes)}",
            )
        answer = concurrent.futures.Future()
        self._queues[name].put((inputs, answer))
        return answer.result()

    def _run_batches(self, name):
        waiting = self._queues[name]
        next_one = None
        while True:
            batch = [next_one or waiting.get()]
            next_one = None
            deadline = time.monotonic() + self._timeout
            with contextlib.suppress(queue.Empty):
                while _rows(batch) < max(self._sizes):
                    task = waiting.get(timeout=max(0, deadline - time.monotonic()))
                    if _rows([*batch, task]) > max(self._sizes):
                        next_one = task
                        break
                    batch.append(task)
            self.batches.append([_rows([task]) for task in batch])
            try:
                outputs = self._run(name, self._padded([inputs for inputs, _ in batch]))
            except Exception as error:
                for _, answer in batch:
                    answer.set_exception(error)
                continue
            start = 0
            for inputs, answer in batch:
                stop = start + _rows([(inputs, answer)])
                answer.set_result({key: value[start:stop] for key, value in outputs.items()})
                start = stop

    def _padded(self, tasks):
        rows = sum(len(next(iter(inputs.values()))) for inputs in tasks)
        padding = min(size for size in self._sizes if size >= rows) - rows
        merged = {}
        for key in tasks[0]:
            values = [inputs[key] for inputs in tasks]
            if len({value.shape[1:] for value in values}) > 1:
                raise ServedError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Tensors with name '{key}' from different tasks have different shapes and "
                    "padding is turned off.",
                )
            if len({value.dtype for value in values}) > 1:
                raise ServedError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "Cannot concatenate tensors that have different data types.",
                )
            merged[key] = np.concatenate([*values, *[values[-1][:1]] * padding])
        return merged


def _rows(batch):
    return sum(len(next(iter(inputs.values()))) for inputs, _ in batch)


@contextlib.contextmanager
def running(service: PredictionServer):
    """The server on a free port; yields its address."""
    # The model server's limit.
    options = [("grpc.max_receive_message_length", 2**31 - 1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=options)
    add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()
