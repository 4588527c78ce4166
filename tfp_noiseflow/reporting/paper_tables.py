"""Tables 1 and 2 of the paper, from the reports of several seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.reporting.plots.looks import label

# The models that table 1 sets beside Noise Flow.
TABLE_1 = ("gaussian", "camera_nlf", "recalibrated_nlf")
FIGURES = ("nll", "kl", "kl_paper")


def paper_tables(reports: Sequence[dict], architecture: str, *, by_kl: Sequence[dict] = ()) -> str:
    """Tables 1 and 2 as Markdown: means over seeds.

    Args:
      reports: of `evaluate`, one a seed, of the same captures and the same models.
      architecture: of the reports' own model.
      by_kl: the same of the checkpoints that were picked by validation KL instead of NLL.

    Returns:
      The text.
    """
    means = {
        name: {figure: _over_seeds(reports, name, figure) for figure in FIGURES}
        for name, entry in reports[0]["models"].items()
        if entry["nll"] is not None
    }
    labels = {name: architecture if name == MODEL else label(name) for name in means}
    return (
        "\n\n".join(
            [
                f"Seeds: {len(reports)}. Test captures: {reports[0]['captures']['file']}, "
                f"{reports[0]['captures']['patches']} patches. NLL in nats per dimension, means "
                "over seeds; in brackets, in table 2, the largest difference between seeds. `kl` "
                "and `kl_paper` are defined in every report.",
                "## Table 1: Noise Flow and its baselines",
                _table_1(reports, means, labels),
                "## Table 2: the layers",
                _table_2(reports, means, labels, by_kl),
                _truth(reports, means),
            ]
        ).rstrip()
        + "\n"
    )


def _over_seeds(reports, name, figure) -> tuple[float, float]:
    """The mean over seeds, and the largest difference."""
    values = [report["models"][name][figure] for report in reports]
    return float(np.mean(values)), float(np.ptp(values))


def _table_1(reports, means, labels) -> str:
    names = [name for name in TABLE_1 if name in means]
    lines = [
        f"| model | NLL | likelihood of {labels[MODEL]} higher by | kl | improvement of kl | "
        "kl_paper | improvement of kl_paper |",
        "|---|---|---|---|---|---|---|",
    ]
    own = means[MODEL]
    for name in (*names, MODEL):
        nll, kl, kl_paper = (means[name][figure][0] for figure in FIGURES)
        cells = [labels[name], f"{nll:.4f}", "", f"{kl:.4f}", "", f"{kl_paper:.4f}", ""]
        if name != MODEL:
            cells[2] = f"{100 * np.expm1(nll - own['nll'][0]):.1f} %"
            cells[4] = _reduction(own["kl"][0], kl)
            cells[6] = _reduction(own["kl_paper"][0], kl_paper)
        lines.append(f"| {' | '.join(cells)} |")
    floor = reports[0]["floor"]
    if floor["kl"] is not None:
        lines.append(f"| truth (floor) | | | {floor['kl']:.4f} | | {floor['kl_paper']:.4f} | |")
    missing = [name for name in TABLE_1 if name not in means]
    reasons = (f"{label(n)}: {reports[0]['models'][n]['reason']}" for n in missing)
    return "\n".join(lines) + ("\n\nNot compared: " + "; ".join(reasons) if missing else "")


def _reduction(own: float, other: float) -> str:
    # kl_paper is 0 where all noise is in one of its bins.
    return f"{100 * (1 - own / other):.1f} %" if other > 0 else ""


def _table_2(reports, means, labels, by_kl) -> str:
    def cell(of, name, figure):
        mean, spread = _over_seeds(of, name, figure)
        return f"{mean:.4f} ({spread:.4f})" if len(of) > 1 else f"{mean:.4f}"

    lines = [
        "| model | parameters | NLL | minus the last, ± paired standard error | kl | kl_paper |",
        "|---|---|---|---|---|---|",
    ]
    names = [name for name in means if name not in (*TABLE_1, "true_nlf")]
    for name in sorted(names, key=lambda name: -means[name]["nll"][0]):
        rows = [r for report in reports for r in report["differences"] if r["baseline"] == name]
        difference = ""
        if rows:
            difference = (
                f"{-np.mean([row['nll'] for row in rows]):+.4f} "
                f"± {np.mean([row['paired_standard_error'] or 0 for row in rows]):.4f}"
            )
        nll, kl, kl_paper = (cell(reports, name, figure) for figure in FIGURES)
        lines.append(
            f"| {labels[name]} | {reports[0]['models'][name]['parameters']} | {nll} | "
            f"{difference} | {kl} | {kl_paper} |"
        )
        if by_kl and name in by_kl[0]["models"]:
            nll, kl, kl_paper = (cell(by_kl, name, figure) for figure in FIGURES)
            lines.append(f"| {labels[name]}, epoch picked by KL | | {nll} | | {kl} | {kl_paper} |")
    return "\n".join(lines)


def _truth(reports, means) -> str:
    """How far the flow is from the law that was simulated, where the captures tell it."""
    if "true_nlf" not in means:
        return ""
    distance = means[MODEL]["nll"][0] - means["true_nlf"]["nll"][0]
    return (
        f"The flow's NLL minus that of the law that was simulated, as a heteroscedastic Gaussian: "
        f"{distance:+.5f} nats/dim. That is the distance from the true density where the process "
        "is Gaussian (the reference process); noise that is not can be modelled better."
    )
