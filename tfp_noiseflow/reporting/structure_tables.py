"""Tables of the noise's structure: by camera and ISO, and the clean levels where it is worst."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfp_noiseflow.evaluation.statistics import BRIGHT
from tfp_noiseflow.reporting.table import channel_names, signed, table

# Of clean levels, a column each.
LEVEL_EDGES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3)

# Title and digits of each figure.
FIGURES = {
    "excess_kurtosis_given_clean": ("Excess kurtosis at a clean level", 2),
    "row_correlation": ("Row variance, as a share of the noise's variance", 4),
    "horizontal": ("Lag-1 correlation, horizontal", 4),
    "vertical": ("Lag-1 correlation, vertical", 4),
}


def structure_tables(report: dict, label: Callable[[str], str]) -> str:
    """Kurtosis, row variance and correlations by camera and ISO, a table each.

    Args:
      report: of `evaluate`.
      label: what people read for a source's name.
    """
    rows = report["structure"]
    sources = list(dict.fromkeys(row["source"] for row in rows))
    cells = {(row["camera"], row["iso"], row["source"]): row for row in rows}
    conditions = list(dict.fromkeys((row["camera"], row["iso"]) for row in rows))
    parts = [
        "Each with half of its 95 % bootstrap interval over patches. A star stands at a model "
        "whose difference from the captured noise has an interval without 0: of a perfect model's "
        "differences one in twenty has. What clipping adds to the mean of dark rows counts as row "
        "variance too, for captured noise and for models of codes."
    ]
    for figure, (title, digits) in FIGURES.items():
        body = [
            [
                camera,
                f"{iso:g}",
                *(_cell(cells[camera, iso, source][figure], digits) for source in sources),
            ]
            for camera, iso in conditions
        ]
        parts.append(f"### {title}\n\n{table(['camera', 'ISO', *map(label, sources)], body)}")
    return "\n\n".join(parts)


def _cell(entry: dict, digits: int) -> str:
    text = signed(entry["value"], digits)
    if entry["interval"] is not None:
        low, high = entry["interval"]
        text += f" ± {(high - low) / 2:.{digits}f}"
    difference = entry.get("difference_interval")
    is_off = difference is not None and not difference[0] <= 0 <= difference[1]
    return text + " *" * is_off


def worst_levels_table(report: dict, label: Callable[[str], str]) -> str:
    """The mean of bright pixels and the standard deviation, where each model is farthest off.

    Args:
      report: of `evaluate`.
      label: what people read for a source's name.

    Returns:
      A table with its explanation; a sentence where no clean level holds enough values.
    """
    if not any(row["clean"] for row in report["levels"]):
        return "No clean level of a camera, ISO and channel holds enough values to tell its mean."
    sources = list(report["levels"][0]["mean"])
    names = channel_names(1 + max(row["channel"] for row in report["levels"]))
    body = []
    for source in sources:
        bright = [
            (mean, row, k)
            for row in report["levels"]
            for k, mean in enumerate(row["mean"][source])
            if row["clean"][k] > BRIGHT
        ]
        ratios = [
            (deviation / row["deviation"]["real"][k], row, k)
            for row in report["levels"]
            for k, deviation in enumerate(row["deviation"][source])
        ]
        cells = ["none", ""]
        if bright:
            mean, row, k = max(bright, key=lambda found: abs(found[0]))
            cells = [f"{mean:+.3f} ± {row['values'][k] ** -0.5:.3f}", _place(row, k, names)]
        if source == "real":
            cells += ["", ""]
        else:
            ratio, row, k = max(ratios, key=lambda found: abs(np.log(found[0])))
            cells += [f"{ratio:.3f} ± {row['values'][k] ** -0.5:.3f}", _place(row, k, names)]
        body.append([label(source), *cells])
    header = ["noise", "mean of bright pixels", "at", "standard deviation over captured", "at"]
    return (
        f"{table(header, body)}\n\nWhere each is farthest off, of the clean levels of a camera, "
        "ISO and channel that hold 2000 values or more: the mean of the noise in its standard "
        "deviations, at levels above a tenth of full scale, where nothing is clipped at black and "
        "it should be 0, and the standard deviation as a multiple of the captured noise's. The "
        "standard errors are a Gaussian's; of many levels the worst is some three of them off by "
        "chance, as the captured noise's own mean and a second draw of it show. `levels` in "
        "report.json has all."
    )


def _place(row: dict, k: int, names: list[str]) -> str:
    return f"{row['camera']}, ISO {row['iso']:g}, {names[row['channel']]}, {row['clean'][k]:.2g}"


def deviations_off(report: dict, source: str) -> list[tuple[float, str]]:
    """How far the standard deviation is off, model over captured noise minus 1, and where.

    Args:
      report: of `evaluate`. source: a model's name.

    Returns:
      Of each camera, ISO, channel and clean level that holds enough values.
    """
    names = channel_names(1 + max((row["channel"] for row in report["levels"]), default=0))
    return [
        (deviation / row["deviation"]["real"][k] - 1, _place(row, k, names))
        for row in report["levels"]
        for k, deviation in enumerate(row["deviation"].get(source, ()))
    ]


def deviation_table(report: dict, source: str) -> str:
    """By camera, ISO and clean level, per cent by which the standard deviation is off.

    Args:
      report: of `evaluate`. source: a model's name.

    Returns:
      A table, means over channels; a sentence where no level holds enough values.
    """
    cells: dict[tuple[str, float], list[list[float]]] = {}
    for row in report["levels"]:
        of = cells.setdefault((row["camera"], row["iso"]), [[] for _ in LEVEL_EDGES])
        for k, deviation in enumerate(row["deviation"].get(source, ())):
            place = int(np.searchsorted(LEVEL_EDGES, row["clean"][k], side="right")) - 1
            of[place].append(deviation / row["deviation"]["real"][k] - 1)
    if not any(any(of) for of in cells.values()):
        return "No clean level of a camera, ISO and channel holds enough values."
    body = []
    for (camera, iso), of in cells.items():
        means = [None if not values else 100 * float(np.mean(values)) for values in of]
        worst = max((abs(mean) for mean in means if mean is not None), default=0.0)
        body.append(
            [
                camera,
                f"{iso:g}",
                *(
                    "" if mean is None else f"{mean:+.1f}" + " *" * (abs(mean) == worst)
                    for mean in means
                ),
            ]
        )
    header = [f"from {edge:g}" for edge in LEVEL_EDGES]
    return (
        f"{table(['camera', 'ISO', *header], body)}\n\nPer cent by which the noise's standard "
        "deviation is off from the captured noise's, by clean level (fractions of full scale), "
        "means over channels. A star stands at the level that is farthest off in its row. Of few "
        "values with heavy tails chance alone gives some per cent."
    )
