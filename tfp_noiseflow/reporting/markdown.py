"""The report of an evaluation as Markdown."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.evaluation.tails import SHARES
from tfp_noiseflow.reporting.baselines import BASELINES, named_beside
from tfp_noiseflow.reporting.plots.looks import evaluated_name, label
from tfp_noiseflow.reporting.structure_tables import (
    deviation_table,
    structure_tables,
    worst_levels_table,
)
from tfp_noiseflow.reporting.table import channel_names, signed, table
from tfp_noiseflow.reporting.verdict import verdict

FLOOR = "truth (floor)"
DEQUANTISED = "dequantised"

CAPTIONS = {
    "photon_transfer.png": (
        "Photon transfer",
        "Variance of the noise against the clean level, a colour an ISO. Circles: captured noise; "
        "lines: one draw of the models.",
    ),
    "pictures.png": (
        "As pictures",
        "The same patches developed: demosaicked, white balanced, in sRGB. One row a camera and "
        "ISO; every pixel is as it is.",
    ),
    "patches.png": (
        "Patches: clean, captured noise, sampled noise",
        "One row a camera and ISO; one channel (green, where images are packed). Clean is shown by "
        "its square root; noise on one scale a row, black to white -3 to +3 standard deviations "
        "of the captured noise. The models share one draw of the base noise, so that their "
        "patterns are alike. Of the models that were named beside it the first three are shown.",
    ),
    "histograms.png": (
        "Histograms",
        "Noise values of all patches of a camera and ISO over +-6 standard deviations of the real "
        "noise, logarithmic density. These are the histograms that `kl` compares.",
    ),
    "dark_patches.png": (
        "Dark patches at the highest ISO",
        "Share of the values at each code above black, of the darkest patch of each camera: what "
        "falls below black is stored as black, so that captured noise has a spike there. A model "
        "of continuous values has that share below black, at values that no sensor stores; a model "
        "of codes has the spike.",
    ),
    "training.png": (
        "Training",
        "NLL on training and validation captures. The range shows the last hundredths; the first "
        "epochs may lie above it.",
    ),
    "beta.png": (
        "beta1 and beta2 during training",
        "Only combinations that the data determine: beta1 x gamma, the slope of variance against "
        "clean level, and beta2 / beta1². Of flows with steps they mean nothing, as the steps "
        "scale too, and are not drawn.",
    ),
    "gain.png": (
        "gamma and psi during training",
        "Ratios, as the data determine no more: gamma(ISO) relative to the lowest ISO, divided by "
        "the ratio of the ISOs; psi of each camera, where the model has it, relative to the first.",
    ),
}


# Behind the verdict; the others follow the tables.
FIRST_PICTURES = ("photon_transfer.png", "pictures.png")


def markdown(report: dict, pictures: Sequence[str] = ()) -> str:
    """The report as Markdown, with the named pictures beside it."""
    named = functools.partial(_label, report=report)
    has_structure = "structure" in report

    def shown(names):
        for name in names:
            title, caption = CAPTIONS[name]
            yield from (f"## {title}", f"![{title}]({name})", caption)

    first = [name for name in FIRST_PICTURES if name in pictures]
    parts = [f"# Evaluation of {_label(MODEL, report)}", verdict(report, named), *shown(first)]
    if "levels" in report:
        title = "## Strength of the noise by camera, ISO and clean level"
        parts += [title, deviation_table(report, MODEL)]
    parts += [
        "## What was measured",
        _measured(report),
        "## Models",
        models_table(report),
        _definitions(report),
        "## Beside the baselines",
        _differences_table(report),
        "## Structure of the noise",
        _correlations_table(report),
    ]
    if has_structure:
        parts += ["### Where models are farthest off", worst_levels_table(report, named)]
    parts += shown(name for name in pictures if name not in first)
    parts += ["## By camera and ISO", _by_camera_iso_table(report)]
    if has_structure:
        parts += ["## Structure by camera and ISO", structure_tables(report, named)]
    return "\n\n".join(parts) + "\n"


def models_table(report: dict) -> str:
    """NLL and both divergences of every model, with their floor, as a table for people.

    Below it stand the models that were not compared, with the reasons.
    """
    models = report["models"].items()
    compared = [(name, entry) for name, entry in models if entry["kl"] is not None]
    floor = report["floor"]
    truth = floor.get("nll")
    kinds = {entry.get("likelihood", DEQUANTISED) for _, entry in compared}
    has_codes = bool(kinds - {None, DEQUANTISED})
    has_paper = _has_nll_paper(report)
    rows = [
        [
            _label(name, report),
            _number(entry["nll"]) + _plus_minus(entry["nll_standard_error"]),
            *([_number(_minus(entry["nll"], truth))] if truth is not None else []),
            *([entry["likelihood"] or ""] if has_codes else []),
            *([_number(entry["nll_paper"])] if has_paper else []),
            f"{entry['kl']:.4f}",
            f"{entry['kl_paper']:.4f}",
            str(entry["parameters"]),
        ]
        for name, entry in sorted(compared, key=lambda item: _last_if_none(item[1]["nll"]))
    ]
    if truth is not None or floor["kl"] is not None:
        nll = [""]
        if truth is not None:
            nll = [f"{truth:.4f}" + _plus_minus(floor["nll_standard_error"]), "0"]
        nll += ["codes" if truth is not None else ""] * has_codes + [""] * has_paper
        kl = ["", ""]
        if floor["kl"] is not None:
            kl = [f"{floor[name]:.4f}" for name in ("kl", "kl_paper")]
        rows.append([FLOOR, *nll, *kl, ""])
    remarks = [
        f"{_label(name, report)}: {'not compared' if entry['kl'] is None else 'no NLL'}, "
        f"{entry['reason']}."
        for name, entry in models
        if entry["nll"] is None
    ]
    if floor["kl"] is None:
        remarks.append(f"{FLOOR}: not known of kl, {floor['reason']}.")
    distance = ["above the truth"] if truth is not None else []
    of = ["likelihood of"] * has_codes + ["nll_paper"] * has_paper
    text = table(["model", "NLL, nats/dim", *distance, *of, "kl", "kl_paper", "parameters"], rows)
    return "\n\n".join([text, *remarks])


def _has_nll_paper(report: dict) -> bool:
    """Whether NLL as the paper's code takes it is another: where captures hold codes."""
    return bool(np.any(report["captures"].get("quantization_step", 0))) and any(
        entry.get("nll_paper") is not None for entry in report["models"].values()
    )


