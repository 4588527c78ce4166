"""NLL of models against what they cost."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.reporting.plots.canvas import new_figure, save_figure
from tfp_noiseflow.reporting.plots.looks import styles

PANELS = {
    "milliseconds_a_sampled_patch": "ms a sampled patch",
    "milliseconds_a_training_step": "ms a training step",
}


def plot_likelihood_and_cost(content: dict, path: str) -> bool:
    """NLL, or its distance from the truth, against the cost of a sample and of a training step.

    A line joins the models on the front of samples: none is both likelier and faster.

    Args:
      content: of comparison.json.
      path: of the PNG.
    """
    rows = content["models"]
    has_truth = content["truth"] is not None and all(row["nll_above_truth"] > 0 for row in rows)
    heights = np.array([row["nll_above_truth" if has_truth else "nll"] for row in rows])
    looks = styles([row["name"] for row in rows])
    figure, panels = new_figure(10.5, 4.6, columns=2)
    for axes, (cost, title) in zip(panels, PANELS.items(), strict=True):
        for row, height in zip(rows, heights, strict=True):
            look = looks[row["name"]]
            axes.plot(
                row[cost], height, marker="o", ms=8, ls="", color=look["color"],
                mfc=look["color"] if row["is_on_front"] else "none", label=look["label"],
            )  # fmt: skip
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
        if has_truth:
            axes.set_yscale("log")
            _plain_ticks(axes.yaxis)
        axes.set_xlabel(title)
        axes.grid(alpha=0.25)
    front = sorted(
        (row["milliseconds_a_sampled_patch"], height)
        for row, height in zip(rows, heights, strict=True)
        if row["is_on_front"]
    )
    panels[0].plot(*zip(*front, strict=True), color="0.6", lw=1, zorder=0)
    panels[0].set_ylabel(
        "NLL above the truth, nats per dimension" if has_truth else "NLL, nats per dimension"
    )
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside right center",
        frameon=False,
        title="filled: none is both\nlikelier and faster",
    )
    return save_figure(figure, path)


def _plain_ticks(axis) -> None:
    """1, 2 and 5 of each power of ten; a logarithmic axis writes powers over each other."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
