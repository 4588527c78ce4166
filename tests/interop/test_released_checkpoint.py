"""The released model computes what the released code does, in density order."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.scripts import run
from tests.serving.rounding import assert_same
from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.interop import load_released_checkpoint
from tfp_noiseflow.interop.noise_strength import (
    noise_strength,
    read_noise_parameters,
    with_couplings_reversed,
)

D = 4096


@pytest.fixture(scope="module")
def directory(shared_data):
    return shared_data / "released_noise_flow"


@pytest.fixture(scope="module")
def golden(directory):
    return np.load(directory / "golden_public.npz")


@pytest.fixture(scope="module")
def flow(directory):
    return load_released_checkpoint(directory)


def tiled(golden, name):
    """[25, 2, ..] as one mixed batch of 50."""
    return golden[name].reshape(-1, *golden[name].shape[2:])


@pytest.fixture(scope="module")
def mixed(golden):
    """All camera x ISO in one batch."""
    return {
        "clean": tiled(golden, "clean"),
        "iso": np.repeat(golden["iso"], 2).astype(np.float32),
        "camera": np.repeat(golden["cam"], 2).astype(np.int32),
    }


@pytest.fixture(scope="module")
def is_usual(golden):
    """Where the noise is of a strength that the model knows."""
    return ~np.repeat(golden["ood"], 2)


def test_nll_and_latents_are_the_released_ones(flow, golden, mixed, is_usual):
    noise = tiled(golden, "noise")
    distribution = flow(**mixed)
    nll = -distribution.log_prob(noise).numpy() / D
    expected = tiled(golden, "nll_per_dim_eval")
    # Rounding of float32, as the released code has against float64: 6e-6 and 1e-5.
    np.testing.assert_allclose(nll[is_usual], expected[is_usual], atol=2e-5, rtol=0)
    z = distribution.bijector.inverse(noise).numpy()
    np.testing.assert_allclose(z[is_usual], tiled(golden, "z_eval")[is_usual], atol=2e-4, rtol=0)


def test_nll_in_float64_is_that_of_an_independent_implementation(
    directory, golden, mixed, is_usual
):
    flow = load_released_checkpoint(directory, dtype=tf.float64)
    mixed = {k: v.astype(np.float64) if k != "camera" else v for k, v in mixed.items()}
    nll = -flow(**mixed).log_prob(tiled(golden, "noise").astype(np.float64)).numpy() / D
    expected = tiled(golden, "nll_f64_eval") / D
    np.testing.assert_allclose(nll[is_usual], expected[is_usual], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("temperature", "name"), [(1.0, "x_T1_eval"), (0.6, "x_T06_eval")])
def test_samples_of_given_latents_are_the_released_ones(flow, golden, mixed, temperature, name):
    z = np.float32(temperature) * tiled(golden, "z_given")
    noise = flow(**mixed).bijector.forward(z).numpy()
    expected = tiled(golden, name)
    sd = expected.std(axis=(1, 2, 3), keepdims=True)
    assert np.abs((noise - expected) / sd).max() < 2e-4


@pytest.mark.parametrize("size", ["64x64", "24x40"])
def test_patches_of_other_sizes_are_the_released_ones(flow, golden, size):
    def value(name):
        return golden[f"size{size}_{name}"]

    k = int(value("combo"))
    distribution = flow(value("clean"), iso=float(golden["iso"][k]), camera=int(golden["cam"][k]))
    dimensions = value("noise")[0].size
    nll = -distribution.log_prob(value("noise")).numpy()
    np.testing.assert_allclose(nll / dimensions, value("nll_eval") / dimensions, atol=2e-5, rtol=0)
    noise = distribution.bijector.forward(value("z_given")).numpy()
    assert np.abs(noise - value("x_T1_eval")).max() < 2e-4 * value("x_T1_eval").std()


@pytest.mark.parametrize(
    # Each camera and each ISO once, or all of them together.
    "combinations",
    [range(0, 25, 6), pytest.param(range(25), marks=pytest.mark.slow)],
    ids=["5", "25"],
)
def test_mixed_batch_is_its_combinations_alone(flow, golden, mixed, combinations):
    assert len({golden["cam"][k] for k in combinations}) == 5
    assert len({golden["iso"][k] for k in combinations}) == 5
    noise = tiled(golden, "noise")
    together = flow(**mixed).log_prob(noise).numpy()
    for k in combinations:
        rows = slice(2 * k, 2 * k + 2)
        alone = flow(
            mixed["clean"][rows], iso=float(golden["iso"][k]), camera=int(golden["cam"][k])
        )
        # Convolutions of another batch size may sum in another order: 1e-6 of a nat per dim.
        np.testing.assert_allclose(alone.log_prob(noise[rows]), together[rows], atol=1e-6 * D)


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_packed_images_of_a_sensor_are_arranged_as_the_released_loader_does(directory, flow, cfa):
    generator = np.random.default_rng(0)
    mosaics = generator.uniform(0, 0.3, (2, 8, 12)), 0.02 * generator.standard_normal((2, 8, 12))

    def released(mosaic):
        stored = np.swapaxes(mosaic, 1, 2)  # SIDD's files hold columns as rows.
        positions = ((0, 0), (0, 1), (1, 1), (1, 0))
        return np.stack([stored[:, i::2, j::2] for i, j in positions], axis=-1)

    def log_prob(model, arrange):
        clean, noise = (arrange(m).astype(np.float32) for m in mosaics)
        return model(clean, iso=800, camera="S6").log_prob(noise)

    packed = load_released_checkpoint(directory, cfa=cfa)
    expected = log_prob(flow, released)
    np.testing.assert_allclose(log_prob(packed, lambda m: pack_bayer(m, cfa)), expected, rtol=1e-6)
    assert np.all(np.abs(log_prob(flow, lambda m: pack_bayer(m, cfa)) - expected) > 0.01)


def test_unknown_cfa_is_refused(directory):
    with pytest.raises(ValueError, match="XYZZ"):
        load_released_checkpoint(directory, cfa="XYZZ")


def test_unknown_iso_lists_the_known_ones(flow):
    with pytest.raises(ValueError, match=r"\(100, 400, 800, 1600, 3200\), received 200"):
        flow(np.full((4, 4, 4), 0.1), iso=200, camera="S6")


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_damaged_checkpoint_is_named(directory, tmp_path, suffix):
    copied = tmp_path / "copy"
    shutil.copytree(directory, copied, ignore=shutil.ignore_patterns("*.npz"))
    file = copied / f"model.ckpt.best.{suffix}"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"model\.ckpt\.best: "):
        load_released_checkpoint(copied)


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.ckpt\.best\.index"):
        load_released_checkpoint(tmp_path)


def test_import_gives_a_model_directory_of_the_same_model(directory, tmp_path, flow, mixed):
    done = run("import_released", checkpoint=directory, model_dir=tmp_path / "model")
    assert done.returncode == 0, done.stderr
    model = nf.load_model(tmp_path / "model")
    noise = 0.01 * np.ones_like(mixed["clean"])
    np.testing.assert_array_equal(model(**mixed).log_prob(noise), flow(**mixed).log_prob(noise))


def test_reversed_couplings_are_what_the_released_sampling_code_computes(flow, golden):
    reversed_flow = with_couplings_reversed(flow)
    for position, k in enumerate(golden["wrapper_combos"]):
        distribution = reversed_flow(
            golden["clean"][k], iso=float(golden["iso"][k]), camera=int(golden["cam"][k])
        )
        noise = distribution.bijector.forward(golden["z_given"][k]).numpy()
        expected = golden["wrapper_x_T1_eval"][position]
        # Noise some 30 times too strong is made by couplings that amplify rounding as much.
        assert np.abs(noise - expected).max() < 5e-3 * expected.std()


@pytest.mark.slow  # Traces the flow twice; samples of given latents are those of the released code.
def test_strength_of_the_noise_is_that_of_the_cameras_and_not_reversed(shared_data, flow, golden):
    nlf = read_noise_parameters(shared_data / "noise_parameters" / "sidd_cam_iso_nlf.csv")
    rows = noise_strength(flow, nlf, np.concatenate(golden["clean"]))
    ratios = {
        name: [row[name] / row["camera_nlf"] for row in rows if row["camera_nlf"] is not None]
        for name in ("sampled", "reversed")
    }
    assert len(ratios["sampled"]) == 22
    assert min(ratios["sampled"]) > 0.7 and max(ratios["sampled"]) < 1.6
    assert min(ratios["reversed"]) > 15
    assert max(abs(row["channel_correlation"]) for row in rows) < 0.05


@pytest.mark.slow
def test_export_computes_what_the_imported_model_computes(flow, golden, mixed, tmp_path):
    path = nf.export_saved_model(flow, tmp_path / "released")
    served = tf.saved_model.load(path).signatures
    given = {"clean": tf.constant(mixed["clean"]), "iso": tf.constant(mixed["iso"])}
    given["camera"] = tf.gather(flow.cameras, mixed["camera"])
    noise = tf.constant(tiled(golden, "noise"))
    log_prob = served["log_prob"](noise=noise, **given)["log_prob"]
    assert_same(log_prob, flow(**mixed).log_prob(noise))
    rows = len(mixed["iso"])
    seed = tf.reshape(tf.range(2 * rows), [rows, 2])
    sampled = served["sample_noise"](**given, seed=seed, temperature=tf.ones(rows))["noise"]
    assert_same(sampled, nf.sample_noise(flow, **mixed, seeds=seed))
