"""Two frames of a static scene tell a camera's noise, whatever is in the scene."""

import warnings

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.photon_transfer import estimate_pair
from tfp_noiseflow.simulation.tukey_lambda import draw_tukey_lambda

BLACK, WHITE = 64, 1023
BETA1, BETA2 = 2.25e-4, 2e-6
GIVEN = {"black_level": BLACK, "white_level": WHITE, "cfa": "RGGB", "iso": 100}


def observe(clean, rng, beta1=BETA1, beta2=BETA2):
    """10-bit codes of Poisson shot noise and heavy-tailed read noise."""
    step = 1 / (WHITE - BLACK)
    read = np.sqrt(beta2 - step**2 / 12) * draw_tukey_lambda(-0.1, clean.shape, rng)
    noisy = rng.poisson(clean / beta1) * beta1 + read
    return np.clip(np.rint(BLACK + noisy / step), 0, WHITE).astype(np.uint16)


def scene(width=800, height=600):
    """A ramp, edges every hundred pixels, fine texture, and a light that saturates."""
    y, x = np.mgrid[:height, :width]
    clean = 0.05 + 0.5 * x / width
    clean[(x // 100 + y // 100) % 2 == 0] *= 0.5
    clean[200:300, 300:500] += 0.1 * (np.sin(1.3 * x) * np.sin(y))[200:300, 300:500]
    clean[400:440, 400:440] = 1.5
    return clean


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_edges_texture_and_a_shift_do_not_count_as_noise(shift):
    rng, clean = np.random.default_rng(shift), scene()
    a, b = (observe(clean[:, s : s + 798], rng) for s in (0, shift))
    estimate = estimate_pair(a, b, **GIVEN)
    for channel in estimate.channels:
        # One standard deviation is 1 %, and what texture is left of a shifted scene is 2 %.
        assert channel.beta1 == pytest.approx(BETA1, rel=0.03 if shift == 0 else 0.06)
        low, high = channel.beta1_interval
        assert low < channel.beta1 < high < 1.2 * low
        assert not channel.beta2_is_prior and not channel.is_bound
        # 40 x 40 of 798 x 600 pixels are saturated; pieces of rows are whole.
        assert 0.003 < channel.clipped < 0.008
        assert channel.used > 0.2 and (channel.moved > 0.3) == (shift > 0)
    assert abs(estimate.gain - 1) < 0.002
    assert ("shifted" in " ".join(estimate.warnings)) == (shift > 0)
    if shift:  # To first order.
        assert -estimate.shift[1] == pytest.approx(shift, rel=0.5) and abs(estimate.shift[0]) < 0.1


def test_a_brighter_second_frame_is_no_noise():
    rng, clean = np.random.default_rng(0), np.minimum(scene(), 0.8)
    estimate = estimate_pair(observe(clean, rng), observe(1.02 * clean, rng), **GIVEN)
    assert estimate.gain == pytest.approx(1.02, abs=0.001)
    for channel in estimate.channels:
        # The mean of both frames' light is 1 % above the first one's; so is neither beta.
        assert channel.beta1 == pytest.approx(BETA1, rel=0.03)
    assert "light is 1.02" in " ".join(estimate.warnings)


def test_something_that_moves_is_left_out():
    rng, clean = np.random.default_rng(0), np.minimum(scene(), 0.8)
    other = clean.copy()
    other[100:250, 100:300] = 0.3
    estimate = estimate_pair(observe(clean, rng), observe(other, rng), **GIVEN)
    for channel in estimate.channels:
        assert channel.beta1 == pytest.approx(BETA1, rel=0.04)
        assert channel.moved > 0.04


def test_of_a_flat_pair_beta2_is_other_cameras_and_said_to_be():
    rng = np.random.default_rng(0)
    a, b = (observe(np.full((200, 300), 0.3), rng) for _ in range(2))
    estimate = estimate_pair(a, b, **GIVEN)
    for channel in estimate.channels:
        assert channel.beta2_is_prior and channel.beta1 == pytest.approx(BETA1, rel=0.06)
        assert channel.beta2_interval[0] < BETA2 < channel.beta2_interval[1]
    assert "population of cameras" in " ".join(estimate.warnings)


def test_texture_everywhere_gives_a_bound_and_says_so():
    rng = np.random.default_rng(0)
    clean = np.clip(0.3 + 0.05 * rng.standard_normal((400, 602)), 0, 1)
    a, b = (observe(clean[:, s : s + 600], rng) for s in (0, 2))
    estimate = estimate_pair(a, b, **GIVEN)
    assert all(channel.is_bound for channel in estimate.channels)
    assert "upper bounds" in " ".join(estimate.warnings)
    for channel in estimate.channels:
        assert channel.beta1_interval[0] == 0 < BETA1 < channel.beta1 < channel.beta1_interval[1]


def test_little_that_is_flat_in_a_shifted_scene_is_told():
    rng = np.random.default_rng(0)
    texture = 0.3 + 0.05 * rng.standard_normal((200, 302))
    texture[:, :100] = 0.3
    a, b = (observe(np.clip(texture[:, s : s + 300], 0, 1), rng) for s in (0, 2))
    estimate = estimate_pair(a, b, **GIVEN)
    for channel in estimate.channels:
        assert channel.beta1_interval[0] < BETA1 < channel.beta1_interval[1]
        assert channel.used < 0.35 and not channel.is_bound
    assert "most of the scene is texture" in " ".join(estimate.warnings)


@pytest.mark.slow
def test_intervals_cover():
    clean = np.minimum(scene(400, 200), 0.8)
    covered = []
    for repeat in range(200):
        rng = np.random.default_rng([1, repeat])
        estimate = estimate_pair(observe(clean, rng), observe(clean, rng), **GIVEN)
        for channel in estimate.channels:
            low, high = channel.beta1_interval
            covered.append(low <= BETA1 <= high)
    # Nominally 95 %.
    assert 0.90 <= np.mean(covered) <= 0.99


def test_the_nlf_of_a_pair_is_a_noise_model_with_its_estimate():
    rng, clean = np.random.default_rng(0), np.minimum(scene(400, 300), 0.8)
    a, b = observe(clean, rng), observe(clean, rng)
    black = np.array([[64, 64], [64, 64]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlf = nf.CameraNLF.from_pairs(a, b, **GIVEN | {"black_level": black}, camera="Mine")
    estimate = nlf.quality["Mine", 100.0]
    expected = [channel.beta1 for channel in estimate.channels]
    np.testing.assert_allclose(nlf.beta1.numpy().ravel(), expected, rtol=1e-6)
    assert nlf.channels == 4 and nlf.known.holds(100, "Mine")
    noise = nlf(np.full([1, 8, 8, 4], 0.2, np.float32), iso=100, camera="Mine").sample(seed=(0, 1))
    assert noise.shape == (1, 8, 8, 4)
    plane = nf.CameraNLF.from_pairs(a[::2, ::2], b[::2, ::2], **GIVEN | {"cfa": None})
    assert plane.channels is None and plane.quality["camera", 100.0].channels[0].channel == "all"
    with pytest.warns(UserWarning, match="ISO 100: the second frame's light is 1.05"):
        nf.CameraNLF.from_pairs(a, observe(1.05 * clean, rng), **GIVEN)


def test_what_is_no_pair_is_refused():
    rng = np.random.default_rng(0)
    a, b = (observe(np.full((64, 96), 0.3), rng) for _ in range(2))
    for wrong, text in (
        ({"b": a}, "two different frames, received the same one twice"),
        ({"b": b[:-2]}, r"one size, received uint16 \[64, 96\] and uint16 \[62, 96\]"),
        ({"b": np.full_like(a, WHITE)}, "of the same light, received"),
        ({"iso": 0}, "an ISO above 0, received 0"),
        ({"cfa": "RGBG"}, "expected a CFA among"),
        ({"black_level": 2000}, "white above black"),
        ({"black_level": [64, 64]}, r"expected a black level or \[2, 2\], received \[2\]"),
    ):
        given = {"a": a, "b": b} | GIVEN | wrong
        with pytest.raises(ValueError, match=text):
            estimate_pair(**given)
    full = np.full((64, 96), WHITE)
    full[0, 0] = 500
    with pytest.raises(ValueError, match="at an end of the codes"):
        estimate_pair(full, np.full_like(full, WHITE), **GIVEN)
