"""Flows that know any ISO: of cameras' laws (L), and of gains that are interpolated."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.laws.dng import write_dng
from tests.registry import CAMERAS, ISO_LEVELS, LAWS, LAWS_BY_CHANNEL, images, moved
from tfp_noiseflow.laws import CameraLaw
from tfp_noiseflow.models.letters import FIRST_LAW
from tfp_noiseflow.models.model_directory import describe_model, model_from_description
from tfp_noiseflow.models.new_camera import camera_variables, flow_of_new_camera, with_camera_of
from tfp_noiseflow.simulation.phones import PHONES

ANY_ISO = np.array([57.0, 100.0, 640.0, 25600.0])
CAMERA = np.array([2, 0, 1, 0])


def case(rows=4, channels=4):
    clean = np.abs(images((rows, 4, 6, channels), seed=1)) % 1
    return clean, images(clean.shape, seed=2, scale=0.02)


def gaussian_log_prob(noise, clean, iso, camera, laws):
    """Of independent Gaussians with the laws' variances, [B]."""
    total = []
    for row, (value, m) in enumerate(zip(iso, camera, strict=True)):
        beta1, beta2 = laws[m](value)
        variance = beta1 * clean[row] + beta2
        total.append(-0.5 * np.sum(noise[row] ** 2 / variance + np.log(2 * np.pi * variance)))
    return np.array(total)


def test_a_model_of_laws_is_their_heteroscedastic_gaussian():
    clean, noise = case()
    for laws in (LAWS, LAWS_BY_CHANNEL):
        model = nf.NoiseFlow.from_laws(laws, dtype="float64")
        found = model(clean, iso=ANY_ISO, camera=CAMERA).log_prob(noise)
        expected = gaussian_log_prob(noise, clean, ANY_ISO, CAMERA, laws)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_law_holds_a_gain_of_one_u_exactly():
    flow = moved(nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS, dtype="float64"))
    layers = flow.layers
    u, psi = np.exp(-5.1), np.exp(layers["gain"].log_psi.values.numpy())
    layers["gain"].log_u.values.assign(np.full(3, np.log(u)))
    beta1 = np.exp(layers["signal_dependent"].log_beta1.values.numpy())
    beta2 = np.exp(layers["signal_dependent"].log_beta2.values.numpy())
    laws = [
        CameraLaw((beta1 * gain, 0), (beta2 * gain**2, 0, 0), camera=name)
        for name, gain in zip(CAMERAS, 100 * u * psi, strict=True)
    ]
    clean, noise = case(3)
    given = {"iso": ISO_LEVELS, "camera": [2, 0, 1]}
    found = nf.NoiseFlow.from_laws(laws, dtype="float64")(clean, **given).log_prob(noise)
    np.testing.assert_allclose(found, flow(clean, **given).log_prob(noise), rtol=1e-12)


def test_a_camera_without_a_name_is_a_model_that_tells_none_apart():
    clean, noise = case(1)
    model = nf.NoiseFlow.from_laws(CameraLaw(LAWS[0].beta1, LAWS[0].beta2), dtype="float64")
    assert model.cameras is None
    expected = gaussian_log_prob(noise, clean, [640], [0], LAWS)
    np.testing.assert_allclose(model(clean, iso=640).log_prob(noise), expected, rtol=1e-12)


def test_laws_of_three_colours_hold_for_packed_images():
    colours = np.array([1.0, 1.5, 2.0])
    law = CameraLaw(np.outer((2e-4, 1e-5), colours), np.outer((2e-7, 0, 1e-6), colours), "mine")
    clean, noise = case(1)
    found = nf.NoiseFlow.from_laws(law, dtype="float64")(clean, iso=640, camera="mine")
    expected = gaussian_log_prob(noise, clean, [640], [0], [law.in_channels(4)])
    np.testing.assert_allclose(found.log_prob(noise), expected, rtol=1e-12)


def test_sampled_noise_has_the_variance_of_the_law():
    model = nf.NoiseFlow.from_laws(LAWS)
    clean = np.full((2, 200, 200, 4), 0.3, np.float32)
    noise = model(clean, iso=[640, 51200], camera=["Alpha", "Gamma"]).sample(seed=(0, 1))
    expected = [np.dot(law(iso), [0.3, 1]) for law, iso in ((LAWS[0], 640), (LAWS[2], 51200))]
    # 160,000 values: a standard error of the variance of 0.35 %.
    np.testing.assert_allclose(np.var(noise, axis=(1, 2, 3)), expected, rtol=0.02)


