"""Laws: numbers that depend on ISO and camera."""

from tfp_noiseflow.laws.camera_law import CameraLaw, LawFit
from tfp_noiseflow.laws.camera_table import CameraTable, read_tables, write_tables
from tfp_noiseflow.laws.condition_table import ConditionTable, as_law
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.laws.noise_profile import noise_profile, read_noise_profiles
from tfp_noiseflow.laws.population import generic_cameras

__all__ = [
    "CameraLaw",
    "CameraTable",
    "ConditionTable",
    "Law",
    "LawFit",
    "as_law",
    "generic_cameras",
    "noise_profile",
    "read_noise_profiles",
    "read_tables",
    "write_tables",
]
