import h5py
import numpy as np
import pytest
from scipy import stats

from tfp_noiseflow.captures.capture_file import read_captures
from tfp_noiseflow.simulation.photographs import SPLITS, scenes
from tfp_noiseflow.simulation.sensor import PHONE_SENSOR, SECOND_SENSOR, SensorProcess, draw_codes
from tfp_noiseflow.simulation.simulate_captures import PROCESSES, make_process, simulate_captures

SENSOR = SensorProcess()
STEP, ROW_SHARE = PHONE_SENSOR.step, PHONE_SENSOR.row_share
QUANTIZATION_VARIANCE = PHONE_SENSOR.quantization_variance
COMBINATIONS = [
    pytest.param(camera, iso, id=f"{SENSOR.cameras[camera]} ISO {SENSOR.iso_levels[iso]}")
    for camera in range(5)
    for iso in range(5)
]

# The published laws, written out again: var = beta1 * clean + beta2 at an ISO.
TRUE_LAWS = {
    "Pixel": lambda iso: (2.194e-6 * iso + 8.7e-6, 1.73e-11 * iso**2 + 1.7e-6),
    "Nexus 6": lambda iso: (4.290e-6 * iso + 4.4e-5, 8.135e-11 * iso**2 + 2e-6),
    "Galaxy S20 FE": lambda iso: (1.382e-6 * iso + 8.8e-6, 4.27e-12 * iso**2 + 2.2e-7),
    "OPPO Reno": lambda iso: (
        6.252e-7 * iso + 9.1e-6,
        7.74e-13 * iso**2 + 7.1e-10 * iso + 1.25e-7,
    ),
    "iPhone 11": lambda iso: (2.99e-6 * iso + 8e-6, 3.17e-11 * iso**2 + 1.27e-5),
}
REPORTED_LAWS = {
    "Pixel": TRUE_LAWS["Pixel"],
    "Nexus 6": lambda iso: (4.290e-6 * iso + 4.4e-5, 2e-6),
    "Galaxy S20 FE": lambda iso: (3.738e-6 * iso + 3.652e-4, max(4.5e-7 * iso - 2.969e-4, 2e-6)),
    "OPPO Reno": lambda iso: (1.5 * (6.252e-7 * iso + 9.1e-6), 2e-6),
    "iPhone 11": lambda iso: TRUE_LAWS["iPhone 11"](400),
}


def sensor_noise(level, nlf, patches, seed=0):
    """[patches, 32, 32, 4] noise of the sensor process on a flat clean image."""
    clean = np.full((patches, 32, 32, 4), level, np.float32)
    codes = draw_codes(clean, np.tile(nlf, (patches, 1)), np.random.default_rng(seed))
    return (codes.astype(np.float64) - SENSOR.black_level) * STEP - level


@pytest.mark.parametrize("name", TRUE_LAWS)
def test_phones_follow_their_true_and_report_their_reported_law(name):
    camera = SENSOR.cameras.index(name)
    for index, iso in enumerate((100, 400, 800, 1600, 3200)):
        np.testing.assert_allclose(SENSOR.true_nlf[camera, index], TRUE_LAWS[name](iso), rtol=1e-9)
        np.testing.assert_allclose(
            SENSOR.reported_nlf[camera, index], REPORTED_LAWS[name](iso), rtol=1e-9
        )


def test_every_phone_has_more_noise_than_quantisation():
    assert pytest.approx(1 / 959) == STEP
    assert np.all(SENSOR.true_nlf[..., 1] > QUANTIZATION_VARIANCE)


