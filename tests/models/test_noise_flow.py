"""Noise Flow's architecture strings, its parameters, and the errors of its constructor."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import moved
from tfp_noiseflow.choices import RECOMMENDED_ARCHITECTURE
from tfp_noiseflow.models import untrained_model
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE, parse_architecture


@pytest.mark.parametrize(
    ("text", "layers", "has_camera_factors"),
    [
        ("S-G", "SG", False),
        ("S-G-CAM", "SG", True),
        ("S-Ax1-G-Ax1-CAM", "SAGA", True),
        ("S-Ax4-G-Ax4-CAM", "SAAAAGAAAA", True),
        ("S-Ax4-G-Ax4", "SAAAAGAAAA", False),
        ("Ax4", "AAAA", False),
        ("N-Ax4-C-Ax4", "NAAAACAAAA", False),
        ("A", "A", False),
    ],
)
def test_architectures_of_the_paper_are_read(text, layers, has_camera_factors):
    parsed = parse_architecture(text)
    assert "".join(parsed.layers) == layers
    assert parsed.has_camera_factors is has_camera_factors


def test_architectures_are_told_in_words():
    assert nf.NoiseFlow("S-Ax2-G-CAM", ("a",), (100,)).in_words == (
        "a flow, noise first: signal-dependent layer; flow step: 1x1 convolution and affine "
        "coupling, 2 times; gain layer; factors of each camera"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CAM",
        "S-CAM",
        "S-Q",
        "S--G",
        "s-g",
        "Ax0",
        "S-G-G",
        "S-S",
        "S-G-CAM-A",
        "S-N",
        "C-C",
        None,
    ],
)
def test_architectures_that_are_not_understood_are_refused(text):
    with pytest.raises(ValueError, match="expected"):
        parse_architecture(text)


def test_layers_stand_in_density_order_and_share_the_gain():
    flow = nf.NoiseFlow("S-Ax1-G-Ax1-CAM", cameras=("a",), iso_levels=(100,))
    layers = flow.bijector.bijectors
    assert [layer.name for layer in layers] == [
        "signal_dependent", "conv1x1_1", "coupling_1", "gain", "conv1x1_2", "coupling_2",
    ]  # fmt: skip
    assert layers[0].gain is layers[3]


def test_density_goes_through_the_layers_in_the_order_of_the_paper():
    flow = moved(nf.NoiseFlow("S-Ax1-G-Ax1-CAM", seed=0, dtype=tf.float64), by=0.1)
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, 4, 4, 4))
    given = {
        "clean": np.full((2, 4, 4, 4), 0.3),
        "iso": tf.constant([100, 800.0], tf.float64),
        "camera": tf.constant([0, 4]),
    }
    x = noise
    for layer in flow.bijector.bijectors:
        x = layer.inverse(x, **{k: given[k] for k in layer.conditions})
    np.testing.assert_allclose(flow(**given).bijector.inverse(noise), x, rtol=1e-12)


def test_the_default_is_the_recommended_model():
    flow = nf.NoiseFlow()
    assert flow.architecture == RECOMMENDED_ARCHITECTURE
    # Of five cameras: five numbers of a law and three of rows each, six of the shape.
    assert flow.number_of_parameters == 5 * (5 + 3) + 6
    assert flow.known.iso.levels is None


def test_the_papers_flow_has_its_size():
    flow = nf.NoiseFlow(PAPER_ARCHITECTURE)
    assert flow.number_of_parameters == 2100
    assert "2100 parameters" in repr(flow)
    assert nf.NoiseFlow("S-G-CAM").number_of_parameters == 12
    assert nf.NoiseFlow("S-G").number_of_parameters == 7


def test_seed_fixes_the_initial_weights():
    a, b, c = (
        nf.NoiseFlow(PAPER_ARCHITECTURE, seed=seed).trainable_variables for seed in (1, 1, 2)
    )
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    assert any(np.any(x != y) for x, y in zip(a, c, strict=True))


def test_start_is_the_noise_level_function_of_the_paper():
    flow = nf.NoiseFlow("S-Ax4-G-Ax4-CAM", seed=0, dtype=tf.float64)
    clean = np.full((1, 8, 8, 4), 0.4)
    noise = np.random.default_rng(0).standard_normal((1, 8, 8, 4))
    gamma = 400 / 200
    sd = gamma * np.sqrt(np.exp(-5) * 0.4 / gamma + 1)
    expected = -0.5 * np.sum((noise / sd) ** 2) - 256 * np.log(sd * np.sqrt(2 * np.pi))
    # Couplings start as the identity and 1x1 convolutions as rotations: neither changes a density.
    got = flow(clean, iso=400, camera="IP").log_prob(noise)
    np.testing.assert_allclose(got, [expected], rtol=1e-10)


def test_physical_parameters_have_names_of_cameras_and_isos():
    flow = nf.NoiseFlow("S-G-CAM", cameras=("Pixel", "N6"), iso_levels=(100, 3200))
    values = {name: float(value) for name, value in flow.physical_parameters().items()}
    assert values == pytest.approx(
        {
            "beta1": np.exp(-5),
            "beta2": 1,
            "gamma(ISO 100)": 0.5,
            "gamma(ISO 3200)": 16,
            "psi(Pixel)": 1,
            "psi(N6)": 1,
        }
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cameras": None}, "camera names"),
        ({"cameras": ()}, "camera names"),
        ({"cameras": ("a", "a")}, "each once"),
        ({"cameras": "IP"}, "received the text 'IP'"),
        ({"iso_levels": ()}, "positive ISO levels"),
        ({"iso_levels": (100, 0)}, "positive ISO levels"),
        ({"iso_levels": (100, 100)}, "each once"),
        ({"channels": 0}, "channels >= 1"),
        ({"hidden_channels": 0}, "hidden_channels >= 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        nf.NoiseFlow(PAPER_ARCHITECTURE, **arguments)


def test_odd_planes_are_refused_by_a_model_of_one_channel():
    flow = nf.NoiseFlow("S-Ax1-G", cameras=None, iso_levels=(100,), channels=1)
    with pytest.raises(ValueError, match=r"even height and width.*5"):
        flow(np.full((2, 5, 6, 1), 0.5), iso=100)


def test_images_of_another_number_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"of 4 channels, received \(2, 4, 4, 1\)"):
        nf.NoiseFlow("S-G-CAM")(np.full((2, 4, 4, 1), 0.5), iso=100, camera="IP")


def test_any_size_is_sampled_whatever_the_training_patch():
    flow = moved(nf.NoiseFlow(PAPER_ARCHITECTURE, seed=0), by=0.05)
    for height, width in ((1, 1), (3, 50), (200, 20)):
        noise = flow(tf.fill([2, height, width, 4], 0.2), iso=100, camera="IP").sample()
        assert noise.shape == [2, height, width, 4]
        assert np.isfinite(noise).all()


def test_flows_of_different_weights_are_not_equal():
    a, b = nf.NoiseFlow("S-G", seed=0), nf.NoiseFlow("S-G", seed=0)
    assert a.bijector != b.bijector
    assert a.bijector == a.bijector


def test_conditions_of_another_rank_do_not_multiply_the_batch():
    flow = nf.NoiseFlow("S-G-CAM")
    clean = np.full((2, 4, 4, 4), 0.5)
    with pytest.raises(ValueError, match="expected iso to be a scalar or of the batch shape"):
        flow(clean, iso=[[100.0], [400.0]], camera=[0, 1])
    with pytest.raises(ValueError, match="expected camera to be a scalar or of the batch shape"):
        flow(clean, iso=100, camera=[[0], [1]])


@pytest.mark.parametrize(
    ("architecture", "bad", "message"),
    [
        ("S-G", {"camera": 99}, "camera to be from 0 to 4, received 99"),
        ("S-G", {"camera": 2**32}, "camera to be from 0 to 4"),
        ("S-G", {"camera": ["IP", None]}, "names or integer indices"),
        ("Ax1", {"iso": 123.0}, "known levels.*received 123"),
    ],
)
def test_conditions_that_the_architecture_does_not_use_are_checked_too(architecture, bad, message):
    with pytest.raises(ValueError, match=message):
        nf.NoiseFlow(architecture)(np.full((2, 4, 4, 4), 0.5), **{"iso": 100, **bad})


@pytest.mark.parametrize("bad", [{"iso": 0.0}, {"iso": 150}, {"camera": "Nope"}, {"camera": 7}])
def test_what_python_knows_is_a_value_error_when_a_graph_is_traced(bad):
    flow = nf.NoiseFlow("S-G-CAM")

    @tf.function
    def graph(clean):
        return flow(clean, **{"iso": 100, "camera": "IP", **bad}).sample()

    with pytest.raises(ValueError, match="expected"):
        graph(np.full((2, 4, 4, 4), 0.5, np.float32))


def test_unknown_iso_under_xla_gives_nan_not_a_number():
    flow = nf.NoiseFlow("S-G-CAM")

    @tf.function(jit_compile=True)
    def log_prob(clean, iso):
        return flow(clean, iso=iso, camera=0).log_prob(tf.zeros_like(clean))

    clean = tf.fill([2, 4, 4, 4], 0.5)
    got = log_prob(clean, tf.constant([100.0, 150.0]))
    assert np.isfinite(got[0]) and np.isnan(got[1])


def test_sample_noise_never_shares_one_latent_among_images():
    flow = nf.NoiseFlow("S-G")
    clean = np.full((1, 4, 4, 4), 0.5)
    with pytest.raises(ValueError, match=r"seeds \[B, 2\]"):
        nf.sample_noise(flow, clean, iso=[100, 100, 100], seeds=[[1, 2]])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 4], tf.float32),
            tf.TensorSpec([None, 2], tf.int32),
        ]
    )
    def graph(clean, seeds):
        return nf.sample_noise(flow, clean, iso=100, seeds=seeds)

    assert graph(np.full((2, 4, 4, 4), 0.5, np.float32), [[1, 2], [3, 4]]).shape == [2, 4, 4, 4]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"seeds \[B, 2\]"):
        graph(np.full((3, 4, 4, 4), 0.5, np.float32), [[1, 2]])


@pytest.mark.parametrize(
    ("seeds", "temperature", "message"),
    [
        ([[0, 1]], 1.0, r"seeds \[B, 2\]"),
        ([[0, 1], [2, 3]], [1.0], r"temperature \[\] or \[B\]"),
        ([[0, 1], [2, 3]], [[1.0], [1.0]], r"temperature \[\] or \[B\]"),
        ([[0.5, 1.0], [1.0, 2.0]], 1.0, "integer seeds"),
        ([[0, 1], [2, 3]], -1.0, "temperature to be finite and not negative"),
        ([[0, 1], [2, 3]], np.nan, "temperature to be finite and not negative"),
    ],
)
def test_sample_noise_refuses_bad_seeds_and_temperatures(seeds, temperature, message):
    flow = nf.NoiseFlow("S-G")
    with pytest.raises(ValueError, match=message):
        nf.sample_noise(
            flow, np.full((2, 4, 4, 4), 0.5), iso=100, seeds=seeds, temperature=temperature
        )


def test_layers_start_from_those_of_another_flow():
    cameras, isos = ("a", "b"), (100, 400)
    source = moved(nf.NoiseFlow("S-G-CAM", cameras, isos, seed=0))
    flow = nf.NoiseFlow("S-Ax1-G-Ax1-CAM", cameras, isos, channel_order=(3, 1, 0, 2), seed=1)
    steps = [variable.numpy() for variable in flow.layers["coupling_1"].variables]
    assert flow.start_layers_from(source) == ["signal_dependent", "gain"]
    physical, expected = flow.physical_parameters(), source.physical_parameters()
    assert {k: float(v) for k, v in physical.items()} == {k: float(v) for k, v in expected.items()}
    for before, after in zip(steps, flow.layers["coupling_1"].variables, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("architecture", "cameras"), [("Ax1", ("a", "b")), ("S-G", ("a", "c")), ("N", ("a", "b"))]
)
def test_flows_without_common_layers_or_of_other_cameras_are_no_start(architecture, cameras):
    flow = nf.NoiseFlow("S-G-CAM", ("a", "b"), (100, 400))
    before = [variable.numpy() for variable in flow.variables]
    with pytest.raises(ValueError, match="expected a flow with layers among"):
        flow.start_layers_from(nf.NoiseFlow(architecture, cameras, (100, 400)))
    for value, variable in zip(before, flow.variables, strict=True):
        np.testing.assert_array_equal(value, variable)


def test_model_directory_stands_for_its_flow_untrained(tmp_path):
    trained = moved(nf.NoiseFlow("S-Ax1-G", iso_levels=(100, 400), hidden_channels=3, seed=0))
    nf.save_model(trained, tmp_path / "m", {})
    fresh = untrained_model(str(tmp_path / "m"), seed=7, cameras=("not", "used"))
    assert fresh.get_config() == trained.get_config()
    expected = nf.NoiseFlow(**trained.get_config(), seed=7)
    for variable, start in zip(fresh.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(variable, start)
    nf.save_model(nf.GaussianNoise(0.1), tmp_path / "g", {})
    with pytest.raises(ValueError, match="expected a NoiseFlow, received GaussianNoise"):
        untrained_model(str(tmp_path / "g"))


def test_saving_again_writes_beside_what_was_there(tmp_path):
    # A process that is killed in between leaves the one or the other, whole.
    for by in (0.1, 0.2):
        flow = moved(nf.NoiseFlow("S-G", iso_levels=(100, 400), seed=0), by=by)
        nf.save_model(flow, tmp_path / "m", {})
    for variable, saved in zip(
        nf.load_model(tmp_path / "m").variables, flow.variables, strict=True
    ):
        np.testing.assert_array_equal(variable, saved)
    names = {path.name for path in (tmp_path / "m" / "checkpoints" / "best").iterdir()}
    assert names == {"checkpoint", "ckpt-2.index", "ckpt-2.data-00000-of-00001"}
