"""A comparison of architectures as Markdown."""

from __future__ import annotations

from tfp_noiseflow.reporting.plots.looks import label
from tfp_noiseflow.reporting.table import signed, table


def comparison_text(content: dict) -> str:
    """The table of a comparison and what stands in it.

    Args:
      content: of comparison.json.
    """
    captures, seeds = content["captures"], content["seeds"]
    lines = [f"- **{label(row['name'])}**: {row['in_words']}." for row in content["models"]]
    return (
        "\n\n".join(
            [
                "# Architectures beside each other",
                f"Test captures: {captures['file']}, {captures['patches']} patches of "
                f"{' x '.join(map(str, captures['image_shape'][:2]))} pixels. "
                f"{content['how_split']} Means over the seeds {', '.join(map(str, seeds))}.",
                _table(content),
                _explained(content),
                "\n".join(lines),
                "![NLL against cost](comparison.png)",
            ]
        )
        + "\n"
    )


def _table(content: dict) -> str:
    truth, has_seeds = content["truth"], len(content["seeds"]) > 1
    header = [
        "model",
        "NLL, nats/dim",
        *["above the truth"] * (truth is not None),
        f"minus {content['first']}",
        "likelihood of",
        "kl",
        "lag-1, horizontal",
        "row variance",
        "excess kurtosis at a clean level",
        *(f"1 in {1 / row['share']:,.0f} is beyond" for row in content["captured"]["tails"]),
        "parameters",
        "ms a training step",
        "ms a sampled patch",
        "on the front",
    ]
    body = []
    for row in content["models"]:
        spread = f" ({row['nll_range_over_seeds']:.4f})" if has_seeds else ""
        body.append(
            [
                label(row["name"]),
                f"{row['nll']:.4f}{spread}",
                *([f"{row['nll_above_truth']:.4f}"] if truth is not None else []),
                _difference(row),
                row["likelihood"],
                f"{row['kl']:.4f}",
                *_structure(row),
                str(row["parameters"]),
                f"{row['milliseconds_a_training_step']:.1f}",
                f"{row['milliseconds_a_sampled_patch']:.3f}",
                "yes" if row["is_on_front"] else "",
            ]
        )
    nll = [f"{truth:.4f}", "0"] if truth is not None else [""]
    captured = ["captured noise", *nll, "", "", "", *_structure(content["captured"])]
    return table(header, [*body, [*captured, "", "", "", ""]])


def _structure(row: dict) -> list[str]:
    return [
        signed(row["horizontal"], 4),
        signed(row["row_correlation"], 4),
        signed(row["excess_kurtosis_given_clean"], 2),
        *("none" if t["absolute"] is None else f"{t['absolute']:.2f}" for t in row["tails"]),
    ]


def _difference(row: dict) -> str:
    if row["minus_first"] is None:
        return ""
    error = row["paired_standard_error"]
    return f"{row['minus_first']:+.5f}" + (f" ± {error:.5f}" if error is not None else "")


def _explained(content: dict) -> str:
    spread = ", in brackets the largest difference between seeds" * (len(content["seeds"]) > 1)
    truth = ""
    if content["truth"] is not None:
        truth = "; that of the captured noise is the exact one of what simulated it"
    return (
        f"NLL in nats per dimension{spread}{truth}. Differences have the standard error of "
        "the paired differences of patches. Lag-1 and row variance are correlations of the next "
        "value of a channel and of two values of a row of the mosaic; a share of 1 in 1,000 or 1 "
        "in 100,000 of the values is farther from 0 than is told, in standard deviations that "
        "captured noise has at that clean level, camera and ISO. A training step is of "
        f"{content['batch_size']} patches, and so is the batch whose samples are timed: medians of "
        "calls in turn, of the first seed's models. On the front is a model where no other is both "
        "likelier and faster to sample."
    )
