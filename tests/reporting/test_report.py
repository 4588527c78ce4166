"""The files of a report, and the command that writes it."""

import json
import os
import shutil

import numpy as np
import pytest
from matplotlib.text import Text

import tfp_noiseflow as nf
from tests.scripts import run, run_python
from tfp_noiseflow.evaluation import measure
from tfp_noiseflow.models.model_directory import write_baselines
from tfp_noiseflow.reporting import plots, write_report
from tfp_noiseflow.reporting.markdown import markdown
from tfp_noiseflow.reporting.plots import dark_patches, histograms, patches, photon_transfer

CAMERAS = ("Phone 1", "Phone 2")
ISO_LEVELS = (100.0, 800.0)
TEXTS = {"report.json", "report.md", "report.html"}
PICTURES = {"patches.png", "histograms.png", "photon_transfer.png", "pictures.png"}
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


@pytest.fixture(scope="module")
def without_training(measurement, tmp_path_factory):
    """A report without a training log, over one of an earlier time, and the paths it told."""
    folder = tmp_path_factory.mktemp("new") / "report"
    folder.mkdir()
    (folder / "gain.png").write_text("of an earlier report")
    return folder, write_report(measurement, folder)


def test_report_without_a_training_log_shows_no_training(measurement, without_training):
    folder, paths = without_training
    assert {os.path.basename(path) for path in paths} == TEXTS | PICTURES
    assert sorted(os.listdir(folder)) == sorted(map(os.path.basename, paths))
    for path in paths:
        if path.endswith(".png"):
            with open(path, "rb") as file:
                assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    with open(folder / "report.json", encoding="utf-8") as file:
        assert json.load(file) == measurement.report


@pytest.mark.parametrize(
    "fails", ["plot_photon_transfer", pytest.param("plot_gain", marks=pytest.mark.slow)]
)
def test_report_that_fails_leaves_the_one_before(
    measurement, without_training, tmp_path, monkeypatch, fails
):
    folder = shutil.copytree(without_training[0], tmp_path / "report")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def failing(*_, **__):
        raise MemoryError

    monkeypatch.setattr(plots, fails, failing)
    # With a training, so that it has other pictures.
    write_history(tmp_path)
    with pytest.raises(MemoryError):
        write_report(measurement, folder, model_dir=tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_markdown_says_what_was_measured_and_shows_every_picture(measurement, tmp_path):
    write_history(tmp_path)
    paths = write_report(measurement, tmp_path / "report", model_dir=tmp_path)
    names = {os.path.basename(path) for path in paths}
    assert names == TEXTS | PICTURES | PICTURES_OF_TRAINING
    text = (tmp_path / "report" / "report.md").read_text()
    assert text.startswith("# Evaluation of GaussianNoise\n")
    for name in names - TEXTS:
        assert f"]({name})" in text
    for part in ("small.h5", "16 patches", "Phone 1, Phone 2", "100, 800", "Made up for a test."):
        assert part in text
    assert "captures hold no nlf data set" in text
    assert f"{measurement.report['models']['gaussian']['nll']:.4f}" in text
    assert str(tmp_path) not in text, "a report names no folder of the machine"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        pytest.param(nf.GaussianNoise(0.02), "GaussianNoise", marks=pytest.mark.slow),
        (nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS, seed=0), "S-G-CAM"),
    ],
)
def test_the_report_names_the_model_that_was_evaluated(captures, monkeypatch, model, name):
    saved = []
    for picture in (patches, histograms, photon_transfer):
        monkeypatch.setattr(picture, "save_figure", lambda figure, _: saved.append(figure) or True)
    found = measure(model, captures, baselines={"gaussian": nf.GaussianNoise(0.1)})
    assert found.report["models"]["noise_flow"]["name"] == name
    report = found.report
    plots.plot_patches(found.examples, "", model_name=name)
    plots.plot_histograms(found.conditions, found.edges, found.counts, "", model_name=name)
    plots.plot_photon_transfer(report["photon_transfer"], "", model_name=name)
    for figure in saved:
        texts = {text.get_text() for text in figure.findobj(Text)}
        assert name in texts and "Noise Flow" not in texts
    text = markdown(report)
    assert text.startswith(f"# Evaluation of {name}\n")
    assert "Noise Flow" not in text and "noise_flow" not in text
    for table in (f"| {name} ", f"NLL of {name} minus the baseline's", f"captured noise / {name}:"):
        assert table in text
    assert "Gaussian**: one standard deviation" in text, "the baselines are explained"
    assert f"**{name}**: the model that is evaluated: {model.in_words}; " in text


def test_a_report_of_before_models_had_names_can_be_written(measurement):
    older = ("nll", "nll_standard_error", "kl", "kl_paper", "parameters", "reason")
    models = {
        name: {key: entry[key] for key in older if key in entry}
        for name, entry in measurement.report["models"].items()
    }
    report = {**measurement.report, "models": models}
    for name in ("structure", "levels", "dark_patches"):
        del report[name]
    assert "| Noise Flow " in markdown(report)


