import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, MODELS
from tfp_noiseflow.imaging.picture import read_picture
from tfp_noiseflow.reporting.noise_gallery import divergence, plot_noise_gallery

SIZE = 24


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """Captures of the camera NLF's own noise."""
    generator = np.random.default_rng(0)
    clean = generator.uniform(0.1, 0.6, (18, SIZE, SIZE, 4)).astype(np.float32)
    camera, iso = np.resize(CAMERAS, 18), np.repeat(ISO_LEVELS, 6)
    model = MODELS["camera NLF"][0](tf.float32)
    noise = [model(clean, iso=iso, camera=camera).sample(seed=(0, k)).numpy() for k in range(2)]
    path = tmp_path_factory.mktemp("gallery") / "captures.h5"
    nf.write_captures(path, clean + noise[0], clean, iso, camera, noisy_repeat=clean + noise[1])
    return nf.read_captures(path)


def test_the_figure_shows_every_model_and_ranks_them(captures, tmp_path):
    pytest.importorskip("PIL")
    models = {
        "Gaussian": nf.GaussianNoise.fit(captures),
        "camera NLF": MODELS["camera NLF"][0](tf.float32),
    }
    conditions = [("Alpha", 100.0), ("Gamma", 1600.0)]
    rows = plot_noise_gallery(models, captures, conditions, tmp_path / "noise.png")
    assert [(row["camera"], row["iso"]) for row in rows] == conditions
    for row in rows:
        # The NLF is the truth. 2304 values in 130 bins: a perfect model scores about 0.02.
        assert row["kl"]["camera NLF"] < 0.06 < row["kl"]["Gaussian"]
        assert row["kl"]["floor"] < 0.1
    figure = read_picture(tmp_path / "noise.png")
    # Two rows of four pictures (two models, real, clean) of 48 pixels.
    assert figure.shape[0] > 2 * 2 * SIZE and figure.shape[1] > 4 * 2 * SIZE
    with pytest.raises(ValueError, match="captures of Alpha at ISO 7"):
        plot_noise_gallery(models, captures, [("Alpha", 7)], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_divergence_is_near_nothing_for_the_same_law_and_large_for_another():
    generator = np.random.default_rng(0)
    real = generator.standard_normal((64, 64, 4)).astype(np.float32)
    same = generator.standard_normal((16, 64, 64, 4)).astype(np.float32)
    assert divergence(real, same) < 0.01
    # Gaussians of deviations 1 and 2: log 2 + 1/8 - 1/2 = 0.318.
    assert divergence(real, 2 * same) == pytest.approx(0.318, abs=0.02)
