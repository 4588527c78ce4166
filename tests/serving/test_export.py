"""What an export holds, and that it computes what the noise model computes."""

import os
import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, moved
from tests.scripts import run_python
from tests.serving.conftest import TRAINING_DATA
from tests.serving.graphs import check_ops, nodes, saved_graph
from tests.serving.requests import SIGNATURES, good, malformed
from tests.serving.rounding import assert_same
from tests.serving.warm_up import run_warm_up_requests
from tfp_noiseflow.serving.compact import compact_saved_model

# Rows of a batch of another size: the same numbers but for the order of sums in convolutions. The
# largest difference that was seen is 4e-6 of the noise's standard deviation and 5e-7 nats/dim
# (docs/performance.md, "Serving"); these leave room for other processors.
ROUNDING_OF_NOISE = 2e-5
ROUNDING_OF_NLL = 2e-6


def tensors(request):
    return {name: tf.constant(value) for name, value in request.items()}


def test_signatures_are_those_that_were_agreed(signatures):
    image = ((None, None, None, 4), tf.float32)
    numbers, text = ((None,), tf.float32), ((None,), tf.string)
    conditions = {"clean": image, "iso": numbers, "camera": text}
    draws = {"seed": ((None, 2), tf.int32), "temperature": numbers}
    inputs = {
        "serving_default": {**conditions, **draws},
        "sample_noise": {**conditions, **draws},
        "log_prob": {**conditions, "noise": image},
        "describe": {"dummy": numbers},
    }
    outputs = {
        "serving_default": {"noisy": image, "noise": image},
        "sample_noise": {"noise": image},
        "log_prob": {"log_prob": numbers, "nll_per_dim": numbers},
        "describe": {
            "cameras": ((None, 3), tf.string),
            "iso_levels": ((None, 3), tf.float32),
            "trained_iso_range": ((None, 2), tf.float32),
            "quantization_step": ((None, 0), tf.float32),
            "clips": ((None, 2), tf.bool),
            **dict.fromkeys(("architecture", "version", "licence", "origin"), text),
        },
    }

    def shown(specs):
        return {name: (tuple(spec.shape), spec.dtype) for name, spec in specs.items()}

    assert set(signatures) == set(inputs)
    for name, function in signatures.items():
        assert shown(function.structured_input_signature[1]) == inputs[name]
        assert shown(function.structured_outputs) == outputs[name]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_answers_are_those_of_the_model_in_python(served, signatures, signature):
    for rows, height, width in ((1, 8, 8), (5, 16, 12), (2, 5, 7)):
        request = good(signature, rows, height, width)
        answer = signatures[signature](**tensors(request))
        for name, expected in served.expected(signature, request).items():
            assert_same(answer[name], expected, name)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 7)])
def test_a_row_alone_in_a_batch_and_in_a_padded_batch_gives_the_same(signatures, height, width):
    for signature, name, rounding in (
        ("sample_noise", "noise", ROUNDING_OF_NOISE),
        ("log_prob", "nll_per_dim", ROUNDING_OF_NLL),
    ):
        request = good(signature, 5, height, width)
        call = signatures[signature]
        together = call(**tensors(request))[name].numpy()
        padded = {k: np.concatenate([v, v[:1], v[:1], v[:1]]) for k, v in request.items()}
        padded = call(**tensors(padded))[name].numpy()[:5]
        shuffled = call(**tensors({k: v[::-1] for k, v in request.items()}))[name].numpy()[::-1]
        for row in range(5):
            alone = call(**tensors({k: v[row : row + 1] for k, v in request.items()}))
            alone = alone[name].numpy()[0]
            scale = alone.std() if alone.ndim else 1.0
            for other in (together[row], padded[row], shuffled[row]):
                assert np.abs(other - alone).max() <= rounding * scale


def test_a_row_depends_on_its_own_seed(signatures):
    request = good("sample_noise", 4)
    first = signatures["sample_noise"](**tensors(request))["noise"].numpy()
    request["seed"][2] += 1
    second = signatures["sample_noise"](**tensors(request))["noise"].numpy()
    np.testing.assert_array_equal(second[[0, 1, 3]], first[[0, 1, 3]])
    assert np.abs(second[2] - first[2]).max() > 0.1 * first[2].std()


def test_description_is_that_of_the_model(served, signatures):
    told = {
        name: value.numpy() for name, value in signatures["describe"](dummy=tf.zeros(2)).items()
    }
    assert told["cameras"].tolist() == [[c.encode() for c in CAMERAS]] * 2
    assert told["iso_levels"].tolist() == [list(ISO_LEVELS)] * 2
    assert told["trained_iso_range"].tolist() == [[ISO_LEVELS[0], ISO_LEVELS[-1]]] * 2
    assert told["clips"].tolist() == [[False, False]] * 2
    assert told["architecture"].tolist() == [served.model.architecture.encode()] * 2
    assert told["version"].tolist() == [nf.__version__.encode()] * 2
    assert told["licence"].tolist() == [TRAINING_DATA["licence"].encode()] * 2
    assert told["origin"].tolist() == [TRAINING_DATA["origin"].encode()] * 2


