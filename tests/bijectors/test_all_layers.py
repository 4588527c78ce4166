"""What every layer must do, for all of tests/registry.py."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.jacobians import jacobian_by_autodiff, log_det_by_autodiff, repeated
from tests.registry import LAYERS, conditions, images, moved, needed

tfb = tfp.bijectors

# The same with knots walk what these do: they are left to `make test-all`.
ALSO_WALKED = ("law", "law_by_channel")
every_layer = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in ALSO_WALKED else [])
        for name in LAYERS
    ],
)


def case(name, dtype=tf.float64, batch_shape=(2,), height=4, width=6):
    build, channels = LAYERS[name]
    layer = moved(build(dtype))
    shape = (height, width, channels)
    given = needed(layer, conditions(batch_shape, shape, dtype=dtype.as_numpy_dtype))
    return layer, tf.constant(images((*batch_shape, *shape)), dtype), given


@every_layer
def test_inverse_of_forward_is_the_input_in_float64(name):
    layer, x, given = case(name)
    y = layer.forward(x, **given)
    assert np.abs(y - x).max() > 1e-3, "the layer does something"
    # Some 1e5 roundings of 1e-16, amplified by scales of up to 1e2.
    np.testing.assert_allclose(layer.inverse(tf.identity(y), **given), x, atol=1e-10, rtol=0)
    x_again = layer.inverse(x, **given)
    np.testing.assert_allclose(layer.forward(x_again, **given), x, atol=1e-10, rtol=0)


@every_layer
def test_inverse_of_forward_is_the_input_in_float32(name):
    layer, x, given = case(name, tf.float32, height=16, width=16)
    y = layer.forward(x, **given)
    # 2e-5 of the standard deviation, which is 1 here: a few hundred float32 roundings.
    np.testing.assert_allclose(layer.inverse(tf.identity(y), **given), x, atol=2e-5, rtol=0)


@every_layer
def test_log_dets_are_those_of_the_jacobian(name):
    layer, x, given = case(name, batch_shape=())
    of_copies = repeated(given, x)
    for function, log_det in (
        (layer.forward, layer.forward_log_det_jacobian),
        (layer.inverse, layer.inverse_log_det_jacobian),
    ):
        expected = log_det_by_autodiff(functools.partial(function, **of_copies), x)
        np.testing.assert_allclose(log_det(x, 3, **given), expected, atol=1e-9, rtol=0)


@every_layer
def test_a_pixelwise_layer_is_one_of_a_monotone_function_of_each_value(name):
    layer, x, given = case(name, batch_shape=())
    of_copies = repeated(given, x)
    jacobian = jacobian_by_autodiff(functools.partial(layer.inverse, **of_copies), x)
    diagonal = np.diag(jacobian)
    is_alone = np.all(jacobian == np.diag(diagonal))
    assert layer.is_pixelwise == is_alone
    if is_alone:
        assert np.all(diagonal > 0) or np.all(diagonal < 0)


@pytest.mark.parametrize("name", ["chain", "reordered_chain", "squeezed_chain"])
def test_the_pixelwise_part_is_the_layers_that_are(name):
    layer, x, given = case(name)
    inner = layer if name == "chain" else layer.bijector
    expected, log_det = x, 0
    for member in inner.bijectors:
        if member.name in ("signal_dependent", "gain"):
            # Neither looks at where a value is, so that an arrangement changes nothing.
            its = needed(member, given)
            log_det += member.inverse_log_det_jacobian(expected, 3, **its)
            expected = member.inverse(expected, **its)
    actual, total = layer.pixelwise_part.inverse_and_log_det(x, **given)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    np.testing.assert_allclose(total, log_det, rtol=1e-12)


@every_layer
def test_value_and_log_det_together_are_the_two_alone(name):
    layer, x, given = case(name)
    y, log_det = layer.forward_and_log_det(x, **given)
    np.testing.assert_array_equal(y, layer.forward(x, **given))
    np.testing.assert_array_equal(log_det, layer.forward_log_det_jacobian(x, 3, **given))
    x_again, log_det_back = layer.inverse_and_log_det(y, **given)
    np.testing.assert_array_equal(x_again, layer.inverse(y, **given))
    np.testing.assert_allclose(
        np.broadcast_to(log_det_back, (2,)), -np.broadcast_to(log_det, (2,)), atol=1e-9
    )


@every_layer
def test_gradients_reach_all_trained_variables(name):
    layer, x, given = case(name)
    for function in (layer.forward_and_log_det, layer.inverse_and_log_det):
        with tf.GradientTape() as tape:
            y, log_det = function(x, **given)
            loss = tf.reduce_sum(tf.square(y)) + tf.reduce_sum(log_det)
        gradients = tape.gradient(loss, layer.trainable_variables)
        for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
            assert gradient is not None, f"no gradient for {variable.name}"
            assert np.any(tf.convert_to_tensor(gradient) != 0), f"zero for {variable.name}"


@every_layer
def test_graph_of_dynamic_shapes_equals_eager(name):
    layer, x, given = case(name, batch_shape=(3,))

    def specification(value):
        value = tf.convert_to_tensor(value)
        channels = value.shape[3:]  # [C] of an image, [] of an ISO or a camera.
        return tf.TensorSpec([None] * (value.shape.rank - len(channels)) + channels, value.dtype)

    signature = [specification(x), {k: specification(v) for k, v in given.items()}]

    @tf.function(input_signature=signature)
    def forward(x, given):
        return layer.forward_and_log_det(x, **given)

    @tf.function(input_signature=signature)
    def inverse(y, given):
        return layer.inverse_and_log_det(y, **given)

    for graph, eager in (
        (forward, layer.forward_and_log_det),
        (inverse, layer.inverse_and_log_det),
    ):
        assert graph.get_concrete_function().structured_outputs[0].shape[1:3] == [None, None]
        for got, expected in zip(graph(x, given), eager(x, **given), strict=True):
            # The graph may fuse operations: a few roundings.
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@every_layer
def test_batch_dimensions_are_free(name):
    layer, x, given = case(name, batch_shape=(2, 3))
    y, log_det = layer.forward_and_log_det(x, **given)
    assert y.shape == x.shape
    log_det = np.broadcast_to(log_det, (2, 3))
    for i in range(2):
        for j in range(3):
            one = {key: value[i, j] for key, value in given.items()}
            y_one, log_det_one = layer.forward_and_log_det(x[i, j], **one)
            assert y_one.shape == x.shape[2:]
            np.testing.assert_allclose(y[i, j], y_one, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(log_det[i, j], log_det_one, rtol=1e-12, atol=1e-12)


@every_layer
def test_event_ndims_above_three_sums_the_log_det(name):
    layer, x, given = case(name, batch_shape=(2, 3))
    each = np.broadcast_to(layer.forward_log_det_jacobian(x, 3, **given), (2, 3))
    summed = layer.forward_log_det_jacobian(x, 4, **given)
    np.testing.assert_allclose(summed, each.sum(axis=1), rtol=1e-12)


@every_layer
def test_change_of_a_variable_is_seen_with_the_same_tensor(name):
    layer, x, given = case(name)
    before = layer.inverse(x, **given), layer.inverse_log_det_jacobian(x, 3, **given)
    moved(layer, seed=1)
    after = layer.inverse(x, **given), layer.inverse_log_det_jacobian(x, 3, **given)
    fresh_x = tf.identity(x)
    fresh = layer.inverse(fresh_x, **given), layer.inverse_log_det_jacobian(fresh_x, 3, **given)
    for old, new, expected in zip(before, after, fresh, strict=True):
        assert np.any(old != new)
        np.testing.assert_array_equal(new, expected)


@every_layer
def test_checkpoint_restores_the_layer_whatever_its_start(name, tmp_path):
    layer, x, given = case(name)
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "checkpoint")
    other = moved(LAYERS[name][0](tf.float64), seed=7)
    assert np.any(other.forward(x, **given) != layer.forward(x, **given))
    tf.train.Checkpoint(layer=other).restore(path).assert_consumed()
    np.testing.assert_array_equal(other.forward(x, **given), layer.forward(x, **given))


@every_layer
def test_missing_and_unknown_conditions_are_named(name):
    layer, x, given = case(name)
    for condition in given:
        rest = {key: value for key, value in given.items() if key != condition}
        with pytest.raises(ValueError, match=rf"missing \['{condition}'\]"):
            layer.forward(x, **rest)
        with pytest.raises(ValueError, match=rf"missing \['{condition}'\]"):
            layer.inverse(x, **rest, **{condition: None})
    with pytest.raises(ValueError, match=r"unknown \['exposure'\]"):
        layer.inverse_log_det_jacobian(x, 3, **given, exposure=1.0)


@every_layer
def test_input_of_another_precision_is_refused(name):
    layer, x, given = case(name, tf.float32)
    with pytest.raises((TypeError, ValueError), match="float64"):
        layer.forward(tf.cast(x, tf.float64), **given)


@every_layer
def test_images_with_too_few_dimensions_are_refused(name):
    layer, x, given = case(name)
    with pytest.raises(ValueError, match=r"expected images \[\.\., H, W, C\]"):
        layer.forward(x[0, 0], **given)


@every_layer
def test_layer_routes_by_name_in_a_chain_of_tfp(name):
    layer, x, given = case(name)
    chain = tfb.Chain([tfb.Scale(tf.constant(2.0, tf.float64)), layer])
    expected = 2 * layer.forward(x, **given)
    np.testing.assert_allclose(chain.forward(x, **{layer.name: given}), expected)


@every_layer
def test_clean_image_of_another_size_is_refused(name):
    layer, x, given = case(name)
    if "clean" not in given:
        pytest.skip("the layer does not depend on the clean image")
    smaller = dict(given, clean=given["clean"][:, :2])
    with pytest.raises(ValueError, match="expected clean"):
        layer.forward(x, **smaller)
    one_row = dict(given, clean=given["clean"][:, :1])  # Would broadcast in silence.
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        layer.forward(x, **one_row)
