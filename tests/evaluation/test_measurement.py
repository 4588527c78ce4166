"""`nf.evaluate`: the content of report.json."""

import contextlib
import json

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.evaluation import measurement, negative_log_likelihood

CAMERAS = ("A", "B")
ISO_LEVELS = (100.0, 800.0)
BETA1 = np.array([[1e-3, 8e-3], [2e-3, 1.6e-2]])
BETA2 = np.array([[1e-5, 6e-4], [2e-5, 1e-3]])


def write(path, *, patches=48, size=8, channels=4, seed=0, **optional):
    """Captures of the law above, their reported NLF four times too large, with a second draw."""
    rng = np.random.default_rng(seed)
    camera = np.arange(patches) % 2
    iso = np.arange(patches) // 2 % 2
    clean = np.exp(rng.uniform(np.log(1e-3), np.log(0.8), [patches, size, size, channels]))
    law = np.stack([BETA1[camera, iso], BETA2[camera, iso]], axis=-1)
    deviation = np.sqrt(law[:, 0, None, None, None] * clean + law[:, 1, None, None, None])
    values = {
        "clean": clean,
        "noisy": clean + deviation * rng.normal(size=clean.shape),
        "noisy_repeat": clean + deviation * rng.normal(size=clean.shape),
        "iso": np.array(ISO_LEVELS)[iso],
        "camera": np.array(CAMERAS)[camera],
        "nlf": 4 * law,
        "nlf_true": law,
    } | optional
    nf.write_captures(path, **{k: v for k, v in values.items() if v is not None})
    return nf.read_captures(path)


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    return write(tmp_path_factory.mktemp("captures") / "test.h5")


def true_model():
    return nf.CameraNLF(CAMERAS, ISO_LEVELS, BETA1, BETA2)


@pytest.fixture(scope="module")
def bare_captures(tmp_path_factory):
    """Without what calls for other models: an evaluation of one model takes a second less each."""
    path = tmp_path_factory.mktemp("captures") / "bare.h5"
    return write(path, nlf=None, nlf_true=None, noisy_repeat=None)


@pytest.fixture(scope="module")
def report(captures):
    baselines = {"gaussian": nf.GaussianNoise(0.05), "recalibrated_nlf": true_model()}
    flow = nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS, seed=0)
    return nf.evaluate(flow, captures, baselines=baselines)


@pytest.mark.slow  # XLA compiles it four times.
def test_compiled_by_xla_it_finds_the_same(bare_captures):
    # Blocks of two sizes, each compiled.
    found, expected = (
        nf.evaluate(true_model(), bare_captures, batch_size=32, jit_compile=jit_compile)
        for jit_compile in (True, False)
    )
    found, expected = (its["models"]["noise_flow"] for its in (found, expected))
    # Sums of 256 values of float32.
    assert found["nll"] == pytest.approx(expected["nll"], rel=1e-6)
    # Other draws of the same noise; noise of twice the deviation is 0.3 from it.
    assert found["kl"] == pytest.approx(expected["kl"], abs=0.01)


def test_report_has_the_promised_keys(report):
    assert {"captures", "models", "differences", "by_camera_iso"} <= set(report)
    expected = {"noise_flow", "gaussian", "camera_nlf", "recalibrated_nlf", "true_nlf"}
    assert set(report["models"]) == expected
    for entry in report["models"].values():
        numbers = {"nll", "nll_standard_error", "nll_paper", "kl", "kl_paper"}
        assert numbers | {"parameters", "likelihood", "name", "in_words"} == set(entry)
        # Of continuous captures there is nothing to dequantise.
        assert entry["nll_paper"] == entry["nll"]
        assert all(isinstance(entry[name], float) for name in numbers)
    for row in report["differences"]:
        assert {"model", "baseline", "nll", "paired_standard_error"} <= set(row)
        assert row["model"] == "noise_flow"
    assert {row["baseline"] for row in report["differences"]} == expected - {"noise_flow"}
    assert len(report["by_camera_iso"]) == 5 * 4
    for row in report["by_camera_iso"]:
        assert set(row) == {"camera", "iso", "model", "nll", "kl", "kl_paper", "patches"}
        assert row["patches"] == 12
    assert report["captures"]["patches"] == 48
    assert report["captures"]["file"] == "test.h5"