def test_graph_has_no_python_no_state_of_chance_and_no_custom_op(served):
    ops = {node.op for node in nodes(saved_graph(served.path))}
    assert {"Conv2D", "StatelessRandomNormalV2"} <= ops  # The functions were looked into.
    check_ops(served.path)


def test_names_of_the_graph_are_short_and_equal_functions_are_there_once(served):
    meta_graph = saved_graph(served.path)
    library = meta_graph.graph_def.library.function
    assert max(len(node.name) for function in library for node in function.node_def) < 8
    bodies = set()
    for function in library:
        function.signature.name = ""
        bodies.add(function.SerializeToString(deterministic=True))
    assert len(bodies) == len(library)
    assert os.path.getsize(os.path.join(served.path, "saved_model.pb")) < 2**20


def test_a_graph_that_lacks_a_function_is_not_written(served, tmp_path):
    content = saved_model_pb2.SavedModel()
    content.meta_graphs.append(saved_graph(served.path))
    library = content.meta_graphs[0].graph_def.library
    public = content.meta_graphs[0].object_graph_def.concrete_functions
    lost = next(f.signature.name for f in library.function if f.signature.name not in public)
    kept = [function for function in library.function if function.signature.name != lost]
    del library.function[:]
    library.function.extend(kept)
    written = content.SerializeToString()
    (tmp_path / "saved_model.pb").write_bytes(written)
    with pytest.raises(ValueError, match=rf"holds its functions.*{re.escape(lost)}"):
        compact_saved_model(tmp_path)
    assert (tmp_path / "saved_model.pb").read_bytes() == written


@pytest.mark.slow
def test_likelihood_of_an_export_has_gradients(served):
    loaded = tf.saved_model.load(served.path)
    request = good("log_prob", 2)
    noise = tf.constant(request.pop("noise"))

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(noise)
            value = function()
        return tape.gradient(value, noise).numpy()

    expected = gradient(lambda: served.model(**request).log_prob(noise))
    got = gradient(
        lambda: loaded.signatures["log_prob"](noise=noise, **tensors(request))["log_prob"]
    )
    # Gradients are built anew, and sum in another order.
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("signature", ["log_prob", "describe"])
def test_malformed_requests_are_errors_in_python_too(signatures, signature):
    for wrong, request, error_parts in malformed(signature):
        # Python sees wrong shapes and dtypes before the graph does.
        with pytest.raises((tf.errors.InvalidArgumentError, TypeError, ValueError)) as error:
            signatures[signature](**tensors(request))
        if error_parts[0].startswith("row"):
            assert all(part in str(error.value) for part in error_parts), (wrong, error.value)


def test_a_camera_that_is_no_text_and_endless_is_shown_shortened(signatures):
    request = good("sample_noise")
    request["camera"][1] = b"\xff\x00\n" + b"x" * 1_000_000
    with pytest.raises(tf.errors.InvalidArgumentError, match="row 1: expected camera") as error:
        signatures["sample_noise"](**tensors(request))
    assert len(error.value.message.encode()) < 1000


@pytest.mark.slow  # Traces a model of many cameras.
def test_a_message_shows_row_and_value_before_a_long_list_of_what_is_known(tmp_path):
    cameras = [f"カメラ {number}" for number in range(200)]
    beta = np.full((200, 2), 1e-4)
    beta[7, 1] = np.nan
    model = nf.CameraNLF(cameras, (100, 400), beta, beta)
    call = tf.saved_model.load(nf.export_saved_model(model, tmp_path / "nlf")).signatures
    request = dict(good("sample_noise", 2), iso=np.float32([100, 400]))
    for camera, received in (("雑音", "雑音"), ("カメラ 7", "カメラ 7\\' at ISO 400")):
        request["camera"] = np.array(["カメラ 7", camera], object)
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            call["sample_noise"](**tensors(request))
        # A model server cuts messages after 1024 bytes.
        said = error.value.message[error.value.message.index("row 1: expected camera") :]
        assert f"received \\'{received}" in said.encode()[:200].decode(errors="ignore")
        assert said.index("received") < said.index("; known: カメラ 0") < said.index("カメラ 199")


