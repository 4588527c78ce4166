"""The pictures of a report. Matplotlib is imported when one is drawn, not with the library."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.evaluation.measurement import Examples

# Okabe and Ito's colours, told apart with any colour vision; lines differ in style too.
STYLES = {
    "real": {"label": "captured noise", "color": "black", "linestyle": "-"},
    "noise_flow": {"label": "Noise Flow", "color": "#0072B2", "linestyle": "-"},
    "gaussian": {"label": "Gaussian", "color": "#E69F00", "linestyle": "--"},
    "camera_nlf": {"label": "camera NLF", "color": "#D55E00", "linestyle": "-."},
    "recalibrated_nlf": {"label": "recalibrated NLF", "color": "#009E73", "linestyle": ":"},
    "true_nlf": {"label": "true NLF", "color": "#CC79A7", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
}
# The paper's flows that a report sets beside its own.
STYLES |= {
    name: {"label": name, "color": color, "linestyle": "--"}
    for name, color in (
        ("S-G", "#56B4E9"),
        ("S-G-CAM", "#8C6BB1"),
        ("S-Ax1-G-Ax1-CAM", "#7F7F7F"),
        ("S-Ax4-G-Ax4-CAM", "#8C564B"),
    )
}
OTHER_COLORS = ("#56B4E9", "#8C6BB1", "#7F7F7F", "#8C564B", "#B8A000")
OTHER_LINES = ("--", "-.", ":", "-")
DPI = 120


def styles(names: Iterable[str]) -> dict[str, dict]:
    """Labels, colours and line styles of the models of one picture, by name.

    No two look alike, while there are looks. A model that is not in the table gets a colour by its
    name, where no other of the picture has it: the next one that is free.
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
    return looks


def style(name: str) -> dict:
    """`styles` of a model that is alone in its picture."""
    return styles([name])[name]


