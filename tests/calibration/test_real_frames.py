"""Real single frames of unknown cameras: upper bounds, told as such."""

import numpy as np
import pytest

from tests.calibration import shoot
from tfp_noiseflow.calibration.calibrate import calibrate_folder

# Measured here: beta1 of R, Gr, Gb and B, and what the files leave out.
FRAMES = {
    "clean_frames/nikon_dsc1339_14bit": ([3.56e-5, 2.85e-5, 2.83e-5, 3.49e-5], {}),
    "real_raw/rawpipe_input_bayer": ([1.66e-4, 5.11e-5, 4.96e-5, 8.56e-5], {"white": 4092}),
    "real_raw/halide_bayer_small": ([2.21e-4, 3.24e-4, 2.96e-4, 2.86e-4], {"black": 0}),
}


def folder_of(shared_data, name, tmp_path, about):
    with np.load(shared_data / f"{name}.npz") as file:
        known = {key: file[key] for key in ("black", "white", "cfa") if key in file} | about
        shoot.save_frame(tmp_path / "scenes" / "frame.npz", file["raw"], **known)
    return tmp_path


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_alone_gives_upper_bounds(shared_data, tmp_path, name):
    expected, about = FRAMES[name]
    found = calibrate_folder(folder_of(shared_data, name, tmp_path, about), "Unknown")
    np.testing.assert_allclose([cell.level.beta1 for cell in found.cells], expected, rtol=0.01)
    assert all(grade == "do not use" for grade, _ in found.verdicts)
    assert all(cell.figures["beta1"][1][0] == 0 for cell in found.cells)


def test_8_bit_codes_in_wider_numbers_are_refused(shared_data, tmp_path):
    with pytest.raises(ValueError, match="of fewer bits than the sensor's"):
        calibrate_folder(
            folder_of(shared_data, "clean_frames/openisp_test", tmp_path, {}), "Unknown"
        )
