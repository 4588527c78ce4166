"""The commands of `make demo`, on captures so few that it takes a minute, and their errors."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.scripts import run, run_process
from tests.sheets import cells
from tfp_noiseflow.imaging.picture import read_picture, write_png
from tfp_noiseflow.models.model_directory import write_baselines


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder after all commands, and what they printed."""
    folder = tmp_path_factory.mktemp("demo")
    nf.save_model(nf.GaussianNoise(0.02), folder / "flat", {"licence": "CC0"})
    captures = folder / "captures"
    printed = {}
    for script, flags in (
        (
            "simulate_captures",
            {
                "output_dir": captures,
                "patches_per_combination": 8,
                "validation_patches_per_combination": 2,
                "test_patches_per_combination": 2,
                "patch_size": 16,
            },
        ),
        (
            "noise_flow",
            {
                "train_captures": captures / "train.h5",
                "validation_captures": captures / "validation.h5",
                "architecture": "S-Ax1-G-CAM",
                "option": "hidden_channels=3",
                "epochs": 3,
                "batch_size": 20,
                "model_dir": folder / "model",
                "verbose": 2,
            },
        ),
        (
            "evaluate",
            {
                "model_dir": folder / "model",
                "captures": captures / "test.h5",
                "compare": f"flat={folder / 'flat'}",
                "output_dir": folder / "report",
            },
        ),
        ("export", {"model_dir": folder / "model", "output_dir": folder / "served"}),
    ):
        # One in a process of its own, as users start them; children of the server are quicker.
        start = run_process if script == "noise_flow" else run
        done = start(script, **flags)
        assert done.returncode == 0, f"{script}:\n{done.stdout}\n{done.stderr}"
        printed[script] = done.stdout
    return folder, printed


def test_training_takes_cameras_and_isos_from_the_captures(demo):
    folder, printed = demo
    model = nf.load_model(folder / "model")
    assert model.cameras == ("Galaxy S20 FE", "Nexus 6", "OPPO Reno", "Pixel", "iPhone 11")
    assert model.iso_levels == (100, 400, 800, 1600, 3200)
    assert "val_loss" in printed["noise_flow"]


def test_options_of_the_flow_are_given_by_name(demo):
    folder, _ = demo
    assert nf.load_model(folder / "model").options["hidden_channels"] == 3


@pytest.mark.parametrize("option", ["hidden_channels", "hidden_channels=", "depth=1"])
def test_options_that_are_not_understood_are_named(demo, tmp_path, option):
    folder, _ = demo
    flags = {
        name: folder / "captures" / "test.h5" for name in ("train_captures", "validation_captures")
    }
    done = run("noise_flow", **flags, option=option, model_dir=tmp_path / "model")
    assert done.returncode != 0 and option.partition("=")[0] in done.stderr
    assert not (tmp_path / "model").exists()


def test_report_has_the_schema_and_its_pictures(demo):
    folder, _ = demo
    report = json.loads((folder / "report" / "report.json").read_text())
    assert {"captures", "models", "differences", "by_camera_iso"} <= set(report)
    assert {"noise_flow", "gaussian", "camera_nlf", "recalibrated_nlf"} <= set(report["models"])
    for entry in report["models"].values():
        assert {"nll", "nll_standard_error", "kl", "kl_paper"} <= set(entry)
    for row in report["differences"]:
        assert {"model", "baseline", "nll", "paired_standard_error"} <= set(row)
    rows = report["by_camera_iso"]
    assert {"camera", "iso", "model", "nll", "kl", "kl_paper", "patches"} <= set(rows[0])
    assert len(rows) == 25 * len(report["models"])
    text = (folder / "report" / "report.md").read_text()
    pictures = sorted(path.name for path in (folder / "report").glob("*.png"))
    assert len(pictures) == 7
    for picture in pictures:
        assert f"]({picture})" in text


def test_a_trained_model_stands_beside_the_evaluated_one(demo, tmp_path):
    folder, _ = demo
    models = json.loads((folder / "report" / "report.json").read_text())["models"]
    with nf.read_captures(folder / "captures" / "test.h5") as captures:
        nll = nf.evaluation.negative_log_likelihood(nf.GaussianNoise(0.02), captures).mean()
    assert models["flat"]["nll"] == pytest.approx(nll, abs=1e-6)
    assert models["flat"]["nll"] != models["gaussian"]["nll"]
    flags = {"model_dir": folder / "model", "captures": folder / "captures" / "test.h5"}
    for compare in (folder / "model", f"gaussian={folder / 'model'}"):
        done = run("evaluate", **flags, compare=compare, output_dir=tmp_path)
        assert done.returncode != 0 and "NAME=MODEL_DIR, each of another NAME" in done.stderr
    assert not list(tmp_path.iterdir())