def test_valid_output_marks_wrong_rows_and_leaves_the_others(served_with_valid):
    call = tf.saved_model.load(served_with_valid.path).signatures
    for signature in SIGNATURES:
        expected = served_with_valid.expected(signature, good(signature))
        right = call[signature](**tensors(good(signature)))
        assert right["valid"].numpy().tolist() == [True] * 3
        for wrong, request, (first, *_) in malformed(signature):
            if not first.startswith("row"):
                continue
            row = int(first[4])
            answer = call[signature](**tensors(request))
            valid = answer["valid"].numpy()
            assert valid.tolist() == [k != row for k in range(3)], (signature, wrong)
            for name, value in expected.items():
                assert_same(answer[name].numpy()[valid], value[valid], wrong)
                np.testing.assert_array_equal(answer[name].numpy()[row], 0, wrong)


def test_float64_models_are_served_in_float32(tmp_path):
    model = moved(nf.NoiseFlow("S-Ax1-G-CAM", CAMERAS, ISO_LEVELS, dtype=tf.float64), by=0.05)
    call = tf.saved_model.load(nf.export_saved_model(model, tmp_path / "flow")).signatures
    request = good("sample_noise")
    assert all(
        v.dtype != tf.float64 for v in call["sample_noise"].structured_input_signature[1].values()
    )
    noise = call["sample_noise"](**tensors(request))["noise"].numpy()
    given = {name: request[name] for name in ("clean", "iso", "camera")}
    expected = nf.sample_noise(
        model, **given, seeds=request["seed"], temperature=request["temperature"]
    )
    assert expected.dtype == tf.float64
    assert_same(noise, tf.cast(expected, tf.float32))
    request = good("log_prob")
    got = call["log_prob"](**tensors(request))["log_prob"]
    expected = model(**given).log_prob(request["noise"].astype(np.float64))
    np.testing.assert_allclose(got, expected, rtol=1e-6)  # float32's own rounding.


def test_a_pair_of_camera_and_iso_that_is_not_known_is_named(tmp_path):
    beta = [[1e-4, np.nan], [2e-4, 4e-4]]
    model = nf.CameraNLF(("A", "B"), (100, 400), beta, beta)
    call = tf.saved_model.load(nf.export_saved_model(model, tmp_path / "nlf")).signatures
    request = dict(
        good("sample_noise", 2), iso=np.float32([100, 400]), camera=np.array(["B", "A"], object)
    )
    message = (
        r"row 1: .* known together, received .*A.* at ISO 400; "
        r"known: A at ISO 100, B at ISO 100, B at ISO 400\]"
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call["sample_noise"](**tensors(request))
    request["camera"][1] = "B"
    assert np.isfinite(call["sample_noise"](**tensors(request))["noise"]).all()


def test_a_model_that_knows_nothing_is_not_exported(tmp_path):
    model = nf.CameraNLF(("A",), (100,), [[np.nan]], [[np.nan]])
    with pytest.raises(ValueError, match="knows a camera at an ISO"):
        nf.export_saved_model(model, tmp_path / "nlf")
    assert not (tmp_path / "nlf").exists()


def test_models_without_cameras_and_isos_take_any(tmp_path):
    call = tf.saved_model.load(
        nf.export_saved_model(nf.GaussianNoise(0.1), tmp_path / "g")
    ).signatures
    request = good("sample_noise")
    request["camera"][0], request["iso"][0] = "", 123
    assert np.isfinite(call["sample_noise"](**tensors(request))["noise"]).all()
    told = call["describe"](dummy=tf.zeros(1))
    for name in ("cameras", "iso_levels", "trained_iso_range"):
        assert told[name].shape == [1, 0]
    assert told["architecture"].numpy() == [b"GaussianNoise"]
    assert told["licence"].numpy() == [b"not stated"]
    request["iso"][2] = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="row 2: expected iso to be positive"):
        call["sample_noise"](**tensors(request))


def test_a_model_of_any_iso_serves_iso_640_and_tells_on_which_it_was_trained(tmp_path):
    law = nf.CameraLaw((2e-4, 1e-5), (2e-7, 0, 1e-6), camera="mine", iso_range=(100, 3200))
    model = nf.NoiseFlow.from_laws(law)
    call = tf.saved_model.load(nf.export_saved_model(model, tmp_path / "law")).signatures
    told = call["describe"](dummy=tf.zeros(1))
    assert told["iso_levels"].shape == [1, 0]
    assert told["trained_iso_range"].numpy().tolist() == [[100, 3200]]
    request = good("sample_noise")
    request["camera"][:], request["iso"][:] = "mine", 640
    noise = call["sample_noise"](**tensors(request))["noise"]
    request["seeds"] = request.pop("seed")
    assert_same(noise, nf.sample_noise(model, **request))


