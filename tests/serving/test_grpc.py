"""The client against a server of the official protos (tests/serving/prediction_server.py).

The server stands in for TensorFlow's model server, which was not run.
"""

import threading

import numpy as np
import pytest

from tests.documents import SERVING
from tests.registry import CAMERAS, ISO_LEVELS
from tests.serving.conftest import TRAINING_DATA
from tests.serving.requests import SIGNATURES, good, malformed
from tests.serving.rounding import assert_same

grpc = pytest.importorskip("grpc", reason="gRPC is in the extra `serving`")
pytest.importorskip("tensorflow_serving", reason="the protos are in the extra `serving`")

from tests.serving.prediction_server import PredictionServer, running  # noqa: E402
from tfp_noiseflow.serving.client import NoiseClient  # noqa: E402

GUIDE = SERVING.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client(served):
    service = PredictionServer(served.path, "flow")
    with running(service) as address, NoiseClient(address, "flow") as connected:
        connected.address = address
        yield connected


@pytest.mark.parametrize("signature", SIGNATURES)
def test_answers_are_those_of_the_model_in_python(served, client, signature):
    request = good(signature)
    answer = client.predict(signature, **request)
    expected = served.expected(signature, request)
    assert set(answer) == set(expected)
    for name, value in expected.items():
        assert_same(answer[name], value)


def test_client_takes_scalars_and_lists(served, client):
    clean = good("sample_noise")["clean"]
    seeds = [[1, 2], [3, 4], [5, 6]]
    noisy = client.add_noise(clean, 400, "Beta", seeds)
    noise = client.sample_noise(clean, [400] * 3, ["Beta"] * 3, seeds, temperature=[1, 1, 1])
    np.testing.assert_array_equal(noisy["noise"], noise)
    assert noisy["noisy"].min() == 0 and noisy["noisy"].max() == 1
    assert_same(
        client.log_prob(noise, clean, 400, "Beta")["log_prob"],
        served.model(clean, iso=400, camera="Beta").log_prob(noise),
    )


@pytest.mark.parametrize(
    "seeds",
    [
        [[0.5, 1]],
        np.ones([1, 2], np.float32),
        [[True, False]],
        [["1", "2"]],
        [[0, 2**31]],
        np.array([[-(2**31) - 1, 0]]),
        np.array([[0, 2**32 + 1]], np.uint64),
        [[0, 2**70]],
    ],
)
def test_client_refuses_seeds_that_int32_does_not_hold(client, seeds):
    clean = good("sample_noise", 1)["clean"]
    for call in (client.add_noise, client.sample_noise):
        with pytest.raises(ValueError, match=r"expected seeds .*from -2147483648 to 2147483647"):
            call(clean, 400, "Beta", seeds)


def test_client_takes_integers_of_any_type_as_seeds(client):
    clean = good("sample_noise", 1)["clean"]
    seeds = [[-(2**31), 2**31 - 1]]
    noise = client.sample_noise(clean, 400, "Beta", seeds)
    again = client.sample_noise(clean, 400, "Beta", np.array(seeds, np.int64))
    np.testing.assert_array_equal(again, noise)


def test_client_is_told_what_the_model_knows(served, client):
    told = client.describe()
    assert tuple(told["cameras"]) == CAMERAS
    assert tuple(told["iso_levels"]) == ISO_LEVELS
    assert told["architecture"] == served.model.architecture
    assert told["licence"] == TRAINING_DATA["licence"]
    assert told["origin"] == TRAINING_DATA["origin"]


def test_metadata_declares_every_tensor_batched(client):
    signatures = client.signatures()
    assert set(signatures) >= {*SIGNATURES, "describe"}
    for name in (*SIGNATURES, "describe"):
        for info in (*signatures[name].inputs.values(), *signatures[name].outputs.values()):
            assert info.tensor_shape.dim[0].size == -1, f"{name}: {info}"
    clean = signatures["serving_default"].inputs["clean"].tensor_shape
    assert [d.size for d in clean.dim] == [-1, -1, -1, 4]


