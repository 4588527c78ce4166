"""A camera's noise model from its own raw frames: flats, darks and bursts of static scenes."""

from tfp_noiseflow.calibration.calibrate import Calibration, calibrate_folder
from tfp_noiseflow.calibration.outputs import calibrate

__all__ = ["Calibration", "calibrate", "calibrate_folder"]
