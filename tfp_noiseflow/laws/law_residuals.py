"""How well laws follow tables, as Markdown, and what in a table no law can follow."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.laws.camera_table import CameraTable

FEWEST_ISOS = 3
# What rounding and measurement leave: residuals up to this are not commented on.
NAMED_ABOVE = 0.1
# Powers of ISO by which neighbouring rows differ may be wrong by this much.
POWER_TOLERANCE = 0.1
# A law's values rise with ISO by a power from 0 to this.
HIGHEST_POWERS = {"beta1": 1, "beta2": 2}


def fitted_tables(tables: Sequence[CameraTable]) -> list[CameraTable]:
    """Those with three or more different ISOs."""
    return [t for t in tables if len(np.unique(t.iso[~np.isnan(t.iso)])) >= FEWEST_ISOS]


def law_residuals(tables: Sequence[CameraTable]) -> str:
    """A Markdown table of what laws miss of the tables that have three or more ISOs.

    Args:
      tables: of cameras.

    Returns:
      A row for each camera and channel: the five numbers, the median and the largest absolute
      relative residual of beta1 and beta2 ("16 times": the law's value over the table's), and
      where one is above 10 %, what the law cannot follow.
    """
    lines = [
        "| camera | channel | ISO | p, q | r, s, t | beta1: median, largest "
        "| beta2: median, largest | what the law cannot follow |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for table in fitted_tables(tables):
        with warnings.catch_warnings():
            # Floors are named in the last column.
            warnings.simplefilter("ignore", UserWarning)
            fit = table.fit()
        known = ~np.isnan(table.iso)
        iso = table.iso[known]
        shape = (len(iso), len(table.channels))
        numbers = [np.reshape(beta, (-1, shape[1])) for beta in (fit.law.beta1, fit.law.beta2)]
        for column, channel in enumerate(table.channels):
            cells, reasons = [], []
            for name, beta, residual in (
                ("beta1", table.beta1, fit.relative_residual_beta1),
                ("beta2", table.beta2, fit.relative_residual_beta2),
            ):
                size = np.abs(residual.reshape(shape)[:, column])
                cells.append(f"{_percent(np.median(size))}, {_percent(size.max())}")
                if size.max() > NAMED_ABOVE:
                    beta = beta[known].reshape(shape)[:, column]
                    reasons.append(_reasons(name, iso, beta, size))
            terms = [", ".join(f"{v:.3g}" for v in n[:, column]) for n in numbers]
            lines.append(
                f"| {table.camera} | {channel} | {len(iso)}: {iso.min():g} to {iso.max():g} | "
                f"{terms[0]} | {terms[1]} | {cells[0]} | {cells[1]} | {'; '.join(reasons)} |"
            )
    return "\n".join(lines) + "\n"


def _reasons(name: str, iso: np.ndarray, beta: np.ndarray, size: np.ndarray) -> str:
    order = np.argsort(iso, kind="stable")
    iso, beta, size = iso[order], beta[order], size[order]
    worst = f"{name}, worst at ISO {iso[np.argmax(size)]:g}"
    highest = HIGHEST_POWERS[name]
    is_positive = beta > 0
    found = {}
    if not is_positive.all():
        found["0 or less"] = [f"{value:g}" for value in iso[~is_positive]]
    values, counts = np.unique(beta[is_positive], return_counts=True)
    if len(values) and counts[0] > 1:
        found[f"a floor of {values[0]:g}"] = [f"{v:g}" for v in iso[beta == values[0]]]
    iso, beta = iso[is_positive], beta[is_positive]
    step = np.diff(np.log(iso))
    power = np.diff(np.log(beta)) / np.where(step > 0, step, np.nan)
    steps = np.array([f"{low:g} to {high:g}" for low, high in itertools.pairwise(iso)])
    found["falls with ISO"] = steps[power < -POWER_TOLERANCE]
    found[f"rises faster than ISO{'^2' if highest == 2 else ''}"] = steps[
        power > highest + POWER_TOLERANCE
    ]
    named = [f"{reason} (ISO {', '.join(where)})" for reason, where in found.items() if len(where)]
    return f"{worst}: " + (", ".join(named) or "each step could be a law's, all together not")


def _percent(value: float) -> str:
    if value >= 10:
        return f"{1 + value:.0f} times"
    return f"{100 * value:.1f} %" if value >= 5e-4 else "0 %"
