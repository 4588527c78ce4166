"""Raw folders of a known truth, small, for several test modules."""

import json

import numpy as np

from tfp_noiseflow.simulation.raw_folder import RawCamera, simulate_raw_folder
from tfp_noiseflow.simulation.raw_shoot import RawShoot

# Frames as small as these do not tell a flicker of 0.5 % at ISO 1600.
SMALL = RawShoot(
    iso_levels=(100, 400, 1600), shape=(160, 256), flat_exposures=4, darks=6, burst=6, flicker=0.02
)


def write(path, phone="Pixel", shoot=SMALL, seed=0):
    """Writes one and gives its truth."""
    return simulate_raw_folder(path, phone, shoot, seed=seed)


def truth_of(truth, iso):
    (row,) = (row for row in truth["by_iso"] if row["iso"] == iso)
    return row


def calibration_json(folder):
    return json.loads((folder / "calibration.json").read_text())


def save_frame(path, codes, **changed):
    """One frame as .npz; what is None is left out."""
    about = {"black": 64, "white": 1023, "cfa": "RGGB", "iso": 100, "exposure_time": 0.01}
    about |= {"raw": codes} | changed
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in about.items() if value is not None})
    return path


def camera(phone="Pixel", **changed):
    shoot = RawShoot(**{"iso_levels": (100,), "shape": (96, 160)} | changed)
    return RawCamera(phone, shoot, seed=0)
