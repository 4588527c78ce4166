"""Metrics, report and plots: how well a noise model fits captures, beside its baselines."""

from tfp_noiseflow.evaluation.likelihood import negative_log_likelihood
from tfp_noiseflow.evaluation.measurement import Measurement, evaluate, measure
from tfp_noiseflow.evaluation.paper_tables import paper_tables
from tfp_noiseflow.evaluation.report import write_report

__all__ = [
    "Measurement",
    "evaluate",
    "measure",
    "negative_log_likelihood",
    "paper_tables",
    "write_report",
]
