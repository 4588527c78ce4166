"""An empty figure, its legend and colours, and how it becomes a file."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.atomic_write import written_beside

DPI = 120


def new_figure(width, height, *, rows=1, columns=1, share=False):
    """A figure of so many inches and its axes; `share`: all of them have the same limits."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it would hold every figure, and pick a backend for the whole process.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=share, sharey=share)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_figure(figure, path: str) -> bool:
    """Writes a PNG; True, as there was something to draw."""
    with written_beside(path) as partial:
        figure.savefig(partial, format="png", dpi=DPI)
    return True


def legend_beside(axes) -> None:
    """A legend to the right, where there is more than one line to tell apart."""
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        many = len(handles) > 12
        axes.legend(
            handles,
            labels,
            fontsize=6 if many else 9,
            ncols=1 + many,
            frameon=False,
            loc="center left",
            bbox_to_anchor=(1, 0.5),
        )


def iso_colors(levels) -> dict[float, tuple]:
    """A colour for each ISO, from dark to light."""
    from matplotlib import colormaps

    levels = sorted(set(levels))
    # The last fifth of the map is a yellow too light for lines on white.
    shades = np.linspace(0.0, 0.82, len(levels)) if len(levels) > 1 else [0.3]
    return {level: colormaps["viridis"](shade) for level, shade in zip(levels, shades, strict=True)}
