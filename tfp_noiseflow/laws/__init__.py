"""Laws: numbers that depend on ISO and camera."""

from tfp_noiseflow.laws.condition_table import ConditionTable, as_law
from tfp_noiseflow.laws.law import Law

__all__ = ["ConditionTable", "Law", "as_law"]
