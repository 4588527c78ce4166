import numpy as np
import pytest

from tfp_noiseflow.imaging import meter, mosaic_rggb
from tfp_noiseflow.imaging.inverse_isp import BLUE_GAIN_RANGE, RED_GAIN_RANGE


def grey_scene(gains, level=0.2, seed=0):
    """A grey texture under light that needs the gains of red and blue; RGGB."""
    grey = level * np.random.default_rng(seed).uniform(0.2, 1.0, (20, 20))
    grey = grey.repeat(2, axis=0).repeat(2, axis=1)
    return mosaic_rggb(np.stack([grey / gains[0], grey, grey / gains[1]], axis=-1))


@pytest.mark.parametrize("gains", [(2.1, 1.7), (1.8, 1.9), (2.4, 1.5)])
def test_white_balance_of_a_grey_scene(gains):
    colors, _ = meter(grey_scene(gains))
    assert colors.red_gain[0] == pytest.approx(gains[0], rel=1e-6)
    assert colors.blue_gain[0] == pytest.approx(gains[1], rel=1e-6)
    np.testing.assert_allclose(colors.srgb_to_camera.sum(axis=-1), 1, rtol=1e-12)


def test_a_coloured_object_that_fills_the_frame_does_not_turn_grey():
    red = np.broadcast_to([0.4, 0.05, 0.03], (20, 20, 3))
    colors, _ = meter(mosaic_rggb(red))
    assert colors.red_gain[0] == np.mean(RED_GAIN_RANGE)
    assert colors.blue_gain[0] == np.mean(BLUE_GAIN_RANGE)


@pytest.mark.parametrize("cfa", ["GRBG", "GBRG", "BGGR"])
def test_the_cfa_says_where_colors_are(cfa):
    mirrored = {"GRBG": np.s_[:, ::-1], "GBRG": np.s_[::-1], "BGGR": np.s_[::-1, ::-1]}[cfa]
    scene = grey_scene((2.2, 1.6))
    expected, exposure = meter(scene)
    found, same = meter(scene[mirrored], cfa)
    assert found.red_gain == pytest.approx(expected.red_gain)
    assert found.blue_gain == pytest.approx(expected.blue_gain)
    assert same == pytest.approx(exposure)


def test_exposure_makes_the_mean_middle_grey_and_keeps_highlights():
    flat = grey_scene((2.15, 1.7), level=0.1)
    # The mean is 0.06 (its 400 draws scatter by 2 %); the brightest, 0.1, stay below white.
    assert meter(flat)[1] == pytest.approx(0.06 / 0.18, rel=0.05)
    contrasty = 0.1 * flat
    contrasty[:, :4] *= 60
    # The mean asks for 0.23; a tenth of the frame is between 0.12 and 0.6.
    assert meter(contrasty)[1] > 0.4
    assert meter(np.ones((20, 20)))[1] == 1
    assert meter(np.zeros((20, 20)))[1] > 0
