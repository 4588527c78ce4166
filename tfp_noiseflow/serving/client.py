"""A gRPC client of a served noise model. Needs the extra `serving`, and neither model nor graph.

```python
from tfp_noiseflow.serving.client import NoiseClient

with NoiseClient("localhost:8500", "noise_flow") as client:
    client.describe()["cameras"]
    client.add_noise(clean, iso=800, camera="Pixel", seeds=[[1, 2]])["noisy"]
```
"""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

# gRPC lets a client receive 4 MiB unless told otherwise, less than one float32 image of 512x512x4.
# The model server takes requests up to protobuf's own limit, which is this.
LARGEST_MESSAGE = 2**31 - 1


class NoiseClient:
    """Calls a model server's signatures with NumPy arrays.

    Args:
      address: host:port of the server's gRPC.
      model_name: as the server knows it.
      version: of the model; None: the server's newest.
      timeout: of a call, in seconds.

    Raises:
      ValueError: at a call: seeds that are no integers of int32's range.
      grpc.RpcError: at a call: INVALID_ARGUMENT where an input is wrong (its details name the
        row, the value and what is known), NOT_FOUND for an unknown model or version, UNAVAILABLE
        where no server answers.
    """

    def __init__(
        self, address: str, model_name: str, *, version: int | None = None, timeout: float = 60.0
    ):
        options = [
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub = PredictionServiceStub(self._channel)
        self._model_name = model_name
        self._version = version
        self._timeout = timeout

    def __enter__(self) -> NoiseClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self._channel.close()

    def add_noise(
        self,
        clean: ArrayLike,
        iso: ArrayLike,
        camera: ArrayLike,
        seeds: ArrayLike,
        temperature: ArrayLike = 1.0,
    ) -> dict[str, np.ndarray]:
        """Clean images with a camera's noise.

        Args:
          clean: [B, H, W, C], fractions of full scale.
          iso, camera, temperature: scalar or [B].
          seeds: int [B, 2], one a row, of int32's range.

        Returns:
          `noisy`, clipped to [0, 1], and `noise` [B, H, W, C].
        """
        conditions = _conditions(clean, iso, camera)
        return self.predict("serving_default", **conditions, **_draws(clean, seeds, temperature))

    def sample_noise(
        self,
        clean: ArrayLike,
        iso: ArrayLike,
        camera: ArrayLike,
        seeds: ArrayLike,
        temperature: ArrayLike = 1.0,
    ) -> np.ndarray:
        """The noise alone [B, H, W, C], not clipped; arguments as for `add_noise`."""
        conditions = _conditions(clean, iso, camera)
        draws = _draws(clean, seeds, temperature)
        return self.predict("sample_noise", **conditions, **draws)["noise"]

    def log_prob(
        self, noise: ArrayLike, clean: ArrayLike, iso: ArrayLike, camera: ArrayLike
    ) -> dict[str, np.ndarray]:
        """`log_prob` [B] in nats and `nll_per_dim` [B] of noise [B, H, W, C]."""
        noise = np.asarray(noise, np.float32)
        return self.predict("log_prob", noise=noise, **_conditions(clean, iso, camera))

    def describe(self) -> dict:
        """What is served: cameras, iso_levels, architecture, version and so on, by name.

        Lists are empty where the model takes any camera or ISO, and where nothing is known of the
        ISOs that it was trained on (`trained_iso_range`).
        """
        outputs = self.predict("describe", dummy=np.zeros(1, np.float32))

        def as_text(value: Any) -> Any:
            return value.decode() if isinstance(value, bytes) else value

        return {
            name: [as_text(v) for v in output[0].tolist()]
            if output.ndim > 1
            else as_text(output[0])
            for name, output in outputs.items()
        }

    def predict(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """A call as the server sees it: arrays of the signature's dtypes, outputs by name."""
        request = predict_pb2.PredictRequest()
        self._name_model(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._stub.Predict(request, timeout=self._timeout)
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def signatures(self) -> dict:
        """The SignatureDefs that the server tells of the model, by name."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name_model(request.model_spec)
        response = self._stub.GetModelMetadata(request, timeout=self._timeout)
        told = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(told)
        return dict(told.signature_def)

    def _name_model(self, model_spec: Any) -> None:
        model_spec.name = self._model_name
        if self._version is not None:
            model_spec.version.value = self._version


def _conditions(clean: ArrayLike, iso: ArrayLike, camera: ArrayLike) -> dict[str, np.ndarray]:
    clean = np.asarray(clean, np.float32)
    rows = clean.shape[:1]
    return {
        "clean": clean,
        "iso": np.broadcast_to(np.asarray(iso, np.float32), rows),
        "camera": np.broadcast_to(np.asarray(camera, object), rows),
    }


def _draws(clean: ArrayLike, seeds: ArrayLike, temperature: ArrayLike) -> dict[str, np.ndarray]:
    rows = np.shape(clean)[:1]
    return {
        "seed": _int32(seeds),
        "temperature": np.broadcast_to(np.asarray(temperature, np.float32), rows),
    }


def _int32(seeds: ArrayLike) -> np.ndarray:
    """Seeds as they are: another number would give other noise, and the caller not know it."""
    given = np.asarray(seeds)
    of_int32 = np.iinfo(np.int32)
    if given.dtype.kind not in "iu":
        raise ValueError(
            f"expected seeds as integers from {of_int32.min} to {of_int32.max}, received "
            f"{given.dtype} {given.ravel()[:4].tolist()}."
        )
    outside = given[(given < of_int32.min) | (given > of_int32.max)]
    if outside.size:
        raise ValueError(
            f"expected seeds from {of_int32.min} to {of_int32.max}, received {outside[0]}."
        )
    return given.astype(np.int32)
