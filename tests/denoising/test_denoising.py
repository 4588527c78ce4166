"""Denoising: the network, its training noise, the comparison and its export."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, MODELS
from tests.sheets import cells
from tfp_noiseflow.choices import DENOISER_LOSSES, DENOISER_SOURCES
from tfp_noiseflow.denoising import AddGaussianNoise, dncnn, training_pairs
from tfp_noiseflow.denoising.experiment import (
    Experiment,
    code_step,
    generator_scenes,
    iso_table,
    measure_denoiser,
    table,
)
from tfp_noiseflow.denoising.export import export_denoiser, export_once
from tfp_noiseflow.denoising.figure import plot_denoised
from tfp_noiseflow.denoising.quality import dssim_reduction, psnr_and_ssim, rmse_reduction
from tfp_noiseflow.denoising.train_denoiser import LOSSES
from tfp_noiseflow.imaging.picture import read_picture

SIZE = 16


def write(path, count, scene, seed):
    """Captures of smooth images in codes of 8 bits, noise of standard deviation 0.05."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    slopes = generator.uniform(-0.2, 0.2, (count, 2, 1, 1, 4))
    clean = 0.5 + slopes[:, 0] * x[..., None] + slopes[:, 1] * y[..., None]
    noisy = np.rint(255 * np.clip(clean + 0.05 * generator.standard_normal(clean.shape), 0, 1))
    nf.write_captures(
        path,
        noisy=noisy.astype(np.uint8),
        clean=(255 * clean).astype(np.float32),
        iso=generator.choice(ISO_LEVELS, count),
        camera=generator.choice(CAMERAS, count),
        scene=[scene] * count,
        nlf=np.full((count, 2), (1e-3, 1e-3)),
        white_level=255,
        quantization_step=1,
    )
    return nf.read_captures(path, dequantises=False)


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    return write(folder / "train.h5", 96, "a", 0), write(folder / "test.h5", 24, "b", 1)


def experiment(captures, output_dir, **changed):
    arguments = {
        "noise_flow": MODELS["S-G-CAM"][0](tf.float32),
        "recalibrated_nlf": MODELS["camera NLF"][0](tf.float32),
        "train_captures": captures[0],
        "test_captures": captures[1],
        "output_dir": output_dir,
        "schedule": nf.Schedule(epochs=2, batch_size=8, learning_rate=3e-3),
        "network": {"depth": 3, "filters": 8},
    }
    return Experiment(**(arguments | changed))


@pytest.mark.parametrize(("depth", "filters"), [(9, 32), (17, 64)])
@pytest.mark.parametrize("has_batch_normalization", [False, True])
def test_dncnn_has_its_layers_and_starts_as_the_identity(depth, filters, has_batch_normalization):
    model = dncnn(depth, filters, has_batch_normalization=has_batch_normalization)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2D") == depth
    assert kinds.count("BatchNormalization") == (depth - 2) * has_batch_normalization
    # 3x3 convolutions, with a bias or a scale and an offset for each filter.
    inner = (depth - 2) * (9 * filters**2 + (1 + has_batch_normalization) * filters)
    parameters = inner + 9 * 4 * filters + filters + 9 * filters * 4 + 4
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == parameters
    image = np.random.default_rng(0).uniform(size=(2, 12, 20, 4)).astype(np.float32)
    np.testing.assert_array_equal(model(image), image)


def test_psnr_and_ssim():
    clean = np.random.default_rng(0).uniform(0.2, 0.8, (2, 16, 16, 4)).astype(np.float32)
    psnr, ssim = psnr_and_ssim(clean + np.float32([0, 0.1])[:, None, None, None], clean)
    assert psnr[0] == 80, "an exact image has the largest PSNR"
    assert float(psnr[1]) == pytest.approx(20, abs=1e-3)  # 0.1 of full scale
    assert float(ssim[0]) == pytest.approx(1, abs=1e-6) and 0.5 < ssim[1] < 1
    # What leaves the range is clipped: the same as 1.
    white = np.ones((1, 16, 16, 4), np.float32)
    assert psnr_and_ssim(1.5 * white, white)[0][0] == 80


def test_reductions_are_those_of_the_paper():
    # Table 3: Noise Flow 48.52 / 0.992 against camera NLF 44.99 / 0.982.
    assert rmse_reduction(48.52, 44.99) == pytest.approx(0.334, abs=1e-3)
    assert dssim_reduction(0.992, 0.982) == pytest.approx(0.556, abs=1e-3)


