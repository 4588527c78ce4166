"""Laws: numbers that depend on ISO and camera."""

from tfp_noiseflow.laws.camera_law import CameraLaw, LawFit
from tfp_noiseflow.laws.camera_table import CameraTable, read_camera_tables, write_camera_tables
from tfp_noiseflow.laws.capture_fit import LawEstimate, fit_camera_laws
from tfp_noiseflow.laws.condition_table import ConditionTable, as_law
from tfp_noiseflow.laws.interpolated_table import InterpolatedTable
from tfp_noiseflow.laws.law import Law
from tfp_noiseflow.laws.noise_profile import noise_profile, read_noise_profiles
from tfp_noiseflow.laws.polynomial_law import FOLLOWED_ISOS, PolynomialLaw, laws_of_cameras
from tfp_noiseflow.laws.population import generic_cameras
from tfp_noiseflow.laws.sum import Sum

__all__ = [
    "FOLLOWED_ISOS",
    "CameraLaw",
    "CameraTable",
    "ConditionTable",
    "InterpolatedTable",
    "Law",
    "LawEstimate",
    "LawFit",
    "PolynomialLaw",
    "Sum",
    "as_law",
    "fit_camera_laws",
    "generic_cameras",
    "laws_of_cameras",
    "noise_profile",
    "read_camera_tables",
    "read_noise_profiles",
    "write_camera_tables",
]
