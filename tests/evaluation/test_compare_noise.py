"""Metrics of arrays: those of a report, and those of anyone's noise."""

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS

SHAPE = (60, 16, 16, 4)
STEP = 1 / 255


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.05, 0.5, SHAPE).astype(np.float32)
    iso, camera = rng.choice(ISO_LEVELS, SHAPE[0]), rng.choice(CAMERAS, SHAPE[0])
    noisy = clean + 0.02 * np.sqrt(clean) * rng.standard_normal(SHAPE)
    return {"clean": clean, "iso": iso, "camera": camera}, np.rint(noisy / STEP) * STEP - clean


def nlf(scale=1.0):
    table = np.ones([len(CAMERAS), len(ISO_LEVELS)])
    return nf.CameraNLF(CAMERAS, ISO_LEVELS, scale * 4e-4 * table, 1e-9 * table)


@pytest.mark.parametrize("stores", [False, True])
def test_figures_are_those_of_a_report(arrays, tmp_path, stores):
    given, noise = arrays
    model = nf.StoredNoise(nlf(), STEP) if stores else nlf()
    path = tmp_path / "captures.h5"
    nf.write_captures(path, given["clean"] + noise, **given, quantization_step=STEP)
    report = nf.evaluate(model, path)
    expected = report["models"]["noise_flow"]
    found = nf.compare_noise(noise, model, **given, quantization_step=STEP)
    # Of codes the likelihood is exact; else it is of other dequantisation draws.
    assert found.nll == pytest.approx(expected["nll"], abs=1e-5 if stores else 2e-3)
    # Other draws, of 61,000 values in some histograms.
    assert found.kl == pytest.approx(expected["kl"], abs=2e-3)
    assert found.kl_paper == pytest.approx(expected["kl_paper"], abs=2e-3)
    for figure in ("horizontal", "row_correlation"):
        assert found.structure[figure]["real"] == pytest.approx(
            report["correlations"]["real"][figure], abs=5e-3
        )
    pairs = {(row["camera"], row["iso"]) for row in report["by_camera_iso"]}
    assert {(row["camera"], row["iso"]) for row in found.by_camera_iso} == pairs


def test_arrays_alone_are_compared(arrays):
    _, noise = arrays
    shuffled = np.random.default_rng(1).permutation(noise)
    same, wide = (nf.compare_noise(noise, factor * shuffled) for factor in (1.0, 1.3))
    # The same values in another order.
    assert same.kl == 0 and same.nll is None
    assert wide.kl > 0.02
    assert wide.by_camera_iso[0]["deviation_ratio"] == pytest.approx(1.3, rel=1e-4)
    assert "| standard deviation |" in str(wide) and f"| kl | | {wide.kl:.4f} |" in str(wide)
    several = nf.compare_noise(noise, np.stack([noise, noise[::-1]]))
    # A histogram of twice the counts, 0.5 added to each.
    assert several.kl == pytest.approx(0, abs=1e-4)


def test_a_wrong_model_is_told_by_camera_and_iso(arrays):
    given, noise = arrays
    found = nf.compare_noise(noise, nlf(4.0), **given, quantization_step=STEP)
    right = nf.compare_noise(noise, nlf(), **given, quantization_step=STEP)
    assert found.nll > right.nll + 0.1 and found.kl > right.kl + 0.1
    # The captured noise has its codes' step^2 / 12 beside.
    for row in found.by_camera_iso:
        assert row["deviation_ratio"] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"real": np.zeros([4, 4])}, r"expected real of \[N, H, W, C\], received shape \[4, 4\]"),
        ({"real": np.full(SHAPE, np.nan)}, "expected finite values of real"),
        ({"real": np.zeros(SHAPE)}, "expected noise of some variance"),
        ({"model": np.zeros([3, 4, 4, 4])}, "expected draws of the shape of the real noise"),
        ({"model": nlf()}, "expected clean images"),
        ({"model": nlf(), "clean": np.full(SHAPE, 0.2)}, "expected iso, on which"),
        ({"model": nlf(), "clean": np.full(SHAPE, 0.2), "iso": 100, "camera": "X"}, "X"),
        ({"clean": np.zeros([1, 4, 4, 4])}, "expected clean images of the shape of the noise"),
        ({"iso": [100, 200]}, "expected one iso or 60, received 2"),
    ],
)
def test_what_does_not_fit_is_refused(arrays, changed, message):
    arguments = {"real": arrays[1], "model": arrays[1]} | changed
    with pytest.raises(ValueError, match=message):
        nf.compare_noise(**arguments)
