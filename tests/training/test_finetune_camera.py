"""Fine-tuning to a new camera: it finds the camera's law and leaves the others as they are."""

import json
import warnings

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import moved
from tfp_noiseflow.models.model_directory import load_baselines, save_model, write_baselines
from tfp_noiseflow.models.new_camera import camera_variables
from tfp_noiseflow.training.finetune_camera import _training_data

CAMERAS = ("a", "b")
ISO_LEVELS = (100.0, 400.0)
SLOPE, OFFSET = 1e-3, 4e-6
# The new camera's gain, in units of the known ones'.
FACTOR = 1.5

# log 1.5 is 0.4 away: 40 steps at half the rate go five times as far.
SHORT = nf.Schedule(epochs=10, batch_size=16, learning_rate=0.1)


def write(path, camera, count, seed, gain=1.0, iso=ISO_LEVELS):
    """Captures of one camera: var = SLOPE gain clean + OFFSET gain^2."""
    generator = np.random.default_rng(seed)
    iso = np.resize(iso, count)
    gains = gain * (iso / 100)[:, None, None, None]
    clean = generator.uniform(0, 0.5, (count, 8, 8, 4)).astype(np.float32)
    deviation = np.sqrt(SLOPE * gains * clean + OFFSET * gains**2)
    noisy = (clean + deviation * generator.standard_normal(clean.shape)).astype(np.float32)
    nf.write_captures(path, noisy, clean, iso, camera, origin=f"of {path.stem}", licence="free")
    return nf.read_captures(path)


def write_model(folder, architecture):
    """A flow whose law is that of the known cameras, with its baselines as a training writes."""
    model = nf.NoiseFlow(architecture, cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=0)
    (layer,) = [m for m in model.submodules if hasattr(m, "log_beta1")]
    # gamma = ISO / 100, which is 1 at ISO 100.
    layer.gain.log_u.values.assign(np.full(layer.gain.log_u.values.shape, np.log(1 / 100)))
    layer.log_beta1.values.assign(np.full(layer.log_beta1.values.shape, np.log(SLOPE)))
    layer.log_beta2.values.assign(np.full(layer.log_beta2.values.shape, np.log(OFFSET)))
    save_model(model, folder, {"origin": "of a and b", "licence": "free", "file": "ab.h5"})
    return model


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    return write(tmp_path_factory.mktemp("captures") / "new.h5", "new", 64, seed=1, gain=FACTOR)


