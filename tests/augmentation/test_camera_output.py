"""Fixed patterns and digital gain: added and multiplied before codes, in frames and patches."""

import zlib

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, MODELS
from tfp_noiseflow.augmentation.noisy_frame import noisy_frame
from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.imaging.raw_frame import frame_of_codes

NLF = MODELS["camera NLF"][0]
# Of noise that is not seen beside a pattern.
QUIET = nf.CameraNLF(CAMERAS, (400.0,), [[1e-14]] * 3, [[1e-14]] * 3)
STEP = 1 / 1023
SHAPE = (40, 60)


def pattern(camera="Alpha", isos=(400.0,), shape=SHAPE, cfa="RGGB"):
    """A map that names row and column, and one hot pixel."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    shading = (rows + columns / 100)[None] * 1e-3 * np.arange(1, len(isos) + 1)[:, None, None]
    return nf.FixedPattern(camera, cfa, isos, shading, [[3, 5]], np.full((len(isos), 1), 0.5))


def frame(level=0.25, cfa="RGGB", shape=SHAPE):
    return frame_of_codes(np.full(shape, level), cfa, 0, 1)


def test_a_frame_has_the_pattern_at_its_place():
    noisy = noisy_frame(QUIET, frame(), "Alpha", 400, fixed_pattern=pattern())
    np.testing.assert_allclose(noisy.mosaic, 0.25 + pattern().mosaic(400), atol=2e-6)
    assert noisy.mosaic[3, 5] > 0.7


def test_a_pattern_is_added_before_codes():
    stored = nf.StoredNoise(QUIET, STEP)
    noisy = noisy_frame(stored, frame(), "Alpha", 400, fixed_pattern=pattern()).mosaic
    expected = np.round((0.25 + pattern().mosaic(400)) / STEP)
    off = np.abs(noisy / STEP - expected)
    # A value in the middle between two codes may fall on either.
    assert np.mean(off > 1e-3) < 0.01 and off.max() < 1.001


@pytest.mark.parametrize("is_stored", [False, True])
def test_without_gain_and_pattern_frames_have_the_models_noise(is_stored):
    clean, model = frame(), NLF(tf.float32)
    model = nf.StoredNoise(model, STEP) if is_stored else model
    noisy = noisy_frame(model, clean, "Beta", 400, seed=3).mosaic
    packed = pack_bayer(clean.mosaic, "RGGB")[None]
    own = zlib.crc32(b"Beta|400") & 0x7FFFFFFF
    noise = nf.sample_noise(model, packed, 400, "Beta", seeds=[[3, own]])
    np.testing.assert_allclose(pack_bayer(noisy, "RGGB"), (packed + noise)[0], atol=1e-7)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"camera": "Beta"}, "pattern of the camera 'Alpha', received those of .'Beta'"),
        ({"isos": (800.0,)}, "an ISO among 800, .*received 400"),
        ({"shape": (20, 60)}, r"images of \[10, 30, 4\]"),
        ({"cfa": "GRBG"}, "a frame of the CFA 'GRBG'"),
    ],
)
def test_a_pattern_of_another_frame_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        noisy_frame(QUIET, frame(), "Alpha", 400, fixed_pattern=pattern(**changed))


@pytest.mark.parametrize("gain", [4.0, 16.0])
def test_digital_gain_multiplies_what_the_sensor_read(gain):
    """var = g beta1 clean + g^2 beta2, of the analogue ISO."""
    model, clean = NLF(tf.float32), frame(0.2, shape=(400, 400))
    noise = noisy_frame(model, clean, "Beta", 400, digital_gain=gain).mosaic - clean.mosaic
    beta1, beta2 = float(model.beta1[1, 1]), float(model.beta2[1, 1])
    expected = gain * beta1 * 0.2 + gain**2 * beta2
    # 160,000 pixels: 0.35 %.
    assert noise.var() == pytest.approx(expected, rel=0.02)
    in_patches = nf.AddCameraNoise(model, "Beta", 400, digital_gain=gain)
    patches = np.full((40, 32, 32, 4), 0.2, np.float32)
    assert (in_patches(patches) - patches).numpy().var() == pytest.approx(expected, rel=0.02)


def test_codes_are_made_after_the_digital_gain():
    model = nf.StoredNoise(NLF(tf.float32), STEP)
    noisy = noisy_frame(model, frame(0.99), "Beta", 400, digital_gain=8.0).mosaic
    codes = noisy / STEP
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    assert codes.max() == pytest.approx(1023) and len(np.unique(np.round(codes))) > 20
    # All codes are taken, not every eighth.
    assert len(np.unique(np.round(codes) % 8)) == 8


def test_digital_gains_of_images_are_theirs_or_drawn():
    model = nf.GaussianNoise(1e-3)
    clean = np.full((4, 32, 32, 4), 0.1, np.float32)
    given = nf.AddCameraNoise(model)({"clean": clean, "digital_gain": [1.0, 2.0, 4.0, 8.0]})
    # 4096 values: 1.1 %.
    np.testing.assert_allclose(
        np.std(given - clean, axis=(1, 2, 3)), [1e-3, 2e-3, 4e-3, 8e-3], rtol=0.05
    )
    many = np.full((200, 8, 8, 4), 0.1, np.float32)
    drawn = np.std(nf.AddCameraNoise(model, digital_gain=(2, 32))(many) - many, axis=(1, 2, 3))
    log_gain = np.log2(drawn / 1e-3)
    # Uniform from 1 to 5: mean 3 with a standard error of 0.08; 256 values are known to 4.4 %.
    assert log_gain.mean() == pytest.approx(3, abs=0.35)
    assert 0.7 < log_gain.min() < 1.3 and 4.7 < log_gain.max() < 5.3
    for wrong in (0.5, (4, 2), float("nan")):
        with pytest.raises(ValueError, match="a digital gain of at least 1"):
            nf.AddCameraNoise(model, digital_gain=wrong)
    with pytest.raises(ValueError, match="digital_gain of at least 1"):
        nf.AddCameraNoise(model)({"clean": clean, "digital_gain": [0.5] * 4})


def test_patches_have_crops_of_their_cameras_pattern():
    patterns = [pattern(camera, shape=(20 + 8 * n, 40)) for n, camera in enumerate(CAMERAS)]
    add = nf.AddCameraNoise(QUIET, fixed_patterns=patterns, seed=1)
    clean = np.full((24, 4, 6, 4), 0.1, np.float32)
    camera = np.repeat(np.arange(3), 8)
    added = add({"clean": clean, "camera": camera}).numpy() - clean
    begins = set()
    for own, crop in zip(camera, added, strict=True):
        image = patterns[own].image(400, (None, None, 4))
        windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape, axis=(0, 1, 2))
        off = np.abs(windows - crop).max(axis=(-3, -2, -1))
        assert off.min() < 3e-6
        begins.add((own, *np.unravel_index(off.argmin(), off.shape)))
    assert len(begins) > 18
    mapped = tf.data.Dataset.from_tensors(clean).enumerate().map(add.map_function)
    assert next(iter(mapped)).shape == clean.shape


def test_patterns_change_no_draw_of_the_noise():
    clean = np.full((6, 8, 8, 4), 0.1, np.float32)
    zeros = [nf.FixedPattern(name, "RGGB", (400.0,), np.zeros((1, 20, 20))) for name in CAMERAS]
    with_patterns = nf.AddCameraNoise(NLF(tf.float32), iso=400, fixed_patterns=zeros, seed=2)
    without = nf.AddCameraNoise(NLF(tf.float32), iso=400, seed=2)
    np.testing.assert_array_equal(with_patterns(clean), without(clean))


def test_patterns_that_do_not_go_with_the_model_are_refused():
    with pytest.raises(ValueError, match=r"fixed pattern of each of the cameras .*\['Alpha'\]"):
        nf.AddCameraNoise(QUIET, fixed_patterns=[pattern()])
    patterns = [pattern(camera, isos=(100.0,)) for camera in CAMERAS]
    clean = np.full((2, 8, 8, 4), 0.1, np.float32)
    with pytest.raises(ValueError, match=r"ISOs among those of the camera's fixed pattern \(100\)"):
        nf.AddCameraNoise(NLF(tf.float32), iso=400, fixed_patterns=patterns)(clean)
    small = [pattern(camera, shape=(10, 10)) for camera in CAMERAS]
    with pytest.raises(ValueError, match="at most 5 rows and 5 columns"):
        nf.AddCameraNoise(QUIET, fixed_patterns=small)(clean)
