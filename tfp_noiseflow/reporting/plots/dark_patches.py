"""Stored values of dark patches, by code: the spike at black."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.reporting.baselines import named_beside
from tfp_noiseflow.reporting.plots.canvas import new_figure, save_figure
from tfp_noiseflow.reporting.plots.looks import styles

# Below this share nothing is drawn: some ten values of a patch and its models' draws.
LOWEST = 2e-4
MOST_MODELS = 5


def plot_dark_patches(patches: list[dict], path: str, *, model_name: str | None = None) -> bool:
    """Shares of the values at each code, log-y, a panel a camera: captured noise and models.

    Shown are the evaluated model, those that were named beside it, and the recalibrated NLF.

    Args:
      patches: `dark_patches` of the report.
      path: of the PNG.
      model_name: what the evaluated model is called.
    """
    if not patches:
        return False
    sources = patches[0]["shares"]
    names = [MODEL, *named_beside(sources)][:MOST_MODELS]
    names += [name for name in ("recalibrated_nlf",) if name in sources]
    looks = styles(names, model_name)
    columns = min(3, len(patches))
    rows = -(-len(patches) // columns)
    width, height = max(7.5, 3.9 * columns), (2.6 if columns > 1 else 3.4) * rows + 1.0
    figure, grid = new_figure(width, height, rows=rows, columns=columns)
    panels = list(np.ravel(grid))
    for axes in panels[len(patches) :]:
        axes.set_visible(False)
    for axes, patch in zip(panels, patches, strict=False):
        codes = np.array(patch["codes"])
        edges = np.append(codes, codes[-1] + 1) - 0.5
        axes.stairs(
            patch["shares"]["real"], edges, baseline=LOWEST, fill=True, color="0.8",
            label="captured noise",
        )  # fmt: skip
        for name in names:
            shares = np.maximum(patch["shares"][name], LOWEST)
            axes.stairs(shares, edges, baseline=None, lw=1.3, **looks[name])
        axes.set_yscale("log")
        axes.minorticks_off()
        top = max(max(patch["shares"][name]) for name in ("real", *names))
        axes.set_ylim(LOWEST, top * 2)
        is_drawn = np.any([np.array(patch["shares"][n]) > LOWEST for n in ("real", *names)], axis=0)
        axes.set_xlim(codes[is_drawn][0] - 1.5, codes[is_drawn][-1] + 1.5)
        axes.axvline(-0.5, color="0.6", lw=0.8, zorder=0)
        axes.set_title(f"{patch['camera']}, ISO {patch['iso']:g}", fontsize=9.5)
        axes.tick_params(labelsize=8)
    figure.supxlabel("code above black", fontsize=10)
    figure.supylabel("share of the values", fontsize=10)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=4 if columns > 1 else 3,
        frameon=False,
    )
    return save_figure(figure, path)
