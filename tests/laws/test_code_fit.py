"""Noise level functions and laws by the likelihood of codes."""

import numpy as np
import pytest
from scipy import integrate, stats

import tfp_noiseflow as nf
from tfp_noiseflow.captures.code_sample import CodePixels, sample_codes
from tfp_noiseflow.laws.capture_fit import fit_camera_laws
from tfp_noiseflow.laws.code_likelihood import code_nll

LAW = nf.CameraLaw(beta1=(2.5e-4, 4e-5), beta2=(8e-7, 2e-7, 2e-6), camera="A")
ISOS = (100, 400, 1600, 3200)
STEP = 1 / 255  # Two to ten times the darkest noise's standard deviation.


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """Gaussian noise of a law, as 8-bit codes clipped at both ends."""
    rng = np.random.default_rng(0)
    iso = np.repeat(np.float32(ISOS), 64)
    clean = (rng.random((len(iso), 16, 16, 4)) ** 3 * 1.02).clip(0, 1).astype(np.float32)
    beta1, beta2 = (np.array(beta)[:, None, None, None] for beta in LAW(iso))
    noisy = clean + np.sqrt(beta1 * clean + beta2) * rng.standard_normal(clean.shape)
    path = tmp_path_factory.mktemp("codes") / "captures.h5"
    nf.write_captures(
        path,
        noisy=np.clip(np.rint(noisy / STEP), 0, 255).astype(np.uint8),
        clean=(clean / STEP).astype(np.float32),
        iso=iso,
        camera=["A"] * len(iso),
        black_level=0,
        white_level=255,
        quantization_step=1,
    )
    with nf.read_captures(path) as opened:
        yield opened


def sampled(captures, **options):
    return sample_codes(captures, clips_black=True, clips_white=True, **options)


def test_a_sample_holds_bins_around_stored_noise(captures):
    sample = sampled(captures, pixels=1000)
    assert list(sample) == [("A", iso) for iso in ISOS]
    for pixels in sample.values():
        assert 1000 <= len(pixels.clean) <= 1000 + 64 and pixels.step == pytest.approx(STEP)
        is_inside = np.isfinite(pixels.lower) & np.isfinite(pixels.upper)
        np.testing.assert_allclose((pixels.upper - pixels.lower)[is_inside], STEP, rtol=1e-9)
        code = (pixels.clean + 0.5 * (pixels.lower + pixels.upper))[is_inside] / STEP
        # float32 images of 255 codes.
        np.testing.assert_allclose(code, np.rint(code), atol=1e-4)
        assert code.min() > 0.5 and code.max() < 254.5
        assert np.isneginf(pixels.lower).any() and np.isposinf(pixels.upper).any()
    again = sampled(captures, pixels=1000)
    other = sampled(captures, pixels=1000, seed=1)
    for key, pixels in sample.items():
        np.testing.assert_array_equal(pixels.lower, again[key].lower)
        assert not np.array_equal(pixels.clean, other[key].clean)


def test_ends_that_do_not_clip_have_bins_like_the_others(captures):
    open_ended = sample_codes(captures, clips_black=False, clips_white=False, pixels=1000)
    for pixels in open_ended.values():
        np.testing.assert_allclose(pixels.upper - pixels.lower, STEP, rtol=1e-9)


def test_likelihood_is_that_of_the_bins(captures):
    lower = np.array([-0.01, 0.002, -np.inf, 0.02, -0.06, 0.03])
    upper = np.array([0.01, 0.004, -0.003, np.inf, -0.05, 0.031])
    variance = np.array([1e-4, 1e-5, 1e-4, 4e-5, 1e-6, 1e-6])
    pixels = CodePixels(np.zeros(6), lower, upper, 0.01)
    nll, slope = code_nll(pixels, variance)
    for k in range(4):
        normal = stats.norm(scale=np.sqrt(variance[k]))
        expected = -np.log(normal.cdf(upper[k]) - normal.cdf(lower[k])) + np.log(0.01)
        assert nll[k] == pytest.approx(expected, rel=1e-9)
    # 50 and 30 standard deviations out, where SciPy's difference is 0: the density at the near
    # edge, integrated in units of it.
    for k, edge in ((4, -0.05), (5, 0.03)):
        log_near = stats.norm(scale=1e-3).logpdf(edge)
        part, _ = integrate.quad(
            lambda x: np.exp(stats.norm(scale=1e-3).logpdf(x) - log_near),  # noqa: B023
            lower[k],
            upper[k],
            points=[edge + np.sign(edge) * 1e-4],
            epsabs=0,
        )
        assert nll[k] == pytest.approx(np.log(0.01) - log_near - np.log(part), rel=1e-6)
    step = 1e-6
    above, below = (code_nll(pixels, variance * (1 + s * step))[0] for s in (1, -1))
    np.testing.assert_allclose(slope, (above - below) / (2 * step * variance), rtol=1e-5)


def test_a_law_is_recovered_from_codes_that_bend_its_gaussian_fit(captures):
    gaussian = fit_camera_laws(captures)["A"].law
    estimate = fit_camera_laws(captures, sampled(captures))["A"]
    isos = np.array(ISOS)
    for true, bent, found in zip(LAW(isos), gaussian(isos), estimate.law(isos), strict=True):
        # 65,536 pixels an ISO know a variance to 0.6 %, a part of it to some per cent.
        assert np.abs(found / true - 1).max() < 0.1
        assert np.abs(found / true - 1).max() < 0.3 * np.abs(bent / true - 1).max()
    numbers = [*estimate.law.beta1, *estimate.law.beta2]
    off = (np.array(numbers) - [*LAW.beta1, *LAW.beta2]) / estimate.standard_errors
    assert np.abs(off).max() < 4
    assert "codes" in estimate.law.origin


def test_a_noise_level_function_is_recovered_from_codes(captures):
    model = nf.CameraNLF.fit(captures, sampled(captures))
    for beta, true in (
        (model.beta1, LAW(np.array(ISOS))[0]),
        (model.beta2, LAW(np.array(ISOS))[1]),
    ):
        np.testing.assert_allclose(beta[0], true, rtol=0.1)


def test_captures_without_codes_are_refused(captures, tmp_path):
    images = np.zeros((2, 4, 4, 4), np.float32)
    nf.write_captures(
        tmp_path / "c.h5", noisy=images, clean=images, iso=[100, 100], camera=["A", "A"]
    )
    expected = pytest.raises(ValueError, match=r"expected one quantization step above 0.*'A'")
    with nf.read_captures(tmp_path / "c.h5") as continuous, expected:
        sampled(continuous)


def test_stored_captures_are_not_dequantised(captures):
    stored = captures.dequantised(False)
    block = stored.read(0, 4)
    codes = (block.noise + block.clean) / STEP
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)
    dequantised = stored.dequantised(True).read(0, 4)
    np.testing.assert_array_equal(dequantised.noise, captures.read(0, 4).noise)
    assert captures.code_steps() == {"A": pytest.approx(STEP)}
