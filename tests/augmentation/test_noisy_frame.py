"""Whole frames with noise: what the model says, without seams, and the command that writes them."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, MODELS
from tests.scripts import ROOT, run
from tfp_noiseflow.augmentation.noisy_frame import noisy_frame
from tfp_noiseflow.imaging.picture import read_picture, write_png
from tfp_noiseflow.imaging.raw_frame import frame_of_codes, frame_of_photograph, read_raw

NLF = MODELS["camera NLF"][0]


def frame(level=0.3, shape=(200, 300), cfa="GRBG"):
    return frame_of_codes(np.full(shape, 1000 + round(15000 * level)), cfa, 1000, 16000)


def test_noise_has_the_models_variance_everywhere():
    model = NLF(tf.float32)
    clean = frame(shape=(400, 600))
    noise = noisy_frame(model, clean, "Beta", 400, seed=1).mosaic - clean.mosaic
    variance = float(0.3 * model.beta1[1, 1] + model.beta2[1, 1])
    # 240,000 pixels: 0.3 %.
    assert np.var(noise) == pytest.approx(variance, rel=0.02)
    assert np.mean(noise) == pytest.approx(0, abs=0.01 * np.sqrt(variance))
    # No seams: blocks of 2,400 pixels differ from each other as chance has it (3 %), five times.
    blocks = noise.reshape(10, 40, 10, 60).var(axis=(1, 3)) / variance
    assert np.abs(blocks - 1).max() < 0.15
    rows, columns = (noise.mean(axis=axis) / np.sqrt(variance) for axis in (1, 0))
    assert np.abs(rows).max() * np.sqrt(600) < 5 and np.abs(columns).max() * np.sqrt(400) < 5


def test_noise_grows_with_iso_and_is_a_frames_own():
    model, clean = NLF(tf.float32), frame()
    noise = {
        iso: noisy_frame(model, clean, "Alpha", iso, seed=1).mosaic - clean.mosaic
        for iso in ISO_LEVELS
    }
    deviations = [noise[iso].std() for iso in ISO_LEVELS]
    assert deviations == sorted(deviations)
    again = noisy_frame(model, clean, "Alpha", 400, seed=1).mosaic - clean.mosaic
    np.testing.assert_array_equal(again, noise[400])
    # 60,000 pixels: the correlation of independent noise is 0.004.
    assert abs(np.corrcoef(noise[100].ravel(), noise[400].ravel())[0, 1]) < 0.02
    other = noisy_frame(model, clean, "Alpha", 400, seed=2).mosaic - clean.mosaic
    assert abs(np.corrcoef(other.ravel(), noise[400].ravel())[0, 1]) < 0.02


def test_colors_get_the_noise_of_their_own_signal():
    """The CFA tells which pixels are bright: their noise is stronger where they are."""
    codes = np.full((200, 200), 1000)
    codes[0::2, 1::2] = 5500  # red of a GRBG sensor
    clean = frame_of_codes(codes, "GRBG", 1000, 16000)
    model = NLF(tf.float32)
    noise = noisy_frame(model, clean, "Beta", 1600).mosaic - clean.mosaic
    bright = float(0.3 * model.beta1[1, 2] + model.beta2[1, 2])
    assert noise[0::2, 1::2].var() == pytest.approx(bright, rel=0.1)
    assert noise[1::2, 0::2].var() == pytest.approx(float(model.beta2[1, 2]), rel=0.1)


@pytest.mark.parametrize("name", ["Gaussian", "S-Ax1-G-CAM of planes"])
def test_any_model_takes_a_frame(name):
    noisy = noisy_frame(MODELS[name][0](tf.float32), frame(), "Alpha", 100)
    assert noisy.mosaic.shape == (200, 300) and np.isfinite(noisy.mosaic).all()
    assert noisy.mosaic.std() > 0 and noisy.mosaic.max() <= 1


def test_pictures_have_stronger_noise_in_shadows_and_no_color_cast():
    # Left half dark, right half bright, grey.
    photograph = np.full((160, 240, 3), 0.25)
    photograph[:, 120:] = 0.85
    clean = frame_of_photograph(photograph, exposure=1.0, seed=0)
    noisy = noisy_frame(NLF(tf.float32), clean, "Alpha", 400)
    difference = noisy.picture() - clean.picture()
    dark, bright = difference[:, 8:112], difference[:, 128:232]
    assert dark.std() > 1.5 * bright.std()
    # The tone curve bends the mean of noise a little, alike for all colours: to a code of 8 bits.
    for half in (dark, bright):
        assert np.ptp(half.mean(axis=(0, 1))) < 1 / 255


def test_a_camera_frame_with_the_shipped_models_noise(shared_data):
    clean = read_raw(shared_data / "clean_frames" / "nikon_dsc1339_14bit.npz")
    flow = nf.load_model(ROOT / "saved_models" / "noise_flow_model")
    before = clean.picture()
    brightness = before.mean(axis=-1)
    shadows = brightness < np.quantile(brightness, 0.3)
    lights = (brightness > np.quantile(brightness, 0.7)) & (before.max(axis=-1) < 0.98)
    deviations = []
    for iso in (100, 800, 3200):
        noisy = noisy_frame(flow, clean, "Pixel", iso)
        difference = noisy.picture() - before
        deviations.append(difference.std())
        # Relative to what is there, noise is strongest in the dark.
        relative = [difference[part].std() / before[part].mean() for part in (shadows, lights)]
        assert relative[0] > 2 * relative[1]
        # Of the raw noise, by colour, in standard deviations: the flow's mean is known to be up to
        # 0.09 (saved_models/README.md).
        noise = noisy.mosaic - clean.mosaic
        for position in np.ndindex(2, 2):
            of_color = noise[position[0] :: 2, position[1] :: 2]
            assert abs(of_color.mean()) < 0.15 * of_color.std()
    assert deviations[0] < deviations[1] / 1.5 and deviations[1] < deviations[2] / 1.5


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    nf.save_model(NLF(tf.float32), path, {"origin": "made up"})
    return path


def test_the_command_writes_pictures_raw_and_a_contact_sheet(model_dir, tmp_path):
    pytest.importorskip("PIL")
    codes = np.random.default_rng(0).integers(1000, 9000, (40, 60))
    np.savez(tmp_path / "frame.npz", raw=codes, black=1000, white=16000, cfa="BGGR")
    out = tmp_path / "out"
    done = run(
        "add_noise",
        model_dir=model_dir,
        input=tmp_path / "frame.npz",
        camera="Alpha,Gamma",
        iso="100,1600",
        output_dir=out,
        crop=20,
    )
    assert done.returncode == 0, done.stderr
    names = {f"frame_{c}_ISO{i}" for c in ("Alpha", "Gamma") for i in (100, 1600)}
    files = {path.name for path in out.iterdir()}
    expected = {f"{name}.{kind}" for name in names for kind in ("png", "npz")}
    assert files == expected | {"frame_contact_sheet.png"}
    assert read_picture(out / "frame_Alpha_ISO100.png").shape == (40, 60, 3)
    clean = read_raw(tmp_path / "frame.npz").mosaic
    quiet, loud = (read_raw(out / f"frame_Alpha_ISO{iso}.npz").mosaic for iso in (100, 1600))
    assert 0 < np.std(quiet - clean) < np.std(loud - clean)


def test_the_command_is_reproducible_and_says_what_is_wrong(model_dir, tmp_path):
    pytest.importorskip("PIL")
    write_png(np.random.default_rng(0).uniform(size=(30, 40, 3)), tmp_path / "photo.png")
    given = {"model_dir": model_dir, "input": tmp_path / "photo.png", "crop": 20}
    pictures = []
    for out in ("a", "b"):
        done = run("add_noise", **given, camera="Beta", iso=400, output_dir=tmp_path / out, seed=7)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in (tmp_path / out).iterdir()} == {
            "photo_Beta_ISO400.png",
            "photo_contact_sheet.png",
        }
        pictures.append(read_picture(tmp_path / out / "photo_Beta_ISO400.png"))
    np.testing.assert_array_equal(*pictures)
    # White balance is what the raw was balanced with: it tints nothing.
    write_png(np.full((30, 40, 3), 0.5), tmp_path / "photo.png")
    done = run(
        "add_noise",
        **given,
        camera="Alpha",
        iso=100,
        white_balance="2.9,1.2",
        output_dir=tmp_path / "w",
    )
    assert done.returncode == 0, done.stderr
    mean = read_picture(tmp_path / "w" / "photo_Alpha_ISO100.png").mean(axis=(0, 1))
    np.testing.assert_allclose(mean, 0.5, atol=2 / 255)
    done = run("add_noise", **given, camera="Delta", output_dir=tmp_path / "c")
    assert done.returncode != 0
    assert all(camera in done.stderr for camera in CAMERAS)
    assert not (tmp_path / "c").exists()
    # A wrong one among right ones is found before anything is written, and wrong flags by name.
    for changed, message in (
        ({"camera": "Alpha,Delta"}, "Delta"),
        ({"iso": "100,123"}, "123"),
        ({"white_balance": "2"}, "white_balance"),
        ({"crop_at": "5"}, "crop_at"),
    ):
        done = run("add_noise", **given, **changed, output_dir=tmp_path / "d")
        assert done.returncode != 0 and message in done.stderr
        assert not (tmp_path / "d").exists()