def test_report_is_strict_json(report):
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_numbers_agree_between_the_parts_of_the_report(captures, report):
    flow = nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS, seed=0)
    nll = negative_log_likelihood(flow, captures)
    entry = report["models"]["noise_flow"]
    assert entry["nll"] == pytest.approx(nll.mean(), rel=1e-6)
    assert entry["nll_standard_error"] == pytest.approx(nll.std(ddof=1) / np.sqrt(48), rel=1e-5)
    assert entry["parameters"] == sum(v.numpy().size for v in flow.trainable_variables)
    for name in ("nll", "kl"):
        rows = [row[name] for row in report["by_camera_iso"] if row["model"] == "noise_flow"]
        assert np.mean(rows) == pytest.approx(entry[name]), f"{name}: equal numbers of patches"
    for row in report["differences"]:
        expected = entry["nll"] - report["models"][row["baseline"]]["nll"]
        assert row["nll"] == pytest.approx(expected, abs=1e-6)
        assert row["relative_improvement"] == pytest.approx(np.expm1(-row["nll"]))


def test_the_truth_wins_and_wrong_reports_cost_what_theory_says(report):
    models = report["models"]
    assert models["true_nlf"]["nll"] == min(entry["nll"] for entry in models.values())
    # A variance 4 times too large: (log 4 + 1/4 - 1) / 2 = 0.318 nats. 12,288 values: the
    # standard error of the difference is 0.375 sqrt(2 / 12,288) = 0.005.
    cost = models["camera_nlf"]["nll"] - models["true_nlf"]["nll"]
    assert cost == pytest.approx(0.318, abs=0.015)


def test_a_perfect_model_scores_about_the_floor(report):
    floor, perfect = report["floor"], report["models"]["true_nlf"]
    assert perfect["kl_paper"] == pytest.approx(floor["kl_paper"], rel=0.25)
    # The floor has one draw a pixel, the model 16, so it is up to twice as high.
    assert 0.4 * floor["kl"] < perfect["kl"] < 1.1 * floor["kl"]
    assert report["models"]["gaussian"]["kl"] > 5 * floor["kl"]
    assert len(floor["by_camera_iso"]) == 4


def test_kl_paper_is_the_mean_over_every_fifth_patch_of_each_camera_and_iso(tmp_path):
    # 11 patches of each of the 4: of all but numbers 0, 5 and 10 the noise is absurd.
    captures = write(tmp_path / "t.h5", patches=44, nlf=None, nlf_true=None, noisy_repeat=None)
    block = captures.read(0, 44)
    is_counted = np.arange(44) // 4 % 5 == 0
    noise = np.where(is_counted[:, None, None, None], block.noise, 0.5)
    spoilt = write(
        tmp_path / "u.h5",
        patches=44,
        noisy=block.clean + noise,
        clean=block.clean,
        nlf=None,
        nlf_true=None,
        noisy_repeat=None,
    )
    entries = [nf.evaluate(true_model(), c)["models"]["noise_flow"] for c in (captures, spoilt)]
    assert entries[0]["kl_paper"] == pytest.approx(entries[1]["kl_paper"], rel=1e-6)
    assert entries[0]["nll"] < entries[1]["nll"] - 1


def test_only_the_call_of_a_noise_model_is_needed(bare_captures):
    model, calls = true_model(), []

    class Model:
        def __call__(self, clean, iso, camera):
            calls.append(clean.shape)
            # Without `cameras`, there is no table for indices: all of them are 0.
            return model(clean, iso=iso, camera=camera)

    entry = nf.evaluate(Model(), bare_captures)["models"]["noise_flow"]
    assert len(calls) == 2, "traced once for likelihoods and once for draws"
    assert entry["parameters"] == 0
    assert np.isfinite(entry["nll"])


@pytest.mark.parametrize("cameras", [CAMERAS, ("A", "X")])
def test_a_capture_file_that_was_opened_here_is_closed_again(bare_captures, monkeypatch, cameras):
    opened = []
    monkeypatch.setattr(
        measurement,
        "read_captures",
        lambda path: opened.append(nf.read_captures(path)) or opened[-1],
    )
    model = nf.CameraNLF(cameras, ISO_LEVELS, BETA1, BETA2)
    # An evaluation that fails closes it too.
    with contextlib.nullcontext() if cameras == CAMERAS else pytest.raises(ValueError):
        nf.evaluate(model, bare_captures.path)
    assert len(opened) == 1
    with pytest.raises(ValueError, match="it was closed"):
        opened[0].read(0, 1)
    assert len(bare_captures.read(0, 1)) == 1, "captures that were given stay open"


def test_the_same_seed_gives_the_same_report_and_another_another(bare_captures):
    reports = [nf.evaluate(true_model(), bare_captures, seed=seed) for seed in (3, 3, 4)]
    assert reports[0] == reports[1]
    assert reports[0]["models"]["noise_flow"]["kl"] != reports[2]["models"]["noise_flow"]["kl"]


