"""saved_models/ as it is in the repository, and what the guide says of it."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from google.protobuf import text_format

import tfp_noiseflow as nf
from tests.documents import ROOT, SERVING
from tests.serving.graphs import check_ops
from tests.serving.requests import SIGNATURES, good
from tests.serving.warm_up import run_warm_up_requests
from tfp_noiseflow.choices import RECOMMENDED_ARCHITECTURE
from tfp_noiseflow.models import load_baselines, save_model
from tfp_noiseflow.models.model_directory import write_baselines
from tfp_noiseflow.serving.shipping import ship_model
from tfp_noiseflow.serving.warmup import BATCH_SIZES
from tfp_noiseflow.simulation.simulate_captures import make_process

SAVED_MODELS = ROOT / "saved_models"
GUIDE = SERVING.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped():
    loaded = tf.saved_model.load(str(SAVED_MODELS / "noise_flow" / "1"))
    yield loaded.signatures
    del loaded


def request_of(model, signature, rows=2):
    request = good(signature, rows)
    request["iso"][:] = model.iso_levels[:rows]
    request["camera"][:] = model.cameras[:rows]
    request["clean"] = np.clip(request["clean"], 0, 1)
    return request


def test_it_is_small():
    files = [path for path in SAVED_MODELS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_500_000


def test_served_and_loaded_model_are_the_same(shipped):
    model = nf.load_model(SAVED_MODELS / "noise_flow_model")
    request = request_of(model, "sample_noise")
    given = {name: request[name] for name in ("clean", "iso", "camera")}
    draws = {"seeds": request["seed"], "temperature": request["temperature"]}
    expected = nf.sample_noise(model, **given, **draws).numpy()
    noise = shipped["sample_noise"](**{k: tf.constant(v) for k, v in request.items()})["noise"]
    # The export holds the graph of the day it was written; a later one may sum in another order.
    np.testing.assert_allclose(noise, expected, rtol=0, atol=2e-5 * expected.std())
    given = {k: tf.constant(v) for k, v in given.items()}
    nll = shipped["log_prob"](noise=noise, **given)["nll_per_dim"]
    expected = -model(**given).log_prob(noise) / expected[0].size
    np.testing.assert_allclose(nll, expected, rtol=0, atol=2e-6)


def test_the_recommended_model_is_of_codes_and_served_as_it_is_loaded():
    model = nf.load_model(SAVED_MODELS / "sensor_noise_model")
    assert model.architecture == RECOMMENDED_ARCHITECTURE and not model.dequantises
    served = tf.saved_model.load(str(SAVED_MODELS / "sensor_noise" / "1")).signatures
    request = good("sample_noise", 2)
    request["iso"][:], request["camera"][:] = (640, 3200), model.cameras[:2]
    request["clean"] = np.clip(request["clean"], 0, 1)
    given = {name: request[name] for name in ("clean", "iso", "camera")}
    draws = {"seeds": request["seed"], "temperature": request["temperature"]}
    expected = nf.sample_noise(model, **given, **draws).numpy()
    noise = served["sample_noise"](**{k: tf.constant(v) for k, v in request.items()})["noise"]
    # Values are codes: where rounding of float32 makes another one of some, they are few.
    assert np.mean(np.abs(noise - expected) > 1e-6) < 0.01
    check_ops(SAVED_MODELS / "sensor_noise" / "1")


@pytest.mark.slow  # Many values.
def test_none_of_a_hundred_million_samples_is_off_the_codes():
    model = nf.load_model(SAVED_MODELS / "sensor_noise_model")
    generator = np.random.default_rng(0)
    shape = (64, 64, 64, 4)
    count = 0

    @tf.function
    def sample(clean, iso, camera, seed):
        return model(clean, iso=iso, camera=camera).sample(seed=seed)

    while count < 1e8:
        # All levels, and a tenth of the images black.
        clean = generator.uniform(0, 1, shape) * (generator.random((64, 1, 1, 1)) < 0.9)
        clean = clean.astype(np.float32)
        iso = generator.choice([100, 400, 3200], 64).astype(np.float32)
        camera = generator.integers(0, 5, 64).astype(np.int32)
        noise = sample(*map(tf.constant, (clean, iso, camera, (count, 0)))).numpy()
        codes = (clean + noise) / np.float32(model.quantization_step)
        rounded = np.rint(codes)
        # A rounding of float32 at code 959 is 6e-5 of a step.
        np.testing.assert_allclose(codes, rounded, rtol=0, atol=2e-4)
        assert rounded.min() == 0 and rounded.max() == 959
        count += codes.size


def test_graph_has_no_python_no_state_of_chance_and_no_custom_op():
    check_ops(SAVED_MODELS / "noise_flow" / "1")


def test_warm_up_requests_run(shipped):
    ran = run_warm_up_requests(SAVED_MODELS / "noise_flow" / "1", shipped)
    assert sorted(ran) == sorted(
        ("noise_flow", name, rows) for name in (*SIGNATURES, "describe") for rows in BATCH_SIZES
    )


@pytest.mark.slow  # Draws of five cameras at five ISOs.
def test_strength_of_the_noise_is_that_of_the_sensor():
    model = nf.load_model(SAVED_MODELS / "sensor_noise_model")
    process = make_process("sensor", 0)
    levels = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6], np.float32)
    clean = np.tile(levels[:, None, None, None], (1, 256, 256, 4))
    rng = np.random.default_rng(0)

    @tf.function
    def sample(iso, camera, seed):
        return model(clean, iso=iso, camera=camera).sample(seed=seed)

    off = []
    for k, camera in enumerate(process.cameras):
        for j, iso in enumerate(process.iso_levels):
            codes = process.observe(clean, np.full(7, k), np.full(7, j), rng).astype(np.float64)
            scale = process.white_level - process.black_level
            noise = sample(np.float32(iso), model.cameras.index(camera), (k, j)).numpy()
            deviation = (clean + noise).astype(np.float64).std(axis=(1, 2))
            off.append(deviation / (codes / scale).std(axis=(1, 2)) - 1)
    # 3 %, and what chance does to the farthest of 700 ratios of 65,536 values with heavy tails.
    assert np.max(np.abs(off)) < 0.03 + 0.015
    assert np.sqrt(np.mean(np.square(off))) < 0.01


@pytest.mark.slow  # Traces the training of a deep flow.
def test_loaded_model_can_be_fine_tuned():
    model = nf.load_model(SAVED_MODELS / "noise_flow_model")
    request = request_of(model, "log_prob", rows=5)
    given = {name: request[name] for name in ("clean", "iso", "camera")}
    noise = nf.sample_noise(model, **given, seeds=np.arange(10).reshape(5, 2))
    # Of twice the strength: something that it does not know yet.
    captures = tf.data.Dataset.from_tensors({**given, "noise": 2 * noise}).repeat(10)
    before = [variable.numpy() for variable in model.trainable_variables]
    assert len(before) > 50
    trainer = nf.LikelihoodTrainer(model)
    trainer.compile(tf_keras.optimizers.Adam(1e-2))
    losses = [trainer.fit(captures, verbose=0).history["loss"][0] for _ in range(2)]
    assert losses[1] < losses[0] - 0.1
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != value), variable.name
    assert set(load_baselines(SAVED_MODELS / "noise_flow_model")) == {
        "gaussian",
        "recalibrated_nlf",
    }


def test_it_tells_licence_and_origin_of_its_training_data(shipped):
    config = json.loads((SAVED_MODELS / "noise_flow_model" / "config.json").read_text())
    told = shipped["describe"](dummy=tf.zeros(1))
    for name in ("licence", "origin"):
        assert told[name].numpy()[0].decode() == config["training_data"][name] != ""
    card = (SAVED_MODELS / "noise_flow.md").read_text(encoding="utf-8")
    assert config["training_data"]["licence"] in card
    for heading in ("## Data", "## Figures", "## Limits"):
        assert heading in card


def test_nothing_in_it_names_a_folder_of_the_machine_it_was_made_on():
    for path in SAVED_MODELS.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not re.search(rb"/(home|root|tmp|work|Users)/", content), path


def test_configuration_of_a_model_server_fits_the_model():
    config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text = (SAVED_MODELS / "models.config").read_text()
    config = text_format.Parse(text, config_pb2.ModelServerConfig()).model_config_list.config
    names = ("noise_flow", "sensor_noise")
    assert [(c.name, c.base_path) for c in config] == [(n, f"/models/{n}") for n in names]
    for name in names:
        assert (SAVED_MODELS / name / "1" / "saved_model.pb").exists()
        assert name in (SAVED_MODELS / "README.md").read_text(encoding="utf-8")
    batching = (SAVED_MODELS / "batching_parameters.txt").read_text()
    sizes = [int(size) for size in re.findall(r"^allowed_batch_sizes: (\d+)$", batching, re.M)]
    # A model server wants them to end with the largest; each of them has been warmed up.
    assert tuple(sizes) == BATCH_SIZES
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in batching
    monitoring = (SAVED_MODELS / "monitoring.config").read_text()
    assert "prometheus_config" in monitoring and "enable: true" in monitoring
    for name in ("models.config", "monitoring.config", "batching_parameters.txt"):
        assert f"/models/{name}" in GUIDE


def test_rest_requests_of_the_guide_fit_the_signatures(shipped):
    bodies = re.findall(r"-d '(.*?)'", GUIDE, re.DOTALL)
    assert len(bodies) == 2
    for body in bodies:
        body = json.loads(body)
        function = shipped[body.get("signature_name", "serving_default")]
        inputs = {
            name: tf.constant([row[name] for row in body["instances"]], spec.dtype)
            for name, spec in function.structured_input_signature[1].items()
        }
        assert set(inputs) == set(body["instances"][0])
        for output in function(**inputs).values():
            assert output.shape[0] == len(body["instances"])


def test_grpc_example_of_the_guide_runs():
    pytest.importorskip("tensorflow_serving")
    from tests.serving.prediction_server import PredictionServer, running

    (example,) = re.findall(r"```python\n([^`]*NoiseClient[^`]*)```", GUIDE)
    service = PredictionServer(str(SAVED_MODELS / "noise_flow" / "1"), "noise_flow")
    names = {"np": np}
    with running(service) as address:
        exec(example.replace("localhost:8500", address), names)
    assert names["answer"]["noisy"].shape == (1, 64, 64, 4)


def write_trained(folder, **options):
    """A model directory and a report, as training and evaluation write them."""
    model = nf.NoiseFlow("S-G", cameras=("A", "B"), iso_levels=(100, 800), **options)
    data = {"captures": 8, "licence": "CC0", "origin": "Made up.", "description": "Two\nlines."}
    save_model(model, folder / "model", data)
    write_baselines(folder / "model", {"gaussian": nf.GaussianNoise()})
    (folder / "model" / "history.csv").write_text("epoch\n1\n")
    report = {
        "captures": {"patches": 2, "description": "Others."},
        "models": {"noise_flow": figures(-3.0), "recalibrated_nlf": figures(-2.9)},
        "floor": {"kl": None, "kl_paper": None, "reason": "no second draw"},
        "by_camera_iso": [
            {"camera": camera, "iso": 100.0, "model": name, "nll": nll}
            for camera, worse in (("A", 0.2), ("B", -0.1))
            for name, nll in (("noise_flow", -3.0), ("recalibrated_nlf", -3.0 + worse))
        ],
        "correlations": {
            source: {
                "horizontal": 0.01,
                "excess_kurtosis_given_clean": 0.5,
                "largest_bright_mean": -0.123,
            }
            for source in ("real", "noise_flow")
        },
    }
    (folder / "report").mkdir()
    (folder / "report" / "report.json").write_text(json.dumps(report))


def test_the_card_tells_the_isos_that_are_known_and_those_of_the_training(tmp_path):
    for name, options, expected in (
        ("levels", {}, "- ISO: 100, 800\n"),
        ("any", {"interpolates_gain": True}, "- ISO: any; trained on ISO 100 to 800\n"),
    ):
        (tmp_path / name).mkdir()
        write_trained(tmp_path / name, **options)
        ship_model(tmp_path / name / "model", tmp_path / name / "report", tmp_path / name / "out")
        card = (tmp_path / name / "out" / "noise_flow.md").read_text(encoding="utf-8")
        assert expected in card
        assert ("At ISOs outside of those that it was trained on" in card) == (name == "any")


def test_shipping_replaces_what_stood_there_once_all_is_written(tmp_path, monkeypatch):
    write_trained(tmp_path)
    output_dir = tmp_path / "shipped"
    (output_dir / "flow" / "1").mkdir(parents=True)
    (output_dir / "flow" / "1" / "of_before").touch()

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copytree", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            ship_model(tmp_path / "model", tmp_path / "report", output_dir, name="flow")
    assert [path.name for path in output_dir.iterdir()] == ["flow"]
    assert (output_dir / "flow" / "1" / "of_before").exists()

    ship_model(tmp_path / "model", tmp_path / "report", output_dir, name="flow")
    names = sorted(path.name for path in output_dir.iterdir())
    assert names == ["flow", "flow.md", "flow_model"]
    assert not (output_dir / "flow" / "1" / "of_before").exists()
    assert nf.load_model(output_dir / "flow_model").cameras == ("A", "B")
    card = (output_dir / "flow.md").read_text()
    assert "best A at ISO 100 (+0.200), B at ISO 100 (-0.100)" in card
    assert "a mean of up to 0.123 of its standard deviation" in card
    assert "Two lines." in card
    assert "Licence: CC0\n\nThe model: not stated. The library" in card
    assert "make demo" not in card


def test_shipping_puts_everything_back_when_it_cannot_move_all(tmp_path, monkeypatch):
    write_trained(tmp_path)
    output_dir = tmp_path / "shipped"
    arguments = (tmp_path / "model", tmp_path / "report", output_dir)
    ship_model(*arguments, name="flow", licence="MIT", made_by="By `make model`.")
    card = (output_dir / "flow.md").read_text()
    assert "The model: MIT. The library" in card and "By `make model`." in card

    def files():
        return {p: p.read_bytes() for p in sorted(output_dir.rglob("*")) if p.is_file()}

    before = files()
    replace = os.replace

    def full(source, target):
        # The card comes last: the folders are in their places by then.
        if target == str(output_dir / "flow.md") and "before_" not in source:
            assert not (output_dir / "flow.md").exists()
            raise OSError("full")
        replace(source, target)

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", full)
        with pytest.raises(OSError, match="full"):
            ship_model(*arguments, name="flow", licence="BSD")
    assert files() == before
    assert sorted(p.name for p in output_dir.iterdir()) == ["flow", "flow.md", "flow_model"]
    ship_model(*arguments, name="flow", licence="BSD")
    assert "The model: BSD." in (output_dir / "flow.md").read_text()


def figures(nll):
    return {"nll": nll, "nll_standard_error": 0.01, "kl": 0.1, "kl_paper": 0.1, "parameters": 7}
