"""What people read of an evaluation: the report, its pictures, the paper's tables and figures."""

from tfp_noiseflow.reporting.paper_tables import paper_tables
from tfp_noiseflow.reporting.report import write_report

__all__ = ["paper_tables", "write_report"]