def test_dequantisation_depends_on_the_seed_alone(tmp_path):
    rng = np.random.default_rng(0)
    clean = rng.uniform(20, 60, [10, 4, 4, 4])
    captures = write(
        tmp_path / "codes.h5",
        patches=10,
        noisy=np.round(clean + rng.normal(0, 3, clean.shape)).astype(np.uint16),
        clean=clean,
        noisy_repeat=None,
        nlf=None,
        nlf_true=None,
        white_level=255.0,
        quantization_step=1.0,
    )
    one, small, other = (
        nf.evaluate(true_model(), captures, seed=seed, batch_size=size)
        for seed, size in ((0, None), (0, 3), (1, None))
    )
    nll = [r["models"]["noise_flow"]["nll"] for r in (one, small, other)]
    assert nll[1] == pytest.approx(nll[0], rel=1e-6), "the batch size changes no likelihood"
    assert nll[2] != pytest.approx(nll[0], rel=1e-6), "the seed changes the dequantisation"
    real = [r["correlations"]["real"]["horizontal"] for r in (one, small, other)]
    assert real[1] == pytest.approx(real[0], abs=1e-9)
    assert real[2] != pytest.approx(real[0], abs=1e-9)


def write_codes(path, step=1 / 255, **optional):
    """Captures of codes: dark ones, of which a third of the values fall below black."""
    rng = np.random.default_rng(1)
    clean = rng.uniform(0.5, 1.5, [10, 8, 8, 4]) * np.geomspace(0.01, 0.3, 10)[:, None, None, None]
    noisy = clean + 0.02 * rng.normal(size=clean.shape)
    codes = np.clip(np.round(noisy / step), 0, round(1 / step))
    nf.write_captures(path, codes * step, clean, 100, "A", quantization_step=step, **optional)
    return nf.read_captures(path)


def test_the_papers_nll_takes_codes_as_they_are(tmp_path):
    captures = write_codes(tmp_path / "codes.h5")
    gaussian = nf.GaussianNoise(0.02)
    stored = nf.StoredNoise(nf.GaussianNoise(0.02), 1 / 255)
    entries = nf.evaluate(gaussian, captures, baselines={"codes": stored})["models"]
    (block,) = captures.dequantised(False).blocks()
    expected = np.mean(0.5 * np.square(block.noise / 0.02)) + np.log(0.02 * np.sqrt(2 * np.pi))
    assert entries["noise_flow"]["nll_paper"] == pytest.approx(expected, abs=1e-5)
    # Uniform noise of one step adds its variance, step^2 / 12.
    added = (1 / 255) ** 2 / 12 / 0.02**2 / 2
    difference = entries["noise_flow"]["nll"] - entries["noise_flow"]["nll_paper"]
    assert difference == pytest.approx(added, rel=0.5)
    assert entries["codes"]["nll_paper"] is None


def test_dark_patches_are_of_what_is_stored(tmp_path):
    captures = write_codes(tmp_path / "codes.h5")
    stored = nf.StoredNoise(nf.GaussianNoise(0.02), 1 / 255)
    report = nf.evaluate(nf.GaussianNoise(0.02), captures, baselines={"codes": stored})
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    (patch,) = report["dark_patches"]
    assert (patch["camera"], patch["iso"]) == ("A", 100.0)
    assert patch["clean"] == pytest.approx(0.01, rel=0.1), "the first, which is the darkest"
    assert patch["quantization_step"] == pytest.approx(1 / 255)
    black = patch["codes"].index(0)
    (block,) = captures.dequantised(False).blocks()
    for name, shares in patch["shares"].items():
        total = sum(shares) + patch["below"][name] + patch["above"][name]
        assert total == pytest.approx(1)
        assert len(shares) == len(patch["codes"])
        at_black, below = shares[black], sum(shares[:black]) + patch["below"][name]
        if name == "noise_flow":
            # Phi((0.5 / 255 - 0.01) / 0.02) - Phi((-0.5 / 255 - 0.01) / 0.02), Phi(-0.6).
            assert at_black == pytest.approx(0.07, abs=0.02)
            assert below == pytest.approx(0.275, abs=0.03)
        else:
            # Of 256 captured values a share is known to 0.03, of the model's 4096 to 0.008.
            assert at_black == pytest.approx(0.345, abs=0.1 if name == "real" else 0.03)
            assert below == 0
    real = np.mean(np.abs(block.noise[0] + block.clean[0]) < 0.5 / 255)
    assert patch["shares"]["real"][black] == pytest.approx(real)


def test_captures_without_codes_have_no_dark_patches(report):
    assert report["dark_patches"] == []