def test_exported_model_samples(demo):
    folder, _ = demo
    served = tf.saved_model.load(str(folder / "served" / "1")).signatures["sample_noise"]
    noise = served(
        clean=tf.fill([2, 8, 12, 4], 0.2),
        iso=tf.constant([100.0, 3200.0]),
        camera=tf.constant(["Pixel", "Nexus 6"]),
        seed=tf.constant([[0, 1], [2, 3]]),
        temperature=tf.ones([2]),
    )["noise"]
    assert noise.shape == [2, 8, 12, 4]
    assert np.isfinite(noise).all()


def test_a_baseline_is_exported_with_its_channels_and_valid_output(demo, tmp_path):
    folder, _ = demo
    flags = {"model_dir": folder / "model", "output_dir": tmp_path / "served"}
    done = run("export", **flags, baseline="gaussian", channels=1, valid_output=True)
    assert done.returncode == 0, done.stderr
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures["sample_noise"]
    answer = served(
        clean=tf.fill([2, 8, 12, 1], 0.2),
        iso=tf.constant([100.0, -1.0]),
        camera=tf.constant(["", ""]),
        seed=tf.constant([[0, 1], [2, 3]]),
        temperature=tf.ones([2]),
    )
    assert answer["noise"].shape == [2, 8, 12, 1]
    assert answer["valid"].numpy().tolist() == [True, False]
    done = run("export", **flags, baseline="other")
    assert done.returncode != 0 and "recalibrated_nlf" in done.stderr


def test_exported_channels_are_those_of_the_directory_s_model(tmp_path):
    flow = nf.NoiseFlow("S-G", cameras=("A",), iso_levels=(100,), channels=1)
    nf.save_model(flow, tmp_path / "model", {"licence": "CC0"})
    write_baselines(tmp_path / "model", {"gaussian": nf.GaussianNoise()})
    flags = {"model_dir": tmp_path / "model", "output_dir": tmp_path / "served"}
    done = run("export", **flags, baseline="gaussian")
    assert done.returncode == 0, done.stderr
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures["sample_noise"]
    assert served.structured_input_signature[1]["clean"].shape[-1] == 1
    done = run("export", **flags, channels=4)
    assert done.returncode != 0 and "expected channels=1" in done.stderr


@pytest.mark.slow  # Four trainings.
def test_paper_experiment_writes_tables_and_figures_and_resumes(demo, tmp_path):
    folder, _ = demo
    captures = tmp_path / "captures"
    captures.mkdir()
    # As train.import_sidd leaves them: validation captures are split off.
    for split in ("train", "test"):
        (captures / f"{split}.h5").symlink_to(folder / "captures" / f"{split}.h5")
    flags = {
        "captures": captures,
        "output_dir": tmp_path / "out",
        "architectures": "S-G,S-G-CAM",
        "seeds": 3,
        "epochs": 2,
        "batch_size": 20,
    }
    done = run("paper_experiment", **flags)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "tables.md").read_text()
    for label in ("Gaussian", "camera NLF", "S-G-CAM, epoch picked by KL", "truth (floor)"):
        assert f"| {label} |" in text
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    assert {"training_of_models.png", "report-3/gain.png", "report-3/beta.png",
            "report-3/patches.png"} <= written  # fmt: skip
    kept = [tmp_path / "out" / name for name in ("S-G-3/history.csv", "report-3/report.json")]
    before = [path.stat().st_mtime_ns for path in kept]
    again = run("paper_experiment", **flags)
    assert again.returncode == 0, again.stderr
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert (tmp_path / "out" / "tables.md").read_text() == text
    # A model beside them makes another report; its name must be free.
    one = tmp_path / "out" / "S-G-3"
    flags |= {"output_dir": tmp_path / "out", "compare": f"before={one}"}
    assert run("paper_experiment", **flags).returncode == 0
    assert "| before | 7 |" in (tmp_path / "out" / "tables.md").read_text()
    for wrong in (f"S-G={one}", f"gaussian={one}", "no path"):
        done = run("paper_experiment", **(flags | {"compare": wrong}))
        assert done.returncode != 0 and "NAME=MODEL_DIR" in done.stderr