def history_columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """The rows of a training log as columns: `epoch`, `step`, `loss`, `val_loss`, `beta1`, ...

    Missing cells are NaN.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def plot_training(history: dict[str, np.ndarray], path: str) -> bool:
    """Training and validation NLL (the paper's figure 4). False if there is nothing to draw."""
    if not len(history.get("loss", ())):
        return False
    figure, axes = _figure(7.0, 4.2)
    steps = _steps(history)
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
    return _save(figure, path)


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
    figure, panels = _figure(12.0, 4.2, columns=2)
    palette = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
    for axes, (column, label) in zip(panels, figures.items(), strict=True):
        lowest, highest = np.inf, -np.inf
        for number, (name, history) in enumerate(drawn.items()):
            values = history.get(column, np.full(len(history["val_loss"]), np.nan))
            line = ("-", "--", "-.", ":")[number % 4]
            color, steps = palette[number % len(palette)], _steps(history)
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
                style(name)["label"], (1, level), xycoords=("axes fraction", "data"),
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
        axes.set_ylabel(label)
    _legend_beside(panels[-1])
    return _save(figure, path)


def plot_beta(history: dict[str, np.ndarray], path: str) -> bool:
    """The signal-dependent layer during training (figure 6). False if there is no such layer.

    Drawn is what the data determine: gamma, beta1 and beta2 can trade a common factor.
    """
    gammas = _columns(history, "gamma")
    if not {"beta1", "beta2"} <= set(history) or not len(history["beta1"]):
        return False
    steps, beta1, beta2 = _steps(history), history["beta1"], history["beta2"]
    psi = next(iter(_columns(history, "psi").items()), None)
    figure, (left, right) = _figure(11.0, 4.2, columns=2)
    colors = _iso_colors([_iso_of(name) for name in gammas])
    for name, gamma in gammas.items():
        factor = 1.0 if psi is None else psi[1]
        left.plot(steps, beta1 * gamma * factor, color=colors[_iso_of(name)], label=name)
    if not gammas:
        left.plot(steps, beta1, color="#0072B2", label="beta1")
    left.set_yscale("log")
    left.set_title("beta1 x gamma" + (f", camera {psi[0]}" if psi else ""))
    left.set_ylabel("beta1 x gamma, fraction of full scale")
    right.plot(steps, beta2 / beta1**2, color="#0072B2")
    right.set_yscale("log")
    right.set_title("beta2 / beta1²")
    right.set_ylabel("beta2 / beta1²")
    for axes in (left, right):
        axes.set_xlabel("optimiser step")
    _legend_beside(left)
    return _save(figure, path)


def plot_gain(history: dict[str, np.ndarray], path: str) -> bool:
    """The gain layer during training (figure 7). False if there is nothing to compare.

    Ratios only, as the data determine no more: gamma between ISOs (of the same camera, where each
    has its own), divided by the ratio of the ISOs (1 at the start, and for a sensor whose gain is
    proportional to ISO), and psi between cameras.
    """
    gammas, psis = _columns(history, "gamma"), _columns(history, "psi")
    has_gammas, has_psis = len(gammas) > 1, len(psis) > 1
    if not (has_gammas or has_psis):
        return False
    steps = _steps(history)
    figure, panels = _figure(5.5 * (has_gammas + has_psis), 4.2, columns=has_gammas + has_psis)
    panels = list(np.atleast_1d(panels))
    if has_gammas:
        axes = panels.pop(0)
        colors = _iso_colors([_iso_of(name) for name in gammas])
        cameras = list(dict.fromkeys(_camera_of(name) for name in gammas))
        for name, gamma in gammas.items():
            first = min((n for n in gammas if _camera_of(n) == _camera_of(name)), key=_iso_of)
            ratio = gamma / gammas[first] / (_iso_of(name) / _iso_of(first))
            style = ("-", "--", ":", "-.")[cameras.index(_camera_of(name)) % 4]
            axes.plot(steps, ratio, color=colors[_iso_of(name)], ls=style, label=name)
        axes.set_title(f"gamma(ISO) relative to ISO {min(map(_iso_of, gammas)):g}")
        axes.set_ylabel("ratio of gamma / ratio of ISO")
        _legend_beside(axes)
    if has_psis:
        axes = panels.pop(0)
        first = next(iter(psis))
        palette = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
        for number, (name, psi) in enumerate(psis.items()):
            line = ("-", "--", ":")[number // len(palette) % 3]
            axes.plot(
                steps, psi / psis[first], color=palette[number % len(palette)], ls=line, label=name
            )
        axes.set_title(f"psi(camera) relative to {first}")
        axes.set_ylabel("ratio of psi")
        _legend_beside(axes)
    for axes in figure.axes:
        axes.set_xlabel("optimiser step")
    return _save(figure, path)


def plot_patches(examples: Examples, path: str) -> bool:
    """Real noise patches beside sampled ones (figure 5), one row a camera and ISO."""
    order = ("real", "noise_flow", "recalibrated_nlf", "camera_nlf", "gaussian")
    names = [name for name in order if name in examples.noise]
    rows, columns = len(examples.conditions), len(names) + 1
    figure, grid = _figure(1.75 * columns + 0.9, 1.85 * rows + 0.5, rows=rows, columns=columns)
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
        title = name if name == "clean" else style(name)["label"]
        grid[0, column].set_title(title, fontsize=10)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
    return _save(figure, path)


def plot_histograms(
    conditions: list[tuple[str, float]],
    edges: np.ndarray,
    counts: dict[str, np.ndarray],
    path: str,
) -> bool:
    """Densities of real and modelled noise, log-y, a row a camera and up to 3 ISOs."""
    grid, panels = _condition_grid(conditions, most_columns=3)
    rows, columns = len(grid), max(len(row) for row in grid)
    # The legend above needs some width, however few the panels.
    width, height = max(7.5, 3.7 * columns), (2.3 if columns > 1 else 3.2) * rows + 1.0
    figure, axes_grid = _figure(width, height, rows=rows, columns=columns)
    axes_grid = np.reshape(axes_grid, [rows, columns])
    for axes in axes_grid.ravel():
        axes.set_visible(False)
    names = [n for n in counts if n != "real" and n != "true_nlf"]
    looks = styles(names)
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
    return _save(figure, path)


def plot_photon_transfer(curves: list[dict], path: str) -> bool:
    """Variance against clean level, log-log, a panel a camera: real points, model lines.

    Args:
      curves: `photon_transfer` of the report.
      path: of the PNG.
    """
    curves = [curve for curve in curves if len(curve["clean"])]
    if not curves:
        return False
    cameras = list(dict.fromkeys(curve["camera"] for curve in curves))
    colors = _iso_colors(sorted({curve["iso"] for curve in curves}))
    lines = [n for n in ("noise_flow", "camera_nlf") if n in curves[0]["variance"]]
    if "camera_nlf" not in lines and "recalibrated_nlf" in curves[0]["variance"]:
        lines.append("recalibrated_nlf")
    dashes = {"noise_flow": "-", "camera_nlf": (0, (1, 1.2)), "recalibrated_nlf": (0, (1, 1.2))}
    columns = min(3, len(cameras))
    rows = -(-len(cameras) // columns)
    width, height = (4.0 * columns + 1.2, 3.4 * rows + 0.8) if len(cameras) > 1 else (7.0, 4.8)
    figure, grid = _figure(width, height, rows=rows, columns=columns, share=True)
    panels = list(np.ravel(grid))
    real = [v for c in curves for v in c["variance"]["real"] if v > 0]
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
    if real:
        panels[0].set_ylim(min(real) / 3, max(real) * 3)
    figure.supxlabel("clean level, fraction of full scale", fontsize=10)
    figure.supylabel("variance of the noise, full scale²", fontsize=10)
    _photon_transfer_legend(figure, colors, lines, dashes)
    return _save(figure, path)


def _photon_transfer_legend(figure, colors, lines, dashes) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c, lw=3, label=f"ISO {iso:g}") for iso, c in colors.items()]
    handles.append(
        Line2D([], [], color="0.3", ls="", marker="o", mfc="none", label="captured noise")
    )
    for name in lines:
        handles.append(Line2D([], [], color="0.3", ls=dashes[name], label=style(name)["label"]))
    figure.legend(handles=handles, loc="outside right upper", frameon=False)


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


def _figure(width, height, *, rows=1, columns=1, share=False):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it would hold every figure, and pick a backend for the whole process.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=share, sharey=share)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure, path: str) -> bool:
    with written_beside(path) as partial:
        figure.savefig(partial, format="png", dpi=DPI)
    return True


def _legend_beside(axes) -> None:
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


def _steps(history) -> np.ndarray:
    for name in ("step", "epoch"):
        if name in history and np.isfinite(history[name]).all():
            return history[name]
    return np.arange(len(history["loss"]))


def _columns(history, name: str) -> dict[str, np.ndarray]:
    """`gamma(ISO 100)`, ... as {"ISO 100": values}."""
    columns = {}
    for column, values in history.items():
        match = re.fullmatch(rf"{name}\((.*)\)", column)
        if match:
            columns[match[1]] = values
    return columns


def _iso_of(label: str) -> float:
    """Of `ISO 100`, or of `Pixel, ISO 100` where each camera has its own."""
    return float(label.rsplit("ISO ", 1)[1])


def _camera_of(label: str) -> str:
    return label.rsplit("ISO ", 1)[0]


def _iso_colors(levels) -> dict[float, tuple]:
    from matplotlib import colormaps

    levels = sorted(set(levels))
    # The last fifth of the map is a yellow too light for lines on white.
    shades = np.linspace(0.0, 0.82, len(levels)) if len(levels) > 1 else [0.3]
    return {level: colormaps["viridis"](shade) for level, shade in zip(levels, shades, strict=True)}


def _or_gap(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
