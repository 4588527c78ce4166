"""The documented commands from a SIDD tree to a report, and a camera added to the model."""

import json
import re

import h5py
import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.scripts import run
from tests.sidd import sidd_form
from tfp_noiseflow.denoising.experiment import check_scenes
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.sidd.layout import SPLITS

TRAIN, TEST = SPLITS["train"][:20], SPLITS["test"][:5]


def done(script, **flags):
    finished = run(script, **flags)
    assert finished.returncode == 0, f"{script}:\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree of 25 instances of all cameras and ISOs, imported."""
    folder = tmp_path_factory.mktemp("sidd")
    data = folder / "SIDD_Medium_Raw" / "Data"
    written = {
        "train": sidd_form.write_tree(data, TRAIN),
        "test": sidd_form.write_tree(data, TEST),
    }
    (data / sidd_form.folder_name(45, "S8", 100)).mkdir()
    imported = {"sidd_root": data.parent, "output_dir": folder / "captures", "patch_size": 16}
    # More processes start for seconds; tests/sidd has two.
    imported["processes"] = 1
    refused = run("import_sidd", **imported)
    assert refused.returncode != 0 and "received 'S8'" in refused.stderr
    text = done("import_sidd", **imported, on_bad_file="skip")
    (folder / "import.txt").write_text(text)
    return folder, written


@pytest.fixture(scope="module")
def folder(tree):
    return tree[0]


@pytest.fixture(scope="module")
def written(tree):
    """What is in the tree: Written by image name of each split."""
    return tree[1]


