"""Likelihoods and divergences during training: the paper's figure 4."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.reporting.plots.canvas import legend_beside, new_figure, save_figure
from tfp_noiseflow.reporting.plots.history import step_axis
from tfp_noiseflow.reporting.plots.looks import label


def plot_training(history: dict[str, np.ndarray], path: str) -> bool:
    """Training and validation NLL (the paper's figure 4). False if there is nothing to draw."""
    if not len(history.get("loss", ())):
        return False
    figure, axes = new_figure(7.0, 4.2)
    steps = step_axis(history)
    marker = "o" if len(steps) < 25 else None
    axes.plot(steps, history["loss"], color="#0072B2", marker=marker, ms=3, label="training")
    curves = [history["loss"]]
    if np.isfinite(history.get("val_loss", [np.nan])).any():
        curves.append(history["val_loss"])
        axes.plot(
            steps, history["val_loss"], color="#D55E00", marker=marker, ms=3, ls="--",
            label="validation",
        )  # fmt: skip
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    if not len(values):
        return False
    # The first epochs fall by whole nats; what matters is the last hundredths.
    best, top = values.min(), np.quantile(values, 0.9)
    margin = max(0.08 * (top - best), 1e-3)
    axes.set_ylim(best - margin, top + 4 * margin)
    axes.set_title("Negative log-likelihood during training")
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("NLL, nats per dimension")
    axes.legend(frameon=False)
    return save_figure(figure, path)


def plot_trainings(
    histories: dict[str, dict[str, np.ndarray]],
    path: str,
    *,
    levels: dict[str, dict[str, float]] | None = None,
) -> bool:
    """NLL and KL of several models on the validation captures (the paper's figure 4).

    Args:
      histories: name to columns of a training log; of `loss`, the NLL on the training captures, a
        thin line is drawn.
      path: of the picture.
      levels: of models that were not trained by steps, horizontal lines: by column of the logs
        (`val_loss`: NLL, `val_kl`), then by name.

    Returns:
      False if there is nothing to draw.
    """
    figures = {"val_loss": "NLL, nats per dimension", "val_kl": "kl, one draw a pixel"}
    drawn = {name: h for name, h in histories.items() if len(h.get("val_loss", ()))}
    if not drawn:
        return False
    figure, panels = new_figure(12.0, 4.2, columns=2)
    palette = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
    for axes, (column, title) in zip(panels, figures.items(), strict=True):
        lowest, highest = np.inf, -np.inf
        for number, (name, history) in enumerate(drawn.items()):
            values = history.get(column, np.full(len(history["val_loss"]), np.nan))
            line = ("-", "--", "-.", ":")[number % 4]
            color, steps = palette[number % len(palette)], step_axis(history)
            marker = "o" if len(steps) < 25 else None
            axes.plot(steps, values, color=color, ls=line, marker=marker, ms=3, label=name)
            if column == "val_loss" and "loss" in history:
                axes.plot(steps, history["loss"], color=color, ls=line, lw=0.6)
            finite = values[np.isfinite(values)]
            if len(finite):
                lowest = min(lowest, finite.min())
                # The first epochs fall by whole nats; the range shows where the models end.
                highest = max(highest, np.median(finite))
        for name, level in (levels or {}).get(column, {}).items():
            axes.axhline(level, color="0.6", lw=0.8, zorder=0)
            axes.annotate(
                label(name), (1, level), xycoords=("axes fraction", "data"),
                ha="right", va="bottom", fontsize=8, color="0.4",
            )  # fmt: skip
            lowest, highest = min(lowest, level), max(highest, level)
        if column == "val_kl":
            axes.set_yscale("log")
        elif highest > lowest:
            margin = 0.1 * (highest - lowest)
            axes.set_ylim(lowest - margin, highest + margin)
        axes.set_title("Validation captures during training")
        axes.set_xlabel("optimiser step")
        axes.set_ylabel(title)
    legend_beside(panels[-1])
    return save_figure(figure, path)
