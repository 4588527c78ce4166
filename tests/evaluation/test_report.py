"""The files of a report, and the command that writes it."""

import json
import os

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.scripts import run, run_python
from tfp_noiseflow.evaluation import measure, plots, write_report
from tfp_noiseflow.models.model_directory import write_baselines

CAMERAS = ("Phone 1", "Phone 2")
ISO_LEVELS = (100.0, 800.0)
PICTURES = {"patches.png", "histograms.png", "photon_transfer.png"}
PICTURES_OF_TRAINING = {"training.png", "beta.png", "gain.png"}


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    rng = np.random.default_rng(0)
    clean = rng.uniform(0, 0.5, [16, 16, 16, 4])
    path = tmp_path_factory.mktemp("captures") / "small.h5"
    nf.write_captures(
        path,
        noisy=clean + rng.normal(0, 0.02, clean.shape),
        clean=clean,
        iso=np.tile(ISO_LEVELS, 8),
        camera=np.repeat(CAMERAS, 8),
        description="Made up\nfor a test.",
    )
    return nf.read_captures(path)


@pytest.fixture(scope="module")
def measurement(captures):
    return measure(nf.GaussianNoise(0.02), captures, baselines={"gaussian": nf.GaussianNoise(0.1)})


def write_history(model_dir):
    names = [
        "epoch,step,loss,val_loss,learning_rate,beta1,beta2,gamma(ISO 100),gamma(ISO 800)",
        "psi(Phone 1),psi(Phone 2)",
    ]
    rows = [f"{e},{10 * e},{1 / (e + 1) - 3},,0.01,0.01,1,0.5,4,1,{1 + e / 9}" for e in range(5)]
    (model_dir / "history.csv").write_text("\n".join([",".join(names), *rows]) + "\n")


def test_report_without_a_training_log_shows_no_training(measurement, tmp_path):
    (tmp_path / "new" / "report").mkdir(parents=True)
    (tmp_path / "new" / "report" / "gain.png").write_text("of an earlier report")
    paths = write_report(measurement, tmp_path / "new" / "report")
    assert {os.path.basename(path) for path in paths} == {"report.json", "report.md"} | PICTURES
    assert sorted(os.listdir(tmp_path / "new" / "report")) == sorted(map(os.path.basename, paths))
    for path in paths:
        if path.endswith(".png"):
            with open(path, "rb") as file:
                assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    with open(tmp_path / "new" / "report" / "report.json", encoding="utf-8") as file:
        assert json.load(file) == measurement.report


