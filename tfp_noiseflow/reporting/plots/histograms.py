"""Densities of the values of noise."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.reporting.plots.canvas import new_figure, save_figure
from tfp_noiseflow.reporting.plots.looks import styles


def plot_histograms(
    conditions: list[tuple[str, float]],
    edges: np.ndarray,
    counts: dict[str, np.ndarray],
    path: str,
    *,
    model_name: str | None = None,
) -> bool:
    """Densities of real and modelled noise, log-y, a row a camera and up to 3 ISOs."""
    grid, panels = _condition_grid(conditions, most_columns=3)
    rows, columns = len(grid), max(len(row) for row in grid)
    # The legend above needs some width, however few the panels.
    width, height = max(7.5, 3.7 * columns), (2.3 if columns > 1 else 3.2) * rows + 1.0
    figure, axes_grid = new_figure(width, height, rows=rows, columns=columns)
    axes_grid = np.reshape(axes_grid, [rows, columns])
    for axes in axes_grid.ravel():
        axes.set_visible(False)
    names = [n for n in counts if n != "real" and n != "true_nlf"]
    looks = styles(names, model_name)
    for row, column, g in panels:
        axes = axes_grid[row, column]
        axes.set_visible(True)
        camera, iso = conditions[g]
        width = edges[g][1] - edges[g][0]
        centers = (edges[g][1:] + edges[g][:-1]) / 2
        real = counts["real"][g]
        density = real[1:-1] / real.sum() / width
        axes.fill_between(centers, density, 0, step="mid", color="0.8", label="captured noise")
        for name in names:
            model = counts[name][g]
            axes.plot(
                centers, _or_gap(model[1:-1] / model.sum() / width), lw=1.3, **looks[name],
            )  # fmt: skip
        peak = density.max()
        axes.set_yscale("log")
        # Some forty a panel, which take two thirds of the time of drawing.
        axes.minorticks_off()
        axes.set_ylim(peak * 1e-5, peak * 4)
        axes.set_xlim(edges[g][0], edges[g][-1])
        axes.set_title(f"{camera}, ISO {iso:g}", fontsize=9.5)
        axes.tick_params(labelsize=8)
        axes.locator_params(axis="x", nbins=5)
    figure.supxlabel("noise, fraction of full scale", fontsize=10)
    figure.supylabel("density", fontsize=10)
    first = axes_grid[panels[0][0], panels[0][1]]
    figure.legend(
        *first.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=5 if columns > 1 else 3,
        frameon=False,
    )
    return save_figure(figure, path)


def _condition_grid(conditions, most_columns: int):
    """A row a camera with its lowest, middle and highest ISO; [(row, column, g)] beside it.

    A single camera's panels fill rows of `most_columns` instead.
    """
    by_camera: dict[str, list[int]] = {}
    for g, (camera, _) in enumerate(conditions):
        by_camera.setdefault(camera, []).append(g)
    grid = []
    for members in by_camera.values():
        members = sorted(members, key=lambda g: conditions[g][1])
        picks = np.unique(
            np.round(np.linspace(0, len(members) - 1, min(most_columns, len(members)))).astype(int)
        )
        grid.append([members[pick] for pick in picks])
    if all(len(row) == 1 for row in grid):
        flat = [row[0] for row in grid]
        grid = [flat[i : i + most_columns] for i in range(0, len(flat), most_columns)]
    panels = [(r, c, g) for r, row in enumerate(grid) for c, g in enumerate(row)]
    return grid, panels


def _or_gap(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