def _minus(value: float | None, other: float) -> float | None:
    return None if value is None else value - other


def _last_if_none(value: float | None) -> tuple[bool, float]:
    """A key by which numbers are in order, and what has none behind them."""
    return value is None, value or 0.0


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _measured(report: dict) -> str:
    captures = report["captures"]
    height, width, channels = captures["image_shape"]
    step = captures["quantization_step"]
    if step == 0:
        dequantisation = "The noisy values are continuous: no dequantisation."
    else:
        low, high = step if isinstance(step, list) else (step, step)
        # A step of 0 among others: some captures are continuous.
        codes = "The noisy values are codes" if low else "Some noisy values are codes"
        steps = f"step {high:g}" if low in (0, high) else f"steps {low:g} to {high:g}"
        dequantisation = (
            f"{codes} ({steps} in the file's units): uniform noise of one step was added to them, "
            "the same for all models of continuous noise."
        )
    pairs = captures["camera_iso_pairs"]
    low, high = (f"{sd:.2g}" for sd in captures["noise_standard_deviation"])
    lines = [
        f"Measured on `{captures['file']}`: {captures['patches']} patches of {height} x {width} "
        f"pixels with {channels} channel{'s' if channels > 1 else ''}, "
        f"{pairs} pair{'s' if pairs > 1 else ''} of camera and ISO.",
        "",
        f"- Cameras: {', '.join(captures['cameras'])}",
        f"- ISO: {', '.join(f'{iso:g}' for iso in captures['iso_levels'])}",
        "- Standard deviation of the captured noise, by camera and ISO: "
        f"{low if low == high else f'{low} to {high}'} of full scale",
        f"- {dequantisation}",
        f"- Seed {report['seed']} for the dequantisation and the models' draws, "
        f"{report['draws_per_pixel']} draws a pixel",
    ]
    for name in ("description", "origin", "licence"):
        if captures[name]:
            text = " ".join(captures[name].split())
            lines.append(f"- {name.capitalize()} of the captures: {text}")
    return "\n".join(lines)