@pytest.mark.parametrize("fails", ["plot_photon_transfer", "plot_gain"])
def test_report_that_fails_leaves_the_one_before(measurement, tmp_path, monkeypatch, fails):
    write_history(tmp_path)
    folder = tmp_path / "report"
    write_report(measurement, folder, model_dir=tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def failing(*_):
        raise MemoryError

    monkeypatch.setattr(plots, fails, failing)
    # Of other data, so that its pictures are others.
    (tmp_path / "history.csv").unlink()
    with pytest.raises(MemoryError):
        write_report(measurement, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_markdown_says_what_was_measured_and_shows_every_picture(measurement, tmp_path):
    write_history(tmp_path)
    paths = write_report(measurement, tmp_path / "report", model_dir=tmp_path)
    names = {os.path.basename(path) for path in paths}
    assert names == {"report.json", "report.md"} | PICTURES | PICTURES_OF_TRAINING
    text = (tmp_path / "report" / "report.md").read_text()
    for name in names - {"report.json", "report.md"}:
        assert f"]({name})" in text
    for part in ("small.h5", "16 patches", "Phone 1, Phone 2", "100, 800", "Made up for a test."):
        assert part in text
    assert "captures hold no nlf data set" in text
    assert f"{measurement.report['models']['gaussian']['nll']:.4f}" in text
    assert str(tmp_path) not in text, "a report names no folder of the machine"


def test_logs_of_models_without_the_layers_have_no_pictures_of_them(tmp_path):
    history = plots.history_columns([{"epoch": 0.0, "step": 9.0, "loss": -1.0}])
    assert plots.plot_training(history, str(tmp_path / "training.png"))
    assert not plots.plot_beta(history, str(tmp_path / "beta.png"))
    assert not plots.plot_gain(history, str(tmp_path / "gain.png"))
    assert os.listdir(tmp_path) == ["training.png"]


PAPERS_FLOWS = ("S-G", "S-G-CAM", "S-Ax1-G-Ax1-CAM", "S-Ax4-G-Ax4-CAM")


@pytest.mark.parametrize(
    "names",
    [
        (*plots.STYLES, "mine"),
        # Anagrams have the same sum of bytes.
        ("noise_flow", "abc", "acb", "bca", "S-G", "S-G-CAM"),
    ],
)
def test_models_of_one_picture_have_colors_of_their_own(names):
    looks = plots.styles(names)
    assert len({look["color"] for look in looks.values()}) == len(names)
    assert looks == plots.styles(names), "the same every time"


def test_many_models_differ_in_color_or_line():
    looks = plots.styles([*plots.STYLES, *(f"model {number}" for number in range(12))])
    assert len({(look["color"], str(look["linestyle"])) for look in looks.values()}) == len(looks)


def test_the_papers_flows_look_the_same_in_every_picture():
    together = plots.styles(("noise_flow", *PAPERS_FLOWS))
    assert all(plots.style(name) == together[name] for name in PAPERS_FLOWS)


def test_levels_of_baselines_are_drawn_in_both_panels(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: drawn.append(figure) or True)
    rows = [{"step": k, "loss": -k, "val_loss": -k, "val_kl": 1 / k} for k in (1.0, 2)]
    levels = {"val_loss": {"gaussian": -0.5, "camera_nlf": -1.5}, "val_kl": {"gaussian": 3.0}}
    histories = {"a": plots.history_columns(rows)}
    assert plots.plot_trainings(histories, str(tmp_path / "figure.png"), levels=levels)
    texts = [{text.get_text() for text in axes.texts} for axes in drawn[0].axes]
    assert texts == [{"Gaussian", "camera NLF"}, {"Gaussian"}]
    for axes, (column, names) in zip(drawn[0].axes, levels.items(), strict=True):
        heights = {line.get_ydata()[0] for line in axes.lines if line.get_zorder() == 0}
        assert heights == set(names.values()), column
        bottom, top = axes.get_ylim()
        assert all(bottom < level < top for level in names.values()), column


def test_trainings_of_several_models_are_drawn_in_one_picture(tmp_path):
    rows = [{"epoch": k, "step": k, "loss": -k, "val_loss": -k, "val_kl": 1 / k} for k in (1.0, 2)]
    without_kl = [{key: value for key, value in row.items() if key != "val_kl"} for row in rows]
    histories = {
        "a": plots.history_columns(rows),
        "b": plots.history_columns(without_kl),
        "empty": plots.history_columns([]),
    }
    assert plots.plot_trainings(histories, str(tmp_path / "figure.png"))
    assert not plots.plot_trainings({"empty": {}}, str(tmp_path / "none.png"))
    assert os.listdir(tmp_path) == ["figure.png"]


@pytest.mark.parametrize("architecture", ["S-G", "S-G-CAM", "N-Ax1-C", "Ax1"])
def test_logs_of_every_kind_of_flow_can_be_drawn(tmp_path, architecture):
    physical = nf.NoiseFlow(architecture, CAMERAS, ISO_LEVELS).physical_parameters()
    rows = [
        {"epoch": k, "step": 9.0 * k, "loss": -1.0 * k}
        | {name: float(value) for name, value in physical.items()}
        for k in (1.0, 2.0)
    ]
    history = plots.history_columns(rows)
    is_drawn = plots.plot_gain(history, str(tmp_path / "gain.png"))
    assert is_drawn == (architecture != "Ax1") == os.path.exists(tmp_path / "gain.png")
    plots.plot_beta(history, str(tmp_path / "beta.png"))


def test_the_library_needs_no_matplotlib_to_be_imported():
    # Keras imports matplotlib where it is installed, so that it is made missing here.
    code = "import sys; sys.modules['matplotlib'] = None; import tfp_noiseflow.evaluation"
    done = run_python("-c", code, in_child=False)
    assert done.returncode == 0, done.stderr


def test_the_command_writes_the_report_and_prints_the_table(captures, tmp_path):
    model = nf.CameraNLF(CAMERAS, ISO_LEVELS, np.full([2, 2], 1e-3), np.full([2, 2], 1e-4))
    nf.save_model(model, tmp_path / "model", {})
    write_baselines(tmp_path / "model", {"gaussian": nf.GaussianNoise(0.02)})
    done = run(
        "evaluate",
        model_dir=tmp_path / "model",
        captures=captures.path,
        output_dir=tmp_path / "report",
        seed=5,
        batch_size=7,
    )
    assert done.returncode == 0, done.stderr
    assert "| Gaussian" in done.stdout
    assert "report.md" in done.stdout
    with open(tmp_path / "report" / "report.json", encoding="utf-8") as file:
        report = json.load(file)
    assert report["seed"] == 5
    assert report["models"]["noise_flow"]["parameters"] == 8
    assert report["models"]["gaussian"]["nll"] is not None
