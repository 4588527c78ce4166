"""The shipped flow's noise on whole photographs and frames, as it is seen."""

import itertools
import pathlib
import sys

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.augmentation import noisy_frame
from tfp_noiseflow.imaging import demosaic
from tfp_noiseflow.imaging.isp import balance, camera_to_linear_srgb, linear_to_srgb
from tfp_noiseflow.imaging.picture import read_picture
from tfp_noiseflow.imaging.raw_frame import frame_of_codes, frame_of_photograph
from tfp_noiseflow.simulation.photographs import path_of

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def flow():
    return nf.load_model(ROOT / "saved_models" / "noise_flow_model")


def frame_of(scene):
    """A scikit-image photograph at the gallery's exposure."""
    return frame_of_photograph(read_picture(path_of(scene)), exposure=0.5)


def before_tone_curve(frame):
    camera_rgb = demosaic(balance(frame.mosaic[None], frame.colors, frame.exposure))
    return linear_to_srgb(camera_to_linear_srgb(camera_rgb, frame.colors.srgb_to_camera))[0].numpy()


@pytest.mark.parametrize(
    ("camera", "iso"),
    [
        ("Pixel", 3200),
        ("OPPO Reno", 800),
        pytest.param("Pixel", 800, marks=pytest.mark.slow),
        pytest.param("OPPO Reno", 3200, marks=pytest.mark.slow),
    ],
)
def test_noise_of_a_photograph_is_stronger_in_shadows_than_in_lights(flow, camera, iso):
    clean = frame_of("astronaut")
    noisy = noisy_frame(flow, clean, camera, iso)
    brightness = clean.picture().mean(axis=-1)

    def by_brightness(difference):
        edges = (0.02, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
        bins = itertools.pairwise(edges)
        return [difference[(brightness >= a) & (brightness < b)].std() for a, b in bins]

    # In sRGB without the S-shaped tone curve: the darker, the stronger. Measured: the shadows' is
    # 1.5 to 1.7 times the lights'.
    without = by_brightness(before_tone_curve(noisy) - before_tone_curve(clean))
    assert min(without[:2]) > 1.3 * without[-1]
    assert without[1] > without[2] > without[3] > without[4]
    # The tone curve's foot is flat, so that in pictures it is strongest in the darker middle; there
    # 1.4 times as strong as in the lights, and in the shadows 1.25 times.
    deviations = by_brightness(noisy.picture() - clean.picture())
    assert np.argmax(deviations) in (2, 3)
    assert deviations[2] > 1.3 * deviations[-1] and deviations[1] > 1.15 * deviations[-1]


def test_a_large_frame_is_one_call_and_has_no_seams(flow, monkeypatch):
    shapes = []

    def recorded(model, clean, *arguments, **options):
        shapes.append(tuple(clean.shape))
        return original(model, clean, *arguments, **options)

    # The package's name of it is the function.
    module = sys.modules["tfp_noiseflow.augmentation.noisy_frame"]
    original = module.camera_output
    monkeypatch.setattr(module, "camera_output", recorded)
    clean = frame_of_codes(np.full((768, 1024), 4000), "RGGB", 1000, 16000)
    noise = noisy_frame(flow, clean, "Pixel", 800, seed=1).mosaic - clean.mosaic
    assert shapes == [(1, 384, 512, 4)]
    # In standard deviations of each position of the CFA, which have means of their own.
    cells = noise.reshape(384, 2, 512, 2)
    axes = {"axis": (0, 2), "keepdims": True}
    noise = ((cells - cells.mean(**axes)) / cells.std(**axes)).reshape(768, 1024)
    # 4096 pixels: the variance is known to 2.4 % (kurtosis 3.4), to 3.5 % as neighbours agree a
    # little; its extreme among 192 blocks was 10 %.
    blocks = noise.reshape(12, 64, 16, 64)
    assert np.abs(blocks.var(axis=(1, 3)) - 1).max() < 0.18
    assert np.abs(blocks.mean(axis=(1, 3))).max() < 6 / 64
    # Rows and columns: means, then variances, whose standard error is 1.55 / sqrt(n).
    for axis, count in ((1, 1024), (0, 768)):
        assert np.abs(noise.mean(axis=axis)).max() < 6 / np.sqrt(count)
        assert np.abs(noise.var(axis=axis) - 1).max() < 6 * 1.55 / np.sqrt(count)


def test_noise_does_not_tint_a_photograph(flow):
    clean = frame_of("chelsea")
    before = clean.picture()
    for camera in flow.cameras:
        difference = noisy_frame(flow, clean, camera, 800).picture() - before
        # 135,300 pixels: the mean is known to 0.06 codes. Measured: 0.7 codes at most.
        assert np.abs(255 * difference.mean(axis=(0, 1))).max() < 1