def test_answers_of_more_than_4_mib_need_the_option_that_the_client_sets(client):
    clean = np.full((1, 600, 600, 4), 0.2, np.float32)
    assert clean.nbytes > 4 * 2**20
    assert client.sample_noise(clean, 100, "Alpha", [[1, 2]]).shape == clean.shape


@pytest.mark.parametrize(("signature", "side"), [("serving_default", 362), ("sample_noise", 511)])
def test_the_largest_answer_without_the_option_is_what_the_guide_says(client, signature, side):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    assert f"{side}x{side}x4" in GUIDE
    with grpc.insecure_channel(client.address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def answer(height):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = "flow"
            request.model_spec.signature_name = signature
            for name, value in good(signature, 1, height, side).items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            return stub.Predict(request)

        # Two rows more: 512x511x4 still fits.
        assert answer(side).outputs["noise"].tensor_shape.dim[1].size == side
        with pytest.raises(grpc.RpcError) as error:
            answer(side + 2)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_200_malformed_requests_get_an_error_each_and_the_next_good_one_its_answer(served, client):
    cases = [(s, *case) for s in SIGNATURES for case in malformed(s)]
    assert len(cases) >= 200
    requests = {signature: good(signature) for signature in SIGNATURES}
    expected = {s: served.expected(s, requests[s]) for s in SIGNATURES}
    for signature, wrong, request, error_parts in cases:
        with pytest.raises(grpc.RpcError) as error:
            client.predict(signature, **request)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, (signature, wrong)
        details = error.value.details()
        assert all(part in details for part in error_parts), (signature, wrong, details)
        answer = client.predict(signature, **requests[signature])
        for name, value in expected[signature].items():
            assert_same(answer[name], value, f"after {wrong}")


def test_malformed_requests_to_describe_get_an_error_each(client):
    told = client.describe()
    for wrong, request, error_parts in malformed("describe"):
        with pytest.raises(grpc.RpcError) as error:
            client.predict("describe", **request)
        details = error.value.details()
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, (wrong, details)
        assert all(part in details for part in error_parts), (wrong, details)
        assert client.describe() == told


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"model_name": "other"}, "NOT_FOUND"),
        ({"signature": "classify"}, "INVALID_ARGUMENT"),
        ({"without": "seed"}, "INVALID_ARGUMENT"),
        ({"extra": "gain"}, "INVALID_ARGUMENT"),
    ],
)
def test_requests_for_what_is_not_there_are_errors(client, changed, code):
    request = good("sample_noise")
    request.pop(changed.get("without"), None)
    if "extra" in changed:
        request[changed["extra"]] = request["iso"]
    other = NoiseClient(client.address, changed.get("model_name", "flow"))
    with other, pytest.raises(grpc.RpcError) as error:
        other.predict(changed.get("signature", "sample_noise"), **request)
    assert error.value.code().name == code


def in_parallel(address, requests, signature="sample_noise"):
    """Answers (or errors) to requests of one client each, sent at once."""
    answers = [None] * len(requests)
    barrier = threading.Barrier(len(requests))

    def ask(k):
        with NoiseClient(address, "flow") as own:
            barrier.wait()
            try:
                answers[k] = own.predict(signature, **requests[k])
            except grpc.RpcError as error:
                answers[k] = error

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture(scope="module")
def batching_server(served):
    """Waits half a second for eight rows in all, and pads five to eight."""
    service = PredictionServer(
        served.path, "flow", allowed_batch_sizes=(1, 2, 8), batch_timeout=0.5
    )
    with running(service) as service.address:
        yield service


@pytest.fixture
def batching(batching_server):
    batching_server.batches.clear()
    return batching_server


