"""The fast form of flow steps is what the layers alone compute."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, LAYERS, images, moved
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.composition import forms
from tfp_noiseflow.composition.form_choice import wanted_form
from tfp_noiseflow.images import folded
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE


def layers(channels=4, has_border_indicator=False, hidden_channels=4):
    """Two steps, a gain, a step, moved away from their start, and their conditions."""
    options = {"has_border_indicator": has_border_indicator, "hidden_channels": hidden_channels}
    step = (nb.InvertibleConv1x1(channels, seed=1, dtype=tf.float64), coupling(channels, **options))
    gain = nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=tf.float64)
    members = [*step, coupling(channels, seed=4, **options), gain, *reversed(step)]
    for position, member in enumerate({id(m): m for m in members}.values()):
        moved(member, seed=position, by=0.1)
    return members


def coupling(channels, seed=2, **options):
    return nb.AffineCoupling(channels, seed=seed, dtype=tf.float64, **options)


def conditions(members, iso=(100.0, 400.0, 400.0), camera=(0, 2, 1)):
    given = {"iso": tf.constant(iso, tf.float64), "camera": tf.constant(camera, tf.int32)}
    return [given if isinstance(member, nb.Gain) else {} for member in members]


def plain(members, x, given, method):
    total = 0.0
    for member, values in zip(members, given, strict=True):
        x, log_det = getattr(member, method)(x, **values)
        total += log_det
    return x, total


def run_by(method):
    return lambda members, x, given: forms.run(members, x, given, method)


DIRECTIONS = {
    name: (run_by(method), method)
    for name, method in (
        ("forward", "_forward_and_log_det"),
        ("inverse", "_inverse_and_log_det"),
    )
}


@pytest.fixture(params=list(DIRECTIONS))
def direction(request):
    return DIRECTIONS[request.param]


def count_folded(monkeypatch):
    """How often the folded form runs: a test in which it never runs would compare nothing."""
    calls = []
    run = forms._run_folded
    monkeypatch.setattr(forms, "_run_folded", lambda *a: calls.append(1) or run(*a))
    return calls


def graph_of(specification):
    """The decorator of a graph as users trace it: TFP's methods call a composition as it is.

    AutoGraph leaves those alone; it would convert what a test calls itself, which takes seconds.
    """
    return tf.function(input_signature=[specification], autograph=False)


@pytest.mark.parametrize("channels", [2, 3, 4, 7])
@pytest.mark.parametrize("has_border_indicator", [False, True])
def test_run_is_its_layers_one_after_the_other(
    monkeypatch, direction, channels, has_border_indicator
):
    run, method = direction
    calls = count_folded(monkeypatch)
    members = layers(channels, has_border_indicator, hidden_channels=5)
    x, given = tf.constant(images((3, 5, 8, channels))), conditions(members)
    value, log_det = run(members, x, given)
    expected = plain(members, x, given, method)
    # float64: sums of up to 200 products in another order.
    np.testing.assert_allclose(value, expected[0], atol=1e-12, rtol=1e-12)
    np.testing.assert_allclose(log_det, expected[1], rtol=1e-12)
    assert calls and value.shape == x.shape


@pytest.mark.parametrize("width", [1, 2, 3, 6, 9])
def test_width_that_does_not_fold_takes_the_plain_form(monkeypatch, direction, width):
    run, method = direction
    calls = count_folded(monkeypatch)
    members = layers()
    x, given = tf.constant(images((3, 5, width, 4))), conditions(members)
    np.testing.assert_array_equal(run(members, x, given)[0], plain(members, x, given, method)[0])
    assert not calls


def test_a_comparison_can_ask_for_one_form(monkeypatch, direction):
    run, method = direction
    calls = count_folded(monkeypatch)
    members = layers()
    x, given = tf.constant(images((3, 5, 8, 4))), conditions(members)
    with wanted_form("plain"):
        value, _ = run(members, x, given)
    np.testing.assert_array_equal(value, plain(members, x, given, method)[0])
    assert not calls
    with wanted_form("folded"):
        run(members, x, given)
    assert len(calls) == 1
    with (
        pytest.raises(ValueError, match=r"expected a form among .*, received 'quick'"),
        wanted_form("quick"),
    ):
        pass


@pytest.mark.parametrize(
    ("shape", "iso", "camera"),
    [
        ((5, 8, 4), 400.0, 1),
        ((5, 8, 4), (100.0, 400.0, 1600.0), (0, 1, 2)),
        ((1, 5, 8, 4), (100.0, 400.0, 1600.0), (0, 1, 2)),
        ((2, 3, 5, 8, 4), (100.0, 400.0, 1600.0), (0, 1, 2)),
        ((2, 3, 5, 8, 4), 400.0, (0, 1, 2)),
        ((0, 5, 8, 4), 400.0, 1),
    ],
)
def test_leading_dimensions_and_gains_broadcast(direction, shape, iso, camera):
    run, method = direction
    members = layers()
    x, given = tf.constant(images(shape)), conditions(members, iso, camera)
    value, log_det = run(members, x, given)
    expected = plain(members, x, given, method)
    assert value.shape == expected[0].shape
    np.testing.assert_allclose(value, expected[0], atol=1e-12, rtol=1e-12)
    expected_log_det = np.broadcast_to(expected[1], value.shape[:-3])
    np.testing.assert_allclose(np.broadcast_to(log_det, value.shape[:-3]), expected_log_det)


@pytest.mark.parametrize("channels", [4, None])
@pytest.mark.parametrize(
    "rank", [pytest.param(3, marks=pytest.mark.slow), 4, pytest.param(5, marks=pytest.mark.slow)]
)
def test_shapes_known_only_by_the_graph(direction, rank, channels):
    run, method = direction
    members = layers()
    given = conditions(members, 400.0, 1)

    @graph_of(tf.TensorSpec([None] * (rank - 1) + [channels], tf.float64))
    def graph(x):
        value, log_det = run(members, x, given)
        assert value.shape.rank == rank and value.shape[-1] == 4
        return value, log_det

    leading = (2, 3)[: rank - 3]
    for image_shape in ((5, 8, 4), (4, 7, 4), (3, 4, 4)):
        x = tf.constant(images((*leading, *image_shape)))
        expected = plain(members, x, given, method)
        value, log_det = graph(x)
        np.testing.assert_allclose(value, expected[0], atol=1e-12, rtol=1e-12)
        np.testing.assert_allclose(log_det, np.broadcast_to(expected[1], leading))


def test_a_law_by_channel_between_steps_is_folded(monkeypatch, direction):
    run, method = direction
    calls = count_folded(monkeypatch)
    build, channels = LAYERS["law_by_channel_with_knots"]
    step = (nb.InvertibleConv1x1(channels, seed=1, dtype=tf.float64), coupling(channels))
    members = [*step, moved(build(tf.float64)), *reversed(step)]
    x, clean = tf.constant(images((3, 5, 8, channels))), tf.constant(images((3, 5, 8, channels)))
    law = {
        "clean": clean,
        "iso": tf.constant([57.0, 400.0, 6400.0], tf.float64),
        "camera": tf.constant([0, 2, 1]),
    }
    given = [{}, {}, law, {}, {}]
    value, log_det = run(members, x, given)
    expected = plain(members, x, given, method)
    # float64: sums of up to 200 products in another order.
    np.testing.assert_allclose(value, expected[0], atol=1e-12, rtol=1e-12)
    np.testing.assert_allclose(log_det, expected[1], rtol=1e-12)
    assert calls


def test_gradients_are_those_of_the_layers(direction):
    run, method = direction
    members = layers(has_border_indicator=True)
    x, given = tf.constant(images((3, 5, 8, 4))), conditions(members)
    distinct = {id(member): member for member in members}.values()
    variables = [variable for member in distinct for variable in member.trainable_variables]

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value, log_det = function()
            loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(log_det)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, [x, *variables])]

    fast = gradients(lambda: run(members, x, given))
    alone = gradients(lambda: plain(members, x, given, method))
    for a, b in zip(fast, alone, strict=True):
        # Sums over 120 pixels of products in another order.
        np.testing.assert_allclose(a, b, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(("dtype", "atol"), [(tf.float32, 1e-4), (tf.float64, 2e-12)])
def test_rounding_of_the_whole_flow(monkeypatch, dtype, atol):
    # In standard deviations of the latent. Eight couplings stretch the rounding of each, by some
    # hundred in float64, where up to 6e-13 was seen; in float32 a processor that sums in the order
    # of the plain form gives the same bits.
    flow = moved(
        nf.NoiseFlow(PAPER_ARCHITECTURE, CAMERAS, ISO_LEVELS, seed=0, dtype=dtype), by=0.05
    )
    clean = tf.constant(images((3, 16, 16, 4)) ** 2 % 1, dtype)
    given = {"clean": clean, "iso": [100, 400, 1600], "camera": [0, 1, 2]}
    noise = flow(**given).sample(seed=(0, 1))
    fast = flow(**given).bijector.inverse(noise)
    monkeypatch.setattr(forms, "FOLD", 5)  # No width of 16 folds.
    np.testing.assert_allclose(flow(**given).bijector.inverse(noise), fast, atol=atol, rtol=0)


# Both directions choose their form alike; this is that of training.
@pytest.mark.parametrize(
    "direction", [pytest.param("forward", marks=pytest.mark.slow), "inverse"], indirect=True
)
def test_gradients_through_a_width_that_only_the_graph_knows(direction):
    run, _ = direction
    # A coupling on either side of a gain: more would be differentiated in the same way.
    members = layers(has_border_indicator=True)[2:5]
    given = conditions(members)
    distinct = {id(member): member for member in members}.values()
    variables = [variable for member in distinct for variable in member.trainable_variables]

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value, log_det = run(members, x, given)
            loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(log_det)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, [x, *variables])]

    dynamic = graph_of(tf.TensorSpec([None, None, None, 4], tf.float64))(gradients)
    for width in (8, 6):
        x = tf.constant(images((3, 5, width, 4)))
        for a, b in zip(dynamic(x), gradients(x), strict=True):
            # Sums over 120 pixels of products in another order.
            np.testing.assert_allclose(a, b, atol=1e-10, rtol=1e-10)


def test_log_prob_of_the_whole_flow_in_float32(monkeypatch):
    flow = moved(nf.NoiseFlow(PAPER_ARCHITECTURE, CAMERAS, ISO_LEVELS, seed=0), by=0.05)
    clean = tf.constant(images((3, 16, 16, 4)) ** 2 % 1, tf.float32)
    distribution = flow(clean=clean, iso=[100, 400, 1600], camera=[0, 1, 2])
    noise = tf.identity(distribution.sample(seed=(0, 1)))
    fast = distribution.log_prob(noise)
    monkeypatch.setattr(forms, "FOLD", 5)  # No width of 16 folds.
    # A latent is off by up to 1e-4, see above, with either sign: over 1024 pixels half their
    # squares' sum moves by some 1e-4 sqrt(1024) = 3e-3 at most, and log_prob is some 3000 nats,
    # whose float32 sums round by 3e-4.
    np.testing.assert_allclose(distribution.log_prob(noise), fast, atol=4e-3, rtol=0)


def test_the_folded_flow_compiles(monkeypatch):
    calls = count_folded(monkeypatch)
    flow = moved(
        nf.NoiseFlow("S-Ax1-G-CAM", cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=0), by=0.05
    )
    clean = tf.constant(images((3, 8, 8, 4)) ** 2 % 1, tf.float32)
    given = {"iso": tf.constant([100.0, 400.0, 1600.0]), "camera": tf.constant([0, 1, 2])}
    noise = tf.identity(flow(clean, **given).sample(seed=(0, 1)))

    def likelihood(noise, clean, iso, camera):
        with tf.GradientTape() as tape:
            log_prob = flow(clean, iso=iso, camera=camera).log_prob(noise)
            loss = tf.reduce_sum(log_prob)
        return log_prob, tape.gradient(loss, flow.trainable_variables)

    expected, expected_gradients = likelihood(noise, clean, **given)
    calls.clear()
    log_prob, gradients = tf.function(likelihood, jit_compile=True)(noise, clean, **given)
    assert calls
    # 256 values of float32 a row, in another order.
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)
    for a, b in zip(gradients, expected_gradients, strict=True):
        scale = np.abs(tf.convert_to_tensor(b)).max()
        np.testing.assert_allclose(
            tf.convert_to_tensor(a), tf.convert_to_tensor(b), atol=1e-4 * scale
        )


def test_a_function_of_plain_images_as_conditioner_has_no_folded_form(monkeypatch):
    class Own(nb.ConvolutionalConditioner):
        def __call__(self, images):
            return 2 * super().__call__(images)

    calls = count_folded(monkeypatch)
    x = tf.constant(images((2, 4, 8, 4)))
    for net in (lambda x: tf.zeros([*x.shape[:-1], 4], tf.float64), Own(2, 4, dtype=tf.float64)):
        own = nb.AffineCoupling(4, conditioner=net, dtype=tf.float64)
        members = [nb.InvertibleConv1x1(4, seed=1, dtype=tf.float64), own]
        given = [{}, {}]
        value, _ = forms.run(members, x, given, "_inverse_and_log_det")
        np.testing.assert_array_equal(value, plain(members, x, given, "_inverse_and_log_det")[0])
    assert not calls


def test_a_subclass_of_a_layer_is_folded_as_what_it_computes(monkeypatch):
    class Doubled(nb.Gain):
        def inverse_image(self, y, **given):
            x, log_det = super().inverse_image(y, **given)
            return x.mapped(lambda x: 2 * x), log_det

    calls = count_folded(monkeypatch)
    members = layers()
    members[3] = Doubled(ISO_LEVELS, len(CAMERAS), dtype=tf.float64)
    x, given = tf.constant(images((3, 5, 8, 4))), conditions(members)
    value, _ = forms.run(members, x, given, "_inverse_and_log_det")
    expected, _ = plain(members, x, given, "_inverse_and_log_det")
    # float64: sums of up to 200 products in another order.
    np.testing.assert_allclose(value, expected, atol=1e-12, rtol=1e-12)
    assert calls


def test_a_layer_that_writes_what_a_composition_would_leave_out_is_refused():
    with pytest.raises(TypeError, match="Hidden to write forward_image and inverse_image"):

        class Hidden(nb.Gain):
            def _forward_and_log_det(self, x, **given):
                return x, 0.0


def test_layers_that_gain_nothing_stay_outside(monkeypatch):
    calls = count_folded(monkeypatch)
    gain = nb.Gain(ISO_LEVELS, dtype=tf.float64)
    alone = [gain, nb.InvertibleConv1x1(4, seed=1, dtype=tf.float64)]
    x, given = tf.constant(images((3, 5, 8, 4))), {"iso": tf.constant(400.0, tf.float64)}
    forms.run(alone, x, [given, {}], "_inverse_and_log_det")
    assert not calls


def test_folded_kernel_is_the_kernel_on_folded_images():
    kernel = tf.constant(images((3, 3, 2, 5), seed=3))
    x = tf.constant(images((2, 4, 8, 2), seed=4))
    on_folded = tf.nn.conv2d(
        tf.reshape(x, [2, 4, 2, 8]), folded.fold_kernel(kernel), strides=1, padding="SAME"
    )
    expected = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
    np.testing.assert_allclose(tf.reshape(on_folded, [2, 4, 8, 5]), expected, atol=1e-13)
