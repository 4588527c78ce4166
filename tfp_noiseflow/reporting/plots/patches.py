"""Patches of noise beside each other: the paper's figure 5."""

from __future__ import annotations

import textwrap

import numpy as np

from tfp_noiseflow.evaluation.measurement import Examples
from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.reporting.baselines import named_beside
from tfp_noiseflow.reporting.plots.canvas import new_figure, save_figure
from tfp_noiseflow.reporting.plots.looks import label

# Of the models that were named beside the evaluated one: more columns would be too narrow.
MOST_BESIDE = 3


def plot_patches(examples: Examples, path: str, *, model_name: str | None = None) -> bool:
    """Real noise patches beside sampled ones (figure 5), one row a camera and ISO."""
    beside = named_beside(examples.noise)[:MOST_BESIDE]
    order = ("real", MODEL, *beside, "recalibrated_nlf", "camera_nlf", "gaussian")
    names = [name for name in order if name in examples.noise]
    rows, columns = len(examples.conditions), len(names) + 1
    figure, grid = new_figure(1.75 * columns + 0.9, 1.85 * rows + 0.5, rows=rows, columns=columns)
    grid = np.reshape(grid, [rows, columns])
    # The second channel of a packed image is a green one, the most exposed.
    channel = 1 if examples.clean.shape[-1] == 4 else 0
    for row, (camera, iso) in enumerate(examples.conditions):
        clean = examples.clean[row, ..., channel]
        limit = 3 * float(examples.noise["real"][row, ..., channel].std())
        grid[row, 0].imshow(
            np.sqrt(np.clip(clean, 0, 1)), cmap="gray", vmin=0,
            vmax=np.sqrt(max(float(clean.max()), 1e-3)), interpolation="nearest",
        )  # fmt: skip
        for column, name in enumerate(names, start=1):
            image = grid[row, column].imshow(
                examples.noise[name][row, ..., channel], cmap="gray", vmin=-limit, vmax=limit,
                interpolation="nearest",
            )  # fmt: skip
        bar = figure.colorbar(image, ax=grid[row].tolist(), fraction=0.02, pad=0.01, aspect=12)
        bar.set_ticks([-limit, 0, limit], labels=[f"-{limit:.2g}", "0", f"{limit:.2g}"])
        bar.ax.tick_params(labelsize=8)
        grid[row, 0].set_ylabel(f"{camera}\nISO {iso:g}", fontsize=9)
    for column, name in enumerate(["clean", *names]):
        title = name if name == "clean" else label(name, model_name)
        grid[0, column].set_title("\n".join(textwrap.wrap(title, 20)), fontsize=10)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
    return save_figure(figure, path)
