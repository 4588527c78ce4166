"""The exact log-probability of codes, against sums and integrals written out in float64."""

import numpy as np
import pytest
from scipy import special, stats

from tfp_noiseflow.simulation.sensor import PHONE_SENSOR, SECOND_SENSOR, SensorProcess
from tfp_noiseflow.simulation.tukey_lambda import tukey_lambda_variance

SENSOR = SensorProcess()
SECOND = SensorProcess(sensor=SECOND_SENSOR)
BLACK_CODE, WHITE_CODE, STEP = PHONE_SENSOR.black_code, PHONE_SENSOR.white_code, PHONE_SENSOR.step


def position(camera, iso):
    return SENSOR.cameras.index(camera), SENSOR.iso_levels.index(iso)


def deviations(camera, iso, process=SENSOR):
    """Of read and row noise, and beta1, in code steps."""
    beta1, beta2 = process.true_nlf[position(camera, iso)]
    step, share = process.sensor.step, process.sensor.row_share
    read_and_row = beta2 - step**2 / 12
    return (
        np.sqrt((1 - share) * read_and_row) / step,
        np.sqrt(share * read_and_row) / step,
        beta1 / step,
    )


def log_prob(codes, clean, camera, iso, process=SENSOR, **options):
    camera, iso = (np.full(len(codes), index) for index in position(camera, iso))
    return process.log_prob(codes, clean, camera, iso, **options)


def log_upper_tail(x, shape):
    """log P(X > x) of the standardised Tukey-lambda, x >= 0: the quantile function by bisection."""
    scale = shape * np.sqrt(tukey_lambda_variance(shape))
    low, high = np.full(x.shape, -150.0), np.full(x.shape, np.log(0.5))
    for _ in range(58):
        middle = 0.5 * (low + high)
        quantile = ((-np.expm1(middle)) ** shape - np.exp(shape * middle)) / scale
        low, high = np.where(quantile > x, middle, low), np.where(quantile > x, high, middle)
    return 0.5 * (low + high)


def interval(lower, upper, shape=PHONE_SENSOR.read_noise_lambda):
    """P(lower < X <= upper), mirrored to the right tail."""
    lower, upper = np.broadcast_arrays(lower, upper)
    near = np.where(lower + upper < 0, -upper, lower)
    far = np.where(lower + upper < 0, -lower, upper)
    tails = np.exp(log_upper_tail(np.abs(near), shape))
    tails = np.where(near < 0, 1 - tails, tails)
    return tails - np.where(np.isinf(far), 0.0, np.exp(log_upper_tail(np.abs(far), shape)))


def row_by_brute_force(
    codes, clean, camera, iso, reach=8.0, shares_rows=True, offsets=121, process=SENSOR
):
    """log P of one row of the mosaic, [pixels]: all electrons, a fine grid of offsets."""
    read, row, electron = deviations(camera, iso, process)
    sensor = process.sensor
    offset = np.linspace(-reach, reach, offsets) * row
    pixels, count_of_pixel = np.unique(
        np.stack([codes - sensor.black_code, clean], axis=1), axis=0, return_counts=True
    )
    log_given_offset = []
    for code, value in pixels:
        mean = value / sensor.step / electron
        width = 13 * np.sqrt(mean) + 45
        count = np.arange(max(0, np.floor(mean - width)), mean + width)
        centre = offset[:, None] + electron * count
        is_lowest = code == sensor.lowest_code - sensor.black_code
        is_highest = code == sensor.white_code - sensor.black_code
        lower = -np.inf if is_lowest else (code - 0.5 - centre) / read
        upper = np.inf if is_highest else (code + 0.5 - centre) / read
        probability = interval(lower, upper, sensor.read_noise_lambda) @ stats.poisson.pmf(
            count, mean
        )
        log_given_offset.append(np.log(probability))
    log_given_offset = np.array(log_given_offset)
    log_weight = stats.norm.logpdf(offset, scale=row) + np.log(offset[1] - offset[0])
    if shares_rows:
        return special.logsumexp(count_of_pixel @ log_given_offset + log_weight)
    return count_of_pixel @ special.logsumexp(log_given_offset + log_weight, axis=1)


def image_of_rows(rows):
    """[2, pixels], the two rows of a mosaic, as a packed image [1, 1, pixels / 2, 4]."""
    return np.concatenate([row.reshape(-1, 2) for row in rows], axis=1)[None, None]


