"""The forms of one flow that the benchmarks compare: S, four steps, G, four steps.

Each form is a class made of a batch [B, H, W, 4]; `train`, `nll` and `sample` are its compiled
functions, which return tensors.

- library: this library, as its users call it;
- unfolded: the same with its layers in the plain form;
- compiled, compiled-unfolded: both, compiled by XLA;
- stored: the library as a model of codes;
- plain: the layers written down in TensorFlow, one `tf.function`, nothing rearranged;
- stock: the same of TFP's own parts, `tfb.RealNVP` and `tfb.ScaleMatvecLU`, what a user would
  write without this library.

All train with Adam. The two latter are for speed alone: no cameras, no ISO, nothing is checked.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfp_noiseflow as nf
from tfp_noiseflow.composition.form_choice import wanted_form
from tfp_noiseflow.experiments.operations import LEARNING_RATE, Operations
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE

tfb = tfp.bijectors
tfd = tfp.distributions

STEPS = 8
HIDDEN = 4
# Useful operations a packed pixel: multiplications and additions of the convolutions, forward.
FLOPS_PER_PIXEL = STEPS * 2 * (9 * 2 * HIDDEN + HIDDEN * HIDDEN + 9 * HIDDEN * 4 + 4 * 4)


def batch(number: int, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Noise and clean images [number, height, width, 4]."""
    rng = np.random.default_rng(0)
    shape = (number, height, width, 4)
    clean = rng.uniform(0.02, 0.6, (number, 1, 1, 4)) * np.ones(shape)
    noise = rng.standard_normal(shape) * np.sqrt(4e-3 * clean + 2e-6)
    return tf.constant(noise, tf.float32), tf.constant(clean, tf.float32)


class Library:
    """`nf.NoiseFlow` and `nf.LikelihoodTrainer`, with cameras and ISOs that differ in the batch.

    A subclass says what is other: `step` of the codes that noise is stored in, then it is
    `nf.StoredNoise`; `form` of the layers; whether XLA compiles it.

    Args:
      noise, clean: of `batch`.
      model_dir: of a flow to use in place of the default one.
    """

    step: float | None = None
    form = "fastest"
    jit_compile = False

    def __init__(self, noise: tf.Tensor, clean: tf.Tensor, model_dir: str | None = None):
        number = len(noise)
        rng = np.random.default_rng(1)
        flow = nf.load_model(model_dir) if model_dir else nf.NoiseFlow(PAPER_ARCHITECTURE, seed=0)
        if self.step is not None:
            flow = nf.StoredNoise(flow, self.step)
            noise = tf.clip_by_value(tf.round((clean + noise) / self.step) * self.step, 0, 1)
            noise -= clean
        self.captures = {
            "noise": noise,
            "clean": clean,
            "iso": tf.constant(rng.choice(flow.iso_levels, number), tf.float32),
            "camera": tf.constant(rng.integers(len(flow.cameras), size=number), tf.int32),
        }
        operations = Operations(flow, self.captures, jit_compile=self.jit_compile)
        self.train, self.nll, self.sample = (
            self._in_form(function)
            for function in (operations.train, operations.nll, operations.sample)
        )

    def _in_form(self, function):
        def call():
            with wanted_form(self.form):
                return function()

        return call


class Unfolded(Library):
    """`Library` in the plain form."""

    form = "plain"


class Compiled(Library):
    """`Library` by XLA."""

    jit_compile = True


class CompiledUnfolded(Unfolded, Compiled):
    """Both."""


class Stored(Library):
    """`Library` with the codes of a 10-bit sensor."""

    step = 1 / 1023


