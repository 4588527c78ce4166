"""Where training starts: a model's pixel-wise part is fitted first, by its exact likelihood."""

from __future__ import annotations

import tf_keras

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.dataset import training_dataset
from tfp_noiseflow.laws import LawEstimate
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.training.law_start import start_at_fitted_laws
from tfp_noiseflow.training.likelihood_trainer import LikelihoodTrainer

# From b2 = 0, noise of full scale, log beta2 has some 12 to go: at a rate of 1e-1 in 200 steps.
STEPS = 300
BATCH_SIZE = 64
LEARNING_RATE = 1e-1


def start_at_pixelwise_fit(
    model: NoiseModel, captures: Captures, *, seed: int = 0
) -> dict[str, LawEstimate]:
    """Fits what acts on each pixel by itself, before all of a model is trained.

    The laws of an L are fitted at once (`start_at_fitted_laws`). Of another model of stored codes,
    the pixel-wise layers are trained for some steps by their exact likelihood of codes, flow steps
    left out. Else a bound would train them, which is loose as long as they are far off, because it
    draws from them.

    Args:
      model: any; nothing is done with one that has no L and takes dequantised noise.
      captures: to train on.
      seed: of the order of the captures.

    Returns:
      Camera name to the law that was fitted; empty without an L.

    Raises:
      ValueError: as `fit_camera_laws`.
    """
    estimates = start_at_fitted_laws(model, captures)
    if estimates or model.dequantises:
        return estimates
    part = model.bijector.pixelwise_part
    if part is None or not part.trainable_variables:
        return estimates
    trainer = _PixelwiseTrainer(model, trained_variables=part.trainable_variables)
    rate = tf_keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)
    trainer.compile(tf_keras.optimizers.Adam(rate, global_clipnorm=10.0))
    dataset = training_dataset(
        captures.dequantised(False), cameras=model.cameras, batch_size=BATCH_SIZE, seed=seed
    )
    trainer.fit(dataset, steps_per_epoch=STEPS, verbose=0)
    return estimates


class _PixelwiseTrainer(LikelihoodTrainer):
    """Its loss is the NLL of the pixel-wise part alone."""

    def log_prob(self, distribution, noise, seed):
        return distribution.pixelwise_log_prob(noise)
