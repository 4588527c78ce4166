"""Layers whose parameters are a user's: variables, tensors and traced values, with batches."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.registry import CAMERAS, ISO_LEVELS, images
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.models import NoiseDistribution

tfb, tfd = tfp.bijectors, tfp.distributions

CLEAN = np.random.default_rng(0).uniform(-0.05, 1, (3, 4, 6, 4))
X = images((3, 4, 6, 4))
ISO = np.array([100.0, 400.0, 1600.0])


def f64(value):
    return tf.constant(value, tf.float64)


# Name of the parameter -> (a layer of it, its conditions).
PARAMETERS = {
    "log_beta1": (
        lambda value: nb.SignalDependent(log_beta1=value, log_beta2=f64(-9.0), dtype=tf.float64),
        {"clean": CLEAN},
    ),
    "log_beta2": (
        lambda value: nb.SignalDependent(log_beta1=f64(-7.0), log_beta2=value, dtype=tf.float64),
        {"clean": CLEAN},
    ),
    "log_u": (lambda value: nb.Gain(log_u=value, dtype=tf.float64), {"iso": ISO}),
    "log_psi": (
        lambda value: nb.Gain(log_u=f64(-5.0), log_psi=value, dtype=tf.float64),
        {"iso": ISO},
    ),
    "log_u of the gain in S": (
        lambda value: nb.SignalDependent(
            nb.Gain(log_u=value, dtype=tf.float64),
            log_beta1=f64(-5.0),
            log_beta2=f64(0.0),
            dtype=tf.float64,
        ),
        {"clean": CLEAN, "iso": ISO},
    ),
}

every_parameter = pytest.mark.parametrize("name", PARAMETERS)


def log_density(layer, given):
    """Of X, in the density direction, up to a constant."""
    z, log_det = layer.inverse_and_log_det(X, **given)
    return log_det - 0.5 * tf.reduce_sum(tf.square(z), axis=[-3, -2, -1])


def slope(name, at):
    """The derivative of the summed log density, by two densities beside it."""
    build, given = PARAMETERS[name]
    up, down = (
        tf.reduce_sum(log_density(build(f64(value)), given)) for value in (at + 1e-5, at - 1e-5)
    )
    return (up - down) / 2e-5


# Differences of numbers of up to 1e7 by steps of 1e-5: some seven digits.
SLOPE_DIGITS = 1e-6


@every_parameter
def test_a_number_becomes_a_variable(name):
    build, given = PARAMETERS[name]
    for number in (-7, -7.0, np.float32(-7), np.array(-7.0)):
        layer = build(number)
        assert any(
            variable.numpy() == -7 for variable in layer.trainable_variables if variable.shape == ()
        )
        np.testing.assert_array_equal(log_density(layer, given), log_density(build(f64(-7)), given))


def test_a_number_is_taken_in_float32_too():
    layer = nb.SignalDependent(log_beta1=-7.0)
    assert layer.log_beta1.values.dtype == tf.float32
    assert layer.log_beta1.values.numpy() == -7


@every_parameter
def test_gradients_reach_a_tensor(name):
    build, given = PARAMETERS[name]
    value = f64(-2.0)
    with tf.GradientTape() as tape:
        tape.watch(value)
        layer = build(value)
        total = tf.reduce_sum(log_density(layer, given))
    np.testing.assert_allclose(tape.gradient(total, value), slope(name, -2), rtol=SLOPE_DIGITS)


@every_parameter
def test_a_variable_is_used_and_not_copied(name):
    build, given = PARAMETERS[name]
    variable = tf.Variable(f64(-3.0))
    layer = build(variable)
    assert any(variable is own for own in layer.trainable_variables)
    variable.assign(-2.0)
    np.testing.assert_array_equal(log_density(layer, given), log_density(build(f64(-2.0)), given))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(log_density(layer, given))
    np.testing.assert_allclose(tape.gradient(total, variable), slope(name, -2), rtol=SLOPE_DIGITS)


@every_parameter
def test_a_variable_of_a_constrained_number_is_used_and_not_copied(name):
    build, given = PARAMETERS[name]
    below_zero = tfb.Chain([tfb.Scale(f64(-1.0)), tfb.Softplus()])
    number = tfp.util.TransformedVariable(f64(-2.0), below_zero)
    layer = build(number)
    (variable,) = number.trainable_variables
    assert any(variable is own for own in layer.trainable_variables)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(log_density(layer, given))
    unconstrained = below_zero.inverse(f64(-2.0))
    expected = slope(name, -2) * -tf.sigmoid(unconstrained)
    np.testing.assert_allclose(tape.gradient(total, variable), expected, rtol=SLOPE_DIGITS)


@every_parameter
def test_gradients_reach_a_traced_value(name):
    build, given = PARAMETERS[name]

    @tf.function
    def gradient(value):
        return tfp.math.value_and_gradient(
            lambda value: tf.reduce_sum(log_density(build(value), given)), value
        )[1]

    np.testing.assert_allclose(gradient(f64(-2.0)), slope(name, -2), rtol=SLOPE_DIGITS)


# Parameters [chains, 1] beside three images, alone or in a table by camera and ISO.
CHAINS = np.array([[-3.0], [-2.0], [-1.0], [0.0], [1.0]])


@every_parameter
def test_a_chain_of_a_batch_is_what_it_is_alone(name):
    build, given = PARAMETERS[name]
    layer = build(f64(CHAINS))
    assert layer.experimental_batch_shape() == [5, 1]
    np.testing.assert_array_equal(layer.experimental_batch_shape_tensor(), [5, 1])
    for function in (layer.forward_and_log_det, layer.inverse_and_log_det):
        together, log_det = function(X, **given)
        assert together.shape == (5, 3, 4, 6, 4)
        assert log_det.shape == (5, 3)
        for chain, value in enumerate(CHAINS[:, 0]):
            alone = getattr(build(f64(value)), function.__name__)(X, **given)
            np.testing.assert_allclose(together[chain], alone[0], rtol=1e-14)
            np.testing.assert_allclose(log_det[chain], alone[1], rtol=1e-13)


@every_parameter
def test_round_trip_and_log_det_with_a_batch_of_parameters(name):
    build, given = PARAMETERS[name]
    layer = build(f64(CHAINS))
    x = tf.constant(images((5, 3, 4, 6, 4)))
    y = layer.forward(x, **given)
    np.testing.assert_allclose(layer.inverse(tf.identity(y), **given), x, rtol=1e-13)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer.forward(x, **given)
    # The layers work pixel by pixel: the Jacobian is the diagonal.
    expected = tf.reduce_sum(tf.math.log(tape.gradient(y, x)), axis=[-3, -2, -1])
    log_det = layer.forward_log_det_jacobian(x, 3, **given)
    # Sums of 96 logarithms, which may cancel.
    np.testing.assert_allclose(log_det, expected, rtol=1e-12, atol=1e-13)
    log_det_of_all = layer.forward_log_det_jacobian(x, 4, **given)
    np.testing.assert_allclose(
        log_det_of_all, tf.reduce_sum(expected, axis=-1), rtol=1e-12, atol=1e-13
    )


def composition(values):
    """Three layers in the fast form, with a batch in two of them."""
    gain = nb.Gain(log_u=f64(values), dtype=tf.float64)
    layers = [
        nb.SignalDependent(gain, log_beta1=f64(values), dtype=tf.float64),
        nb.InvertibleConv1x1(4, seed=1, dtype=tf.float64),
        nb.AffineCoupling(4, seed=2, dtype=tf.float64),
        gain,
    ]
    layers[2].conditioner.kernel3.assign_add(images(layers[2].conditioner.kernel3.shape, scale=0.1))
    return nb.ConditionalChain(layers, dtype=tf.float64)


@pytest.mark.parametrize(
    "around",
    [lambda chain: chain, lambda chain: nb.Reordered(chain, (2, 0, 3, 1))],
    ids=["chain", "reordered chain"],
)
@pytest.mark.parametrize("width", [6, 8])
def test_a_composition_has_the_batch_of_its_parameters(around, width):
    clean = np.random.default_rng(0).uniform(size=(3, 4, width, 4))
    noise = images(clean.shape)
    given = {"clean": clean, "iso": ISO}
    layer = around(composition(CHAINS))
    assert layer.experimental_batch_shape() == [5, 1]
    distribution = NoiseDistribution(layer, given)
    assert distribution.batch_shape == [5, 3]
    assert distribution.sample(2, seed=(0, 1)).shape == (2, 5, 3, 4, width, 4)
    together = distribution.log_prob(noise)
    for chain, value in enumerate(CHAINS[:, 0]):
        alone = NoiseDistribution(around(composition(value)), given).log_prob(noise)
        np.testing.assert_allclose(together[chain], alone, rtol=1e-11)


def test_a_table_has_batch_dimensions_in_front_of_cameras_and_isos():
    values = images((5, 1, len(CAMERAS), len(ISO_LEVELS)))
    camera = np.array([2, 0, 1])

    def layer(values):
        table = nb.ConditionTable(f64(values), num_cameras=len(CAMERAS), iso_levels=ISO_LEVELS)
        return nb.SignalDependent(log_beta1=table, dtype=tf.float64)

    given = {"clean": CLEAN, "iso": ISO, "camera": camera}
    together = NoiseDistribution(layer(values), given)
    assert together.batch_shape == [5, 3]
    for chain in range(5):
        alone = NoiseDistribution(layer(values[chain, 0]), given).log_prob(X)
        np.testing.assert_allclose(together.log_prob(X)[chain], alone, rtol=1e-13)


@every_parameter
def test_the_distribution_of_a_batch_of_parameters_broadcasts_it_with_the_conditions(name):
    build, given = PARAMETERS[name]
    given = {"clean": CLEAN, **given}
    distribution = NoiseDistribution(build(f64(CHAINS)), given)
    assert distribution.batch_shape == [5, 3]
    np.testing.assert_array_equal(distribution.batch_shape_tensor(), [5, 3])
    assert distribution.log_prob(X).shape == [5, 3]
    assert distribution.sample(seed=(0, 1)).shape == (5, 3, 4, 6, 4)
    noise, log_prob = distribution.experimental_sample_and_log_prob(2, seed=(0, 1))
    assert noise.shape == (2, 5, 3, 4, 6, 4)
    np.testing.assert_allclose(log_prob, distribution.log_prob(tf.identity(noise)), rtol=1e-12)
    # Chains draw noise of their own.
    latent = distribution.bijector.inverse(distribution.sample(seed=(0, 1)))
    assert np.abs(latent[0] - latent[1]).min() > 0


def test_the_number_of_chains_may_be_known_to_the_graph_alone():
    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float64)])
    def graph(log_beta1):
        layer = nb.SignalDependent(log_beta1=log_beta1, log_beta2=f64(0.0), dtype=tf.float64)
        distribution = NoiseDistribution(layer, {"clean": CLEAN})
        assert distribution.batch_shape.as_list() == [None, 3]
        noise = distribution.sample(seed=(0, 1))
        return distribution.batch_shape_tensor(), tf.shape(noise), distribution.log_prob(X)

    batch_shape, shape, log_prob = graph(CHAINS)
    np.testing.assert_array_equal(batch_shape, [5, 3])
    np.testing.assert_array_equal(shape, [5, 3, 4, 6, 4])
    layer = nb.SignalDependent(log_beta1=f64(CHAINS), dtype=tf.float64)
    expected = NoiseDistribution(layer, {"clean": CLEAN}).log_prob(X)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-12)


def test_a_transformed_distribution_of_tfp_has_the_batch_of_the_layer():
    layer = nb.SignalDependent(log_beta1=f64(CHAINS), dtype=tf.float64)
    base = tfd.Sample(tfd.Normal(f64(0.0), 1.0), [4, 6, 4])
    distribution = tfd.TransformedDistribution(base, layer)
    assert distribution.batch_shape == [5, 1]
    got = distribution.log_prob(X, bijector_kwargs={"clean": CLEAN})
    expected = NoiseDistribution(layer, {"clean": CLEAN}).log_prob(X)
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_parameter_properties_name_what_may_be_a_tensor():
    signal_dependent = nb.SignalDependent.parameter_properties()
    of_tensors = {name for name, own in signal_dependent.items() if own.is_tensor}
    assert of_tensors == {"log_beta1", "log_beta2"}
    assert set(nb.Gain.parameter_properties()) == {"log_u", "log_psi"}
    for properties in (signal_dependent, nb.Gain.parameter_properties()):
        assert all(own.event_ndims == 0 for own in properties.values() if own.is_tensor)


def test_a_copy_takes_another_value():
    layer = nb.SignalDependent(log_beta1=f64(-3.0), log_beta2=f64(-8.0), dtype=tf.float64)
    assert layer.parameters["log_beta1"].numpy() == -3
    copied = layer.copy(log_beta1=f64(-4.0))
    expected = nb.SignalDependent(log_beta1=f64(-4.0), log_beta2=f64(-8.0), dtype=tf.float64)
    np.testing.assert_array_equal(copied.forward(X, clean=CLEAN), expected.forward(X, clean=CLEAN))


def test_physical_parameters_have_the_batch_dimensions():
    layer = nb.SignalDependent(log_beta1=f64(CHAINS), log_beta2=-9.0, dtype=tf.float64)
    shown = layer.physical_parameters()
    np.testing.assert_allclose(shown["beta1"], np.exp(CHAINS))
    np.testing.assert_allclose(shown["beta2"], np.exp(-9))
    log_u = images((5, 1, len(ISO_LEVELS)))
    table = nb.ConditionTable(f64(log_u), iso_levels=ISO_LEVELS)
    shown = nb.Gain(log_u=table, dtype=tf.float64).physical_parameters()
    np.testing.assert_allclose(shown["gamma(ISO 400)"], 400 * np.exp(log_u[..., 1]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (tf.zeros([], tf.float32), "log_beta1: expected values of float64, got float32"),
        (np.zeros([5, 1]), r"log_beta1: expected a number or .* received \[5, 1\]"),
    ],
)
def test_parameters_of_another_kind_are_refused_by_name(value, message):
    with pytest.raises(ValueError, match=message):
        nb.SignalDependent(log_beta1=value, dtype=tf.float64)


def test_parameters_of_an_unknown_rank_are_refused_by_name():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float64)], autograph=False)
    def graph(value):
        return nb.SignalDependent(log_beta1=value, dtype=tf.float64).forward(X, clean=CLEAN)

    with pytest.raises(ValueError, match=r"log_beta1: expected .* \[\.\.\], received <unknown>"):
        graph(f64(0.0))


def test_a_number_in_a_layer_that_each_trace_builds_is_refused_by_name():
    @tf.function(autograph=False)
    def graph(value):
        return nb.SignalDependent(log_beta1=value, log_beta2=-9.0).forward(
            tf.zeros([2, 2, 4]), clean=tf.zeros([2, 2, 4])
        )

    with pytest.raises(ValueError, match=r"log_beta2: expected a tensor .* received a number"):
        graph(tf.constant(0.0))


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(
        ValueError, match=r"expected values of shape \[\.\., 3\], received \(5, 1\)"
    ):
        nb.ConditionTable(f64(CHAINS), num_cameras=3)


def test_a_batch_of_parameters_that_does_not_fit_the_conditions_is_refused():
    layer = nb.SignalDependent(log_beta1=f64(CHAINS[:, 0]), dtype=tf.float64)
    message = r"batch dimensions broadcast with the conditions' \(3,\) .*\[\.\., 1\].* \(5,\)"
    with pytest.raises(ValueError, match=message):
        NoiseDistribution(layer, {"clean": CLEAN})