@pytest.mark.parametrize(("camera", "iso"), COMBINATIONS)
def test_sensor_variance_follows_the_law(camera, iso):
    beta1, beta2 = SENSOR.true_nlf[camera, iso]
    # The darkest level that is 6 standard deviations above black, where beta2 weighs most, and
    # one in the middle of the range.
    dark = 18 * beta1 + np.sqrt((18 * beta1) ** 2 + 36 * beta2)
    for level in (dark, 0.45):
        noise = sensor_noise(level, (beta1, beta2), patches=16, seed=camera * 5 + iso)
        variance = beta1 * level + beta2
        # 65,536 pixels: a Gaussian's variance is known to 0.55 %; heavy tails make it 0.8 %, rows
        # (2048 with 5 % of it) 0.1 %. Rounding to codes of half the noise's size adds below 0.5 %.
        assert noise.var() == pytest.approx(variance, rel=0.03), f"at level {level:.4f}"
        assert abs(noise.mean()) < 5 * np.sqrt(variance / 65536 + ROW_SHARE * beta2 / 2048)


def test_rows_of_the_mosaic_share_their_row_noise():
    # Hardly any shot noise, and far from black.
    noise = sensor_noise(0.3, (1e-6, 1e-4), patches=128)
    row_variance = ROW_SHARE * (1e-4 - QUANTIZATION_VARIANCE)
    red, green_r, green_b, blue = np.moveaxis(noise.mean(axis=2), -1, 0).reshape(4, -1)

    def covariance(a, b):
        return np.mean(a * b)

    # A mean of 32 pixels has a variance of row_variance + 1e-4 / 32 = 8e-6, so a covariance from
    # 4096 rows is known to 9e-6 / sqrt(4096) = 1.5e-7, 3 % of the row variance.
    assert covariance(red, green_r) == pytest.approx(row_variance, rel=0.15)
    assert covariance(green_b, blue) == pytest.approx(row_variance, rel=0.15)
    assert abs(covariance(red, green_b)) < 0.15 * row_variance
    assert abs(covariance(green_r, blue)) < 0.15 * row_variance
    neighbours = np.mean(noise[:, :-1] * noise[:, 1:])
    # 508,000 products of pixels: known to 1e-4 / sqrt(508,000), 3 % of the row variance.
    assert abs(neighbours) < 0.15 * row_variance, "expected rows to be independent"


def test_codes_are_clipped_at_black_and_white():
    nlf = np.tile(SENSOR.true_nlf[1, 4], (4, 1))
    rng = np.random.default_rng(0)
    dark = draw_codes(np.zeros((4, 32, 32, 4), np.float32), nlf, rng)
    bright = draw_codes(np.ones((4, 32, 32, 4), np.float32), nlf, rng)
    assert dark.dtype == np.uint16
    assert dark.min() == 64 and bright.max() == 1023
    # Half of a symmetric distribution, and the half code that rounds down to it.
    assert 0.48 < (dark == 64).mean() < 0.55
    assert 0.45 < (bright == 1023).mean() < 0.55


def test_the_second_sensor_keeps_what_is_darker_than_black():
    process = make_process("second_sensor")
    assert process.sensor is SECOND_SENSOR and process.name == "second_sensor"
    camera, iso = np.full(4, 1), np.full(4, 4)
    dark = process.observe(np.zeros((4, 32, 32, 4)), camera, iso, np.random.default_rng(0))
    _, beta2 = process.true_nlf[1, 4]
    away = (dark.astype(float) - process.black_level) * SECOND_SENSOR.step
    # 16,384 values with offsets that 64 share: the variance to 2 %; four of that.
    assert np.mean(away**2) == pytest.approx(beta2, rel=0.08)
    # None is at the end: 8 standard deviations.
    assert dark.min() > 0 and abs(np.mean(away < 0) - 0.5) < 0.05


def test_reference_truth_is_realistic_and_depends_on_the_seed():
    truths = [make_process("reference", seed) for seed in range(50)]
    nlf = np.array([truth.true_nlf for truth in truths])
    assert nlf[..., 0].min() > 1.5e-4 and nlf[..., 0].max() < 2.5e-2
    assert nlf[..., 1].min() > 1e-7 and nlf[..., 1].max() < 3e-3
    for truth in truths:
        assert np.ptp(np.log(truth.u)) <= np.log(1.3) and np.ptp(np.log(truth.psi)) <= np.log(2)
    assert truths[0].beta1 != truths[1].beta1