def test_a_loaded_model_tells_licence_and_origin_of_its_training_data(tmp_path):
    nf.save_model(nf.GaussianNoise(), tmp_path / "model", TRAINING_DATA)
    model = nf.load_model(tmp_path / "model")
    # One is given with the export, the other is not.
    path = nf.export_saved_model(model, tmp_path / "served", training_data={"licence": "other"})
    told = tf.saved_model.load(path).signatures["describe"](dummy=tf.zeros(1))
    assert told["licence"].numpy()[0].decode() == "other"
    assert told["origin"].numpy()[0].decode() == TRAINING_DATA["origin"]


def test_channels_are_those_of_the_model_or_as_asked_for(tmp_path):
    flow = nf.NoiseFlow("S-G", cameras=CAMERAS, iso_levels=ISO_LEVELS, channels=1)
    with pytest.raises(ValueError, match=r"expected channels=1.*received 4"):
        nf.export_saved_model(flow, tmp_path / "flow", channels=4)
    assert not (tmp_path / "flow").exists()
    # Other tests ask for those that the model has, and for none of a model that takes any.
    for model, asked, channels in ((flow, None, 1), (nf.GaussianNoise(), 3, 3)):
        path = nf.export_saved_model(model, tmp_path / "served", channels=asked)
        clean = saved_graph(path).signature_def["sample_noise"].inputs["clean"]
        assert clean.tensor_shape.dim[-1].size == channels


def test_versions_count_up_and_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    base_dir = tmp_path / "gaussian"
    (base_dir / "7").mkdir(parents=True)
    (base_dir / "notes").mkdir()
    assert nf.export_saved_model(nf.GaussianNoise(), base_dir) == str(base_dir / "8")

    def full_disk(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr("tfp_noiseflow.serving.export.compact_saved_model", full_disk)
    with pytest.raises(OSError, match="No space left"):
        nf.export_saved_model(nf.GaussianNoise(), base_dir)
    assert sorted(os.listdir(base_dir)) == ["7", "8", "notes"]


def test_warm_up_requests_run(served, signatures):
    assert sorted(run_warm_up_requests(served.path, signatures)) == sorted(
        ("flow", name, rows) for name in (*SIGNATURES, "describe") for rows in (1, 8, 64)
    )


def test_without_the_extra_an_export_says_that_it_has_no_warm_up(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.warns(UserWarning, match="no warm-up requests.*extra `serving`"):
        path = nf.export_saved_model(nf.GaussianNoise(), tmp_path / "gaussian")
    assert not os.path.exists(os.path.join(path, "assets.extra"))


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(name, marks=[] if name == "serving_default" else [pytest.mark.slow])
        for name in (*SIGNATURES, "describe")
    ],
)
def test_saved_model_cli_runs_it(served, signatures, tmp_path, signature):
    if signature == "describe":
        request = {"dummy": np.zeros(2, np.float32)}
        expected = signatures["describe"](**tensors(request))
    else:
        request = good(signature)
        expected = served.expected(signature, request)
    arguments = [
        "run",
        "--dir",
        served.path,
        "--tag_set",
        "serve",
        "--signature_def",
        signature,
    ]
    numbers = {name: value for name, value in request.items() if name != "camera"}
    for name, value in numbers.items():
        np.save(tmp_path / f"in_{name}.npy", value)
    given = [f"{name}={tmp_path / f'in_{name}.npy'}" for name in numbers]
    arguments += ["--inputs", ";".join(given)]
    if "camera" in request:
        arguments += ["--input_exprs", f"camera={request['camera'].tolist()}"]
    arguments += ["--outdir", str(tmp_path)]
    done = run_python("-m", "tensorflow.python.tools.saved_model_cli", *arguments)
    assert done.returncode == 0, done.stderr
    for name, value in expected.items():
        # NumPy keeps text of any length as objects.
        answer = np.load(tmp_path / f"{name}.npy", allow_pickle=True)
        if answer.dtype == object:
            np.testing.assert_array_equal(answer, value)
        else:
            assert_same(answer, value)


def test_keras_3_takes_an_export_as_a_layer(served):
    keras = pytest.importorskip("keras", minversion="3")
    layer = keras.layers.TFSMLayer(served.path, call_endpoint="serving_default")
    request = good("serving_default")
    expected = served.expected("serving_default", request)["noisy"]
    clean = request.pop("clean")
    assert_same(layer(clean, **tensors(request))["noisy"], expected)

    inputs = {
        "clean": keras.Input([None, None, 4], name="clean"),
        "iso": keras.Input([], name="iso"),
        "camera": keras.Input([], dtype="string", name="camera"),
        "seed": keras.Input([2], dtype="int32", name="seed"),
        "temperature": keras.Input([], name="temperature"),
    }
    others = {name: tensor for name, tensor in inputs.items() if name != "clean"}
    model = keras.Model(inputs, layer(inputs["clean"], **others)["noisy"])
    assert_same(model({"clean": tf.constant(clean), **tensors(request)}), expected)