class _WrittenDown:
    """Adam and the three functions, for forms that give log_prob and a sample."""

    def __init__(self, noise: tf.Tensor, clean: tf.Tensor):
        rng = np.random.default_rng(0)
        self.variables = []

        def variable(*shape, value=None):
            value = 0.05 * rng.standard_normal(shape) if value is None else value
            self.variables.append(tf.Variable(tf.constant(value, tf.float32)))
            return self.variables[-1]

        self.beta1, self.beta2, self.gain = (variable(value=v) for v in (-5.0, -5.0, 0.0))
        self.make_steps(variable, rng)
        optimizer = tf_keras.optimizers.Adam(LEARNING_RATE)
        optimizer.build(self.variables)

        @tf.function
        def train(noise, clean):
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(self.log_prob(noise, clean))
            gradients = tape.gradient(loss, self.variables)
            optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
            return loss

        nll = tf.function(lambda noise, clean: -tf.reduce_mean(self.log_prob(noise, clean)))
        sample = tf.function(self.draw)
        self.train = lambda: train(noise, clean)
        self.nll = lambda: nll(noise, clean)
        self.sample = lambda: sample(clean)

    def conditioner(self, variable):
        """conv3x3, conv1x1, conv3x3 of the first two channels; shift and raw log-scale."""
        k1, b1 = variable(3, 3, 2, HIDDEN), variable(HIDDEN)
        k2, b2 = variable(1, 1, HIDDEN, HIDDEN), variable(HIDDEN)
        k3, b3 = variable(3, 3, HIDDEN, 4), variable(4)

        def network(x):
            h = tf.nn.relu(tf.nn.bias_add(_convolve(x, k1), b1))
            h = tf.nn.relu(tf.nn.bias_add(_convolve(h, k2), b2))
            out = tf.nn.bias_add(_convolve(h, k3), b3)
            return out[..., :2], tf.tanh(out[..., 2:])

        return network

    def deviation(self, clean):
        return tf.sqrt(tf.exp(self.beta1) * clean + tf.exp(self.beta2))


class Plain(_WrittenDown):
    """The layers one after the other."""

    def make_steps(self, variable, rng):
        self.steps = [
            (
                variable(value=np.linalg.qr(rng.standard_normal((4, 4)))[0]),
                self.conditioner(variable),
            )
            for _ in range(STEPS)
        ]

    def log_prob(self, noise, clean):
        deviation = self.deviation(clean)
        pixels = noise.shape[1] * noise.shape[2]
        x, log_det = noise / deviation, -tf.reduce_sum(tf.math.log(deviation), [1, 2, 3])
        for number, (matrix, network) in enumerate(self.steps):
            if number == STEPS // 2:
                x, log_det = x * tf.exp(-self.gain), log_det - 4.0 * pixels * self.gain
            x = _convolve(x, matrix[None, None])
            shift, log_scale = network(x[..., :2])
            x = tf.concat([x[..., :2], x[..., 2:] * tf.exp(log_scale) + shift], axis=-1)
            log_det += tf.reduce_sum(log_scale, [1, 2, 3]) + pixels * tf.linalg.slogdet(matrix)[1]
        squares = tf.reduce_sum(tf.square(x), [1, 2, 3])
        return log_det - 0.5 * squares - 2.0 * math.log(2 * math.pi) * pixels

    def draw(self, clean):
        x = tf.random.stateless_normal(tf.shape(clean), [1, 2])
        for number, (matrix, network) in reversed(list(enumerate(self.steps))):
            shift, log_scale = network(x[..., :2])
            x = tf.concat([x[..., :2], (x[..., 2:] - shift) * tf.exp(-log_scale)], axis=-1)
            x = _convolve(x, tf.linalg.inv(matrix)[None, None])
            if number == STEPS // 2:
                x *= tf.exp(self.gain)
        return x * self.deviation(clean)


class Stock(_WrittenDown):
    """A `tfd.TransformedDistribution` over a `tfb.Chain` of TFP's own bijectors."""

    def make_steps(self, variable, rng):
        def step():
            rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
            lower_upper, permutation = tf.linalg.lu(tf.constant(rotation, tf.float32))
            network = self.conditioner(variable)
            return [
                tfb.ScaleMatvecLU(variable(value=lower_upper.numpy()), permutation),
                tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=lambda x, _, **kwargs: network(x)),
            ]

        self.steps = [step() for _ in range(STEPS)]

    def distribution(self, clean):
        layers = [tfb.Scale(self.deviation(clean))]
        for number, step in enumerate(self.steps):
            layers += [tfb.Scale(tf.exp(self.gain))] if number == STEPS // 2 else []
            layers += step
        base = tfd.Independent(tfd.Normal(tf.zeros_like(clean), 1.0), 3)
        return tfd.TransformedDistribution(base, tfb.Chain(layers))

    def log_prob(self, noise, clean):
        # A new tensor: TFP's cache would give log-dets from before a change of a variable.
        return self.distribution(clean).log_prob(tf.identity(noise))

    def draw(self, clean):
        return self.distribution(clean).sample(seed=(1, 2))


def _convolve(images, kernel):
    return tf.nn.conv2d(images, kernel, 1, "SAME")


FORMS = {
    "library": Library,
    "unfolded": Unfolded,
    "compiled": Compiled,
    "compiled-unfolded": CompiledUnfolded,
    "stored": Stored,
    "plain": Plain,
    "stock": Stock,
}
