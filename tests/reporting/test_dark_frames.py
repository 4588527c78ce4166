import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.imaging.picture import read_picture
from tfp_noiseflow.reporting.dark_frames import plot_dark_frames, sampler


def test_rows_that_a_model_has_are_seen_and_told(tmp_path):
    pytest.importorskip("PIL")
    law = nf.CameraLaw((1e-4, 0), (0, 0, 1e-4), camera="A")
    model = nf.StoredNoise(nf.NoiseFlow("L-R", ["A"], laws=[law], seed=0), 1 / 255)
    flat = nf.StoredNoise(nf.NoiseFlow("L", ["A"], laws=[law]), 1 / 255)
    # Rows of the same variance as the pixels': where half of it is clipped, still far above white
    # noise's 0.006 / sqrt(64).
    model.unstored.layers["row_noise"].log_variance.follow(
        model.unstored.layers["signal_dependent"].log_beta2, 1.0
    )
    path = tmp_path / "dark.png"
    models = {"rows": sampler(model, "A", 400), "none": sampler(flat, "A", 400)}
    rows = plot_dark_frames(models, path, size=32, scale=1)
    assert rows["rows"] > 0.004 > 0.002 > rows["none"]
    picture = read_picture(path)
    # Two rows of two frames of 64 pixels.
    assert picture.shape[0] > 128 and picture.shape[1] > 128 and np.ptp(picture) > 0.9