@pytest.mark.parametrize("signature", SIGNATURES)
def test_batches_merged_from_parallel_clients_give_each_its_own_rows(served, batching, signature):
    requests = [good(signature, rows, seed=rows) for rows in (1, 2, 2)]
    answers = in_parallel(batching.address, requests, signature)
    assert [sorted(batch) for batch in batching.batches] == [[1, 2, 2]]
    for request, answer in zip(requests, answers, strict=True):
        for name, expected in served.expected(signature, request).items():
            # Alone or in a batch padded to 8: convolutions may sum in another order. This is ten
            # times the largest difference that was seen (docs/performance.md, "Serving").
            rounding = 1e-5 * np.abs(expected).max()
            np.testing.assert_allclose(answer[name], expected, rtol=0, atol=rounding)


def test_a_merged_batch_shares_its_error_and_the_next_request_is_right(served, batching):
    requests = [good("sample_noise", 1, seed=k) for k in range(3)]
    requests[1]["camera"][0] = "Unknown"
    answers = in_parallel(batching.address, requests)
    assert batching.batches == [[1, 1, 1]]
    for answer in answers:
        assert answer.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "received \\'Unknown\\'; known: Alpha, Beta, Gamma" in answer.details()
    (again,) = in_parallel(batching.address, requests[:1])
    assert_same(again["noise"], served.expected("sample_noise", requests[0])["noise"])


def test_a_valid_output_keeps_the_error_to_its_row(served_with_valid):
    requests = [good("sample_noise", 1, seed=k) for k in range(3)]
    requests[1]["camera"][0] = "Unknown"
    service = PredictionServer(
        served_with_valid.path, "flow", allowed_batch_sizes=(4,), batch_timeout=1
    )
    with running(service) as address:
        answers = in_parallel(address, requests)
    assert service.batches == [[1, 1, 1]]
    assert [answer["valid"].tolist() for answer in answers] == [[True], [False], [True]]
    np.testing.assert_array_equal(answers[1]["noise"], 0)
    for k in (0, 2):
        expected = served_with_valid.expected("sample_noise", requests[k])["noise"]
        assert_same(answers[k]["noise"], expected)


def test_a_request_of_more_rows_than_a_batch_may_have_is_refused_alone(served, batching):
    requests = [good("sample_noise", rows) for rows in (9, 1)]
    refused, answered = in_parallel(batching.address, requests)
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Task size 9 is larger" in refused.details()
    assert_same(answered["noise"], served.expected("sample_noise", requests[1])["noise"])


def test_requests_that_do_not_fit_into_one_batch_make_two(served, batching):
    requests = [good("sample_noise", 5, seed=seed) for seed in (1, 2)]
    answers = in_parallel(batching.address, requests)
    assert batching.batches == [[5], [5]]
    for request, answer in zip(requests, answers, strict=True):
        expected = served.expected("sample_noise", request)["noise"]
        # Padded to 8 rows: see above.
        rounding = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(answer["noise"], expected, rtol=0, atol=rounding)


def test_a_batch_of_different_dtypes_is_an_error_and_not_converted(served, batching):
    requests = [good("sample_noise", 1, seed=seed) for seed in (1, 2)]
    wrong = {**requests[1], "clean": requests[1]["clean"].astype(np.float64)}
    answers = in_parallel(batching.address, [requests[0], wrong])
    assert batching.batches == [[1, 1]]
    for answer in answers:
        assert answer.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "different data types" in answer.details()
    (again,) = in_parallel(batching.address, requests[:1])
    assert_same(again["noise"], served.expected("sample_noise", requests[0])["noise"])


def test_a_request_without_rows_is_refused_by_a_batching_server(batching):
    (answer,) = in_parallel(batching.address, [{"dummy": np.float32(0)}], "describe")
    assert answer.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "at least one dimension" in answer.details()


def test_a_batch_of_images_of_different_sizes_fails_as_on_a_model_server(batching):
    requests = [good("sample_noise", 1, 8, width) for width in (8, 12)]
    answers = in_parallel(batching.address, requests)
    assert {answer.code().name for answer in answers} == {"FAILED_PRECONDITION"}
