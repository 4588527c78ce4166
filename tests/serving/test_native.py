"""The export in C++ (tests/native/served_model.cc), against the model in Python."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.native import program as native
from tests.registry import CAMERAS
from tests.serving.conftest import Served
from tests.serving.requests import SIGNATURES, good, malformed
from tests.serving.rounding import assert_same

pytestmark = pytest.mark.skipif(native.compiler() is None, reason="there is no C++ compiler")


def test_every_signature_answers_as_the_model_in_python(served, signatures, program, tmp_path):
    requests = [
        (signature, good(signature, rows, height, width))
        for signature in SIGNATURES
        for rows, height, width in ((1, 8, 8), (3, 8, 8), (2, 5, 7))
    ]
    dummy = {"dummy": np.zeros(2, np.float32)}
    *answers, told = native.answers(
        program, served.path, [*requests, ("describe", dummy)], tmp_path
    )
    for (signature, inputs), answer in zip(requests, answers, strict=True):
        expected = served.expected(signature, inputs)
        assert set(answer) == set(expected)
        for name, value in expected.items():
            assert_same(answer[name], value, f"{signature} {name}")
    expected = signatures["describe"](dummy=np.zeros(2, np.float32))
    for name, value in expected.items():
        np.testing.assert_array_equal(told[name], value.numpy())


def test_a_model_of_any_iso_serves_iso_640_and_tells_what_it_was_made_from(program, tmp_path):
    isos = np.array([100, 400, 1600])
    laws = [nf.CameraLaw((2e-4, 1e-5), (1e-7, 2e-8, 1e-6), camera=name) for name in CAMERAS]
    model = nf.NoiseFlow.from_laws(
        [nf.CameraTable(law.camera, isos, *law(isos)).fit().law for law in laws]
    )
    path = nf.export_saved_model(model, tmp_path / "law")
    requests = [(signature, good(signature)) for signature in SIGNATURES]
    for _, request in requests:
        request["iso"] = np.full_like(request["iso"], 640)
    requests.append(("describe", {"dummy": np.zeros(1, np.float32)}))
    (tmp_path / "requests").mkdir()
    *answers, told = native.answers(program, path, requests, tmp_path / "requests")
    served = Served(model, path)
    for (signature, inputs), answer in zip(requests, answers, strict=False):
        for name, value in served.expected(signature, inputs).items():
            assert_same(answer[name], value, f"{signature} {name}")
    # No levels: any ISO; and the ISOs of the table that it was made from.
    assert told["iso_levels"].shape == (1, 0)
    np.testing.assert_array_equal(told["trained_iso_range"], [[100, 1600]])


@pytest.mark.slow  # A deep flow; the program is that of the others.
def test_shipped_model_answers_as_it_does_in_python(program, tmp_path):
    path = str(pathlib.Path(__file__).resolve().parents[2] / "saved_models" / "noise_flow" / "1")
    loaded = tf.saved_model.load(path)
    requests = [("describe", {"dummy": np.zeros(2, np.float32)})]
    for signature in SIGNATURES:
        request = good(signature, 2, 12, 16)
        request["iso"] = np.float32([800, 3200])
        request["camera"] = np.array(["Pixel", "Nexus 6"], object)
        requests.append((signature, request))
    answers = native.answers(program, path, requests, tmp_path)
    for (signature, inputs), answer in zip(requests, answers, strict=True):
        call = loaded.signatures[signature]
        expected = call(**{name: tf.constant(value) for name, value in inputs.items()})
        assert set(answer) == set(expected), f"{signature}: {answer}"
        for name, value in expected.items():
            if value.dtype == tf.string:
                np.testing.assert_array_equal(answer[name], value)
            else:
                assert_same(answer[name], value, f"{signature} {name}")


def test_malformed_requests_get_an_error_each_and_the_next_good_one_its_answer(
    served, program, tmp_path
):
    cases = [(s, *case) for s in (*SIGNATURES, "describe") for case in malformed(s)]
    assert len(cases) >= 200
    requests = []
    for signature, _, request, _ in cases:
        requests += [(signature, request), (signature, good(signature))]
    answers = native.answers(program, served.path, requests, tmp_path)
    expected = {s: served.expected(s, good(s)) for s in SIGNATURES}
    expected["describe"] = {"iso_levels": np.float32([served.model.iso_levels] * 3)}
    for k, (signature, wrong, _, error_parts) in enumerate(cases):
        error, answer = answers[2 * k : 2 * k + 2]
        assert isinstance(error, str), f"{signature}, {wrong}: no error"
        assert error.startswith("3 "), f"{signature}, {wrong}: expected INVALID_ARGUMENT: {error}"
        assert all(part in error for part in error_parts), f"{signature}, {wrong}: {error}"
        for name, value in expected[signature].items():
            assert_same(answer[name], value, f"after {wrong}")


def test_an_input_that_is_no_tensor_is_an_error_and_the_next_request_has_its_answer(
    served, program, tmp_path
):
    request = good("log_prob", 1)
    (tmp_path / "00000-log_prob").mkdir()
    (tmp_path / "00000-log_prob" / "iso.input").write_bytes(b"\xff\xff no tensor")
    # A proto that can be read, of a dtype that there is not.
    (tmp_path / "00001-log_prob").mkdir()
    (tmp_path / "00001-log_prob" / "iso.input").write_bytes(b"\x08\x7f")
    native.write_request(tmp_path / "00002-log_prob", request)
    native.run(program, served.path, "run", tmp_path)
    for folder in ("00000-log_prob", "00001-log_prob"):
        assert native.answer(tmp_path / folder) == "3 iso.input is not a tensor"
    expected = served.expected("log_prob", request)["log_prob"]
    assert_same(native.answer(tmp_path / "00002-log_prob")["log_prob"], expected)


def test_a_program_that_does_not_compile_shows_what_the_compiler_says(tmp_path):
    source = tmp_path / "broken.cc"
    source.write_text("int main() { return nonsense; }\n")
    with pytest.raises(AssertionError, match=r"error:.*nonsense"):
        native.build(tmp_path, source)


@pytest.mark.slow  # Of the program's other uses; it starts a server and loads the model twice.
def test_measurement_and_soak_run(served, program):
    measured = json.loads(native.run(program, served.path, "measure", "log_prob", 2, 16, 16, 5))
    assert measured["p50_ms"] <= measured["p99_ms"]
    assert 10 < measured["before_mb"] <= measured["peak_mb"]
    soaked = json.loads(native.run(program, served.path, "soak", 300, 1, 8, 8))
    assert soaked["errors"] == 3  # The wrong camera of every hundredth request.
    assert len(soaked["resident_mb"]) >= 20
