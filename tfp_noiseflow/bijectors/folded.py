"""The fast form of consecutive flow steps and gains: four pixels of a row as one.

A convolution of 2 to 4 channels leaves most of a processor's vector units idle, and a pass over
memory for each small operation costs as much as the convolutions. `run_inverse` and `run_forward`
compute what the layers of a chain compute one after the other, equal to rounding, but

- FOLD neighbouring pixels of a row become channels, [B, H, W, C] -> [B, H, W / FOLD, FOLD C],
  which moves no byte; the kernels become banded ones, mostly zeros, made from the layers' own;
- between the layers the folded channels stand in halves, all pixels' first halves before all
  pixels' second ones, so that a coupling's two halves are contiguous; the 1x1 convolutions, which
  mix channels anyway, bring them into that order and back;
- biases and rectifiers are on the folded channels, where TensorFlow joins them to the convolution.

The layers alone are the readable form and the oracle of the tests. BUILD_NOTES.md has the figures.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.affine_coupling import AffineCoupling
from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector, over_image
from tfp_noiseflow.bijectors.conditioner import ConvolutionalConditioner
from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.bijectors.invertible_conv1x1 import InvertibleConv1x1

# Pixels of a row that become one.
FOLD = 4


def can_fold(layer: ConditionalBijector) -> bool:
    """Whether a layer has a folded form: flow steps with the default network, and gains.

    Not their subclasses, which may compute something else.
    """
    if type(layer) is AffineCoupling:
        return type(layer.conditioner) is ConvolutionalConditioner
    return type(layer) in (InvertibleConv1x1, Gain)


def run_inverse(
    layers: Sequence[ConditionalBijector], y: tf.Tensor, conditions: Sequence[dict]
) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverses of layers, the first one first.

    Args:
      layers: of which `can_fold` says yes.
      y: [.., H, W, C]; H and W may be dynamic.
      conditions: of each layer, checked.

    Returns:
      x [.., H, W, C] and log|det dx/dy|, as the layers alone give them.
    """
    return _run(layers, y, conditions, _INVERSES, "_inverse_and_log_det")


def run_forward(
    layers: Sequence[ConditionalBijector], x: tf.Tensor, conditions: Sequence[dict]
) -> tuple[tf.Tensor, tf.Tensor]:
    """The forward transformations of layers, the first one first; see `run_inverse`."""
    return _run(layers, x, conditions, _FORWARDS, "_forward_and_log_det")


def _run(layers, images, conditions, folded, method):
    def plain():
        result, total = images, tf.zeros([], images.dtype)
        for layer, given in zip(layers, conditions, strict=True):
            result, log_det = getattr(layer, method)(result, **given)
            total += log_det
        return result, total

    def fast():
        return _run_folded(layers, images, conditions, folded)

    couplings = [layer for layer in layers if isinstance(layer, AffineCoupling)]
    if not couplings:
        return plain()  # Nothing to gain.
    if images.shape[-1] is None:
        channels = couplings[0].parameters["channels"]
        images = tf.ensure_shape(images, [*images.shape[:-1], channels])
    width = images.shape[-2]
    if width is not None:
        return plain() if width % FOLD else fast()

    def of_full_shape(function):
        result, total = function()
        return result, tf.broadcast_to(total, tf.shape(result)[:-3])

    result, total = tf.cond(
        tf.equal(tf.shape(images)[-2] % FOLD, 0),
        lambda: of_full_shape(fast),
        lambda: of_full_shape(plain),
    )
    leading = _static_leading(layers, images, conditions)
    result.set_shape(leading.concatenate(images.shape[-3:]))
    total.set_shape(leading)
    return result, total


def _run_folded(layers, images, conditions, folded):
    conditions = [
        {"log_gain": layer.log_gain(**given)} if isinstance(layer, Gain) else given
        for layer, given in zip(layers, conditions, strict=True)
    ]
    images, conditions, restore = _as_batch(images, conditions)
    shape = tf.shape(images)
    channels = images.shape[-1]
    state = _Folded(images)
    total = tf.zeros([], images.dtype)
    for layer, given in zip(layers, conditions, strict=True):
        state.is_at_end = layer is layers[-1]
        total += folded[type(layer)](layer, state, **given)
    state.reorder(in_halves=False)
    result = tf.reshape(state.values, tf.concat([tf.shape(state.values)[:1], shape[1:]], axis=0))
    result.set_shape([state.values.shape[0], *images.shape[1:3], channels])
    return restore(result, total)


def _leading(images, conditions):
    """The batch shape of images and gains together, static and dynamic."""
    gains = [given["log_gain"] for given in conditions if "log_gain" in given]
    static, dynamic = images.shape[:-3], tf.shape(images)[:-3]
    for gain in gains:
        static = tf.broadcast_static_shape(static, gain.shape)
        dynamic = tf.broadcast_dynamic_shape(dynamic, tf.shape(gain))
    return static, dynamic