def test_gaussian_noise_has_the_papers_range_of_sigma():
    noise = AddGaussianNoise(seed=1)
    clean = tf.fill([400, 16, 16, 4], 0.5)
    noisy, returned = noise.map_function(0, clean)
    np.testing.assert_array_equal(returned, clean)
    sigma = 255 * np.std(noisy - clean, axis=(1, 2, 3))
    # 1024 values each: 2 % of scatter.
    assert sigma.min() > 0.2 and sigma.max() < 12.5
    assert sigma.mean() == pytest.approx((0.24 + 11.51) / 2, abs=0.5)  # standard error 0.17
    np.testing.assert_array_equal(noise.map_function(0, clean)[0], noisy)
    assert np.abs(noise.map_function(1, clean)[0] - noisy).max() > 0


def test_pairs_are_those_of_the_captures_or_have_the_models_noise(captures):
    train, _ = captures
    noisy, clean = next(iter(training_pairs(train, None, batch_size=96, seed=3)))
    codes = 255 * noisy.numpy()
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-3)  # not dequantised
    assert np.std(noisy - clean) == pytest.approx(0.05, rel=0.05)
    layer = nf.AddCameraNoise(nf.GaussianNoise(0.02), returns_pairs=True)
    made, same = next(iter(training_pairs(train, layer.map_function, batch_size=96, seed=3)))
    np.testing.assert_array_equal(same, clean)  # the same images in the same order
    assert np.std(made - same) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("loss", DENOISER_LOSSES)
def test_training_denoises(captures, tmp_path, loss):
    test = captures[1]
    trial = experiment(
        captures,
        tmp_path,
        schedule=nf.Schedule(epochs=6, batch_size=8, learning_rate=1e-2),
        loss=loss,
    )
    result = trial.result("real", 0, verbose=0)
    noisy = measure_denoiser(None, test)
    assert noisy["psnr"] == pytest.approx(26, abs=0.3)  # 0.05 of full scale
    # The start, which is the identity, gains nothing; 72 steps gain 3 dB, and 240 steps 7.
    assert result["psnr"] > noisy["psnr"] + 2
    assert result["ssim"] > noisy["ssim"]