# Camera, ISO, clean values and how many standard deviations the codes are away from them: beta1
# of 0.07 to 13 code steps, read noise of 0.3 to 27.
REGIMES = {
    "dark": ("Pixel", 1600, [0.0, 1e-5, 1e-3, 4e-3], [0.5, 1.0, -1.0, 2.0]),
    "black": ("Nexus 6", 3200, [0.0, 0.0, 2e-2, 5e-2], [-1.0, -2.0, -5.0, -9.0]),
    "beta1 below the step": ("OPPO Reno", 100, [0.0, 5e-4, 1e-3, 3e-3], [0.0, 1.5, -2.0, 4.0]),
    "narrow read noise": ("Galaxy S20 FE", 100, [1e-3, 4e-3, 8e-3, 2e-2], [1.0, 0.0, -3.0, 5.0]),
    "bright": ("iPhone 11", 800, [0.2, 0.4, 0.3, 0.6], [0.3, -1.5, 2.5, -4.0]),
    "white": ("iPhone 11", 3200, [0.8, 0.97, 0.99, 1.0], [4.0, 2.0, -1.0, -2.0]),
    "improbable codes": ("Pixel", 800, [0.0, 0.01, 0.1, 0.02], [20.0, 12.0, -9.0, 60.0]),
}


# Read noise is bounded, at 6.4 standard deviations.
SECOND_REGIMES = {
    "below black": ("Nexus 6", 3200, [0.0, 0.0, 2e-2, 5e-2], [-1.0, -2.0, -3.0, -2.5]),
    "fine codes": ("Galaxy S20 FE", 100, [1e-3, 4e-3, 0.0, 2e-2], [1.0, 0.0, -1.0, 3.0]),
    "at white": ("iPhone 11", 3200, [0.8, 0.97, 0.99, 1.0], [3.0, 2.0, -1.0, -2.0]),
}


@pytest.mark.parametrize("shares_rows", [True, False])
@pytest.mark.parametrize(
    ("process", "regime"),
    [
        *(pytest.param(SENSOR, regime, id=name) for name, regime in REGIMES.items()),
        *(pytest.param(SECOND, regime, id=name) for name, regime in SECOND_REGIMES.items()),
    ],
)
def test_log_prob_equals_brute_force(process, regime, shares_rows):
    camera, iso, clean, away = regime
    beta1, beta2 = process.true_nlf[position(camera, iso)]
    clean = np.array(clean)
    noisy = clean + np.array(away) * np.sqrt(beta1 * clean + beta2)
    sensor = process.sensor
    codes = np.rint(sensor.black_code + noisy / sensor.step)
    codes = np.clip(codes, sensor.lowest_code, sensor.white_code).astype(int)
    # The same pixels in another order are the other row.
    rows = (slice(None), [2, 0, 3, 1])
    received = log_prob(
        image_of_rows([codes[row] for row in rows]),
        image_of_rows([clean[row] for row in rows]),
        camera,
        iso,
        process,
        shares_rows=shares_rows,
    )
    expected = 2 * row_by_brute_force(
        codes, clean, camera, iso, shares_rows=shares_rows, process=process
    )
    # 8 pixels of at most 1e-5 make 8e-5; most are ten times closer.
    assert received[0] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("away", [0.0, 4.0])
def test_a_long_row_equals_brute_force_wherever_its_offset_lies(away):
    # 64 pixels that all lie 4 standard deviations of the read noise too high put the offset where
    # its density alone is below exp(-80).
    camera, iso = "Pixel", 1600
    read, _, electron = deviations(camera, iso)
    rng = np.random.default_rng(1)
    # Hardly an electron: the read noise alone says where the offset lies, as precisely as it can.
    clean = np.full((2, 64), 0.005)
    noisy = electron * rng.poisson(clean / STEP / electron) + read * rng.standard_normal((2, 64))
    codes = np.maximum(np.rint(BLACK_CODE + noisy + away * read), BLACK_CODE).astype(int)
    received = log_prob(image_of_rows(codes), image_of_rows(clean), camera, iso)
    expected = sum(
        row_by_brute_force(*row, camera, iso, reach=8.0 + 3.0 * away, offsets=121)
        for row in zip(codes, clean, strict=True)
    )
    # 128 pixels of at most 1e-5, whose errors have both signs.
    assert received[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("level", [0.0, 0.003, 0.3, 1.0])
@pytest.mark.parametrize(
    ("camera", "iso"),
    [("OPPO Reno", 100), ("Galaxy S20 FE", 800), ("Pixel", 1600), ("Nexus 6", 3200)],
)
def test_probabilities_of_a_pixel_sum_to_one(camera, iso, level):
    # 40 standard deviations of the read noise: the other codes hold less than 1e-8.
    beta1, beta2 = SENSOR.true_nlf[position(camera, iso)]
    reach = int(np.ceil((40 * np.sqrt(beta2) + 8 * np.sqrt(beta1 * level)) / STEP)) + 2
    middle = BLACK_CODE + round(level / STEP)
    codes = np.arange(max(BLACK_CODE, middle - reach), min(WHITE_CODE, middle + reach) + 1)
    images = np.broadcast_to(codes[:, None, None, None], (len(codes), 1, 1, 4))
    # Four equal pixels, independent of each other.
    values = log_prob(images, np.full(images.shape, level), camera, iso, shares_rows=False) / 4
    assert np.exp(values).sum() == pytest.approx(1.0, abs=1e-6)


def test_drawn_codes_have_the_probabilities_of_pairs():
    camera, iso = "Galaxy S20 FE", 800
    rng = np.random.default_rng(0)
    clean = np.broadcast_to([1e-3, 3e-3, 1e-3, 3e-3], (250_000, 1, 1, 4))
    drawn = SENSOR.observe(
        clean, *np.full((2, len(clean)), [[i] for i in position(camera, iso)]), rng
    )
    # R and Gr are one row of the mosaic, Gb and B another: 500,000 independent pairs.
    pairs = drawn.reshape(-1, 2).astype(int)
    first, second = (np.arange(64, 84), np.arange(64, 88))
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 1, 1, 2)
    images = np.concatenate([grid, grid], axis=-1)
    observed = np.zeros((84, 88), int)
    is_listed = (pairs[:, 0] < 84) & (pairs[:, 1] < 88)
    np.add.at(observed, tuple(pairs[is_listed].T), 1)
    observed = observed[64:, 64:].ravel()
    p_values = {}
    for shares_rows in (True, False):
        # The image is the same pair twice.
        levels = np.broadcast_to(clean[0], images.shape)
        values = log_prob(images, levels, camera, iso, shares_rows=shares_rows)
        expected = len(pairs) * np.exp(values / 2)
        is_frequent = expected > 20
        rest = len(pairs) - observed[is_frequent].sum()
        statistic = np.sum((observed - expected)[is_frequent] ** 2 / expected[is_frequent])
        statistic += (rest - (left := len(pairs) - expected[is_frequent].sum())) ** 2 / left
        p_values[shares_rows] = stats.chi2.sf(statistic, is_frequent.sum())
    assert p_values[True] > 1e-3
    assert p_values[False] < 1e-9, "expected to see the offset that a row shares"