def _static_leading(layers, images, conditions):
    gains = [
        {"log_gain": layer.log_gain(**given)}
        for layer, given in zip(layers, conditions, strict=True)
        if isinstance(layer, Gain)
    ]
    return _leading(images, gains)[0]


def _as_batch(images, conditions):
    """Images [B, H, W, C], gains that broadcast with [B], and the way back for results."""
    gains = [given["log_gain"] for given in conditions if "log_gain" in given]
    if images.shape.rank == 4 and all(gain.shape.rank in (0, 1) for gain in gains):
        return images, conditions, lambda result, total: (result, total)
    static, leading = _leading(images, conditions)
    image_shape, static_image_shape = tf.shape(images)[-3:], images.shape[-3:]
    images = tf.broadcast_to(images, tf.concat([leading, image_shape], axis=0))
    flat = tf.reshape(images, tf.concat([[-1], image_shape], axis=0))
    flat.set_shape([static.num_elements(), *static_image_shape])
    conditions = [
        {"log_gain": tf.reshape(tf.broadcast_to(given["log_gain"], leading), [-1])}
        if "log_gain" in given
        else given
        for given in conditions
    ]

    def restore(result, total):
        total = tf.reshape(tf.broadcast_to(total, tf.shape(result)[:1]), leading)
        result = tf.reshape(result, tf.concat([leading, image_shape], axis=0))
        result.set_shape(static.concatenate(static_image_shape))
        total.set_shape(static)
        return result, total

    return flat, conditions, restore