# The noise of the other two is added as that of the noise flow.
@pytest.mark.parametrize(
    "sources",
    [
        ("gaussian", "noise_flow", "real"),
        pytest.param(tuple(DENOISER_SOURCES), marks=pytest.mark.slow),
    ],
    ids=["one of a kind", "all"],
)
def test_sources_train_and_are_resumed_not_repeated(captures, tmp_path, sources):
    trial = experiment(captures, tmp_path)
    results = {source: [trial.result(source, 0, verbose=0)] for source in sources}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = experiment(captures, tmp_path)
    for source in sources:
        np.testing.assert_allclose(again.result(source, 0)["psnr"], results[source][0]["psnr"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    noisy = measure_denoiser(None, captures[1])
    text = table(noisy, results)
    assert all(DENOISER_SOURCES[source] in text for source in sources)
    expected = rmse_reduction(results["noise_flow"][0]["psnr"], results["gaussian"][0]["psnr"])
    assert f"{100 * expected:.1f} %" in text
    assert iso_table(noisy, results).count("\n") == 2 + len(ISO_LEVELS)
    with pytest.raises(ValueError, match="holds another training"):
        experiment(captures, tmp_path, network={"depth": 4, "filters": 8}).denoiser("real", 0)
    with pytest.raises(ValueError, match="holds another training"):
        experiment(captures, tmp_path, loss="log_error").denoiser("real", 0)
    with pytest.raises(ValueError, match="expected a loss among"):
        experiment(captures, tmp_path / "other", loss="psnr").denoiser("real", 0)


def test_a_model_of_any_iso_adds_noise_at_the_isos_of_the_captures(captures, tmp_path):
    train, test = captures
    laws = [nf.CameraLaw((1e-4, 0), (0, 0, 1e-5), camera=name) for name in train.cameras]
    model = nf.StoredNoise(nf.NoiseFlow("L-R-P", train.cameras, laws=laws, seed=0), 1 / 255)
    trial = experiment((train, test), tmp_path, noise_flow=model)
    clean = np.full((8, 8, 8, 4), 0.5, np.float32)
    noisy, same = trial._add_noise("noise_flow", 0)(tf.constant(0, tf.int64), clean)
    np.testing.assert_array_equal(same, clean)
    codes = noisy.numpy() * 255
    # On codes, to a few roundings; and noise of the ISOs there is, of 1 % of full scale or so.
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)
    assert 0.003 < np.std(noisy - clean) < 0.1


def test_losses_are_of_each_image():
    clean = tf.zeros([2, 4, 4, 3])
    denoised = tf.constant([0.1, 0.01])[:, None, None, None] * tf.ones([2, 4, 4, 3])
    np.testing.assert_allclose(LOSSES["squared_error"](clean, denoised), [0.24, 0.0024], rtol=1e-5)
    # The same factor of an error counts alike in every image: 20 dB are 20 dB.
    high, low = LOSSES["log_error"](clean, denoised)
    np.testing.assert_allclose((high - low) * 10 / np.log(10), 20, atol=1e-3)
    assert np.isfinite(LOSSES["log_error"](clean, clean)).all()


def test_another_noise_model_or_other_captures_are_not_taken_for_these(captures, tmp_path):
    trial = experiment(captures, tmp_path)
    first = trial.result("noise_flow", 0, verbose=0)
    other = MODELS["S-G-CAM"][0](tf.float32)
    other.trainable_variables[0].assign_add(tf.ones_like(other.trainable_variables[0]))
    with pytest.raises(ValueError, match="holds another training"):
        experiment(captures, tmp_path, noise_flow=other).result("noise_flow", 0)
    # Captures of the same name in another folder.
    (tmp_path / "other").mkdir()
    train, test = (write(tmp_path / "other" / f"{n}.h5", 24, n[1], 5) for n in ("train", "test"))
    with pytest.raises(ValueError, match="holds another training"):
        experiment((train, captures[1]), tmp_path).result("noise_flow", 0)
    assert experiment((captures[0], test), tmp_path).result("noise_flow", 0) != first


def test_gaussian_noise_is_stored_as_that_of_noise_models(captures):
    noise = AddGaussianNoise(quantization_step=1 / 255, clips=True)
    noisy, _ = noise.map_function(0, tf.fill([8, 16, 16, 4], 0.999))
    np.testing.assert_allclose(255 * noisy, np.rint(255 * noisy), atol=1e-4)
    assert noisy.numpy().max() == 1


class Killed(Exception):
    pass


@pytest.mark.slow  # Four trainings.
def test_a_killed_training_ends_as_one_that_was_not(captures, tmp_path, monkeypatch):
    whole = experiment(captures, tmp_path / "whole").denoiser("recalibrated_nlf", 1, verbose=0)
    trial = experiment(captures, tmp_path / "killed")
    steps = []

    def batches(first_epoch, original=training_pairs, **arguments):
        for pair in original(first_epoch=first_epoch, **arguments):
            steps.append(first_epoch)
            if len(steps) > 16:  # in the second of two epochs of 12 steps
                raise Killed
            yield pair

    def dying(captures_, add_noise, **arguments):
        signature = (tf.TensorSpec([8, SIZE, SIZE, 4]),) * 2
        return tf.data.Dataset.from_generator(
            lambda: batches(captures=captures_, add_noise=add_noise, **arguments),
            output_signature=signature,
        )

    module = "tfp_noiseflow.denoising.experiment.training_pairs"
    monkeypatch.setattr(module, dying)
    with pytest.raises(Exception, match="Killed"):
        trial.denoiser("recalibrated_nlf", 1, verbose=0)
    monkeypatch.setattr(module, training_pairs)
    resumed = experiment(captures, tmp_path / "killed").denoiser("recalibrated_nlf", 1, verbose=0)
    for a, b in zip(whole.variables, resumed.variables, strict=True):
        # Convolutions of several threads differ by rounding from run to run.
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5)


def test_training_and_test_scenes_are_kept_apart(captures, tmp_path):
    train, _ = captures
    with pytest.raises(ValueError, match=r"no denoiser is trained on, received \['a'\]"):
        experiment((train, train), tmp_path)
    with pytest.raises(ValueError, match=r"no noise model is trained on, received \['b'\]"):
        experiment(captures, tmp_path, generator_scenes=["b", "c"])
    image = np.full((2, SIZE, SIZE, 4), 0.5)
    nf.write_captures(tmp_path / "n.h5", noisy=image, clean=image, iso=100, camera="Alpha")
    with pytest.raises(ValueError, match="a data set 'scene'"):
        experiment((train, nf.read_captures(tmp_path / "n.h5")), tmp_path)
    with pytest.raises(ValueError, match="a source among"):
        experiment(captures, tmp_path).denoiser("nothing", 0)