@pytest.mark.slow  # Two trainings and their figures.
@pytest.mark.parametrize("is_folder", [False, True])
def test_paper_experiment_takes_captures_without_scenes(tmp_path, is_folder):
    rng = np.random.default_rng(0)
    clean = rng.uniform(0, 0.5, (40, 8, 8, 4)).astype(np.float32)
    noisy = clean + rng.normal(0, 0.02, clean.shape).astype(np.float32)
    (tmp_path / "captures").mkdir()
    for name in ("train", "test"):
        path = tmp_path / "captures" / f"{name}.h5"
        nf.write_captures(path, noisy, clean, iso=100, camera="mine")
    done = run(
        "paper_experiment",
        captures=tmp_path / "captures" if is_folder else path,
        output_dir=tmp_path / "out",
        architectures="S-G",
        seeds=0,
        epochs=1,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "tables.md").read_text()
    what = (
        "Validation captures were split off the training captures"
        if is_folder
        else ("Training, validation and test captures were split")
    )
    assert f"{what} at random (the file names no scenes; " in text
    assert f"test.h5, {40 if is_folder else 8} patches." in text
    config = json.loads((tmp_path / "out" / "S-G-0" / "config.json").read_text())
    assert config["training_data"]["captures"] == (35 if is_folder else 28)


def test_paper_experiment_leaves_no_validation_captures_out(demo, tmp_path):
    folder, _ = demo
    flags = {"captures": folder / "captures", "output_dir": tmp_path, "validate_on_test": True}
    done = run("paper_experiment", **flags)
    assert done.returncode != 0 and "validation.h5: expected none with --validate" in done.stderr
    done = run("paper_experiment", captures=folder / "captures", output_dir=tmp_path, epochs=0)
    assert done.returncode != 0 and "epochs" in done.stderr


def test_a_model_is_shipped_with_its_report(demo, tmp_path):
    folder, _ = demo
    done = run(
        "ship_model",
        model_dir=folder / "model",
        report_dir=folder / "report",
        output_dir=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        "noise_flow.md",
        "noise_flow",
        "noise_flow_model",
    }
    assert nf.load_model(tmp_path / "noise_flow_model").iso_levels == (100, 400, 800, 1600, 3200)


@pytest.mark.slow  # Whole frames through a trained flow.
def test_the_gallery_is_made(demo, tmp_path):
    pytest.importorskip("PIL")
    folder, _ = demo
    photograph = np.random.default_rng(0).uniform(size=(40, 60, 3))
    write_png(photograph, tmp_path / "photograph.png")
    done = run(
        "gallery",
        model_dir=folder / "model",
        captures=folder / "captures" / "test.h5",
        photograph=tmp_path / "photograph.png",
        cameras="Pixel,Nexus 6",
        isos="100,3200",
        crop=20,
        output_dir=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    # Gaussian, camera NLF, Noise Flow, real, clean; at ISO 1600.
    for *noisy, clean in cells(read_picture(tmp_path / "noise.png"), columns=5):
        assert all((picture - clean).std() > 0.01 for picture in noisy)
        assert all((a - b).std() > 0.01 for a, b in itertools.combinations(noisy, 2))
    for clean, quiet, loud in cells(read_picture(tmp_path / "contact_sheet.png"), columns=3):
        assert 0 < (quiet - clean).std() < (loud - clean).std() / 1.5


@pytest.mark.slow  # Trains three denoisers.
def test_denoisers_are_trained_compared_and_exported(demo, tmp_path):
    pytest.importorskip("PIL")
    folder, _ = demo
    flags = {
        "model_dir": folder / "model",
        "train_captures": folder / "captures" / "train.h5",
        "test_captures": folder / "captures" / "test.h5",
        "output_dir": tmp_path,
        "sources": "gaussian,noise_flow,real",
        "seeds": 0,
        "depth": 3,
        "filters": 8,
        "batch_size": 20,
    }
    done = run("denoiser", **flags)
    assert done.returncode == 0, done.stderr
    assert "not checked" not in done.stdout, "the model directory names its scenes"
    table = (tmp_path / "table.md").read_text()
    assert all(f"| {source} |" in table for source in ("Noise Flow", "the captures' own pairs"))
    # Noisy, denoised three times, clean.
    for noisy, *denoised, clean in cells(read_picture(tmp_path / "figure.png"), columns=5):
        assert all((picture - clean).std() > 0 for picture in (noisy, *denoised))
    assert (tmp_path / "saved_models" / "real" / "1" / "saved_model.pb").exists()
    done = run("denoiser", **(flags | {"test_captures": folder / "captures" / "validation.h5"}))
    assert done.returncode != 0 and "no noise model is trained on" in done.stderr


@pytest.mark.slow  # The fine-tuning alone is 300 steps for each number of captures.
def test_a_camera_is_left_out_added_and_compared(demo, tmp_path):
    folder, _ = demo
    captures = {
        f"{split}_captures": folder / "captures" / f"{split}.h5"
        for split in ("train", "validation", "test")
    }
    flags = {**captures, "output_dir": tmp_path, "cameras": "Nexus 6", "patches": "32,40"}
    done = run("new_camera_experiment", **flags, epochs=1)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "new_camera.json").read_text())
    assert [(row["camera"], row["patches"]) for row in rows] == [("Nexus 6", 32), ("Nexus 6", 40)]
    assert all(np.isfinite(row["from_the_start"]["nll"]) for row in rows)
    assert nf.load_model(tmp_path / "Nexus_6-32").cameras[-1] == "Nexus 6"
    assert (tmp_path / "table.md").read_text().count("| Nexus 6 |") == 2


