"""A calibrated camera is as likely as a flow that is trained on thousands of its captures."""

import json

import pytest

from tfp_noiseflow.experiments import CalibratedCameraExperiment
from tfp_noiseflow.simulation.raw_shoot import RawShoot


@pytest.mark.slow
def test_it_is_near_the_truth_which_no_flow_exceeds(tmp_path):
    shoot = RawShoot(iso_levels=(100, 800, 3200), shape=(384, 512), flat_exposures=4, burst=4)
    experiment = CalibratedCameraExperiment(
        tmp_path, "Pixel", shoot, architectures=(), captures={"test": 150}
    )
    found = experiment.run()
    assert json.loads((tmp_path / "calibrated_camera.json").read_text()) == found
    assert "| truth" in (tmp_path / "table.md").read_text()
    above = found["truth"]["calibrated_minus_it"]
    # 0.003 nats/dim is asked for beside a flow trained on 5000 captures, which is above the truth
    # too. What is left here is the family's: 0.0005 with a standard error of 0.00007.
    assert 0 < above["nll"] < 0.001 and above["paired_standard_error"] < 2e-4
    model = experiment.calibrated()
    assert model.architecture == "L-R-P"