def test_sources_that_cannot_be_trained_on_are_found_before_any_training(captures, tmp_path):
    test = captures[1]
    experiment(captures, tmp_path).check_sources(DENOISER_SOURCES)
    with pytest.raises(ValueError, match="a source among"):
        experiment(captures, tmp_path).check_sources(["real", "nothing"])
    with pytest.raises(ValueError, match="'recalibrated_nlf', received none"):
        experiment(captures, tmp_path, recalibrated_nlf=None).check_sources(DENOISER_SOURCES)
    image = np.full((2, SIZE, SIZE, 4), 0.5)
    path = tmp_path / "n.h5"
    nf.write_captures(path, noisy=image, clean=image, iso=100, camera="Alpha", scene=["c", "c"])
    with pytest.raises(ValueError, match="a data set 'nlf'"):
        experiment((nf.read_captures(path), test), tmp_path).check_sources(["camera_nlf"])
    assert list(tmp_path.iterdir()) == [path]


def test_the_scenes_of_a_generator_are_all_that_it_has_seen():
    assert generator_scenes({"scenes": ["a"], "validation_scenes": ["b"]}) == (["a", "b"], [])
    seen = {"scenes": None, "validation_scenes": ["b"]}
    assert generator_scenes(seen) == (["b"], ["trained on"])
    later = {"scenes": ["c"], "started_from": seen}
    assert generator_scenes(later) == (["c", "b"], ["picked by", "trained on before"])


def test_the_exported_denoiser_gives_the_same(tmp_path):
    model = dncnn(3, 8)
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, seed=(0, 1)))
    image = np.random.default_rng(0).uniform(size=(2, 12, 20, 4)).astype(np.float32)
    assert export_denoiser(model, tmp_path / "d").endswith("1")
    path = export_denoiser(model, tmp_path / "d")
    assert path.endswith("2")
    served = tf.saved_model.load(path).signatures["serving_default"](noisy=tf.constant(image))
    expected = np.clip(model(image), 0, 1)
    np.testing.assert_allclose(served["denoised"], expected, atol=1e-6)


def test_a_denoiser_is_exported_once_for_each_seed(tmp_path):
    for seed, versions in ((0, ["1"]), (0, ["1"]), (1, ["1", "2"])):
        export_once(dncnn(2, 2), tmp_path, "real", seed)
        assert sorted(path.name for path in (tmp_path / "real").iterdir()) == versions


def test_the_distance_of_codes_is_one_for_all_captures(captures, tmp_path):
    assert code_step(captures[0]) == pytest.approx(1 / 255)
    image = np.full((2, SIZE, SIZE, 4), 0.5)
    path = tmp_path / "n.h5"
    steps = [0.01, 0.02]
    nf.write_captures(
        path, noisy=image, clean=image, iso=100, camera="Alpha", quantization_step=steps
    )
    with pytest.raises(ValueError, match=r"steps of 0\.01 to 0\.02 of full scale"):
        code_step(nf.read_captures(path))


def test_the_figure_has_a_row_a_camera(captures, tmp_path):
    pytest.importorskip("PIL")
    plot_denoised({"real": dncnn(2, 2)}, captures[1], tmp_path / "figure.png")
    figure = read_picture(tmp_path / "figure.png")
    # 32 pixels of the mosaic, six times, for three pictures of three cameras.
    assert figure.shape[0] > 3 * 192 and figure.shape[1] > 3 * 192
    for noisy, denoised, clean in cells(figure, columns=3):
        # A network that starts as the identity; noise of 0.05 of full scale.
        np.testing.assert_allclose(denoised, noisy, atol=1 / 255)
        assert clean.shape == noisy.shape and (noisy - clean).std() > 0.02
    gray = np.full((2, SIZE, SIZE, 1), 0.5)
    nf.write_captures(tmp_path / "g.h5", noisy=gray, clean=gray, iso=100, camera="Alpha")
    with pytest.raises(ValueError, match="packed captures"):
        plot_denoised({}, nf.read_captures(tmp_path / "g.h5"), tmp_path / "g.png")


@pytest.mark.parametrize("arguments", [(1, 32, 4), (9, 0, 4), (9, 32, 0)])
def test_wrong_networks_are_refused(arguments):
    with pytest.raises(ValueError, match="expected depth >= 2"):
        dncnn(*arguments)