def test_new_camera_experiment_takes_the_layers_of_its_model_directory(demo, tmp_path):
    folder, _ = demo
    captures = {
        f"{split}_captures": folder / "captures" / f"{split}.h5"
        for split in ("train", "validation", "test")
    }
    flags = {**captures, "output_dir": tmp_path, "model_dir": folder / "model"}
    done = run("new_camera_experiment", **flags, architecture="S-G-CAM")
    assert done.returncode != 0 and "expected the --architecture of" in done.stderr
    assert "S-Ax1-G-CAM" in done.stderr and "received 'S-G-CAM'" in done.stderr
    assert not list(tmp_path.iterdir())


def write_captures_of(folder, cameras):
    """Captures to train on, to validate and to test with, of the --..captures of a command."""
    rng = np.random.default_rng(0)
    paths = {}
    # Fewer make as many steps in more epochs, which take the time.
    for split, count in (("train", 48), ("validation", 2), ("test", 2)):
        camera = np.repeat(cameras, count).tolist()
        clean = rng.uniform(0, 0.5, (len(camera), 8, 8, 4)).astype(np.float32)
        noisy = clean + rng.normal(0, 0.02, clean.shape).astype(np.float32)
        paths[f"{split}_captures"] = folder / f"{split}.h5"
        nf.write_captures(paths[f"{split}_captures"], noisy, clean, iso=100, camera=camera)
    return paths


@pytest.mark.slow  # Trainings of several flows, and 300 steps for each camera.
def test_cameras_of_any_name_are_left_out_one_by_one_and_kept(tmp_path):
    captures = write_captures_of(tmp_path, ["a/b", "../c"])
    out = tmp_path / "out"
    flags = {
        **captures,
        "output_dir": out,
        "patches": 48,
        "epochs": 1,
        "architecture": "S-Ax1-G-CAM",
    }
    # There are no captures of the second camera, so that the run stops there.
    done = run("new_camera_experiment", **flags, cameras="a/b,none")
    assert done.returncode != 0
    kept = json.loads((out / "new_camera.json").read_text())
    assert [(row["camera"], row["patches"]) for row in kept] == [("a/b", 48)]
    assert (out / "table.md").read_text().count("| a/b |") == 1
    before = (out / "a%2Fb-48" / "new_camera" / "history.csv").stat().st_mtime_ns
    done = run("new_camera_experiment", **flags)
    assert done.returncode == 0, done.stderr
    assert (out / "a%2Fb-48" / "new_camera" / "history.csv").stat().st_mtime_ns == before
    rows = json.loads((out / "new_camera.json").read_text())
    assert [row["camera"] for row in rows] == ["../c", "a/b"]
    assert rows[1]["nll"] == pytest.approx(kept[0]["nll"], abs=1e-5)
    folders = {"a%2Fb-48", "..%2Fc-48", "without-a%2Fb", "without-..%2Fc", "without-none"}
    files = {"all-cameras", "new_camera.json", "table.md"}
    assert {path.name for path in out.iterdir()} == folders | files
    # A flow that is given is the one to compare with, and gives its layers.
    given = {**flags, "output_dir": tmp_path / "given", "model_dir": out / "all-cameras"}
    del given["architecture"]
    done = run("new_camera_experiment", **given, cameras="a/b")
    assert done.returncode == 0, done.stderr
    assert nf.load_model(tmp_path / "given" / "a%2Fb-48").architecture == "S-Ax1-G-CAM"
    assert not (tmp_path / "given" / "all-cameras").exists()


def test_captures_of_an_unknown_camera_are_an_error_that_lists_both_sets(demo, tmp_path):
    folder, _ = demo
    other = tmp_path / "other.h5"
    image = np.full((2, 8, 8, 4), 0.5)
    nf.write_captures(other, noisy=image, clean=image, iso=100, camera="Z9")
    done = run("evaluate", model_dir=folder / "model", captures=other, output_dir=tmp_path / "r")
    assert done.returncode != 0
    assert "Z9" in done.stderr and "Galaxy S20 FE" in done.stderr
    assert not (tmp_path / "r").exists()
