"""The report of a calibration, for people: report.md and its pictures."""

from __future__ import annotations

import os

import numpy as np

from tfp_noiseflow.atomic_write import write_text
from tfp_noiseflow.calibration import plots
from tfp_noiseflow.calibration.calibrate import Calibration
from tfp_noiseflow.calibration.emva1288 import COLUMNS
from tfp_noiseflow.calibration.sensor_model import row_noise
from tfp_noiseflow.calibration.verdict import BAD, GOOD, USABLE
from tfp_noiseflow.reporting.table import table

# Central intervals of the model, in which codes of the dark are counted.
INTERVALS = (0.5, 0.9, 0.99, 0.999)

CAPTIONS = {
    "photon_transfer.png": (
        "Photon transfer",
        "Variance of the noise (without rows) against level, an ISO a colour; lines are var = "
        "beta1 x level + beta2. Good: points on their line.",
    ),
    "misses.png": (
        "What the line misses",
        "Variance over the line minus 1, with two standard errors. A bow says that codes are not "
        "linear in light; one end that leaves says that levels are near an end of the codes.",
    ),
    "law.png": (
        "The law over ISO",
        "Circles: each ISO by itself, with intervals of 95 %; lines: beta1 = p g + q and beta2 = r "
        "g^2 + s g + t, g = ISO / 100.",
    ),
    "dark_profiles.png": (
        "Rows and columns in the dark",
        "Above: what all dark frames share. Below: power of the rows' and the columns' means in "
        "time by frequency; flat is white noise, peaks are bands of one width.",
    ),
    "dark_codes.png": (
        "Codes in the dark",
        "How often each code occurs in dark frames, by the noise model, and by a Gaussian of the "
        "same variance. Tails above the Gaussian's are single noisy pixels.",
    ),
}


def write_report(calibration: Calibration, report_dir: str | os.PathLike) -> list[str]:
    """Writes report.md and its pictures.

    Returns:
      The paths written.
    """
    report_dir = os.fspath(report_dir)
    os.makedirs(report_dir, exist_ok=True)
    cells = list(calibration.cells)

    def place(name):
        return os.path.join(report_dir, name)

    drawn = {
        "photon_transfer.png": plots.plot_transfer(cells, place("photon_transfer.png")),
        "misses.png": plots.plot_misses(cells, place("misses.png")),
        "law.png": plots.plot_law(cells, calibration.law, place("law.png")),
        "dark_profiles.png": plots.plot_dark_profiles(cells, place("dark_profiles.png")),
        "dark_codes.png": plots.plot_dark_codes(cells, calibration.shape, place("dark_codes.png")),
    }
    pictures = [name for name, is_drawn in drawn.items() if is_drawn]
    for name in set(drawn) - set(pictures):
        if os.path.exists(place(name)):  # Of an earlier calibration.
            os.remove(place(name))
    write_text(place("report.md"), _markdown(calibration, pictures))
    return [place(name) for name in ("report.md", *pictures)]


def overall(calibration: Calibration) -> str:
    """The verdict of the whole, in words."""
    grades = [grade for grade, _ in calibration.verdicts]
    if calibration.model is None:
        return f"**{BAD}**: no lit frames, and so no model."
    if set(grades) == {GOOD}:
        return f"**{GOOD}**: every channel at every ISO."
    counts = [f"{grades.count(grade)} {grade}" for grade in (GOOD, USABLE, BAD)]
    worst = BAD if BAD in grades else USABLE
    if BAD in grades and grades.count(BAD) < len(grades):
        worst = f"{USABLE}, in part"
    return f"**{worst}**: of {len(grades)} channels at ISOs {', '.join(counts)}."


