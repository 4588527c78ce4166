"""Pictures of a calibration."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.calibration.channel_noise import ChannelNoise
from tfp_noiseflow.calibration.iso_law import IsoLaw
from tfp_noiseflow.calibration.noise_shape import NoiseShape, code_probabilities
from tfp_noiseflow.reporting.plots.canvas import (
    iso_colors,
    legend_beside,
    new_figure,
    save_figure,
)

# Of a variance that is shown, relative: fewer pixels say nothing.
LARGEST_ERROR = 0.1
CHANNEL_COLORS = {"R": "tab:red", "Gr": "tab:green", "Gb": "tab:olive", "B": "tab:blue"}


def plot_transfer(cells: list[ChannelNoise], path: str) -> bool:
    """Variance against level, a panel a channel: points of groups of levels, the line."""
    lit = [cell for cell in cells if cell.level is not None]
    if not lit:
        return False
    channels = list(dict.fromkeys(cell.channel for cell in lit))
    colors = iso_colors({cell.iso for cell in lit})
    figure, axes = new_figure(9.5, 6.5, rows=2, columns=2, share=True)
    for one, channel in zip(np.ravel(axes), channels, strict=False):
        for cell in (cell for cell in lit if cell.channel == channel):
            level, variance = _points(cell)
            if not len(level):
                continue
            line = np.geomspace(max(level.min(), 1e-4), level.max(), 60)
            color, label = colors[cell.iso], f"ISO {cell.iso:g}"
            one.plot(level, variance, "o", ms=3.5, mfc="none", color=color, label=label)
            assert cell.level is not None
            one.plot(line, cell.level.beta1 * line + cell.level.beta2, lw=1.1, color=color)
            if cell.dark is not None:
                dark = (cell.dark.variance - cell.dark.row_variance) / cell.full_scale**2
                one.plot([max(level.min() / 3, 1e-4)], [dark], "<", ms=5, color=color)
        one.set_xscale("log")
        one.set_yscale("log")
        one.set_title(channel, fontsize=10)
    legend_beside(np.ravel(axes)[1])
    figure.supxlabel("level, fraction of full scale (triangles: no light)", fontsize=10)
    figure.supylabel("variance of the noise without rows, full scale²", fontsize=10)
    return save_figure(figure, path)


def plot_misses(cells: list[ChannelNoise], path: str) -> bool:
    """By how much the variance misses the line, with two standard errors."""
    lit = [
        (cell, cell.level.misses)
        for cell in cells
        if cell.level is not None and len(cell.level.misses)
    ]
    if not lit:
        return False
    colors = iso_colors({cell.iso for cell, _ in lit})
    figure, axes = new_figure(9.5, 6.5, rows=2, columns=2, share=True)
    channels = list(dict.fromkeys(cell.channel for cell, _ in lit))
    for one, channel in zip(np.ravel(axes), channels, strict=False):
        one.axhline(0, color="0.7", lw=0.8)
        for cell, misses in ((cell, misses) for cell, misses in lit if cell.channel == channel):
            level, miss, error = misses[misses[:, 2] < LARGEST_ERROR].T
            one.errorbar(
                np.maximum(level, 1e-4), 100 * miss, 200 * error, fmt="o", ms=3, lw=0.7,
                color=colors[cell.iso], label=f"ISO {cell.iso:g}",
            )  # fmt: skip
        one.set_xscale("log")
        one.set_title(channel, fontsize=10)
    legend_beside(np.ravel(axes)[1])
    figure.supxlabel("level, fraction of full scale", fontsize=10)
    figure.supylabel("variance minus the line, %", fontsize=10)
    return save_figure(figure, path)


def plot_law(cells: list[ChannelNoise], law: IsoLaw | None, path: str) -> bool:
    """beta1 and beta2 over ISO, with intervals and the law."""
    if law is None:
        return False
    figure, axes = new_figure(9.5, 4.2, columns=2)
    isos = sorted({cell.iso for cell in cells})
    span = np.geomspace(isos[0] / 1.5, isos[-1] * 1.5, 80)
    channels = list(dict.fromkeys(cell.channel for cell in cells))
    curves = law.law(span)
    for one, name, curve in zip(axes, ("beta1", "beta2"), curves, strict=True):
        for index, channel in enumerate(channels):
            color = CHANNEL_COLORS.get(channel, "0.3")
            column = curve if curve.ndim == 1 else curve[:, index]
            one.plot(span, column, lw=1.0, color=color)
            for cell in (cell for cell in cells if cell.channel == channel):
                figure_of = cell.figures[name]
                if figure_of is not None:
                    value, (low, high) = figure_of
                    one.errorbar(
                        [cell.iso], [value], [[max(value - low, 0)], [max(high - value, 0)]],
                        fmt="o", ms=4, mfc="none", color=color,
                        label=channel if cell.iso == isos[0] else None,
                    )  # fmt: skip
        one.set_xscale("log")
        one.set_yscale("log")
        one.set_title(name, fontsize=10)
        one.set_xlabel("ISO")
    legend_beside(axes[1])
    return save_figure(figure, path)


def plot_dark_profiles(cells: list[ChannelNoise], path: str) -> bool:
    """What rows and columns have in all dark frames, and their spectra in time."""
    dark = [cell for cell in cells if cell.dark is not None]
    if not dark:
        return False
    colors = iso_colors({cell.iso for cell in dark})
    figure, axes = new_figure(9.5, 6.5, rows=2, columns=2)
    channel = dark[min(1, len(dark) - 1)].channel
    for cell in (cell for cell in dark if cell.channel == channel):
        color, label = colors[cell.iso], f"ISO {cell.iso:g}"
        for name, (profile, spectrum) in zip(("row", "column"), axes.T, strict=True):
            profile.plot(getattr(cell.dark, f"{name}_profile"), lw=0.6, color=color, label=label)
            power = getattr(cell.dark, f"{name}_spectrum")
            frequency = np.arange(1, len(power) + 1) / (2 * len(power))
            spectrum.plot(frequency, np.maximum(power, 1e-9), lw=0.6, color=color)
    for name, (profile, spectrum) in zip(("row", "column"), axes.T, strict=True):
        profile.set(title=f"{name}s, mean of the frames", xlabel=f"{name} of the channel")
        spectrum.set(title=f"{name}s in time: power", xlabel=f"cycles a {name}", yscale="log")
    axes[0, 0].set_ylabel("codes")
    axes[1, 0].set_ylabel("codes²")
    for one in np.ravel(axes):
        one.title.set_fontsize(10)
    legend_beside(axes[0, 1])
    figure.suptitle(f"channel {channel}", fontsize=10)
    return save_figure(figure, path)


def plot_dark_codes(cells: list[ChannelNoise], shape: NoiseShape | None, path: str) -> bool:
    """Codes in the dark, the model's and a Gaussian's, a panel an ISO."""
    dark = [(cell, cell.dark.histogram) for cell in cells if cell.dark is not None]
    if not dark:
        return False
    channel = dark[min(1, len(dark) - 1)][0].channel
    dark = [(cell, histogram) for cell, histogram in dark if cell.channel == channel][:6]
    columns = min(3, len(dark))
    rows = -(-len(dark) // columns)
    figure, axes = new_figure(3.6 * columns + 1, 2.9 * rows + 0.6, rows=rows, columns=columns)
    axes = np.ravel(axes)
    for one in axes[len(dark) :]:
        one.set_visible(False)
    for one, (cell, (codes, counts)) in zip(axes, dark, strict=False):
        x, model, gaussian = model_of_codes(cell, shape)
        one.step(codes, counts / counts.sum() / cell.step, where="mid", color="0.6", lw=1.4,
                 label="codes")  # fmt: skip
        one.plot(x, model / cell.step, color="tab:blue", lw=1.1, label="model")
        one.plot(x, gaussian / cell.step, color="tab:orange", lw=1.0, ls="--", label="Gaussian")
        one.set_yscale("log")
        one.minorticks_off()
        peak = model.max() / cell.step
        one.set_ylim(peak * 1e-6, peak * 3)
        one.set_title(f"ISO {cell.iso:g}", fontsize=9.5)
    legend_beside(axes[len(dark) - 1])
    figure.supxlabel(f"code in the dark, channel {channel}", fontsize=10)
    figure.supylabel("probability of a code", fontsize=10)
    return save_figure(figure, path)


def model_of_codes(
    cell: ChannelNoise, shape: NoiseShape | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of a channel's darks, and how likely they are by the model and by a Gaussian's."""
    assert cell.dark is not None
    codes, _ = cell.dark.histogram
    x = np.arange(codes.min(), codes.max() + cell.step, cell.step)
    return x, code_probabilities(cell, x, shape), code_probabilities(cell, x)


def _points(cell: ChannelNoise) -> tuple[np.ndarray, np.ndarray]:
    assert cell.sums is not None  # A channel with a level has them.
    freedom, levels, squares = cell.sums.total
    there = freedom > 2 / LARGEST_ERROR**2
    level = levels[there] / freedom[there] / cell.full_scale
    variance = squares[there] / freedom[there] / cell.full_scale**2
    return np.maximum(level, 1e-4), variance
