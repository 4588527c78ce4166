"""What experiments check before they train, and what they write of their results."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.experiments import NewCameraExperiment, PaperExperiment, read_splits
from tfp_noiseflow.experiments.new_camera import table


def write(path, count=20, scenes=4):
    clean = np.random.default_rng(0).uniform(0.1, 0.5, (count, 4, 4, 4)).astype(np.float32)
    scene = [f"scene {number % scenes}" for number in range(count)]
    nf.write_captures(path, clean, clean, iso=100, camera="A", scene=scene)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "captures").mkdir()
    for name in ("train", "test"):
        write(tmp_path / "captures" / f"{name}.h5")
    return tmp_path / "captures"


def test_a_file_is_split_by_scene_into_three(folder):
    splits = read_splits(folder / "test.h5")
    scenes = [set(part.scene) for part in (splits.train, splits.validation, splits.test)]
    assert all(scenes) and sum(map(len, scenes)) == len(set.union(*scenes)) == 4
    assert splits.how == "Training, validation and test captures were split by scene."


def test_a_folder_keeps_the_splits_that_it_has(folder):
    splits = read_splits(folder)
    assert len(splits.test) == 20
    assert not set(splits.train.scene) & set(splits.validation.scene)
    assert splits.how == "Validation captures were split off the training captures by scene."
    write(folder / "validation.h5", count=3)
    splits = read_splits(folder)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [20, 3, 20]
    assert "three files" in splits.how


@pytest.mark.parametrize("is_folder", [True, False])
def test_the_test_captures_validate_as_in_the_paper(folder, is_folder):
    path = folder if is_folder else folder / "train.h5"
    splits = read_splits(path, validates_on_test=True)
    assert splits.validation is splits.test
    assert len(splits.train) == 20 if is_folder else len(splits.train) + len(splits.test) == 20
    write(folder / "validation.h5")
    with pytest.raises(ValueError, match=r"validation\.h5: expected none"):
        read_splits(folder, validates_on_test=True)


@pytest.mark.parametrize("name", ["S-G", "gaussian", "true_nlf", "noise_flow"])
def test_models_to_compare_with_a_name_of_the_experiment_are_refused(folder, tmp_path, name):
    with pytest.raises(ValueError, match=rf"each of another NAME.*received \['{name}'\]"):
        PaperExperiment(
            read_splits(folder),
            tmp_path / "out",
            nf.Schedule(),
            architectures=["S-G"],
            compared={name: nf.GaussianNoise()},
        )
    assert not (tmp_path / "out").exists(), "before any training"


def test_a_new_camera_of_one_test_capture_has_no_standard_error():
    row = {
        "camera": "A",
        "patches": 64,
        "nll": -3.0,
        "from_the_start": {"nll": 0.25, "paired_standard_error": None},
        "recalibrated_nlf": {"nll": -0.5, "paired_standard_error": 0.125},
    }
    assert "| A | 64 | -3.0000 | +0.25000 | -0.50000 ± 0.12500 |\n" in table([row])


def test_layers_of_a_model_directory_that_are_not_those_named_are_refused(folder, tmp_path):
    captures = nf.read_captures(folder / "train.h5")
    flow = nf.NoiseFlow("S-G-CAM", cameras=("A",), iso_levels=(100,))
    nf.save_model(flow, tmp_path / "model", {})
    arguments = {"model_dir": tmp_path / "model", "architecture": "S-Ax1-G-CAM"}
    with pytest.raises(
        ValueError, match=r"expected the --architecture of .*received 'S-Ax1-G-CAM'"
    ):
        NewCameraExperiment(captures, captures, captures, tmp_path / "out", **arguments)
