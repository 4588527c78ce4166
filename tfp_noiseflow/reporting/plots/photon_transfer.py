"""Variance of the noise against the clean level."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.reporting.plots.canvas import iso_colors, new_figure, save_figure
from tfp_noiseflow.reporting.plots.looks import label


def plot_photon_transfer(curves: list[dict], path: str, *, model_name: str | None = None) -> bool:
    """Variance against clean level, log-log, a panel a camera: real points, model lines.

    Args:
      curves: `photon_transfer` of the report.
      path: of the PNG.
      model_name: what the evaluated model is called.
    """
    curves = [curve for curve in curves if len(curve["clean"])]
    if not curves:
        return False
    cameras = list(dict.fromkeys(curve["camera"] for curve in curves))
    colors = iso_colors(sorted({curve["iso"] for curve in curves}))
    dashes = {"noise_flow": "-", "recalibrated_nlf": (0, (5, 2)), "camera_nlf": (0, (1, 1.2))}
    lines = [name for name in dashes if name in curves[0]["variance"]]
    columns = min(3, len(cameras))
    rows = -(-len(cameras) // columns)
    width, height = (4.0 * columns + 1.2, 3.4 * rows + 0.8) if len(cameras) > 1 else (7.0, 4.8)
    figure, grid = new_figure(width, height, rows=rows, columns=columns, share=True)
    panels = list(np.ravel(grid))
    # All that is drawn, so that no model is missing in silence.
    drawn = [v for c in curves for name in ("real", *lines) for v in c["variance"][name] if v > 0]
    for axes in panels[len(cameras) :]:
        axes.set_visible(False)
    for axes, camera in zip(panels, cameras, strict=False):
        for curve in (curve for curve in curves if curve["camera"] == camera):
            color = colors[curve["iso"]]
            axes.plot(
                curve["clean"], curve["variance"]["real"], ls="", marker="o", ms=4, mew=0.8,
                mfc="none", color=color,
            )  # fmt: skip
            for name in lines:
                axes.plot(
                    curve["clean"], curve["variance"][name], color=color, ls=dashes[name], lw=1.3
                )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(camera, fontsize=10)
        axes.tick_params(labelbottom=True)
    if drawn:
        panels[0].set_ylim(min(drawn) / 3, max(drawn) * 3)
    figure.supxlabel("clean level, fraction of full scale", fontsize=10)
    figure.supylabel("variance of the noise, full scale²", fontsize=10)
    _photon_transfer_legend(figure, colors, lines, dashes, model_name)
    return save_figure(figure, path)


def _photon_transfer_legend(figure, colors, lines, dashes, model_name) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c, lw=3, label=f"ISO {iso:g}") for iso, c in colors.items()]
    handles.append(
        Line2D([], [], color="0.3", ls="", marker="o", mfc="none", label="captured noise")
    )
    for name in lines:
        handles.append(Line2D([], [], color="0.3", ls=dashes[name], label=label(name, model_name)))
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