def _markdown(calibration: Calibration, pictures: list[str]) -> str:
    parts = [
        f"# Calibration of {calibration.camera}",
        f"Verdict: {overall(calibration)}",
        _reasons(calibration),
        "## What to shoot next",
        _list(calibration.shots) or "Nothing: more frames would change little.",
    ]
    if calibration.notes:
        parts += ["## Notes", _list(calibration.notes)]
    parts += ["## Noise by channel and ISO", _noise_table(calibration)]
    if calibration.law is not None:
        parts += ["## Law over ISO", _law_table(calibration)]
        parts += ["## The noise model", _model(calibration)]
    for name in pictures:
        title, caption = CAPTIONS[name]
        parts += [f"## {title}", f"![{title}]({name})", caption]
    parts += ["## Coverage", _coverage(calibration), "## As EMVA 1288 prints it"]
    parts += [_emva_table(calibration), "## Frames", _frames(calibration)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(lines) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _reasons(calibration: Calibration) -> str:
    """Each reason once, with the channels and ISOs that it is of."""
    found: dict[str, list[str]] = {}
    for cell, (_, reasons) in zip(calibration.cells, calibration.verdicts, strict=True):
        for reason in reasons:
            found.setdefault(reason, []).append(f"{cell.channel} at {cell.iso:g}")
    return _list(
        f"{reason} ({', '.join(where[:4])}{f' and {len(where) - 4} more' * (len(where) > 4)})"
        for reason, where in found.items()
    )


def _noise_table(calibration: Calibration) -> str:
    header = ["ISO", "channel", "beta1", "beta2", "gain, DN/e-", "read noise, DN", "row share"]
    header += ["black level, DN", "used", "verdict"]
    rows = []
    for cell, (grade, _) in zip(calibration.cells, calibration.verdicts, strict=True):
        figures = cell.figures
        rows.append(
            [
                f"{cell.iso:g}",
                cell.channel,
                *(_figure(figures[name]) for name in list(figures)[:-1]),
                _black(figures["black_level"]),
                f"{cell.used:.0%}",
                grade,
            ]
        )
    return (
        table(header, rows)
        + "\n\nIn fractions of full scale; beta2 is all variance at no light: read noise, row noise"
        " and rounding. ± is half an interval of 95 %."
    )


def _figure(figure) -> str:
    if figure is None:
        return "-"
    value, (low, high) = figure
    percent = 50 * (high - low) / value if value > 0 else np.inf
    return f"{value:.4g} ± {percent:.1f} %" if percent < 1000 else f"{value:.4g}"


def _black(figure) -> str:
    """In codes, where a share would say nothing."""
    if figure is None:
        return "-"
    value, (low, high) = figure
    return f"{value:.2f} ± {(high - low) / 2:.2f}"


def _law_table(calibration: Calibration) -> str:
    assert calibration.law is not None
    law, bounds = calibration.law.law, calibration.law.intervals
    channels = list(dict.fromkeys(cell.channel for cell in calibration.cells))
    rows = []
    for index, channel in enumerate(channels):
        cells = [channel]
        for numbers, limits in ((law.beta1, bounds["beta1"]), (law.beta2, bounds["beta2"])):
            for number, limit in zip(numbers, limits, strict=True):
                value = number if np.ndim(number) == 0 else number[index]
                low, high = limit if np.ndim(limit) == 1 else limit[index]
                cells.append(f"{value:.3g} [{low:.3g}, {high:.3g}]")
        rows.append(cells)
    return table(["channel", "p", "q", "r", "s", "t"], rows) + (
        "\n\nbeta1 = p g + q, beta2 = r g² + s g + t, g = ISO / 100."
    )


def _model(calibration: Calibration) -> str:
    """What the model is made of, beside the law."""
    model, shape = calibration.model, calibration.shape
    assert model is not None  # There is one where there is a law.
    text = f"{model.architecture}: {model.in_words}."
    if shape is None:
        return f"{text} Without darks it has no rows and no tails."
    full_scale = calibration.cells[0].full_scale
    rows = []
    for iso in sorted(calibration.darks):
        deviation, share = row_noise(model, iso)
        rows.append([f"{iso:g}", f"{deviation * full_scale:.3g}", f"{share:.1%}"])
    read = [
        f"{shape.numbers['read_skew']:.3f} ± {shape.errors['read_skew']:.3f}",
        f"{shape.excess_kurtosis:.3g} ± {shape.errors['log_read_tail']:.1%}",
        f"{shape.tail_power:.3g}",
    ]
    photons = [f"{shape.numbers['photon_skew']:.2f} e", "e²", ""]
    header = ["shape of", "skew", "excess kurtosis", "power of the tails"]
    return "\n\n".join(
        [
            text,
            table(["ISO", "row noise, DN", "of beta2"], rows),
            table(header, [["read noise", *read], ["photons", *photons]]),
            "Rows and the shape of read noise are measured in the darks, that of photons is "
            "Poisson's, with e what one electron is in standard deviations. Tails fall as their "
            "distance to the minus that power. ± is a standard error.",
        ]
    )


def _coverage(calibration: Calibration) -> str:
    dark = [(cell, cell.dark) for cell in calibration.cells if cell.dark is not None]
    if not dark:
        return "No darks: the shape of the noise was not measured."
    rows = []
    for cell, noise in dark:
        codes, counts = noise.histogram
        found = counts / counts.sum()
        x, *models = plots.model_of_codes(cell, calibration.shape)
        places = np.searchsorted(x, codes)
        row = [f"{cell.iso:g}", cell.channel, f"{noise.codes.shape:.3f}"]
        for share in INTERVALS:
            # Of whole codes: those of which the middle is within.
            pairs = []
            for model in models:
                inside = np.abs(2 * np.cumsum(model) - model - 1) <= share
                pairs.append((found[inside[places]].sum(), model[inside].sum()))
            (measured, expected), (of_gaussian, expected_gaussian) = pairs
            row.append(
                f"{measured:.2%} / {expected:.2%} ({of_gaussian:.2%} / {expected_gaussian:.2%})"
            )
        rows.append(row)
    header = ["ISO", "channel", "Tukey-lambda shape", *(f"{share:.1%}" for share in INTERVALS)]
    return table(header, rows) + (
        "\n\nCodes of the dark in the model's central intervals: measured / by the model; in "
        "brackets the same of a Gaussian. Tukey-lambda shape, of codes with their rows: 0.14 is "
        "nearly Gaussian, 0 logistic, below 0 tails are power laws."
    )


def _emva_table(calibration: Calibration) -> str:
    rows = [
        [
            f"{cell.iso:g}",
            cell.channel,
            *("-" if row[name] is None else f"{row[name]:.4g}" for name in COLUMNS),
        ]
        for cell, row in zip(calibration.cells, calibration.emva, strict=True)
    ]
    return table(["ISO", "channel", *COLUMNS.values()], rows) + (
        "\n\nDefinitions of EMVA Standard 1288, Release 4.0 Linear, with what differs from it in "
        "`tfp_noiseflow/calibration/emva1288.py`."
    )


def _frames(calibration: Calibration) -> str:
    groups = [
        [group.kind, f"{group.iso:g}", f"{group.exposure_time or 0:.4g}", str(len(group.frames))]
        for group in calibration.folder.groups
    ]
    text = table(["kind", "ISO", "seconds", "frames"], groups)
    if calibration.left_out:
        rows = [[f"`{file}`", reason] for file, reason in sorted(calibration.left_out.items())]
        text += "\n\nLeft out:\n\n" + table(["file", "reason"], rows)
    hot = [
        f"{len(cell.dark.hot)} in {cell.channel} at ISO {cell.iso:g}"
        for cell in calibration.cells
        if cell.dark is not None and len(cell.dark.hot)
    ]
    return text + (f"\n\nHot pixels: {', '.join(hot)} (hot_pixels.csv)." if hot else "")