def test_reference_noise_is_gaussian_with_the_law_of_the_model():
    truth = make_process("reference", 3)
    rng = np.random.default_rng(0)
    clean = rng.random((25, 32, 32, 4), np.float32) ** 3
    cameras, isos = np.divmod(np.arange(25), 5)
    noisy = truth.observe(clean, cameras, isos, rng)
    assert noisy.dtype == np.float32
    gain = truth.psi[cameras] * truth.u[isos] * np.array([100, 400, 800, 1600, 3200])[isos]
    gain = gain[:, None, None, None]
    variance = truth.beta1 * gain * clean + truth.beta2 * gain**2
    standardised = (noisy.astype(np.float64) - clean) / np.sqrt(variance)
    # 4096 pixels a combination: the variance is known to sqrt(2 / 4096) = 2.2 %.
    np.testing.assert_allclose(standardised.var(axis=(1, 2, 3)), 1.0, atol=0.1)
    # 102,400 pixels: below 1.95 / sqrt(n) in 999 of 1000 cases.
    assert stats.kstest(standardised.ravel(), "norm").statistic < 1.95 / np.sqrt(102_400)


@pytest.fixture(scope="module", params=sorted(PROCESSES))
def simulated(request, tmp_path_factory):
    """(process name, path) of a validation file with a repeat."""
    path = tmp_path_factory.mktemp("simulated") / "validation.h5"
    simulate_captures(
        path,
        process=request.param,
        split="validation",
        patches_per_combination=12,
        patch_size=16,
        seed=4,
        repeat=True,
    )
    return request.param, path


def test_a_file_holds_every_combination_equally_often_and_mixed(simulated):
    name, path = simulated
    process, captures = make_process(name, 4), read_captures(path)
    assert len(captures) == 300 and captures.image_shape == (16, 16, 4)
    assert set(captures.cameras) == set(process.cameras)
    assert captures.iso_levels == (100, 400, 800, 1600, 3200)
    pairs, counts = np.unique(
        [f"{c} {i:g}" for c, i in zip(captures.camera, captures.iso, strict=True)],
        return_counts=True,
    )
    assert len(pairs) == 25 and set(counts) == {12}
    assert len(set(captures.camera[:50])) == 5 and len(set(captures.iso[:50])) == 5
    assert set(captures.scene) <= set(scenes("validation"))
    assert set(captures.cfa) == {"RGGB"}
    for text in (captures.description, captures.origin, captures.licence):
        assert "imulated" in text


def test_a_file_holds_the_true_and_the_reported_law_of_each_capture(simulated):
    name, path = simulated
    process, captures = make_process(name, 4), read_captures(path)
    camera = np.array([process.cameras.index(value) for value in captures.camera])
    iso = np.searchsorted(process.iso_levels, captures.iso)
    np.testing.assert_allclose(captures.nlf_true, process.true_nlf[camera, iso])
    if process.reported_nlf is None:
        assert captures.nlf is None
    else:
        np.testing.assert_allclose(captures.nlf, process.reported_nlf[camera, iso])


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_captures_are_of_the_isos_that_are_asked_for(name):
    process = make_process(name, 0, [250, 6400])
    assert process.iso_levels == (250, 6400) and process.true_nlf.shape == (5, 2, 2)
    if name != "reference":
        pixel = process.cameras.index("Pixel")
        expected = [(2.194e-6 * iso + 8.7e-6, 1.73e-11 * iso**2 + 1.7e-6) for iso in (250, 6400)]
        np.testing.assert_allclose(process.true_nlf[pixel], expected)
    for wrong in ([0], [np.nan], []):
        with pytest.raises(ValueError, match="expected positive ISOs"):
            make_process(name, 0, wrong)