def codes(path, step):
    rng = np.random.default_rng(3)
    clean = rng.uniform(0.01, 0.5, [20, 8, 8, 4])
    noisy = np.clip(np.round((clean + rng.normal(0, 0.02, clean.shape)) / step), 0, None) * step
    nf.write_captures(
        path, noisy, clean, np.tile(ISO_LEVELS, 10), np.repeat(CAMERAS, 10), quantization_step=step
    )
    return path


# A continuous model alone, one of codes alone, and both with another of either kind.
@pytest.mark.parametrize("case", ["continuous", "stored", "both"])
def test_dark_patches_are_shown_whatever_models_there_are(tmp_path, monkeypatch, case):
    continuous = nf.GaussianNoise(0.02)
    stored = nf.StoredNoise(nf.GaussianNoise(0.02), 1 / 255)
    beside = {"mine": stored, "yours": continuous} if case == "both" else {}
    model = stored if case == "stored" else continuous
    found = measure(model, codes(tmp_path / "codes.h5", 1 / 255), baselines=beside)
    drawn = []
    monkeypatch.setattr(dark_patches, "save_figure", lambda figure, _: drawn.append(figure) or True)
    monkeypatch.setattr(patches, "save_figure", lambda figure, _: drawn.append(figure) or True)
    assert plots.plot_dark_patches(found.report["dark_patches"], "", model_name="ours")
    assert plots.plot_patches(found.examples, "", model_name="ours")
    for figure in drawn:
        texts = {text.get_text() for text in figure.findobj(Text)}
        assert {"captured noise", "ours", *beside} <= texts
    titles = {axes.get_title() for axes in drawn[0].axes}
    assert titles == {f"{camera}, ISO 800" for camera in CAMERAS}
    text = markdown(found.report, ["dark_patches.png"])
    assert "](dark_patches.png)" in text and "has a spike there" in text
    assert ("nll_paper" in text) == (case != "stored")
    if beside:
        assert (
            "- **mine**: a model that was named beside it, StoredNoise: codes that a sensor "
            "stores, clipped at black and white, of white Gaussian noise of one standard "
            "deviation; 1 parameters.\n"
        ).replace("StoredNoise", stored.architecture) in text
        assert "- **yours**: a model that was named beside it, GaussianNoise: white" in text


def test_captures_without_codes_have_no_picture_of_dark_patches(measurement, tmp_path):
    path = tmp_path / "dark_patches.png"
    assert not plots.plot_dark_patches(measurement.report["dark_patches"], str(path))
    assert not path.exists()


def test_tables_of_the_structure_say_where_a_model_is_off(tmp_path):
    rng = np.random.default_rng(4)
    clean = rng.uniform(0, 0.5, [40, 16, 16, 4])
    path = tmp_path / "one.h5"
    nf.write_captures(path, clean + rng.normal(0, 0.02, clean.shape), clean, 100, "Phone 1")
    model, baselines = nf.GaussianNoise(0.02), {"gaussian": nf.GaussianNoise(0.1)}
    text = markdown(measure(model, path, baselines=baselines).report)
    worst, structure = (
        text[text.index(title) :].splitlines()
        for title in ("### Where models", "## Structure by camera and ISO")
    )
    (row,) = (line for line in worst if line.startswith("| Gaussian "))
    cells = [cell.strip() for cell in row.split("|")]
    # Of 0.1 where the captures have 0.02.
    assert float(cells[4].split(" ")[0]) == pytest.approx(5, rel=0.1)
    assert cells[5].startswith("Phone 1, ISO 100, ")
    for title in (
        "### Excess kurtosis at a clean level",
        "### Row variance, as a share of the noise's variance",
        "### Lag-1 correlation, horizontal",
        "### Lag-1 correlation, vertical",
    ):
        row = structure[structure.index(title) + 4]
        assert row.startswith("| Phone 1 | 100 ") and row.count(" ± ") == 3


def test_few_captures_have_structure_without_intervals(measurement):
    text = markdown(measurement.report)
    assert "No clean level of a camera, ISO and channel holds enough values" in text
    structure = text[text.index("## Structure by camera and ISO") :]
    assert structure.count("| Phone ") == 4 * 4, "four tables of four"
    assert " ± " not in structure


@pytest.mark.slow  # A process of its own.
def test_the_library_needs_no_matplotlib_to_be_imported():
    # Keras imports matplotlib where it is installed, so that it is made missing here.
    code = "import sys; sys.modules['matplotlib'] = None; import tfp_noiseflow.reporting"
    done = run_python("-c", code, in_child=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow  # The command runs in tests/train too.
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
