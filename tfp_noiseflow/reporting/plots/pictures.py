"""Patches as pictures: what the noise looks like in image space."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.captures.bayer import unpack_bayer
from tfp_noiseflow.evaluation.measurement import Examples
from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.imaging.isp import process
from tfp_noiseflow.imaging.metering import meter
from tfp_noiseflow.reporting.plots.canvas import new_figure, save_figure
from tfp_noiseflow.reporting.plots.looks import label

# What demosaicking needs.
SMALLEST = 10


def plot_pictures(examples: Examples, path: str, *, model_name: str | None = None) -> bool:
    """Clean, captured, the model's and the recalibrated NLF's noise in sRGB.

    One row a camera and ISO.

    Args:
      examples: of a Measurement.
      path: of the PNG.
      model_name: what the evaluated model is called.

    Returns:
      False where images are not packed, or too small to be demosaicked.
    """
    height, width, channels = examples.clean.shape[1:]
    if channels != 4 or 2 * min(height, width) < SMALLEST:
        return False
    names = [n for n in ("real", MODEL, "recalibrated_nlf") if n in examples.noise]
    rows, columns = len(examples.conditions), 1 + len(names)
    figure, grid = new_figure(2.2 * columns + 0.7, 2.2 * rows + 0.5, rows=rows, columns=columns)
    grid = np.reshape(grid, [rows, columns])
    for row, (camera, iso) in enumerate(examples.conditions):
        clean = examples.clean[row]
        colors, exposure = meter(unpack_bayer(clean, "RGGB"))
        noises = {"clean": np.zeros_like(clean)}
        noises |= {label(name, model_name): examples.noise[name][row] for name in names}
        for axes, (title, noise) in zip(grid[row], noises.items(), strict=True):
            mosaic = unpack_bayer(np.clip(clean + noise, 0, 1), "RGGB")
            axes.imshow(process(mosaic[None], colors, exposure)[0].numpy(), interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(title, fontsize=10)
        grid[row, 0].set_ylabel(f"{camera}\nISO {iso:g}", fontsize=9)
    return save_figure(figure, path)