def test_import_tells_what_it_found(folder):
    text = (folder / "import.txt").read_text()
    assert "train: 40 images, 240 patches, 0.001 GB" in text
    assert "train.h5: 240 captures of 40 images; beta2 set to its floor in 8" in text
    # The tree's pixels are no codes, which the pixels alone tell.
    assert re.search(r"^  IP: 48 captures without codes$", text, re.MULTILINE), text
    assert "Without codes: of 0 images the metadata do not tell white minus black" in text
    assert "left out: " in text and "received 'S8'" in text
    assert "Once they can be read, the same command writes the file again with them." in text


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_capture_is_the_pixels_that_were_written(folder, written, split):
    with h5py.File(folder / "captures" / f"{split}.h5") as file:
        stored = {name: file[name][()] for name in file}
        assert stored["noisy"].dtype == stored["clean"].dtype == np.uint16
        (white,) = set(stored["white_level"])
    images = written[split].values()
    # Two images of each instance in the order of the split, 2 x 3 tiles of each image.
    assert len(stored["iso"]) == 6 * len(images) == 12 * len({"train": TRAIN, "test": TEST}[split])
    assert {image.cfa for image in images} == set(sidd_form.POSITIONS)
    for number, image in enumerate(images):
        for tile in range(6):
            capture = 6 * number + tile
            assert stored["camera"][capture].decode() == image.camera
            assert stored["iso"][capture] == image.iso
            assert stored["cfa"][capture].decode() == image.cfa
            # Down the image first, as the array is stored.
            where = (image.cfa, tile // 2, tile % 2, 16)
            for name, mosaic in (("noisy", image.noisy), ("clean", image.clean)):
                np.testing.assert_allclose(
                    stored[name][capture] / white,
                    sidd_form.expected_patch(mosaic, *where),
                    rtol=0,
                    atol=0.51 / white,  # Half a code, and float32's rounding.
                )


def test_the_noise_level_functions_of_the_files_describe_the_noise(folder):
    train, test = (nf.read_captures(folder / "captures" / f"{s}.h5") for s in ("train", "test"))
    assert train.cameras == ("G4", "GP", "IP", "N6", "S6")
    assert train.iso_levels == (100, 400, 800, 1600, 3200)
    models = nf.CameraNLF.from_reported(test), nf.GaussianNoise.fit(train)
    nll, nll_of_gaussian = (negative_log_likelihood(model, test).mean() for model in models)
    # The noise in the tree is what its files report, clipped at black and white.
    assert nll < nll_of_gaussian - 0.3


@pytest.fixture(scope="module")
def model_folder(folder):
    """With a model that is trained on the import, and its report."""
    captures = folder / "captures"
    done(
        "noise_flow",
        train_captures=captures / "train.h5",
        validation_captures=captures / "test.h5",
        architecture="S-G-CAM",
        epochs=2,
        model_dir=folder / "model",
        verbose=2,
    )
    done(
        "evaluate",
        model_dir=folder / "model",
        captures=captures / "test.h5",
        output_dir=folder / "report",
    )
    return folder


@pytest.mark.slow  # A training; tests/train/test_commands.py has one on other captures.
def test_model_knows_the_cameras_and_isos_of_the_tree(model_folder):
    model = nf.load_model(model_folder / "model")
    assert model.cameras == ("G4", "GP", "IP", "N6", "S6")
    assert model.iso_levels == (100, 400, 800, 1600, 3200)


@pytest.mark.slow  # The same training.
def test_report_compares_with_the_noise_level_functions_of_the_files(model_folder):
    report = json.loads((model_folder / "report" / "report.json").read_text())
    for name in ("noise_flow", "gaussian", "camera_nlf"):
        assert np.isfinite(report["models"][name]["nll"]), name
    # As above.
    assert report["models"]["camera_nlf"]["nll"] < report["models"]["gaussian"]["nll"] - 0.3


@pytest.mark.slow  # A training and all of the tables and pictures.
@pytest.mark.parametrize("validate_on_test", [False, True])
def test_paper_experiment_runs_on_an_import(folder, tmp_path, validate_on_test):
    # Validation captures are split off by scene, or are those of the test as in the paper.
    captures = nf.read_captures(folder / "captures" / "train.h5")
    assert sorted(set(captures.scene)) == ["001", "002", "003"]
    done(
        "paper_experiment",
        captures=folder / "captures",
        output_dir=tmp_path,
        architectures="S-G",
        seeds=0,
        epochs=1,
        validate_on_test=validate_on_test,
    )
    config = json.loads((tmp_path / "S-G-0" / "config.json").read_text())["training_data"]
    text = (tmp_path / "tables.md").read_text()
    assert ("split off the training captures by scene." in text) != validate_on_test
    assert ("The test captures validate." in text) == validate_on_test
    assert (config["captures"] == len(captures)) == validate_on_test
    table = (tmp_path / "tables.md").read_text()
    assert re.search(r"^\| *S-G *\|", table, re.MULTILINE), table
    assert sorted(path.name for path in tmp_path.glob("report-*")) == ["report-0"]


def test_paper_split_shares_scenes_which_a_denoiser_is_refused_for(folder):
    captures = [nf.read_captures(folder / "captures" / f"{name}.h5") for name in ("train", "test")]
    with pytest.raises(ValueError, match=r"received \['003'\].*--train_instances and --test_inst"):
        check_scenes(*captures)


@pytest.mark.slow  # A training.
def test_a_camera_is_added_by_its_command(model_folder, tmp_path):
    folder = model_folder
    captures = nf.read_captures(folder / "captures" / "train.h5").select(np.arange(24))
    (block,) = captures.blocks()
    new = tmp_path / "new.h5"
    nf.write_captures(new, block.clean + block.noise, block.clean, block.iso, "X1")
    done(
        "finetune_camera",
        model_dir=folder / "model",
        captures=new,
        camera="X1",
        output_model_dir=tmp_path / "model",
        epochs=2,
        verbose=0,
    )
    assert nf.load_model(tmp_path / "model").cameras == ("G4", "GP", "IP", "N6", "S6", "X1")
    refused = run(
        "finetune_camera",
        model_dir=folder / "model",
        captures=new,
        camera="GP",
        output_model_dir=tmp_path / "other",
    )
    assert refused.returncode != 0 and "received 'GP'" in refused.stderr
