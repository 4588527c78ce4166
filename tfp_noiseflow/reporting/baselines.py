"""The models that stand beside the evaluated one in every report, and those that were named."""

from __future__ import annotations

from collections.abc import Iterable

from tfp_noiseflow.evaluation.report_content import MODEL

# What they are, by their names in report.json.
BASELINES = {
    "gaussian": "one standard deviation for everything, fitted on the training captures",
    "recalibrated_nlf": (
        "a noise level function, Gaussian noise of variance beta1 x clean + beta2, fitted on the "
        "training captures for each camera and ISO"
    ),
    "camera_nlf": "the noise level functions that the captures report",
    "true_nlf": (
        "the noise level functions that were simulated; where the simulated noise is not Gaussian "
        "(it is clipped, heavy-tailed or correlated), a model can be better"
    ),
}


def named_beside(names: Iterable[str]) -> list[str]:
    """Those of a report's sources that are neither captured, evaluated nor a baseline."""
    return [name for name in names if name not in ("real", MODEL, *BASELINES)]
