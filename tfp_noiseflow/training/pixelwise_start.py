"""Where training starts: a model's pixel-wise part is fitted first, by its exact likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd

from tfp_noiseflow.bijectors.row_noise import RowNoise
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.dataset import training_dataset
from tfp_noiseflow.laws import LawEstimate, PolynomialLaw
from tfp_noiseflow.models.letters import FIRST_ROW_SHARE
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.repeatable import repeatable_sums
from tfp_noiseflow.training.law_start import start_at_fitted_laws
from tfp_noiseflow.training.likelihood_trainer import LikelihoodTrainer
from tfp_noiseflow.training.shown_progress import ShownProgress

# From b2 = 0, noise of full scale, log beta2 has some 12 to go: at a rate of 1e-1 in 200 steps.
STEPS = 300
LEARNING_RATE = 1e-1
# Where laws are fitted already, the shape's numbers have about 1 to go.
STEPS_OF_SHAPE = 100
LEARNING_RATE_OF_SHAPE = 3e-2
BATCH_SIZE = 64


@repeatable_sums()
def start_at_pixelwise_fit(
    model: NoiseModel, captures: Captures, *, seed: int = 0, verbose: int = 0
) -> dict[str, LawEstimate]:
    """Fits what acts on each pixel by itself, before all of a model is trained.

    The laws of an L are fitted at once (`start_at_fitted_laws`). Of a model of stored codes, the
    pixel-wise layers are trained for some steps by their exact likelihood of codes, what mixes
    values left out, where there is more of them than fitted laws. Else a bound would train them,
    which is loose as long as they are far off, because it draws from them. Then rows start as a
    small share of the read noise.

    Args:
      model: any; nothing is done with one that has neither L nor R and takes dequantised noise.
      captures: to train on.
      seed: of the order of the captures.
      verbose: as for `train_noise_model`.

    Returns:
      Camera name to the law that was fitted; empty without an L.

    Raises:
      ValueError: as `fit_camera_laws`.
    """
    estimates = start_at_fitted_laws(model, captures)
    if not model.dequantises:
        assert model.bijector is not None  # What is trained has a density.
        part = model.bijector.pixelwise_part
        variables = () if part is None else part.trainable_variables
        if not estimates:
            _train_pixelwise(model, captures, variables, STEPS, LEARNING_RATE, seed, verbose)
        elif len(variables) > len(_noise_of(model).trainable_variables):
            _train_pixelwise(
                model, captures, variables, STEPS_OF_SHAPE, LEARNING_RATE_OF_SHAPE, seed, verbose
            )
    for layer in model.submodules:
        if isinstance(layer, RowNoise) and isinstance(layer.log_variance, PolynomialLaw):
            layer.log_variance.follow(layer.noise.log_beta2, FIRST_ROW_SHARE)
    return estimates


def _noise_of(model: NoiseModel) -> tf.Module:
    """The layer of the fitted laws."""
    flow: NoiseFlow = model.unstored
    return flow.layers["signal_dependent"]


def _train_pixelwise(
    model: NoiseModel,
    captures: Captures,
    variables: Sequence[tf.Variable],
    steps: int,
    learning_rate: float,
    seed: int,
    verbose: int,
) -> None:
    if not variables:
        return
    trainer = _PixelwiseTrainer(model, trained_variables=variables)
    rate = tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    trainer.compile(tf_keras.optimizers.Adam(rate, global_clipnorm=10.0))
    dataset = training_dataset(
        captures.dequantised(False), cameras=model.cameras, batch_size=BATCH_SIZE, seed=seed
    )
    shown = ShownProgress(1, steps, min(verbose, 1), title="start of the pixel-wise layers")
    trainer.fit(dataset, steps_per_epoch=steps, callbacks=[shown], verbose=0)


class _PixelwiseTrainer(LikelihoodTrainer):
    """Its loss is the NLL of the pixel-wise part alone."""

    def log_prob(
        self, distribution: tfd.Distribution, noise: tf.Tensor, seed: tf.Tensor | None
    ) -> tf.Tensor:
        return distribution.pixelwise_log_prob(noise)