def test_read_back_noise_has_the_size_of_the_law(simulated):
    _, path = simulated
    captures = read_captures(path)
    assert captures.has_repeat
    (block,) = captures.blocks(300)
    assert block.clean.min() >= 0.0 and block.clean.max() <= 1.0 + 1e-6
    beta1, beta2 = captures.nlf_true.T[:, :, None, None, None]
    deviation = np.sqrt(beta1 * block.clean + beta2)
    # Pixels that clipping leaves alone.
    is_inside = (block.clean > 6 * deviation) & (block.clean < 1 - 6 * deviation)
    for noise in (block.noise, block.noise_repeat):
        ratio = (noise / deviation)[is_inside].std()
        # Dequantisation adds another step^2 / 12, 1 % where noise is one step.
        assert ratio == pytest.approx(1.0, abs=0.02)
    correlation = np.corrcoef(block.noise[is_inside], block.noise_repeat[is_inside])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(is_inside.sum()), "expected independent draws"


def contents(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}, dict(file.attrs)


def test_the_same_seed_writes_the_same_data(simulated, tmp_path):
    name, path = simulated
    simulate_captures(
        tmp_path / "again.h5",
        process=name,
        split="validation",
        patches_per_combination=12,
        patch_size=16,
        seed=4,
        repeat=True,
    )
    expected, expected_attributes = contents(path)
    received, received_attributes = contents(tmp_path / "again.h5")
    assert expected_attributes == received_attributes
    assert set(expected) == set(received)
    for data_set in expected:
        assert np.array_equal(expected[data_set], received[data_set]), data_set


def test_splits_share_the_truth_but_neither_scenes_nor_noise(tmp_path):
    files = {}
    for split in SPLITS:
        path = tmp_path / f"{split}.h5"
        simulate_captures(
            path, process="reference", split=split, patches_per_combination=2, patch_size=8, seed=1
        )
        files[split] = read_captures(path)
    truths = []
    for captures in files.values():
        assert not captures.has_repeat
        pairs = zip(captures.camera, captures.iso, strict=True)
        truths.append(dict(zip(pairs, captures.nlf_true.tolist(), strict=True)))
    assert truths[0] == truths[1] == truths[2], "expected one truth for all splits"
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not set(files[first].scene) & set(files[second].scene)
        blocks = [next(files[split].blocks(50)) for split in (first, second)]
        correlation = np.corrcoef(blocks[0].noise.ravel(), blocks[1].noise.ravel())[0, 1]
        # 12,800 values, a few noisy patches weigh most.
        assert abs(correlation) < 0.1


def test_the_seed_changes_the_data(tmp_path):
    for seed in (0, 1):
        simulate_captures(
            tmp_path / f"{seed}.h5", patches_per_combination=1, patch_size=8, seed=seed
        )
    first, second = (contents(tmp_path / f"{seed}.h5")[0] for seed in (0, 1))
    assert not np.array_equal(first["noisy"], second["noisy"])
    assert not np.array_equal(first["clean"], second["clean"])


def test_bad_arguments_are_refused_and_leave_no_file(tmp_path):
    path = tmp_path / "captures.h5"
    with pytest.raises(
        ValueError, match=r"'sensor', .*'gaussian', 'reference'.*received 'poisson'"
    ):
        simulate_captures(path, process="poisson")
    with pytest.raises(ValueError, match=r"'train', 'validation', 'test'.*received 'holdout'"):
        simulate_captures(path, split="holdout")
    with pytest.raises(ValueError, match="patches_per_combination >= 1, received 0"):
        simulate_captures(path, patches_per_combination=0)
    with pytest.raises(ValueError, match=r"patch_size of at most .* received 500"):
        simulate_captures(path, patches_per_combination=1, patch_size=500)
    assert not list(tmp_path.iterdir())
