"""What an evaluation says, in words: where the model is right, where wrong, what to use instead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.evaluation.rounding import HARMFUL, HARMFUL_NATS
from tfp_noiseflow.reporting.structure_tables import FIGURES, deviations_off

# Standard errors beyond which two models' likelihoods differ.
CLEAR = 2.0
# Of deviations: what is called right, and a share of the levels that are.
CLOSE, MOST = 0.05, 0.9
# Of a perfect model's intervals so many have no 0 in them.
BY_CHANCE = 0.05


def verdict(report: dict, label: Callable[[str], str]) -> str:
    """Sentences in Markdown, of a list.

    Args:
      report: of `evaluate`.
      label: what people read for a model's name.
    """
    return "\n".join(
        f"- {sentence}"
        for sentence in (
            _likelihood(report, label),
            _instead(report, label),
            _histograms(report, label),
            _deviations(report),
            _structure(report),
            _rounding(report),
        )
        if sentence
    )


def _likelihood(report: dict, label) -> str:
    nll, truth = report["models"][MODEL]["nll"], report["floor"].get("nll")
    if nll is None:
        return f"{label(MODEL)} has no likelihood: it is judged by its samples alone."
    if truth is None:
        return ""
    return (
        f"{label(MODEL)} is {nll - truth:.4f} nats per dimension above the exact truth of these "
        "captures."
    )


def _instead(report: dict, label) -> str:
    """The baseline with the best likelihood, where it is better, or the next best one."""
    rows = [row for row in report["differences"] if row["baseline"] != "true_nlf"]
    if not rows:
        return ""
    best = max(rows, key=lambda row: row["nll"])
    difference, error = best["nll"], best["paired_standard_error"] or 0.0
    by = f"{abs(difference):.4f} ± {error:.4f} nats per dimension"
    if difference > CLEAR * error:
        return (
            f"**Use {label(best['baseline'])} instead**: its likelihood is better, by {by} on the "
            "same patches."
        )
    if difference < -CLEAR * error:
        return (
            f"It is better than every baseline; the next best, {label(best['baseline'])}, by {by}."
        )
    return f"{label(best['baseline'])} is as good, to {by}: take the simpler one."


def _histograms(report: dict, label) -> str:
    own, floor = report["models"][MODEL]["kl"], report["floor"]["kl"]
    best = min((e["kl"], n) for n, e in report["models"].items() if e["kl"] is not None)
    text = f"Histograms of its noise: `kl` {own:.4f}"
    if floor is not None:
        text += f", a second captured draw {floor:.4f}"
    return text + ("." if best[1] == MODEL else f", {label(best[1])} {best[0]:.4f}.")


def _deviations(report: dict) -> str:
    """How much of the noise's strength is right, and where it is farthest off."""
    found = deviations_off(report, MODEL) if "levels" in report else []
    if not found:
        return ""
    off = np.array([value for value, _ in found])
    close = np.mean(np.abs(off) <= CLOSE)
    worst, place = found[int(np.argmax(np.abs(off)))]
    start = "Its strength is right" if close >= MOST else "**Its strength is wrong in places**"
    return (
        f"{start}: the standard deviation is within {CLOSE:.0%} of the captured noise's at "
        f"{close:.0%} of the cameras, ISOs and clean levels; farthest off {worst:+.0%} ({place})."
    )


def _rounding(report: dict) -> str:
    """Where float32 is too coarse for the model."""
    found = report.get("rounding") or {}
    if "reason" in found or not found:
        return ""
    limits = {"nll": HARMFUL_NATS, "sample": HARMFUL, "round_trip": HARMFUL}
    off = {name: found[name]["largest"] for name in limits}
    if all(off[name] is not None and off[name] <= limit for name, limit in limits.items()):
        return ""
    nll, sample, back = (
        "beyond all numbers" if value is None else f"up to {value:.2g}" for value in off.values()
    )
    return (
        f"**float32 is too coarse for its weights**: beside the same model in float64 its NLL is "
        f"off by {nll} nats per dimension, its samples by {sample} and noise that goes to the "
        f"latent and back by {back} of the noise's standard deviation. Steps stretch roundings: "
        "train with a smaller learning rate, or make the model of dtype float64."
    )


def _structure(report: dict) -> str:
    """Which of the figures differ from captured noise at more cameras and ISOs than by chance."""
    wrong = []
    rows = [row for row in report.get("structure", []) if row["source"] == MODEL]
    for figure, (title, _) in FIGURES.items():
        intervals = [row[figure].get("difference_interval") for row in rows]
        known = [interval for interval in intervals if interval is not None]
        off = sum(not low <= 0 <= high for low, high in known)
        # Two more than three standard deviations of a binomial number would be.
        if off > BY_CHANCE * len(known) + 3 * np.sqrt(BY_CHANCE * len(known)):
            wrong.append(
                f"{title[0].lower()}{title[1:]} (at {off} of {len(known)} pairs of camera and ISO)"
            )
    if not rows:
        return ""
    if not wrong:
        return "Tails, rows and neighbours are those of captured noise, up to chance."
    return f"**Not that of captured noise**: {'; '.join(wrong)}."
