"""Training: it finds the truth, resumes exactly, and loses nothing."""

import csv
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfp_noiseflow as nf
from tests.registry import moved
from tfp_noiseflow.models.model_directory import load_baselines, read_config, read_history
from tfp_noiseflow.training.validation_kl import ValidationKl

CAMERAS = ("a", "b")
BETA1 = {"a": 2e-3, "b": 6e-3}


def write(path, count, seed, shape=(8, 8, 4), scale=1.0):
    """Captures of two cameras at ISO 100 whose noise is of the family of S-G-CAM."""
    generator = np.random.default_rng(seed)
    camera = np.resize(CAMERAS, count)
    clean = generator.uniform(0, 1, (count, *shape)).astype(np.float32)
    slope = np.array([BETA1[name] for name in camera])[:, None, None, None]
    noise = generator.standard_normal(clean.shape) * scale * np.sqrt(slope * clean + 2.5 * slope**2)
    nf.write_captures(
        path,
        noisy=(clean + noise).astype(np.float32),
        clean=clean,
        iso=100,
        camera=camera,
        origin="simulated",
        licence="none",
    )
    return nf.read_captures(path)


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    return write(folder / "train.h5", 240, 0), write(folder / "validation.h5", 60, 1)


def flow(architecture="S-G-CAM"):
    return nf.NoiseFlow(architecture, cameras=CAMERAS, iso_levels=(100,), seed=0)


SCHEDULE = nf.Schedule(epochs=4, batch_size=32, seed=3)


@pytest.fixture(scope="module", params=["S-G-CAM"])
def whole(request, captures, tmp_path_factory):
    """A model directory of a run that nothing disturbed, and the model that it ended with."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    model = flow(request.param)
    return folder, nf.train_noise_model(model, *captures, folder, SCHEDULE, verbose=0)


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of that directory, to change."""
    return shutil.copytree(whole[0], tmp_path / "model")


ONE_EPOCH = nf.Schedule(epochs=1, batch_size=60)


def weights(model):
    return [variable.numpy() for variable in model.variables]