class _Folded:
    """Folded images on their way through the layers.

    Attributes:
      values: [B, H, W / FOLD, FOLD C].
      in_halves: whether the channels are all pixels' first halves, then all pixels' second ones;
        else pixel by pixel, as folding leaves them.
      is_at_end: whether no layer comes after the present one.
    """

    def __init__(self, images: tf.Tensor):
        shape = tf.shape(images)
        batch, height, width, self.channels = images.shape
        self.values = tf.reshape(
            images, tf.stack([shape[0], shape[1], shape[2] // FOLD, FOLD * self.channels])
        )
        self.values.set_shape([batch, height, width and width // FOLD, FOLD * self.channels])
        self.in_halves = False
        self.is_at_end = False
        # Of the images, for the log-det of the 1x1 convolutions.
        if None in (height, width):
            self.pixels = tf.cast(shape[1] * shape[2], images.dtype)
        else:
            self.pixels = tf.constant(height * width, images.dtype)

    @property
    def halves(self) -> tuple[int, ...]:
        """Channels of a pixel that stand together."""
        first = self.channels // 2
        return (first, self.channels - first) if self.in_halves else (self.channels,)

    def mix(self, matrix: tf.Tensor) -> None:
        """Multiplies every pixel's channels, a row vector, by a matrix [C, C].

        Whatever order the channels are in, they leave in halves, or at the end pixel by pixel.
        """
        halves = self.halves
        self.in_halves = not self.is_at_end
        kernel = fold_kernel(matrix[tf.newaxis, tf.newaxis], halves, self.halves)
        self.values = _convolve(self.values, kernel)

    def reorder(self, *, in_halves: bool) -> None:
        """Brings the channels into another order, where they are not in it."""
        if self.in_halves != in_halves:
            self.is_at_end = not in_halves
            # Faster than a gather of channels, and exact.
            self.mix(tf.eye(self.channels, dtype=self.values.dtype))


def _invert_mixing(layer: InvertibleConv1x1, state: _Folded) -> tf.Tensor:
    state.mix(layer.matrix)
    return state.pixels * tf.reduce_sum(layer.log_scale)


def _mix(layer: InvertibleConv1x1, state: _Folded) -> tf.Tensor:
    state.mix(layer.inverse_matrix)
    return -state.pixels * tf.reduce_sum(layer.log_scale)


def _invert_coupling(layer: AffineCoupling, state: _Folded) -> tf.Tensor:
    first, second, shift, log_scale = _coupling(layer, state)
    state.values = tf.concat([first, second * tf.exp(log_scale) + shift], axis=-1)
    return tf.reduce_sum(log_scale, axis=[1, 2, 3])


def _couple(layer: AffineCoupling, state: _Folded) -> tf.Tensor:
    first, second, shift, log_scale = _coupling(layer, state)
    state.values = tf.concat([first, (second - shift) * tf.exp(-log_scale)], axis=-1)
    return -tf.reduce_sum(log_scale, axis=[1, 2, 3])


def _coupling(layer: AffineCoupling, state: _Folded):
    state.reorder(in_halves=True)
    # Splits, not slices, as in AffineCoupling.
    first, second = tf.split(state.values, [FOLD * half for half in state.halves], axis=-1)
    shift, raw = tf.split(_conditioner(layer.conditioner, first), 2, axis=-1)
    return first, second, shift, layer.scale * tf.tanh(raw)


def _invert_gain(layer: Gain, state: _Folded, *, log_gain: tf.Tensor) -> tf.Tensor:
    state.values *= over_image(tf.exp(-log_gain))
    return -state.pixels * state.channels * log_gain


def _amplify(layer: Gain, state: _Folded, *, log_gain: tf.Tensor) -> tf.Tensor:
    state.values *= over_image(tf.exp(log_gain))
    return state.pixels * state.channels * log_gain


_INVERSES: dict[type, Callable] = {
    InvertibleConv1x1: _invert_mixing,
    AffineCoupling: _invert_coupling,
    Gain: _invert_gain,
}
_FORWARDS: dict[type, Callable] = {
    InvertibleConv1x1: _mix,
    AffineCoupling: _couple,
    Gain: _amplify,
}


def _conditioner(net: ConvolutionalConditioner, first: tf.Tensor) -> tf.Tensor:
    """The network of folded first halves; shift and log-scale stand in halves."""
    hidden, outputs = net.bias1.shape[0], net.bias3.shape[0]

    def layer(images, kernel, bias):
        convolved = _convolve(images, fold_kernel(kernel))
        return tf.nn.relu(tf.nn.bias_add(convolved, tf.tile(bias, [FOLD])))

    halves = (outputs // 2, outputs // 2)
    features = layer(layer(first, net.kernel1, net.bias1), net.kernel2, net.bias2)
    inner = fold_kernel(net.kernel3[:, :, :hidden], (hidden,), halves)
    shift, raw = tf.split(net.inner_bias, 2)
    bias = tf.concat([tf.tile(shift, [FOLD]), tf.tile(raw, [FOLD])], axis=0)
    result = tf.nn.bias_add(_convolve(features, inner), bias)
    if net.has_border_indicator:
        shape = tf.shape(first)
        ones = tf.ones(tf.stack([1, shape[1], shape[2], FOLD]), first.dtype)
        border = fold_kernel(net.kernel3[:, :, hidden:], (1,), halves)
        result -= _convolve(ones, border)
    return result


def _convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(images, kernel, strides=1, padding="SAME")


def fold_kernel(
    kernel: tf.Tensor,
    halves_in: tuple[int, ...] | None = None,
    halves_out: tuple[int, ...] | None = None,
) -> tf.Tensor:
    """The kernel for folded images that does what a kernel does for images.

    Args:
      kernel: [h, w, C, D], h and w odd, w <= 2 FOLD + 1.
      halves_in: how many channels of a pixel stand together in the folded input, and how many in
        the next block, adding up to C. None: pixel by pixel.
      halves_out: the same for the output and D.

    Returns:
      [h, 1 or 3, FOLD C, FOLD D].
    """
    height, width, channels, outputs = kernel.shape
    positions = _kernel_positions(
        height, width, channels, outputs, halves_in or (channels,), halves_out or (outputs,)
    )
    # Position 0 is a zero.
    values = tf.concat([tf.zeros([1], kernel.dtype), tf.reshape(kernel, [-1])], axis=0)
    return tf.gather(values, tf.cast(positions, tf.int32))


@functools.cache
def _kernel_positions(height, width, channels, outputs, halves_in, halves_out) -> np.ndarray:
    """[h, 1 or 3, FOLD C, FOLD D]: 1 + where in the flat kernel each value stands, 0 for zeros.

    Output pixel p of a group takes input pixel q of the group J to the left or right where the
    kernel's column is FOLD J + q - p, counted from its middle.
    """
    groups = 0 if width == 1 else 1
    number = 1 + np.arange(height * width * channels * outputs)
    number = number.reshape(height, width, channels, outputs)
    folded = np.zeros((height, 2 * groups + 1, FOLD, channels, FOLD, outputs), np.int32)
    for p in range(FOLD):
        for column in range(width):
            position = p + column - width // 2
            folded[:, groups + position // FOLD, position % FOLD, :, p] = number[:, column]
    folded = _in_order(_in_order(folded, 2, halves_in), 3, halves_out)
    # Bytes, mostly: these constants are in every export, some dozens of them.
    return folded.astype(np.min_scalar_type(folded.max()))


def _in_order(array: np.ndarray, axis: int, halves: tuple[int, ...]) -> np.ndarray:
    """Axes (pixel, channel) at `axis` as one, half after half."""
    parts = np.split(array, np.cumsum(halves)[:-1], axis=axis + 1)
    shape = array.shape[:axis], array.shape[axis + 2 :]
    return np.concatenate([part.reshape(*shape[0], -1, *shape[1]) for part in parts], axis=axis)