@pytest.fixture(scope="module")
def tuned(captures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    write_model(folder / "known", "S-G-CAM")
    nf.finetune_camera(folder / "known", captures, "new", folder / "all", schedule=SHORT, verbose=0)
    return folder


def test_scenes_that_picked_the_checkpoint_are_named(tmp_path):
    image = np.full((2, 8, 8, 4), 0.5)
    captures = []
    for scene in ("c", "d"):
        path = tmp_path / f"{scene}.h5"
        nf.write_captures(path, image, image, 100, "new", scene=[scene] * 2)
        captures.append(nf.read_captures(path))
    before = {"scenes": ["a"], "validation_scenes": ["b"]}
    about = _training_data(before, *captures, "new", SHORT)
    assert about["scenes"] == ["a", "c"] and about["validation_scenes"] == ["b", "d"]
    assert about["new_cameras"][0]["validation_scenes"] == ["d"]
    about = _training_data({"scenes": ["a"]}, *captures, "new", SHORT)
    assert about["validation_scenes"] is None, "those of the flow are not known"


def test_the_new_camera_gets_its_gain(tuned, captures):
    model = nf.load_model(tuned / "all")
    assert model.cameras == (*CAMERAS, "new")
    # 16,384 values: the standard error of psi is 1 % (curvature of the likelihood); five of them.
    assert float(model.physical_parameters()["psi(new)"]) == pytest.approx(FACTOR, rel=0.05)


def test_the_known_cameras_stay_bit_identical(tuned):
    known, model = nf.load_model(tuned / "known"), nf.load_model(tuned / "all")
    tables = {variable.ref() for variable in camera_variables(known)}
    assert tables
    for before, after in zip(known.variables, model.variables, strict=True):
        rows = after[: len(CAMERAS)] if before.ref() in tables else after
        assert rows.numpy().tobytes() == before.numpy().tobytes()


@pytest.mark.parametrize("architecture", ["S-Ax1-G-CAM", "N-Ax1-C"])
def test_training_moves_the_row_of_the_camera_alone(architecture, captures, tmp_path):
    known = moved(write_model(tmp_path / "known", architecture), by=0.05)
    save_model(known, tmp_path / "known", {})
    schedule = nf.Schedule(epochs=2, batch_size=32, learning_rate=1e-2)
    model = nf.finetune_camera(
        tmp_path / "known", captures, "new", tmp_path / "all", schedule=schedule, verbose=0
    )
    tables = [variable.ref() for variable in camera_variables(known)]
    for before, after in zip(known.variables, model.variables, strict=True):
        if before.ref() in tables:
            assert after[:2].numpy().tobytes() == before.numpy().tobytes()
            assert (after[2] != np.mean(before, axis=0)).numpy().all()
        else:
            assert after.numpy().tobytes() == before.numpy().tobytes()
    assert (model.origin, model.licence) == ("of new", "free")


def test_model_directory_names_what_both_were_trained_on(tuned):
    config = json.loads((tuned / "all" / "config.json").read_text())
    assert config["cameras"] == [*CAMERAS, "new"]
    training = config["training_data"]
    assert (training["origin"], training["licence"]) == ("of a and b; of new", "free")
    assert training["file"] == "ab.h5"
    (new,) = training["new_cameras"]
    assert (new["camera"], new["file"], new["captures"]) == ("new", "new.h5", 64)


def test_recalibrated_nlf_gets_the_new_camera_too(captures, tmp_path):
    write_model(tmp_path / "known", "S-G-CAM")
    nlf = nf.CameraNLF(CAMERAS, ISO_LEVELS, np.full((2, 2), SLOPE), np.full((2, 2), OFFSET))
    write_baselines(tmp_path / "known", {"gaussian": nf.GaussianNoise(), "recalibrated_nlf": nlf})
    schedule = nf.Schedule(epochs=1)
    nf.finetune_camera(
        tmp_path / "known", captures, "new", tmp_path / "all", schedule=schedule, verbose=0
    )
    baselines = load_baselines(tmp_path / "all")
    assert set(baselines) == {"gaussian", "recalibrated_nlf"}
    nlf = baselines["recalibrated_nlf"]
    assert nlf.cameras == (*CAMERAS, "new")
    np.testing.assert_allclose(nlf.beta1[:2], SLOPE, rtol=1e-6)
    # 8192 pixels of each ISO.
    np.testing.assert_allclose(nlf.beta1[2], SLOPE * FACTOR * np.array([1, 4]), rtol=0.1)


def test_captures_of_other_cameras_are_left_out(captures, tmp_path):
    write_model(tmp_path / "known", "S-G-CAM")
    (block,) = captures.blocks()
    order = np.insert(np.arange(64), np.arange(0, 64, 4), 0)
    camera = np.where(np.diff(order, prepend=-1) == 0, "wild", "new")
    # Of the other camera noise that is ten times as strong.
    noise = block.noise[order] * np.where(camera == "wild", 10, 1)[:, None, None, None]
    nf.write_captures(
        tmp_path / "both.h5",
        (block.clean[order] + noise).astype(np.float32),
        block.clean[order],
        block.iso[order],
        list(camera),
    )
    both = nf.read_captures(tmp_path / "both.h5")
    schedule = nf.Schedule(epochs=1, batch_size=16, learning_rate=1e-2)
    rows = []
    for name, given in (("both", both), ("new", both.select(both.camera == "new"))):
        model = nf.finetune_camera(
            tmp_path / "known", given, "new", tmp_path / name, schedule=schedule, verbose=0
        )
        rows.append(camera_variables(model)[0].numpy())
    assert len(both) > len(both.select(both.camera == "new"))
    np.testing.assert_array_equal(*rows)
    training = json.loads((tmp_path / "both" / "config.json").read_text())["training_data"]
    assert training["new_cameras"][0]["captures"] == np.sum(camera == "new")


def test_isos_at_which_the_camera_stays_the_mean_of_others_are_named(tmp_path):
    write_model(tmp_path / "known", "N")
    captures = write(tmp_path / "new.h5", "new", 16, seed=1, iso=(100,))
    message = "no captures of 'new' at ISO 400; there the flow keeps the mean"
    with pytest.warns(UserWarning, match=message):
        model = nf.finetune_camera(
            tmp_path / "known",
            captures,
            "new",
            tmp_path / "all",
            schedule=nf.Schedule(epochs=1, batch_size=16, learning_rate=0.1),
            verbose=0,
        )
    known = nf.load_model(tmp_path / "known")
    for before, after in zip(camera_variables(known), camera_variables(model), strict=True):
        if after.shape.rank == 2:
            np.testing.assert_allclose(after[2, 1], np.mean(before[:, 1]), rtol=1e-6)


class FirstStep(Exception):
    pass


@pytest.mark.parametrize(("architecture", "iso"), [("S-G-CAM", (100,)), ("N", ISO_LEVELS)])
def test_captures_that_train_all_of_the_camera_warn_of_nothing(
    tmp_path, monkeypatch, architecture, iso
):
    def stop(*args, **options):
        raise FirstStep

    write_model(tmp_path / "known", architecture)
    captures = write(tmp_path / "new.h5", "new", 16, seed=1, iso=iso)
    monkeypatch.setattr(nf.LikelihoodTrainer, "fit", stop)
    with warnings.catch_warnings(), pytest.raises(FirstStep):
        warnings.filterwarnings("error", message=".*no captures of")
        nf.finetune_camera(tmp_path / "known", captures, "new", tmp_path / "all", verbose=0)


@pytest.mark.slow
def test_default_schedule_gets_there(captures, tmp_path):
    write_model(tmp_path / "known", "S-G-CAM")
    model = nf.finetune_camera(tmp_path / "known", captures, "new", tmp_path / "all", verbose=0)
    assert float(model.physical_parameters()["psi(new)"]) == pytest.approx(FACTOR, rel=0.05)


def test_fine_tuning_again_is_the_same_and_another_model_is_refused(tuned, captures, tmp_path):
    before = nf.load_model(tuned / "all")
    nf.finetune_camera(tuned / "known", captures, "new", tuned / "all", schedule=SHORT, verbose=0)
    for a, b in zip(before.variables, nf.load_model(tuned / "all").variables, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="holds another model"):
        nf.finetune_camera(tuned / "known", captures, "new", tuned / "known", verbose=0)
    other = write_model(tmp_path / "other", "S-G-CAM")
    save_model(moved(other, by=0.1), tmp_path / "other", {})
    with pytest.raises(ValueError, match="differs from the known one in its camera alone"):
        nf.finetune_camera(
            tmp_path / "other", captures, "new", tuned / "all", schedule=SHORT, verbose=0
        )


@pytest.mark.parametrize(
    ("architecture", "camera", "iso", "message"),
    [
        ("S-G", "new", (100,), "expected a flow that tells cameras apart"),
        ("S-G-CAM", "a", (100,), r"does not know, received 'a'; it knows \['a', 'b'\]"),
        ("S-G-CAM", "old", (100,), r"expected captures of 'old', received captures of \['new'\]"),
        ("S-G-CAM", "new", (200,), r"ISOs 100, 400 that the model knows.*ISOs 200"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    tmp_path, architecture, camera, iso, message
):
    write_model(tmp_path / "known", architecture)
    captures = write(tmp_path / "new.h5", "new", 4, seed=1, iso=iso)
    with pytest.raises(ValueError, match=message):
        nf.finetune_camera(tmp_path / "known", captures, camera, tmp_path / "all", verbose=0)
    assert not (tmp_path / "all" / "config.json").exists()
    assert not (tmp_path / "all" / "new_camera" / "config.json").exists()
