"""Clean images that hold noise are told, those of photographs are not."""

import numpy as np
import pytest
import scipy.ndimage

import tfp_noiseflow as nf
from tfp_noiseflow.captures.clean_noise import clean_noise
from tfp_noiseflow.simulation.simulate_captures import simulate_captures


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    path = tmp_path_factory.mktemp("clean") / "c.h5"
    simulate_captures(
        path, process="gaussian", split="test", patches_per_combination=8, repeat=True
    )
    return nf.read_captures(path)


def test_scenes_are_no_noise(captures):
    assert list(clean_noise(captures)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("another frame", "clean has noise of its own, (4|5).%"),
        ("mean with itself", "vary like noise, .* as a mean that noisy is one of"),
        ("denoised", "as a denoised noisy image does"),
    ],
)
def test_noise_of_clean_is_told(captures, tmp_path, name, text):
    block = captures.select(captures.iso == 3200).read(0, int(np.sum(captures.iso == 3200)))
    # Uniform areas, as test charts have.
    clean = block.clean.mean(axis=(1, 2), keepdims=True) + 0 * block.clean
    a, b = clean + block.noise, clean + block.noise_repeat
    blurred = scipy.ndimage.gaussian_filter(a, (0, 0.6, 0.6, 0))
    shown = {"another frame": b, "mean with itself": (a + b) / 2, "denoised": blurred}[name]
    nf.write_captures(tmp_path / "c.h5", a, shown, block.iso, block.camera)
    with pytest.warns(UserWarning, match=text):
        nf.CameraNLF.fit(nf.read_captures(tmp_path / "c.h5"))


def test_a_mean_so_weighted_that_the_variance_is_right_is_no_fault(captures, tmp_path):
    # As `calibration.burst_captures` makes them, of two frames.
    block = captures.select(captures.iso == 3200).read(0, int(np.sum(captures.iso == 3200)))
    clean = block.clean.mean(axis=(1, 2), keepdims=True) + 0 * block.clean
    a, b = clean + block.noise, clean + block.noise_repeat
    shown = b + (1 - np.sqrt(1 / 2)) * (a - b)
    nf.write_captures(tmp_path / "c.h5", a, shown, block.iso, block.camera)
    assert list(clean_noise(nf.read_captures(tmp_path / "c.h5"))) == []


def test_a_fit_tells_how_far_noise_is_from_a_line(captures, tmp_path):
    nlf = nf.CameraNLF.fit(captures)
    assert set(nlf.quality) == {(c, i) for c in captures.cameras for i in captures.iso_levels}
    # Of Gaussian noise of a line.
    assert all(quality.residual < 0.03 for quality in nlf.quality.values())
    block = captures.select((captures.iso == 3200) & (captures.camera == "Pixel")).read(0, 8)
    bent = block.noise * np.sqrt(1 + 4 * block.clean)
    nf.write_captures(tmp_path / "c.h5", block.clean + bent, block.clean, 3200, "Pixel")
    quality = nf.CameraNLF.fit(nf.read_captures(tmp_path / "c.h5")).quality["Pixel", 3200.0]
    assert quality.residual > 0.05 and quality.pixels == block.noise.size