def _definitions(report: dict) -> str:
    models = report["models"]
    lines = [
        f"- **{_label(MODEL, report)}**: the model that is evaluated{_in_words(models[MODEL])}.",
        *(
            f"- **{_label(name, report)}**: a model that was named beside it"
            f"{_in_words(models[name], _label(name, report))}."
            for name in named_beside(models)
            if models[name]["kl"] is not None
        ),
        *(
            f"- **{_label(name, report)}**: {BASELINES[name]}."
            for name in models
            if name in BASELINES and models[name]["kl"] is not None
        ),
    ]
    lines += [
        "- **NLL**: mean over patches of -log density / (H W C), nats per dimension, with its "
        "standard error over patches. Lower is better.",
        "- **kl**: KL(real || model) of the noise values pooled per camera and ISO; 128 bins over "
        "+-6 standard deviations of the captured noise and two open ends, 0.5 added to every "
        "count; mean over camera and ISO, nats.",
        "- **kl_paper**: as the paper's code computes it: per patch, bins of 0.2/64 on "
        "[-0.1, 0.1] and two open ends, one draw a pixel, bins that are empty in either left out; "
        "mean over every 5th patch of each camera and ISO, nats. No KL divergence, and a perfect "
        "model does not score 0.",
    ]
    if _has_nll_paper(report):
        lines.append(
            "- **nll_paper**: as the paper's code takes codes, for continuous values, without "
            "dequantisation. A density at codes may be higher than any of what is stored: it "
            "compares with the paper's figures alone. A model of codes has none."
        )
    kinds = {entry.get("likelihood") for entry in report["models"].values()}
    if kinds - {None, DEQUANTISED}:
        lines.append(
            "- **likelihood of**: codes, the probability that a sensor stores these codes, as a "
            "density (-log P / D + log step); a bound of it, at least as high, where steps mix "
            "pixels; or dequantised noise, whose NLL too is a bound from above of that of codes."
        )
    if report["floor"].get("nll") is not None:
        lines.append(
            "- **above the truth**: NLL minus that of the process that simulated the captures, of "
            "the codes that it stored. A model of dequantised values cannot come nearer than codes "
            "and clipping let it: some of what it gives probability to is never stored."
        )
    if report["floor"]["kl"] is not None:
        lines.append(
            f"- **{FLOOR}**: what a perfect model would score: a second real draw in the "
            "model's place. It has one draw a pixel where models have "
            f"{report['draws_per_pixel']} for `kl`, so a perfect model may score a little below it "
            "there."
        )
    return "\n".join(lines)


def _in_words(entry: dict, shown: str | None = None) -> str:
    """What an entry of the models says of itself, after what it is shown as."""
    if "in_words" not in entry:
        return ""  # A report of before models said it.
    name = f", {entry['name']}" if shown is not None and entry["name"] != shown else ""
    return f"{name}: {entry['in_words']}; {entry['parameters']} parameters"


def _differences_table(report: dict) -> str:
    if not report["differences"]:
        if report["models"][MODEL]["nll"] is None:
            return "Likelihoods are not compared: the model has none."
        return "There was no baseline to compare with."
    rows = []
    for row in report["differences"]:
        improvement = row["relative_improvement"]
        rows.append(
            [
                _label(row["baseline"], report),
                f"{row['nll']:+.4f}" + _plus_minus(row["paired_standard_error"]),
                "too much to print" if improvement is None else f"{100 * improvement:+.1f} %",
            ]
        )
    model = _label(MODEL, report)
    text = table(
        ["baseline", f"NLL of {model} minus the baseline's, nats/dim", "likelihood higher by"], rows
    )
    return (
        f"{text}\n\nA negative difference: {model} is better. On the same patches with the same "
        "dequantisation; the standard error is that of the paired differences. The last column is "
        "exp(-difference) - 1, per dimension, as the paper prints it."
    )


