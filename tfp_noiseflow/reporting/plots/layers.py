"""What the signal-dependent and the gain layer learn: the paper's figures 6 and 7."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.reporting.plots.canvas import iso_colors, legend_beside, new_figure, save_figure
from tfp_noiseflow.reporting.plots.history import camera_of, columns_of, iso_of, step_axis


def plot_beta(history: dict[str, np.ndarray], path: str) -> bool:
    """The signal-dependent layer during training (figure 6). False if there is no such layer.

    Drawn is what the data determine: gamma, beta1 and beta2 can trade a common factor.
    """
    gammas = columns_of(history, "gamma")
    if not {"beta1", "beta2"} <= set(history) or not len(history["beta1"]):
        return False
    steps, beta1, beta2 = step_axis(history), history["beta1"], history["beta2"]
    psi = next(iter(columns_of(history, "psi").items()), None)
    figure, (left, right) = new_figure(11.0, 4.2, columns=2)
    colors = iso_colors([iso_of(name) for name in gammas])
    for name, gamma in gammas.items():
        factor = 1.0 if psi is None else psi[1]
        left.plot(steps, beta1 * gamma * factor, color=colors[iso_of(name)], label=name)
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
    legend_beside(left)
    return save_figure(figure, path)


def plot_gain(history: dict[str, np.ndarray], path: str) -> bool:
    """The gain layer during training (figure 7). False if there is nothing to compare.

    Ratios only, as the data determine no more: gamma between ISOs (of the same camera, where each
    has its own), divided by the ratio of the ISOs (1 at the start, and for a sensor whose gain is
    proportional to ISO), and psi between cameras.
    """
    gammas, psis = columns_of(history, "gamma"), columns_of(history, "psi")
    has_gammas, has_psis = len(gammas) > 1, len(psis) > 1
    if not (has_gammas or has_psis):
        return False
    steps = step_axis(history)
    figure, panels = new_figure(5.5 * (has_gammas + has_psis), 4.2, columns=has_gammas + has_psis)
    panels = list(np.atleast_1d(panels))
    if has_gammas:
        axes = panels.pop(0)
        colors = iso_colors([iso_of(name) for name in gammas])
        cameras = list(dict.fromkeys(camera_of(name) for name in gammas))
        for name, gamma in gammas.items():
            first = min((n for n in gammas if camera_of(n) == camera_of(name)), key=iso_of)
            ratio = gamma / gammas[first] / (iso_of(name) / iso_of(first))
            style = ("-", "--", ":", "-.")[cameras.index(camera_of(name)) % 4]
            axes.plot(steps, ratio, color=colors[iso_of(name)], ls=style, label=name)
        axes.set_title(f"gamma(ISO) relative to ISO {min(map(iso_of, gammas)):g}")
        axes.set_ylabel("ratio of gamma / ratio of ISO")
        legend_beside(axes)
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
        legend_beside(axes)
    for axes in figure.axes:
        axes.set_xlabel("optimiser step")
    return save_figure(figure, path)