def test_a_table_of_a_camera_gives_noise_at_an_iso_that_it_lacks(tmp_path):
    iso = np.array([100, 200, 400, 1600, 3200])
    rows = zip(iso, *LAWS[0](iso), strict=True)
    text = "camera,iso,beta1,beta2\n" + "".join(f"mine,{i},{a:.9g},{b:.9g}\n" for i, a, b in rows)
    (tmp_path / "mine.csv").write_text(text)
    (table,) = nf.read_camera_tables(tmp_path / "mine.csv")
    model = nf.NoiseFlow.from_laws(table.fit().law)
    assert model.trained_iso_range == (100, 3200)
    noise = model(np.full((1, 200, 200, 4), 0.3, np.float32), iso=640, camera="mine")
    expected = np.dot(LAWS[0](640), [0.3, 1])
    # 160,000 values: a standard error of the variance of 0.35 %.
    np.testing.assert_allclose(np.var(noise.sample(seed=(0, 1))), expected, rtol=0.02)


def test_noise_profiles_give_noise_of_their_variance_in_each_channel(tmp_path):
    pytest.importorskip("tifffile")
    colours = np.array([1.0, 1.5, 2.0])
    law = CameraLaw(np.outer((2e-4, 1e-5), colours), np.outer((2e-7, 0, 1e-6), colours))
    for iso in (100, 400, 1600):
        write_dng(tmp_path / f"{iso}.dng", nf.noise_profile(law, iso), iso, "Phone 1")
    (table,) = nf.read_noise_profiles(tmp_path)
    model = nf.NoiseFlow.from_laws(table.fit().law)
    clean = np.full((1, 300, 300, 4), 0.3, np.float32)
    noise = model(clean, iso=400, camera="Phone 1").sample(seed=(0, 1))
    profile = nf.noise_profile(law, 400).reshape(3, 2)
    expected = (profile @ [0.3, 1])[[0, 1, 1, 2]]
    # 90,000 values a channel: a standard error of the variance of 0.47 %.
    np.testing.assert_allclose(np.var(noise, axis=(0, 1, 2)), expected, rtol=0.02)


def test_generic_cameras_are_a_model():
    model = nf.NoiseFlow.from_laws(nf.generic_cameras(seed=0, n=5))
    assert model.cameras == tuple(f"generic {number}" for number in range(5))
    clean = np.full((8, 8, 8, 4), 0.5, np.float32)
    assert np.isfinite(nf.AddCameraNoise(model, iso_range=(100, 6400))(clean)).all()


