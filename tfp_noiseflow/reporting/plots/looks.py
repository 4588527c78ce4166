"""How a model looks in every picture: its label, its colour, its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfp_noiseflow.evaluation.report_content import MODEL

# Okabe and Ito's colours, told apart with any colour vision; lines differ in style too.
STYLES: dict[str, dict[str, Any]] = {
    "real": {"label": "captured noise", "color": "black", "linestyle": "-"},
    "floor": {"label": "second captured draw", "color": "#555555", "linestyle": ":"},
    "noise_flow": {"label": "Noise Flow", "color": "#0072B2", "linestyle": "-"},
    "gaussian": {"label": "Gaussian", "color": "#E69F00", "linestyle": "--"},
    "camera_nlf": {"label": "camera NLF", "color": "#D55E00", "linestyle": "-."},
    "recalibrated_nlf": {"label": "recalibrated NLF", "color": "#009E73", "linestyle": ":"},
    "true_nlf": {"label": "true NLF", "color": "#CC79A7", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
}
# The flows of the paper and of this library that a report sets beside its own.
STYLES |= {
    name: {"label": name, "color": color, "linestyle": "--"}
    for name, color in (
        ("L-R-P", "#B2182B"),
        ("L-R-T", "#762A83"),
        ("S-G", "#56B4E9"),
        ("S-G-CAM", "#8C6BB1"),
        ("S-Ax1-G-Ax1-CAM", "#7F7F7F"),
        ("S-Ax4-G-Ax4-CAM", "#8C564B"),
    )
}
OTHER_COLORS = ("#56B4E9", "#8C6BB1", "#7F7F7F", "#8C564B", "#B8A000")
OTHER_LINES = ("--", "-.", ":", "-")


def styles(names: Iterable[str], model_name: str | None = None) -> dict[str, dict]:
    """Labels, colours and line styles of the models of one picture, by name.

    No two look alike, while there are looks. A model that is not in the table gets a colour by its
    name, where no other of the picture has it: the next one that is free.

    Args:
      names: as in `report.json`.
      model_name: what the evaluated model is called.
    """
    names = list(names)
    looks = {name: STYLES[name] for name in names if name in STYLES}
    taken = {look["color"] for look in looks.values()}
    for name in names:
        if name in looks:
            continue
        first = sum(name.encode())
        choices = [
            (OTHER_COLORS[(first + turn) % len(OTHER_COLORS)], line)
            for line in OTHER_LINES
            for turn in range(len(OTHER_COLORS))
        ]
        used = {(look["color"], look["linestyle"]) for look in looks.values()}
        free = [choice for choice in choices if choice not in used] or choices
        color, line = next((choice for choice in free if choice[0] not in taken), free[0])
        taken.add(color)
        looks[name] = {"label": name.replace("_", " "), "color": color, "linestyle": line}
    if MODEL in looks and model_name is not None:
        looks[MODEL] = {**looks[MODEL], "label": model_name}
    return looks


def label(name: str, model_name: str | None = None) -> str:
    """What people read for a model's name."""
    return styles([name], model_name)[name]["label"]


def evaluated_name(report: dict) -> str | None:
    """What the evaluated model of a report is called; None in reports that do not say it."""
    return report["models"][MODEL].get("name")
