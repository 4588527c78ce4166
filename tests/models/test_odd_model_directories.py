"""Model directories of unknown origin: errors name the file, and nothing elsewhere is read."""

import json
import shutil

import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS
from tfp_noiseflow.models.model_directory import load_baselines, read_history, write_baselines


@pytest.fixture
def folder(tmp_path):
    nf.save_model(nf.NoiseFlow("S-G", CAMERAS, ISO_LEVELS), tmp_path / "m", {"iso_range": [1, 2]})
    write_baselines(tmp_path / "m", {"gaussian": nf.GaussianNoise(0.1)})
    return tmp_path / "m"


@pytest.mark.parametrize(
    "changed",
    [
        {"architecture": 5},
        {"architecture": ["S", "G"]},
        {"iso_levels": ["x"]},
        {"cameras": 7},
        {"channels": None},
        {"dtype": False},
        {"model": 5000},
        {"of_no_meaning": 1},
        {"training_data": {"iso_range": "ab"}},
        {"training_data": 3},
        {"checkpoints": "../elsewhere"},
    ],
    ids=str,
)
def test_an_odd_config_is_named(folder, changed):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ValueError, match=f"^{path}: expected"):
        nf.load_model(folder)


@pytest.mark.parametrize("content", [b"\xee{", b"[" * 100_000, b"{'a'}"], ids=len)
@pytest.mark.parametrize("name", ["config.json", "baselines.json"])
def test_what_is_no_json_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    read = nf.load_model if name == "config.json" else load_baselines
    with pytest.raises(ValueError, match=f"^{folder / name}: expected JSON"):
        read(folder)


@pytest.mark.parametrize("content", [[1, 2], {"gaussian": 3}, {"gaussian": {"model": "None"}}])
def test_odd_baselines_are_named(folder, content):
    (folder / "baselines.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"^{folder / 'baselines.json'}: expected"):
        load_baselines(folder)


@pytest.mark.parametrize("content", [b"epoch,loss\n1,x\n", b"epoch\xff\n1\n"])
def test_an_odd_history_is_named(folder, content):
    (folder / "history.csv").write_bytes(content)
    with pytest.raises(ValueError, match=f"^{folder / 'history.csv'}: expected numbers by column"):
        read_history(folder)


def test_a_checkpoint_elsewhere_is_not_read(folder, tmp_path):
    shutil.copytree(folder / "checkpoints" / "best", tmp_path / "elsewhere")
    (name,) = {path.stem for path in (tmp_path / "elsewhere").glob("*.index")}
    (folder / "checkpoints" / "best" / "checkpoint").write_text(
        f'model_checkpoint_path: "{tmp_path / "elsewhere" / name}"\n'
    )
    with pytest.raises(ValueError, match="expected a checkpoint in this folder"):
        nf.load_model(folder)