def assert_equal_weights(model, other):
    for a, b in zip(weights(model), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow  # Trains until it has found them.
def test_training_finds_the_noise_level_functions(captures, tmp_path):
    schedule = nf.Schedule(epochs=100, batch_size=40, learning_rate=0.1)
    model = nf.train_noise_model(flow("S-G-CAM"), *captures, tmp_path / "m", schedule, verbose=0)
    physical = {name: float(value) for name, value in model.physical_parameters().items()}
    # 30,000 pixels a camera: a slope is known to a percent.
    assert physical["psi(b)"] / physical["psi(a)"] == pytest.approx(3, rel=0.05)
    slope = physical["beta1"] * physical["gamma(ISO 100)"] * physical["psi(a)"]
    assert slope == pytest.approx(BETA1["a"], rel=0.05)


class FirstStep(Exception):
    pass


@pytest.mark.parametrize("validates_on_itself", [False, True])
def test_training_captures_are_read_once_before_the_first_step(
    captures, tmp_path, monkeypatch, validates_on_itself
):
    train = captures[0]
    validation = train.select(np.arange(len(train))) if not validates_on_itself else train
    read, pixels = nf.Captures.read, []

    def counting(self, start, stop, **options):
        block = read(self, start, stop, **options)
        if self is train:
            pixels.append(block.noise.size)
        return block

    def stop(self, *args, **options):
        raise FirstStep

    monkeypatch.setattr(nf.Captures, "read", counting)
    monkeypatch.setattr(nf.LikelihoodTrainer, "fit", stop)
    if validates_on_itself:
        # It reads them for itself.
        monkeypatch.setattr(ValidationKl, "__init__", lambda *args, **options: None)
    with pytest.raises(FirstStep):
        nf.train_noise_model(flow(), train, validation, tmp_path / "m", ONE_EPOCH, verbose=0)
    assert (tmp_path / "m" / "baselines.json").exists()
    # Their digest is of the first and the last images; of the validation captures there is one too.
    digested = 4 if validates_on_itself else 2
    assert sum(pixels) == (len(train) + digested) * np.prod(train.image_shape)
    # A training that goes on has its baselines, and checks the images once.
    pixels.clear()
    with pytest.raises(FirstStep):
        nf.train_noise_model(flow(), train, validation, tmp_path / "m", ONE_EPOCH, verbose=0)
    assert sum(pixels) == (len(train) + digested) * np.prod(train.image_shape)


def test_baselines_of_a_training_are_those_fitted_to_its_captures(captures, whole):
    kept = load_baselines(whole[0])
    assert kept["gaussian"].get_config() == nf.GaussianNoise.fit(captures[0]).get_config()
    assert kept["recalibrated_nlf"].get_config() == nf.CameraNLF.fit(captures[0]).get_config()


def test_model_directory_holds_what_it_says(whole):
    model_dir, model = whole
    config = json.loads((model_dir / "config.json").read_text())
    assert config["architecture"] == "S-G-CAM"
    assert config["cameras"] == list(CAMERAS)
    assert config["training_data"]["origin"] == "simulated"
    assert config["training_data"]["licence"] == "none"
    assert config["library_version"] == nf.__version__
    assert set(load_baselines(model_dir)) == {"gaussian", "recalibrated_nlf"}
    assert_equal_weights(nf.load_model(model_dir), model)
    assert any((model_dir / "logs").rglob("events.out.tfevents*"))
    rows = read_history(model_dir)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert [row["step"] for row in rows] == [7, 14, 21, 28]
    for name in ("loss", "val_loss", "learning_rate", "beta1", "beta2", "gamma(ISO 100)", "psi(a)"):
        assert len({row[name] for row in rows}) > 1, f"{name} changes during training"


@pytest.fixture(scope="module")
def of_strong_noise(captures, tmp_path_factory):
    """Validation captures, a model directory of a run with them, and the model of that."""
    folder = tmp_path_factory.mktemp("strong")
    # As strong as a model's at the start: training only moves away from it.
    strong = write(folder / "strong.h5", 60, 1, scale=20.0)
    model_dir = folder / "model"
    model = nf.train_noise_model(flow(), captures[0], strong, model_dir, SCHEDULE, verbose=0)
    return strong, model_dir, model


def test_best_checkpoint_is_the_epoch_of_lowest_validation_nll(of_strong_noise):
    strong, model_dir, model = of_strong_noise
    rows = read_history(model_dir)
    best = min(rows, key=lambda row: row["val_loss"])
    assert best["epoch"] < 3, "the last epoch is not the best"
    trainer = nf.LikelihoodTrainer(model)
    trainer.compile()
    dataset = nf.validation_dataset(strong, cameras=CAMERAS, batch_size=32)
    assert trainer.evaluate(dataset, verbose=0) == pytest.approx(best["val_loss"], rel=1e-5)
    last = nf.load_model(model_dir, kind="last")
    assert any(np.any(a != b) for a, b in zip(weights(last), weights(model), strict=True))


def test_best_checkpoint_by_kl_is_kept_beside_the_one_by_nll(of_strong_noise):
    strong, model_dir, _ = of_strong_noise
    rows = read_history(model_dir)
    best = min(rows, key=lambda row: row["val_kl"])
    model = nf.load_model(model_dir, kind="best_kl")
    # The same draws as in training: the callback's own figure of the model that was kept.
    logs = {}
    ValidationKl(model, strong, batch_size=SCHEDULE.batch_size).on_epoch_end(0, logs)
    assert logs["val_kl"] == pytest.approx(best["val_kl"], rel=1e-4)
    assert all(row["val_kl"] > 0 for row in rows)


def test_validation_kl_of_the_truth_is_its_floor_and_of_a_wrong_model_is_not(tmp_path):
    captures = write(tmp_path / "c.h5", 120, 5)
    levels = np.array([[BETA1[name]] for name in CAMERAS])
    truth = nf.CameraNLF(CAMERAS, (100,), beta1=levels, beta2=2.5 * levels**2)
    wrong = nf.CameraNLF(CAMERAS, (100,), beta1=4 * levels, beta2=10 * levels**2)
    figures = []
    for model in (truth, wrong):
        logs = {}
        ValidationKl(model, captures, batch_size=50).on_epoch_end(0, logs)
        figures.append(logs["val_kl"])
    # 15,360 values in 130 bins a camera, against as many: about bins / values = 0.008.
    assert figures[0] < 0.02
    # Gaussians of standard deviations 1 and 2: log 2 - 3 / 8 = 0.32.
    assert figures[1] == pytest.approx(np.log(2) - 3 / 8, abs=0.1)


class Kill(Exception):
    pass


@pytest.mark.parametrize(
    "whole", ["S-G-CAM", pytest.param("S-Ax1-G-CAM", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.parametrize("epoch", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_killed_and_resumed_run_ends_as_one_that_was_not(
    captures, whole, tmp_path, monkeypatch, epoch
):
    fit = nf.LikelihoodTrainer.fit
    architecture = whole[1].architecture

    class KillInTheMiddle(tf_keras.callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            self.epoch = number

        def on_train_batch_end(self, batch, logs=None):
            if self.epoch == epoch and batch == 4:
                raise Kill

    def killed(self, *args, callbacks, **kwargs):
        return fit(self, *args, callbacks=[*callbacks, KillInTheMiddle()], **kwargs)

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(nf.LikelihoodTrainer, "fit", killed)
        nf.train_noise_model(flow(architecture), *captures, tmp_path / "model", SCHEDULE, verbose=0)
    # Another start: all must come from the checkpoint. Where there is none: the same one again.
    start = flow(architecture) if epoch == 0 else moved(flow(architecture))
    resumed = nf.train_noise_model(start, *captures, tmp_path / "model", SCHEDULE, verbose=0)
    assert_equal_weights(resumed, whole[1])
    assert_equal_weights(
        nf.load_model(tmp_path / "model", kind="last"), nf.load_model(whole[0], kind="last")
    )
    assert read_history(tmp_path / "model") == read_history(whole[0])


def test_a_saved_model_is_not_replaced_by_a_training(captures, copy):
    model_dir = copy
    # What is shipped of a model, and what `save_model` writes.
    shutil.rmtree(model_dir / "checkpoints" / "last")
    shutil.rmtree(model_dir / "checkpoints" / "best_kl")
    before = {path: path.read_bytes() for path in model_dir.rglob("*") if path.is_file()}
    message = rf"last checkpoint.*--start_from={re.escape(str(model_dir))}"
    with pytest.raises(ValueError, match=message):
        nf.train_noise_model(flow(), *captures, model_dir, SCHEDULE, verbose=0)
    after = {path: path.read_bytes() for path in model_dir.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.slow  # Other kills are quicker.
def test_kill_between_the_first_best_and_the_first_last_checkpoint_can_be_resumed(
    captures, whole, tmp_path, monkeypatch
):
    save = tf.train.CheckpointManager.save

    def killed(self, *args, checkpoint_number, **kwargs):
        if checkpoint_number == 1 and self.directory.endswith("last"):
            raise Kill
        return save(self, *args, checkpoint_number=checkpoint_number, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(tf.train.CheckpointManager, "save", killed)
        nf.train_noise_model(flow(), *captures, tmp_path / "model", SCHEDULE, verbose=0)
    assert (tmp_path / "model" / "checkpoints" / "best").exists()
    resumed = nf.train_noise_model(flow(), *captures, tmp_path / "model", SCHEDULE, verbose=0)
    assert_equal_weights(resumed, whole[1])


def test_kill_between_history_and_checkpoint_repeats_the_epoch(
    captures, whole, tmp_path, monkeypatch
):
    from tfp_noiseflow.training.checkpoints import Checkpoints

    save = Checkpoints.on_epoch_end

    def killed(self, epoch, logs=None):
        if epoch == 1:
            raise Kill
        save(self, epoch, logs)

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(Checkpoints, "on_epoch_end", killed)
        nf.train_noise_model(flow(), *captures, tmp_path / "model", SCHEDULE, verbose=0)
    resumed = nf.train_noise_model(flow(), *captures, tmp_path / "model", SCHEDULE, verbose=0)
    assert_equal_weights(resumed, whole[1])
    assert read_history(tmp_path / "model") == read_history(whole[0])


def test_finished_run_is_not_trained_again(captures, whole, copy):
    again = nf.train_noise_model(flow(), *captures, copy, SCHEDULE, verbose=0)
    assert_equal_weights(whole[1], again)
    assert len(read_history(copy)) == 4


def test_seeds_repeat_a_run_and_change_it(captures, tmp_path):
    a, b, c = (
        nf.train_noise_model(
            nf.GaussianNoise(0.1),
            *captures,
            tmp_path / str(k),
            nf.Schedule(epochs=2, batch_size=32, seed=seed),
            verbose=0,
        )
        for k, seed in enumerate((0, 0, 1))
    )
    assert_equal_weights(a, b)
    assert any(np.any(x != y) for x, y in zip(weights(a), weights(c), strict=True))


def test_directory_of_another_model_is_refused_and_kept(captures, whole, copy):
    with pytest.raises(ValueError, match=r"architecture: expected S-Ax1-G-CAM, found S-G-CAM"):
        nf.train_noise_model(flow("S-Ax1-G-CAM"), *captures, copy, SCHEDULE, verbose=0)
    assert_equal_weights(nf.load_model(copy), whole[1])


def test_unknown_camera_in_the_validation_captures_is_an_error_before_training(captures, tmp_path):
    other = tmp_path / "other.h5"
    nf.write_captures(
        other, noisy=np.zeros((2, 8, 8, 4)), clean=np.zeros((2, 8, 8, 4)), iso=100, camera="z"
    )
    with pytest.raises(ValueError, match=r"\['a', 'b'\].*received captures of \['z'\]"):
        nf.train_noise_model(flow(), captures[0], nf.read_captures(other), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_loss_that_is_not_finite_stops_before_it_is_saved(captures, tmp_path):
    schedule = nf.Schedule(epochs=3, batch_size=32, learning_rate=1e4, decay="constant")
    with pytest.raises(ValueError, match="expected a finite"):
        nf.train_noise_model(flow(), *captures, tmp_path / "model", schedule, verbose=0)
    assert not any((tmp_path / "model").rglob("*.index"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay": "linear"}, "'linear'"),
        ({"learning_rate": 0}, "learning_rate > 0, received 0"),
        ({"epochs": 0}, "epochs >= 1, received 0"),
        ({"batch_size": 0}, "batch_size >= 1, received 0"),
    ],
)
def test_bad_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        nf.Schedule(**arguments)


@pytest.mark.parametrize(
    "change", [{"batch_size": 16}, {"seed": 4}, {"learning_rate": 1e-3}, {"decay": "constant"}]
)
def test_resuming_with_another_schedule_is_refused(captures, copy, change):
    other = dataclasses.replace(SCHEDULE, **change)
    with pytest.raises(ValueError, match=f"another model or training.*{next(iter(change))}"):
        nf.train_noise_model(flow(), *captures, copy, other, verbose=0)


def test_resuming_on_other_captures_is_refused_and_more_epochs_are_not(captures, copy):
    with pytest.raises(ValueError, match=r"another model or training.*validation\.h5"):
        nf.train_noise_model(flow(), captures[1], captures[0], copy, SCHEDULE, verbose=0)
    longer = dataclasses.replace(SCHEDULE, epochs=5)
    nf.train_noise_model(flow(), *captures, copy, longer, verbose=0)
    assert len(read_history(copy)) == 5


def test_captures_in_the_wrong_units_are_an_error_that_leaves_no_folder(captures, tmp_path):
    wrong = tmp_path / "wrong.h5"
    image = np.full((4, 8, 8, 4), 300.0)
    nf.write_captures(wrong, noisy=image, clean=image, iso=100, camera="a")
    with pytest.raises(ValueError, match=r"wrong\.h5.*received 300.*white_level"):
        nf.train_noise_model(flow(), nf.read_captures(wrong), captures[1], tmp_path / "m")
    plane = tmp_path / "plane.h5"
    nf.write_captures(plane, noisy=image[..., :1], clean=image[..., :1] / 300, iso=100, camera="a")
    with pytest.raises(ValueError, match=r"plane\.h5.*4 channels, received 1"):
        nf.train_noise_model(flow(), nf.read_captures(plane), captures[1], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_models_of_float64_train_too(captures, tmp_path):
    model = nf.NoiseFlow("S-Ax1-G", cameras=None, iso_levels=(100,), dtype=tf.float64, seed=0)
    trained = nf.train_noise_model(model, *captures, tmp_path / "m", ONE_EPOCH, verbose=0)
    assert trained.dtype == tf.float64


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5", "w.keras", "w.hdf5"])
def test_formats_that_would_lose_the_flow_are_refused(name, tmp_path):
    trainer = nf.LikelihoodTrainer(flow())
    with pytest.raises(ValueError, match="would lose"):
        trainer.save_weights(str(tmp_path / name))
    with pytest.raises(ValueError, match="would lose"):
        trainer.save_weights(str(tmp_path / "weights"), save_format="h5")
    with pytest.raises(ValueError, match="would lose"):
        trainer.save(str(tmp_path / name))
    with pytest.raises(ValueError, match="would lose"):
        trainer.save_weights(str(tmp_path / "weights"), True, "h5")
    # For HDF5 Keras itself refuses models of this kind.
    with pytest.raises((ValueError, NotImplementedError)):
        tf_keras.models.save_model(trainer, str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_weights_saved_as_a_checkpoint_come_back(tmp_path):
    trainer = nf.LikelihoodTrainer(moved(flow(), seed=1))
    assert len(trainer.trainable_variables) == len(trainer.noise_model.trainable_variables) > 0
    trainer.save_weights(str(tmp_path / "weights"))
    other = nf.LikelihoodTrainer(moved(flow(), seed=2))
    other.load_weights(str(tmp_path / "weights")).assert_existing_objects_matched()
    assert_equal_weights(other.noise_model, trainer.noise_model)


def test_keras_fits_any_noise_model_on_a_dataset_of_the_user():
    generator = np.random.default_rng(0)
    features = {
        "noise": 0.1 * generator.standard_normal((64, 4, 4, 4)).astype(np.float32),
        "clean": generator.uniform(size=(64, 4, 4, 4)).astype(np.float32),
        "iso": np.full(64, 100, np.float32),
        "camera": np.resize(CAMERAS, 64),
    }
    dataset = tf.data.Dataset.from_tensor_slices(features).batch(32).repeat()
    trainer = nf.LikelihoodTrainer(nf.GaussianNoise(sigma=0.05))
    trainer.compile(tf_keras.optimizers.Adam(0.02))
    trainer.fit(dataset, steps_per_epoch=100, verbose=0)
    expected = np.sqrt(np.mean(np.square(features["noise"])))
    assert float(trainer.noise_model.sigma) == pytest.approx(expected, rel=0.01)


def test_damaged_checkpoint_is_named(captures, copy):
    for kind in ("best", "last"):
        (data,) = (copy / "checkpoints" / kind).glob("*.data*")
        data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"best.*expected a whole checkpoint"):
        nf.load_model(copy)
    with pytest.raises(ValueError, match=r"last.*expected a whole checkpoint"):
        nf.train_noise_model(
            flow(),
            *captures,
            copy,
            dataclasses.replace(SCHEDULE, epochs=9),
            verbose=0,
        )


def test_history_is_a_csv_that_any_program_reads(whole):
    with open(whole[0] / "history.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:5] == ["epoch", "step", "loss", "val_loss", "val_kl"]
    assert header[5] == "learning_rate"
    assert all(len(row) == len(header) for row in rows)


def test_what_a_model_started_from_is_kept_and_asked_for_again(captures, tmp_path):
    before = {"scenes": ["a"], "licence": "free"}
    given = (*captures, tmp_path / "m", ONE_EPOCH)
    nf.train_noise_model(flow("S-G-CAM"), *given, started_from=before, verbose=0)
    assert read_config(tmp_path / "m")["training_data"]["started_from"] == before
    with pytest.raises(ValueError, match="holds another model or training"):
        nf.train_noise_model(flow("S-G-CAM"), *given, verbose=0)
