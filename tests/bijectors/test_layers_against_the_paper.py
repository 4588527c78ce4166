"""Each layer's equation, written out again in NumPy, and what goes wrong in each."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf
import tensorflow_probability as tfp

from tests.registry import CAMERAS, ISO_LEVELS, conditions, images, moved
from tfp_noiseflow import bijectors as nb

tfb = tfp.bijectors


def test_gain_is_psi_times_u_times_iso():
    gain = moved(nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=tf.float64))
    u, psi = np.exp(gain.log_u.values), np.exp(gain.log_psi.values)
    x = images((2, 4, 4, 4))
    y = gain.forward(x, iso=[400.0, 1600.0], camera=[2, 0])
    gamma = np.array([psi[2] * u[1] * 400, psi[0] * u[2] * 1600])
    np.testing.assert_allclose(y, gamma[:, None, None, None] * x, rtol=1e-14)


def test_gain_starts_at_one_two_hundredth_of_the_iso():
    gain = nb.Gain(ISO_LEVELS, 2, dtype=tf.float64)
    np.testing.assert_allclose(
        np.exp(gain.log_gain(iso=tf.constant([400.0], tf.float64), camera=[1])), 2.0
    )


def test_signal_dependent_scales_by_the_noise_level_function_of_the_latent_clean_image():
    gain = moved(nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=tf.float64))
    layer = moved(nb.SignalDependent(gain, dtype=tf.float64), seed=1)
    x, given = images((3, 4, 6, 4)), conditions((3,), (4, 6, 4))
    gamma = np.exp(gain.log_gain(iso=given["iso"], camera=given["camera"]))
    latent = np.maximum(given["clean"], 0) / gamma[:, None, None, None]
    beta1, beta2 = np.exp(layer.log_beta1.values), np.exp(layer.log_beta2.values)
    expected = np.sqrt(beta1 * latent + beta2) * x
    np.testing.assert_allclose(layer.forward(x, **given), expected, rtol=1e-13)
    assert (given["clean"] < 0).any(), "values below black are among those tested"


def test_signal_dependent_starts_as_the_paper_says():
    layer = nb.SignalDependent(dtype=tf.float64)
    variance = layer.variance(tf.constant([[[0.0, 1.0]]], tf.float64))
    np.testing.assert_allclose(variance, [[[1.0, 1.0 + np.exp(-5.0)]]])


def test_conv1x1_is_a_product_with_its_matrix_and_starts_as_a_rotation():
    layer = nb.InvertibleConv1x1(4, seed=0, dtype=tf.float64)
    np.testing.assert_allclose(layer.matrix @ tf.transpose(layer.matrix), np.eye(4), atol=1e-14)
    moved(layer)
    y = images((2, 3, 5, 4))
    np.testing.assert_allclose(layer.inverse(y), y @ layer.matrix.numpy(), atol=1e-13)
    np.testing.assert_allclose(
        layer.forward(y), y @ np.linalg.inv(layer.matrix.numpy()), atol=1e-12
    )


def test_conv1x1_agrees_with_the_lu_product_of_tfp():
    layer = moved(nb.InvertibleConv1x1(4, seed=0, dtype=tf.float64))
    diagonal = tf.linalg.diag(layer.sign * tf.exp(layer.log_scale))
    strict = tf.scatter_nd(layer._below_diagonal, layer.lower, [4, 4])
    upper = tf.transpose(tf.scatter_nd(layer._below_diagonal, layer.upper, [4, 4])) + diagonal
    # ScaleMatvecLU multiplies a column: A^T x = (P L U)^T x, so it gets L and U of A^T = x A.
    product = layer.permutation @ (strict + tf.eye(4, dtype=tf.float64)) @ upper
    lower_upper, permutation = tf.linalg.lu(tf.transpose(product))
    reference = tfb.ScaleMatvecLU(lower_upper, permutation)
    y = images((2, 3, 5, 4))
    np.testing.assert_allclose(layer.inverse(y), reference.forward(y), atol=1e-13)
    np.testing.assert_allclose(
        layer.inverse_log_det_jacobian(y, 3),
        reference.forward_log_det_jacobian(y, 3),
        atol=1e-12,
    )


@pytest.mark.parametrize("has_border_indicator", [False, True])
def test_coupling_is_the_network_of_the_paper(has_border_indicator):
    layer = moved(
        nb.AffineCoupling(4, has_border_indicator=has_border_indicator, seed=0, dtype=tf.float64)
    )
    y = images((5, 7, 4))

    def convolved(image, kernel, pad):
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        return sum(
            np.stack(
                [
                    scipy.signal.correlate(padded[..., i], kernel[:, :, i, o], "valid")
                    for o in range(kernel.shape[-1])
                ],
                axis=-1,
            )
            for i in range(padded.shape[-1])
        )

    net = layer.conditioner
    hidden = np.maximum(convolved(y[..., :2], net.kernel1.numpy(), 1) + net.bias1, 0)
    hidden = np.maximum(convolved(hidden, net.kernel2.numpy(), 0) + net.bias2, 0)
    hidden = np.pad(hidden, ((1, 1), (1, 1), (0, 0)))
    if has_border_indicator:
        border = np.ones((7, 9, 1))
        border[1:-1, 1:-1] = 0
        hidden = np.concatenate([hidden, border], axis=-1)
    out = convolved(hidden, net.kernel3.numpy(), 0) + net.bias3.numpy()
    log_scale = layer.scale.numpy() * np.tanh(out[..., 2:])
    expected = np.concatenate([y[..., :2], y[..., 2:] * np.exp(log_scale) + out[..., :2]], -1)
    np.testing.assert_allclose(layer.inverse(y), expected, atol=1e-13)
    np.testing.assert_allclose(layer.inverse_log_det_jacobian(y, 3), log_scale.sum(), atol=1e-12)


def test_coupling_starts_as_the_identity():
    x = images((1, 4, 4, 4))
    np.testing.assert_array_equal(nb.AffineCoupling(4, dtype=tf.float64).forward(x), x)


def test_coupling_tracks_a_network_of_the_user():
    class Shift(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight = tf.Variable(tf.ones([], tf.float64))

        def __call__(self, half):
            return tf.concat([self.weight * half, tf.zeros_like(half)], axis=-1)

    layer = nb.AffineCoupling(4, conditioner=Shift(), dtype=tf.float64)
    assert len(layer.trainable_variables) == 2
    y = images((2, 4, 4, 4))
    np.testing.assert_allclose(layer.inverse(y)[..., 2:], y[..., 2:] + y[..., :2])


def test_squeezing_a_mosaic_gives_its_four_positions_as_channels():
    class Marked(nb.ConditionalBijector):
        conditions = {}

        def __init__(self):
            super().__init__(dtype=tf.float64, parameters={}, name="marked")

        def _forward_and_log_det(self, x):
            return x + tf.constant([0.0, 100.0, 200.0, 300.0], x.dtype), tf.zeros([], x.dtype)

        def _inverse_and_log_det(self, y):
            raise NotImplementedError

    mosaic = np.arange(24.0).reshape(1, 4, 6, 1)
    added = nb.Squeezed(Marked()).forward(mosaic) - mosaic
    expected = np.tile([[0.0, 100.0], [200.0, 300.0]], (2, 3))
    np.testing.assert_array_equal(added[0, ..., 0], expected)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 5, 6, 1), r"even height and width.*5 6 1"), ((1, 4, 6, 4), r"single-channel.*4 6 4")],
)
def test_squeezed_images_of_odd_size_or_more_channels_are_refused(shape, message):
    layer = nb.Squeezed(nb.InvertibleConv1x1(4, dtype=tf.float64))
    with pytest.raises(ValueError, match=message):
        layer.forward(images(shape))

    @tf.function(input_signature=[tf.TensorSpec([None] * 4, tf.float64)])
    def forward(x):
        return layer.forward(x)

    with pytest.raises(tf.errors.InvalidArgumentError):
        forward(images(shape))


BAD_VALUES = [
    ({"iso": 0.0}, "iso to be positive and finite, received 0"),
    ({"iso": -100.0}, "iso to be positive and finite, received -100"),
    ({"iso": np.nan}, "iso to be positive and finite, received nan"),
    ({"iso": [100.0, 150.0]}, r"known levels \(100, 400, 1600\), received \[100. 150.\]"),
    ({"camera": 3}, "camera to be from 0 to 2, received 3"),
    ({"camera": [-1, 0]}, r"camera to be from 0 to 2, received \[-1  0\]"),
    ({"camera": 1.0}, "camera as integer indices"),
    ({"clean": np.full((2, 4, 4, 4), 1.01)}, "clean.*above 1.001.*received 1.01"),
    ({"clean": np.full((2, 4, 4, 4), np.nan)}, "clean.*NaN.*received nan"),
    ({"clean": np.full((4, 4), 0.5)}, r"needs at least the dimensions \[H, W, C\]"),
    ({"clean": np.full((3, 4, 4, 4), 0.5)}, "expected clean"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_VALUES)
def test_bad_values_of_conditions_raise_and_say_what_came(bad, message):
    gain = nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=tf.float64)
    layer = nb.SignalDependent(gain, dtype=tf.float64)
    given = {"clean": np.full((2, 4, 4, 4), 0.5), "iso": 100.0, "camera": 0, **bad}
    with pytest.raises(ValueError, match=message):
        layer.forward(images((2, 4, 4, 4)), **given)


@pytest.mark.parametrize(
    "bad",
    [
        {"iso": [0.0, 100.0]},
        {"iso": [100.0, np.nan]},
        {"iso": [100.0, 200.0]},
        {"camera": [0, 3]},
        {"clean": np.full((2, 4, 4, 4), 1.1)},
        {"clean": np.full((2, 4, 4, 4), np.nan)},
        {"clean": np.full((2, 1, 4, 4), 0.5)},
    ],
)
def test_bad_values_that_only_the_graph_knows_raise_when_it_runs(bad):
    gain = nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=tf.float64)
    layer = nb.SignalDependent(gain, dtype=tf.float64)
    image = tf.TensorSpec([None, None, None, 4], tf.float64)

    @tf.function(
        input_signature=[
            image,
            image,
            tf.TensorSpec([None], tf.float64),
            tf.TensorSpec([None], tf.int32),
        ]
    )
    def forward(x, clean, iso, camera):
        return layer.forward(x, clean=clean, iso=iso, camera=camera)

    good = {"clean": np.full((2, 4, 4, 4), 0.5), "iso": [100.0, 400.0], "camera": [0, 1]}
    x = images((2, 4, 4, 4))
    assert np.isfinite(forward(x, **good)).all()
    with pytest.raises(tf.errors.InvalidArgumentError):
        forward(x, **{**good, **bad})


def test_clean_slightly_above_full_scale_is_taken():
    layer = nb.SignalDependent(dtype=tf.float64)
    x = images((2, 2, 4))
    layer.forward(x, clean=np.full((2, 2, 4), 1.0009))


def test_chain_hands_over_conditions_by_name_of_the_member_too():
    gain = nb.Gain(ISO_LEVELS, len(CAMERAS), dtype=tf.float64)
    signal_dependent = nb.SignalDependent(gain, dtype=tf.float64)
    chain = moved(nb.ConditionalChain([signal_dependent, gain], dtype=tf.float64))
    x, given = images((2, 4, 4, 4)), conditions((2,), (4, 4, 4))
    expected = chain.forward(x, **given)
    of_gain = {"iso": given["iso"], "camera": given["camera"]}
    np.testing.assert_array_equal(chain.forward(x, signal_dependent=given, gain=of_gain), expected)
    np.testing.assert_array_equal(chain.forward(x, **given, gain=of_gain), expected)
    other = chain.forward(x, **given, gain={**of_gain, "camera": (given["camera"] + 1) % 3})
    assert np.any(other != expected), "what is routed by name goes over what is shared"
    with pytest.raises(ValueError, match=r"unknown \['exposure'\]"):
        chain.forward(x, **given, gain={**of_gain, "exposure": 1})
    with pytest.raises(ValueError, match=r"missing \['camera'\]"):
        chain.forward(x, signal_dependent=given, gain={"iso": given["iso"]})


def test_chain_takes_bijectors_of_tfp_and_does_not_trust_their_cache():
    log_scale = tf.Variable(tf.zeros([], tf.float64))
    chain = nb.ConditionalChain(
        [tfb.Scale(log_scale=log_scale), tfb.Shift(tf.constant(1.0, tf.float64))],
        dtype=tf.float64,
    )
    y = tf.constant(images((4, 4, 4)))
    np.testing.assert_allclose(chain.inverse(y), y - 1)
    assert chain.inverse_log_det_jacobian(y, 3) == 0
    log_scale.assign(2.0)
    np.testing.assert_allclose(chain.inverse(y), y * np.exp(-2) - 1)
    np.testing.assert_allclose(chain.inverse_log_det_jacobian(y, 3), -2 * 64)


def test_chain_refuses_members_of_one_name_and_conditions_that_contradict():
    with pytest.raises(ValueError, match="different names"):
        nb.ConditionalChain([nb.Gain(), nb.Gain()])
    with pytest.raises(ValueError, match="agree on iso"):
        nb.ConditionalChain([nb.Gain((100,), name="a"), nb.Gain((200,), name="b")])


@pytest.mark.parametrize("build", [nb.AffineCoupling, nb.InvertibleConv1x1])
def test_too_few_channels_are_refused(build):
    with pytest.raises(ValueError, match="received 0"):
        build(0)


def test_chain_hands_a_squeezed_member_the_squeezed_clean_image():
    inner = moved(nb.SignalDependent(dtype=tf.float64))
    chain = nb.ConditionalChain([nb.Squeezed(inner)], dtype=tf.float64)
    x = images((2, 4, 6, 1))
    clean = np.random.default_rng(0).uniform(size=x.shape)
    # A noise level function acts pixel by pixel: squeezed or not, it is the same.
    np.testing.assert_allclose(chain.forward(x, clean=clean), inner.forward(x, clean=clean))