def test_without_laws_all_cameras_start_as_a_noisy_phone():
    clean, noise = case()
    model = nf.NoiseFlow("L", CAMERAS, dtype="float64")
    found = model(clean, iso=ANY_ISO, camera=CAMERA).log_prob(noise)
    expected = gaussian_log_prob(noise, clean, ANY_ISO, CAMERA, [FIRST_LAW] * 3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for phone in PHONES:
        assert (np.transpose(FIRST_LAW(ANY_ISO)) > phone.true(ANY_ISO)).all()
    steps = nf.NoiseFlow("L-Ax1", CAMERAS, seed=0, dtype="float64")
    # Steps start as rotations: of the same likelihood, not of the same noise.
    np.testing.assert_allclose(
        steps(clean, iso=100, camera=0).bijector.inverse_log_det_jacobian(noise, 3),
        model(clean, iso=100, camera=0).bijector.inverse_log_det_jacobian(noise, 3),
        rtol=1e-12,
    )


def test_knots_start_at_zero_and_correct_by_interpolation():
    clean, noise = case()
    given = {"iso": ANY_ISO, "camera": CAMERA}
    options = {"laws": LAWS, "dtype": "float64"}
    plain = nf.NoiseFlow("L", CAMERAS, **options)(clean, **given).log_prob(noise)
    model = nf.NoiseFlow("L", CAMERAS, law_knots=(100, 1600), **options)
    np.testing.assert_array_equal(model(clean, **given).log_prob(noise), plain)
    layer = model.layers["signal_dependent"]
    corrections = [[0.1, 0.5], [-0.2, 0.3], [0.0, 0.4]]
    for law in (layer.log_beta1, layer.log_beta2):
        law.laws[1].values.assign(corrections)
    factors = np.exp(
        [
            np.interp(np.log(iso), np.log([100, 1600]), corrections[m])
            for iso, m in zip(ANY_ISO, CAMERA, strict=True)
        ]
    )
    scaled = [
        CameraLaw(np.multiply(LAWS[m].beta1, factor), np.multiply(LAWS[m].beta2, factor))
        for m, factor in zip(CAMERA, factors, strict=True)
    ]
    expected = gaussian_log_prob(noise, clean, ANY_ISO, range(4), scaled)
    np.testing.assert_allclose(model(clean, **given).log_prob(noise), expected, rtol=1e-12)


def test_the_flow_knows_any_iso_and_keeps_no_levels():
    model = nf.NoiseFlow("L-Ax1", CAMERAS, seed=0)
    assert model.iso_levels is None and model.get_config()["iso_levels"] is None
    assert str(model.known) == f"cameras among {list(CAMERAS)} at any ISO"
    assert "ISO any" in repr(model)
    assert model.known.holds(640, "Beta")
    clean = np.full((1, 4, 4, 4), 0.5, np.float32)
    for iso in (0, -100, np.nan, np.inf):
        with pytest.raises(ValueError, match="expected iso to be positive and finite"):
            model(clean, iso=iso, camera="Beta")


def test_an_image_of_other_channels_is_refused_where_laws_are_by_channel():
    layer = nf.NoiseFlow.from_laws(LAWS_BY_CHANNEL).layers["signal_dependent"]
    for channels in (1, 3):
        clean = np.full((1, 4, 4, channels), 0.5, np.float32)
        with pytest.raises(ValueError, match=f"the 4 channels that the laws.*received {channels}"):
            layer.forward(clean, clean=clean, iso=100.0, camera=0)


@pytest.mark.parametrize("options", [
    {"laws": LAWS},
    {"laws": LAWS_BY_CHANNEL, "has_law_by_channel": True, "law_knots": (100, 800)},
])  # fmt: skip
def test_configuration_is_json_and_gives_the_same_start(options):
    model = nf.NoiseFlow("L", CAMERAS, dtype="float64", **options)
    again = model_from_description(json.loads(json.dumps(describe_model(model))))
    assert again.get_config() == model.get_config()
    for found, expected in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_wrong_laws_are_refused():
    with pytest.raises(ValueError, match=r"a law for each of the cameras.*'Beta'.*received"):
        nf.NoiseFlow("L", CAMERAS, laws=LAWS[:2])
    with pytest.raises(ValueError, match="expected a law for all channels"):
        nf.NoiseFlow("L", CAMERAS, laws=LAWS_BY_CHANNEL)
    with pytest.raises(ValueError, match=r"an image of 4 channels as the law.*received 5"):
        nf.NoiseFlow.from_laws(LAWS_BY_CHANNEL, channels=5)
    with pytest.raises(ValueError, match="expected options of S-G among"):
        nf.NoiseFlow.from_laws(LAWS, "S-G", iso_levels=ISO_LEVELS)
    unnamed = CameraLaw(LAWS[0].beta1, LAWS[0].beta2)
    for laws in ((), (unnamed, unnamed)):
        with pytest.raises(ValueError, match="expected a law, or several of named cameras"):
            nf.NoiseFlow.from_laws(laws)
    with pytest.raises(ValueError, match="expected camera names, each once"):
        nf.NoiseFlow.from_laws([LAWS[0], LAWS[0]])


def test_a_new_camera_is_one_more_row_of_the_law():
    model = nf.NoiseFlow("L-Ax1", CAMERAS, laws=LAWS, law_knots=(100, 800), dtype="float64", seed=0)
    moved(model, by=0.1)
    alone = flow_of_new_camera(model, "New")
    # beta1 and beta2 have 2 and 3 numbers, and 2 knots each.
    assert [tuple(v.shape) for v in camera_variables(alone)] == [(1, 2), (1, 2), (1, 3), (1, 2)]
    for variable in camera_variables(alone):
        variable.assign_add(0.1 * tf.ones_like(variable))
    both = with_camera_of(model, alone)
    clean, noise = case()
    given = {"iso": ANY_ISO, "camera": CAMERA}
    np.testing.assert_array_equal(
        both(clean, **given).log_prob(noise), model(clean, **given).log_prob(noise)
    )
    np.testing.assert_array_equal(
        both(clean, iso=640, camera="New").log_prob(noise),
        alone(clean, iso=640, camera="New").log_prob(noise),
    )


def test_parameters_that_have_a_meaning_are_the_betas_at_some_isos():
    physical = nf.NoiseFlow.from_laws(LAWS, dtype="float64").physical_parameters()
    assert float(physical["beta1(Beta, ISO 400)"]) == pytest.approx(LAWS[1](400)[0], rel=1e-12)
    assert float(physical["beta2(Gamma, ISO 6400)"]) == pytest.approx(LAWS[2](6400)[1], rel=1e-12)
    physical = nf.NoiseFlow.from_laws(LAWS_BY_CHANNEL, dtype="float64").physical_parameters()
    expected = LAWS_BY_CHANNEL[1](400)[0][2]
    assert float(physical["beta1(Beta, ISO 400, channel 2)"]) == pytest.approx(expected, rel=1e-12)


def test_training_images_get_noise_at_any_iso():
    model = nf.NoiseFlow.from_laws(LAWS)
    add_noise = nf.AddCameraNoise(model, iso_range=(100, 6400), seed=1)
    clean = np.full((3, 8, 8, 4), 0.5, np.float32)
    noisy = np.array(add_noise(clean))
    spread = np.std(noisy - clean, axis=(1, 2, 3))
    # Each image has an ISO and a camera of its own: none has another's strength.
    assert len(np.unique(spread)) == 3 and (spread > 0).all()
    with pytest.raises(ValueError, match="expected iso or iso_range"):
        nf.AddCameraNoise(model)(clean)


def test_the_range_of_the_laws_is_told():
    laws = [
        CameraLaw(law.beta1, law.beta2, law.camera, iso_range=(low, 3200))
        for law, low in zip(LAWS, (100, 50, 200), strict=True)
    ]
    assert nf.NoiseFlow.from_laws(laws).trained_iso_range == (50, 3200)
    assert nf.NoiseFlow.from_laws(LAWS).trained_iso_range is None


@pytest.mark.parametrize("architecture", ["S-G-CAM", "S-Ax1-G-Ax1-CAM", "N-Ax1-C"])
def test_a_flow_with_levels_becomes_one_of_any_iso_of_the_same_values(architecture):
    flow = moved(nf.NoiseFlow(architecture, CAMERAS, (400, 100, 1600), dtype="float64", seed=0))
    flow.licence, flow.origin = "CC0", "here"
    model = flow.with_any_iso()
    assert model.iso_levels is None and model.with_any_iso() is model
    assert model.trained_iso_range == (100, 1600)
    assert (model.licence, model.origin) == ("CC0", "here")
    clean, noise = case(3)
    given = {"iso": (1600, 100, 400), "camera": (0, 1, 2)}
    found = model(clean, **given).log_prob(noise)
    np.testing.assert_allclose(found, flow(clean, **given).log_prob(noise), rtol=1e-11)
    before = [variable.numpy() for variable in flow.variables]
    moved(model)
    np.testing.assert_equal([variable.numpy() for variable in flow.variables], before)


def test_an_interpolated_gain_is_linear_in_log_iso_and_proportional_to_iso_outside():
    flow = nf.NoiseFlow("S-G", None, (100, 400), interpolates_gain=True, dtype="float64")
    gain = flow.layers["gain"]
    gain.log_u.values.assign([-5.0, -6.0])
    log_gain = gain.log_gain(iso=tf.constant([25.0, 100, 200, 400, 1600], tf.float64))
    expected = np.add([-5, -5, -5.5, -6, -6], np.log([25, 100, 200, 400, 1600]))
    np.testing.assert_allclose(log_gain, expected, rtol=1e-13)


def test_a_model_of_any_iso_comes_back_from_its_folder_with_its_range(tmp_path):
    flow = moved(nf.NoiseFlow("S-G-CAM", CAMERAS, ISO_LEVELS, dtype="float64"))
    nf.save_model(flow.with_any_iso(), tmp_path / "any", {})
    nf.save_model(nf.NoiseFlow("L", CAMERAS), tmp_path / "law", {"iso_range": [50, 6400]})
    nf.save_model(nf.NoiseFlow("L", CAMERAS), tmp_path / "unknown", {})
    loaded = nf.load_model(tmp_path / "any")
    assert loaded.trained_iso_range == (100, 1600)
    clean, noise = case()
    given = {"iso": ANY_ISO, "camera": CAMERA}
    expected = flow.with_any_iso()(clean, **given).log_prob(noise)
    np.testing.assert_array_equal(loaded(clean, **given).log_prob(noise), expected)
    assert nf.load_model(tmp_path / "law").trained_iso_range == (50, 6400)
    assert nf.load_model(tmp_path / "unknown").trained_iso_range is None


def test_a_checkpoint_of_a_flow_with_levels_fits_the_one_of_any_iso(tmp_path):
    flow = moved(nf.NoiseFlow("S-Ax1-G-CAM", CAMERAS, ISO_LEVELS, seed=0))
    path = tf.train.Checkpoint(noise_model=flow).save(str(tmp_path / "checkpoint"))
    model = nf.NoiseFlow("S-Ax1-G-CAM", CAMERAS, ISO_LEVELS, interpolates_gain=True, seed=1)
    status = tf.train.Checkpoint(noise_model=model).restore(path)
    status.assert_existing_objects_matched()
    for found, expected in zip(model.variables, flow.variables, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("architecture", ["Ax1", "S"])
def test_without_a_gain_by_iso_there_is_nothing_to_interpolate(architecture):
    flow = nf.NoiseFlow(architecture, CAMERAS, ISO_LEVELS)
    with pytest.raises(ValueError, match=r"a gain by ISO \(G or N\), received NoiseFlow"):
        flow.with_any_iso()