def test_the_truth_exceeds_a_gaussian_law_and_independent_rows():
    rng = np.random.default_rng(0)
    camera = iso = np.arange(60) % 5
    clean = rng.random((60, 16, 16, 4)) ** 3 * rng.random((60, 1, 1, 1)) ** 2
    codes = SENSOR.observe(clean, camera, iso, rng)
    truth = SENSOR.log_prob(codes, clean, camera, iso) / codes[0].size
    independent = SENSOR.log_prob(codes, clean, camera, iso, shares_rows=False) / codes[0].size
    beta1, beta2 = SENSOR.true_nlf[camera, iso].T[:, :, None, None, None]
    # The law's variance holds the quantisation's, which the bins bring along.
    deviation = np.sqrt(beta1 * clean + beta2 - STEP**2 / 12) / STEP
    away = codes.astype(float) - BLACK_CODE - clean / STEP
    lower = np.where(codes == BLACK_CODE, -np.inf, (away - 0.5) / deviation)
    upper = np.where(codes == WHITE_CODE, np.inf, (away + 0.5) / deviation)
    is_mirrored = lower > 0
    lower, upper = np.where(is_mirrored, -upper, lower), np.where(is_mirrored, -lower, upper)
    gaussian = np.log(special.ndtr(upper) - special.ndtr(lower)).mean(axis=(1, 2, 3))
    for better, worse in ((truth, independent), (independent, gaussian)):
        gain = better - worse
        assert gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(len(gain))
    # Nothing but shape and rows is missing in the Gaussian law.
    assert np.mean(truth - gaussian) < 0.05


def test_a_capture_has_its_value_whatever_is_beside_it():
    rng = np.random.default_rng(0)
    camera, iso = np.arange(6) % 2, np.array([4, 3, 4, 3, 2, 2])
    clean = rng.random((6, 4, 6, 4)) ** 3
    codes = SENSOR.observe(clean, camera, iso, rng)
    together = SENSOR.log_prob(codes, clean, camera, iso)
    for some in (slice(1, 2), slice(2, 5)):
        alone = SENSOR.log_prob(codes[some], clean[some], camera[some], iso[some])
        np.testing.assert_allclose(alone, together[some], rtol=1e-12)


def test_bad_arguments_are_refused():
    codes, clean = np.full((2, 3, 3, 4), 70), np.full((2, 3, 3, 4), 0.01)
    index = np.zeros(2, int)
    with pytest.raises(ValueError, match=r"one shape \[n, H, W, 4\].*\[2, 3, 3, 4\] and \[2, 3\]"):
        SENSOR.log_prob(codes, clean[:, :, 0, 0], index, index)
    with pytest.raises(
        ValueError, match=r"camera and iso of shape \[2\], received \[2\] and \[1\]"
    ):
        SENSOR.log_prob(codes, clean, index, index[:1])
    with pytest.raises(ValueError, match="integer codes, received float64"):
        SENSOR.log_prob(codes + 0.25, clean, index, index)
    with pytest.raises(ValueError, match="codes from 64 to 1023, received 6 to 6"):
        SENSOR.log_prob(codes - 64, clean, index, index)
    for wrong in (-0.01, 64.0, np.nan):
        with pytest.raises(ValueError, match=rf"clean in \[0, 1\], received {wrong:g}"):
            SENSOR.log_prob(codes, np.full_like(clean, wrong), index, index)