def _correlations_table(report: dict) -> str:
    rows = []
    for name, entry in report["correlations"].items():
        channels = entry["channels"]
        strongest = None
        if channels is not None:
            pairs = [
                channels[i][j]
                for i in range(len(channels))
                for j in range(i)
                if channels[i][j] is not None
            ]
            strongest = max(pairs, key=abs, default=None)
        rows.append(
            [
                _label(name, report),
                signed(entry["horizontal"]),
                signed(entry["vertical"]),
                signed(entry.get("row_correlation"), 4),
                signed(strongest),
                signed(entry["excess_kurtosis_given_clean"]),
                signed(entry["excess_kurtosis"]),
                *(tails[name] for tails in _tails(report)),
                signed(entry["largest_bright_mean"]),
            ]
        )
    text = table(
        [
            "noise",
            "lag-1, horizontal",
            "lag-1, vertical",
            "row variance",
            "strongest channel correlation",
            "excess kurtosis at a clean level",
            "excess kurtosis, all values",
            *(f"1 in {1 / share:,.0f} is beyond" for share in SHARES),
            "largest mean of bright pixels",
        ],
        rows,
    )
    matrices = _channel_matrices(report)
    return (
        f"{text}\n\nPearson correlations over all values of a camera and ISO, then the mean over "
        "camera and ISO. Lag 1 is the next value of the same channel. Row variance is what the "
        "values of a row of the mosaic have in common, as a share of the noise's variance (the "
        "correlation of two of them). Kurtosis at a clean level is taken within narrow bins of the "
        "clean image: 0 for a heteroscedastic Gaussian; over all values it also holds the spread "
        "of clean levels. A thousandth and a hundred-thousandth of the values are farther from 0 "
        "than is told, in standard deviations that captured noise has at that clean level, camera "
        "and ISO. The last column is the mean of the noise of a channel at clean levels above a "
        "tenth of full scale, in its standard deviations, for the camera, ISO and channel where it "
        "is farthest from 0; channels that differ in it have a colour cast." + matrices
    )


def _tails(report: dict) -> list[dict[str, str]]:
    """By share: by source what that share of the values exceeds."""
    found = []
    for number in range(len(SHARES)):
        rows = {name: tails[number] for name, tails in report.get("tails", {}).items()}
        values = {name: row["absolute"] for name, row in rows.items()}
        found.append(
            {
                name: "none" if values.get(name) is None else f"{values[name]:.2f}"
                for name in report["correlations"]
            }
        )
    return found


def _channel_matrices(report: dict) -> str:
    real = report["correlations"]["real"]["channels"]
    model = report["correlations"][MODEL]["channels"]
    if real is None:
        return f" No channel correlation: {report['correlations']['real']['reason']}."
    names = channel_names(len(real))
    rows = [
        [
            names[i],
            *(f"{signed(r)} / {signed(m)}" for r, m in zip(real[i], model[i], strict=True)),
        ]
        for i in range(len(real))
    ]
    text = table(["", *names], rows)
    return f"\n\nCorrelation between channels, captured noise / {_label(MODEL, report)}:\n\n{text}"


def _by_camera_iso_table(report: dict) -> str:
    names = [name for name, entry in report["models"].items() if entry["kl"] is not None]
    cells = {(row["camera"], row["iso"], row["model"]): row for row in report["by_camera_iso"]}
    conditions = list(dict.fromkeys((row["camera"], row["iso"]) for row in report["by_camera_iso"]))
    floors = {(row["camera"], row["iso"]): row for row in report["floor"]["by_camera_iso"]}
    sections = []
    for key, title, digits in (("nll", "NLL", 4), ("kl", "kl", 4), ("kl_paper", "kl_paper", 4)):
        has_floor = any(key in row for row in floors.values())
        labels = [_label(name, report) for name in names]
        header = ["camera", "ISO", "patches", *labels, *["floor"] * has_floor]
        worst = _worst(cells, conditions, names, key)
        rows = []
        for camera, iso in conditions:
            values = [cells[camera, iso, name] for name in names]
            row = [camera, f"{iso:g}", str(values[0]["patches"])]
            row += ["" if v[key] is None else f"{v[key]:.{digits}f}" for v in values]
            if (camera, iso) == worst:
                row[3 + names.index(MODEL)] += " *"
            if has_floor:
                row.append(f"{floors[camera, iso][key]:.{digits}f}")
            rows.append(row)
        sections.append(f"### {title}\n\n{table(header, rows)}")
    stars = (
        f"A star stands where {_label(MODEL, report)} is at its worst: farthest behind the best "
        "baseline in NLL, with the largest divergence."
    )
    return "\n\n".join([stars, *sections])


def _worst(cells: dict, conditions: list, names: list[str], key: str):
    """The camera and ISO at which the evaluated model is worst; None without others."""

    def badness(condition):
        values = {name: cells[(*condition, name)][key] for name in names}
        own = values.pop(MODEL)
        others = [value for value in values.values() if value is not None]
        if own is None or not others:
            return -np.inf
        return own - min(others) if key == "nll" else own

    worst = max(conditions, key=badness)
    return worst if badness(worst) > -np.inf else None


def _label(name: str, report: dict) -> str:
    return label(name, evaluated_name(report))


def _plus_minus(standard_error: float | None) -> str:
    return "" if standard_error is None else f" ± {standard_error:.4f}"
