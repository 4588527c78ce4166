"""The pictures of a report: what they show, and how models look in them."""

import os

import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.reporting import plots
from tfp_noiseflow.reporting.plots import learning_curves, looks

CAMERAS = ("Phone 1", "Phone 2")
ISO_LEVELS = (100.0, 800.0)


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
        (*looks.STYLES, "mine"),
        # Anagrams have the same sum of bytes.
        ("noise_flow", "abc", "acb", "bca", "S-G", "S-G-CAM"),
    ],
)
def test_models_of_one_picture_have_colors_of_their_own(names):
    found = looks.styles(names)
    assert len({look["color"] for look in found.values()}) == len(names)
    assert found == looks.styles(names), "the same every time"


def test_many_models_differ_in_color_or_line():
    found = looks.styles([*looks.STYLES, *(f"model {number}" for number in range(12))])
    assert len({(look["color"], str(look["linestyle"])) for look in found.values()}) == len(found)


def test_the_papers_flows_look_the_same_in_every_picture():
    together = looks.styles(("noise_flow", *PAPERS_FLOWS))
    assert all(looks.styles([name])[name] == together[name] for name in PAPERS_FLOWS)


def test_levels_of_baselines_are_drawn_in_both_panels(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        learning_curves, "save_figure", lambda figure, path: drawn.append(figure) or True
    )
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