def test_what_cannot_be_compared_is_null_with_a_reason(tmp_path):
    captures = write(tmp_path / "t.h5", nlf=None, nlf_true=None, noisy_repeat=None)
    beta1 = np.where([[True, True], [True, False]], BETA1, np.nan)
    baselines = {"recalibrated_nlf": nf.CameraNLF(CAMERAS, ISO_LEVELS, beta1, BETA2)}
    report = nf.evaluate(true_model(), captures, baselines=baselines)
    models = report["models"]
    assert "true_nlf" not in models
    assert models["camera_nlf"]["nll"] is None
    assert models["camera_nlf"]["reason"] == "captures hold no nlf data set"
    assert models["gaussian"]["kl"] is None
    assert "no such baseline" in models["gaussian"]["reason"]
    assert models["recalibrated_nlf"]["nll"] is None, "it does not know B at ISO 800"
    assert report["floor"]["kl"] is None
    assert "noisy_repeat" in report["floor"]["reason"]
    assert report["differences"] == []
    assert {row["model"] for row in report["by_camera_iso"]} == {"noise_flow"}


def test_a_baseline_of_other_cameras_is_null_with_both_sets(bare_captures):
    other = nf.CameraNLF(["C"], ISO_LEVELS, BETA1[:1], BETA2[:1])
    report = nf.evaluate(true_model(), bare_captures, baselines={"recalibrated_nlf": other})
    reason = report["models"]["recalibrated_nlf"]["reason"]
    assert "['C']" in reason
    assert "['A', 'B']" in reason


def test_captures_of_an_unknown_camera_are_an_error_with_both_sets(captures):
    flow = nf.NoiseFlow("S-G-CAM", ("A", "X"), ISO_LEVELS)
    with pytest.raises(ValueError, match=r"\['A', 'X'\].*\['A', 'B'\]"):
        nf.evaluate(flow, captures)


def test_captures_of_an_unknown_iso_are_an_error_with_both_sets(captures):
    flow = nf.NoiseFlow("S-G-CAM", CAMERAS, (100, 400))
    with pytest.raises(ValueError, match=r"ISOs 100, 400 that.*ISOs 100, 800\."):
        nf.evaluate(flow, captures)


def test_a_model_without_a_finite_density_gives_no_number(captures):
    flow = nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS)
    for variable in flow.trainable_variables:
        variable.assign(np.nan * variable)
    with pytest.raises(ValueError, match=r"'noise_flow'.*48 captures, the first is capture 0"):
        nf.evaluate(flow, captures)


def test_noise_without_variance_is_an_error(tmp_path):
    clean = np.full([4, 4, 4, 4], 0.25)
    captures = write(tmp_path / "t.h5", patches=4, clean=clean, noisy=clean, noisy_repeat=clean)
    with pytest.raises(ValueError, match="'A' at ISO 100 is constant"):
        nf.evaluate(true_model(), captures)


def test_images_of_one_channel_have_no_channel_correlation(tmp_path):
    bare = {"nlf": None, "nlf_true": None, "noisy_repeat": None}
    planes = write(tmp_path / "plane.h5", channels=1, size=16, **bare)
    flow = nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS, channels=1, seed=0)
    report = nf.evaluate(flow, planes)
    for entry in report["correlations"].values():
        assert entry["channels"] is None
        assert entry["reason"] == "the images have one channel"
        assert abs(entry["horizontal"]) < 1


def test_photon_transfer_lies_on_the_law(tmp_path):
    captures = write(
        tmp_path / "t.h5", patches=200, size=16, seed=1, nlf=None, nlf_true=None, noisy_repeat=None
    )
    report = nf.evaluate(true_model(), captures)
    assert len(report["photon_transfer"]) == 4
    for curve in report["photon_transfer"]:
        m, k = CAMERAS.index(curve["camera"]), ISO_LEVELS.index(curve["iso"])
        law = BETA1[m, k] * np.array(curve["clean"]) + BETA2[m, k]
        for source in ("real", "noise_flow"):
            # Some 2000 values a bin: 3 % standard error, of 100 bins up to 10 %.
            np.testing.assert_allclose(curve["variance"][source], law, rtol=0.14)


def test_tails_are_in_the_captured_noise_s_deviations(tmp_path):
    captures = write(
        tmp_path / "t.h5", patches=160, size=16, seed=2, nlf=None, nlf_true=None, noisy_repeat=None
    )
    wide = nf.CameraNLF(CAMERAS, ISO_LEVELS, 4 * BETA1, 4 * BETA2)
    tails = nf.evaluate(true_model(), captures, baselines={"wide": wide})["tails"]
    # 164 of 163,840 values: a standard error of 0.02. The noise of every level has its own scale.
    for name, expected in (("real", 3.29), ("noise_flow", 3.29), ("wide", 6.58)):
        assert tails[name][0]["absolute"] == pytest.approx(expected, rel=0.04), name
        assert tails[name][1]["absolute"] is None


def test_correlations_of_white_noise_are_none(report):
    for entry in (report["correlations"]["real"], report["correlations"]["true_nlf"]):
        assert abs(entry["horizontal"]) < 0.05
        assert abs(entry["vertical"]) < 0.05
        assert abs(np.array(entry["channels"]) - np.eye(4)).max() < 0.08
