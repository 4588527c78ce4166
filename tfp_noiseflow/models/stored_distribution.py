"""The distribution of noise that a sensor stores: rounded to codes and clipped."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability.python.internal import reparameterization

from tfp_noiseflow.composition.one_call import one_call
from tfp_noiseflow.conditions.checks import require
from tfp_noiseflow.images import stored_codes
from tfp_noiseflow.images.image import over_image, summed_over_image
from tfp_noiseflow.models.code_bins import CodeBins
from tfp_noiseflow.models.noise_distribution import NoiseDistribution
from tfp_noiseflow.not_converted import not_converted
from tfp_noiseflow.types import TensorLike

# How far from a code a value may be, as a share of the step: the rounding of noise and clean image
# in float32 is 1 % of the step of 16-bit codes.
CODE_TOLERANCE = 0.05

TURNS = 1024


class StoredDistribution(tfd.Distribution):
    """Noise such that clean + noise is what a sensor stores: a code, clipped at black and white.

    ```none
    stored    = clip(round((clean + unstored) / step) * step),  noise = stored - clean
    P(noise)  = the integral of the unstored noise's density over the bins of the codes
    log_prob  = log P - D log step
    ```

    The bin of a code is step wide, with the code in its middle; those of the codes at black and
    white are open where the sensor clips there. `log_prob` is a density, in nats, so that it
    compares with that of dequantised noise, which is a lower bound of it. Where step is 0 values
    are clipped alone: the density at values between the ends, the probability at the ends.

    Where the unstored noise is independent from pixel to pixel (`is_exact`), each value's
    probability is a difference of two normal cumulative distribution functions. Else `log_prob` is
    a lower bound of it. Noise n is drawn from the pixel-wise part q of the bijector within the
    bins, whose probability Q is known, K times:

    ```none
    log_prob >= log Q - D log step + log mean_k p(n_k) / q(n_k)
    ```

    in expectation, with equality where p = q: in the terms of [1] rounding and clipping are
    surjections, and with K > 1 the bound is that of [2]. An image's draws depend on the seed and on
    the image, not on its place in a batch. Gradients go through them.

    Args:
      unstored: the distribution of the noise before it is stored.
      quantization_step: codes' distance as a fraction of full scale, positive, a scalar or of the
        batch shape; or 0: continuous.
      clips_black, clips_white: whether values end at 0 and at 1.
      name: of the distribution.

    Raises:
      ValueError: by `log_prob` called eagerly, noise that is NaN or off the codes; in a graph
        that image's log_prob is NaN.

    #### References
    [1]: Nielsen, Jaini, Hoogeboom, Winther, Welling. SurVAE Flows: Surjections to Bridge the Gap
         between VAEs and Flows. NeurIPS 2020. Table 1.
    [2]: Burda, Grosse, Salakhutdinov. Importance Weighted Autoencoders. ICLR 2016. Equation 8.
    """

    def __init__(
        self,
        unstored: NoiseDistribution,
        quantization_step: tf.Tensor | float,
        *,
        clips_black: bool = True,
        clips_white: bool = True,
        name: str = "stored_noise",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self.unstored = unstored
            self.quantization_step = tf.convert_to_tensor(quantization_step, unstored.dtype)
            known = tf.get_static_value(self.quantization_step)
            is_continuous = known is not None and not np.any(known)
            self._step = None if is_continuous else over_image(self.quantization_step)
            self._clips = {"clips_black": clips_black, "clips_white": clips_white}
            super().__init__(
                dtype=unstored.dtype,
                reparameterization_type=reparameterization.NOT_REPARAMETERIZED,
                validate_args=False,
                allow_nan_stats=True,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType, num_classes: int | None = None
    ) -> dict[str, Any]:
        # Batches come with the conditions, and are those of the unstored noise.
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return self.unstored.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.unstored.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return self.unstored.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self.unstored.event_shape_tensor()

    def __getitem__(self, slices: Any) -> StoredDistribution:
        """The distribution of a sliced batch, as `NoiseDistribution`'s."""
        step = self.quantization_step
        if step.shape.rank:
            step = tf.broadcast_to(step, self.batch_shape_tensor())[slices]
        return StoredDistribution(self.unstored[slices], step, **self._clips, name=self.name)

    @property
    def is_exact(self) -> bool:
        """Whether `log_prob` is the log-probability, not a bound of it."""
        return self.unstored.is_pixelwise

    def stored(self, noise: tf.Tensor) -> tf.Tensor:
        """Noise [.., H, W, C] of continuous values as it becomes where codes are stored."""
        clean = self.unstored.given["clean"]
        return self.as_stored(clean + noise) - clean

    def as_stored(self, noisy: tf.Tensor) -> tf.Tensor:
        """Noisy images [.., H, W, C] of continuous values as they are stored."""
        step = 0.0 if self._step is None else self._step
        return stored_codes.as_stored(noisy, step, **self._clips)

    def _sample_n(self, n: TensorLike, seed: TensorLike = None) -> tf.Tensor:
        return self.stored(self.unstored.sample(n, seed=seed))

    @not_converted
    def sample_rows(self, seeds: tf.Tensor, temperature: TensorLike = 1.0) -> tf.Tensor:
        """Noise for each row of a batch [B], as `NoiseDistribution.sample_rows`."""
        return self.stored(self.unstored.sample_rows(seeds, temperature))

    @not_converted
    def _log_prob(self, noise: tf.Tensor, seed: TensorLike = None, num_draws: int = 1) -> tf.Tensor:
        """log P - D log step, or a bound of it.

        Args:
          noise: [.., H, W, C].
          seed: of the draws where it is a bound: int [2]; an int stands for (0, seed), None for
            (0, 0).
          num_draws: K, how many; the work is K times that of one, the memory is not.
        """
        is_on_codes = self._is_on_codes(noise)
        with one_call():
            bins = self._bins(noise)
            log_prob = summed_over_image(bins.log_density)
            if not self.is_exact:
                log_prob += self._log_mean_weight(noise, bins, seed, num_draws)
        log_prob = tf.where(is_on_codes, log_prob, np.nan)
        if tf.executing_eagerly():
            is_known = tf.logical_not(tf.reduce_any(tf.math.is_nan(log_prob)))
            require(is_known, "noise (and variables of the model) without NaN", log_prob)
        return log_prob

    def _bins(self, noise: tf.Tensor) -> CodeBins:
        part, clean = self.unstored.pixelwise_part(), self.unstored.given["clean"]
        return CodeBins(part, noise, clean, self._step, **self._clips)

    @not_converted
    def pixelwise_log_prob(self, noise: tf.Tensor) -> tf.Tensor:
        """`log_prob` of what is left of the bijector without layers that mix values, exactly.

        Args:
          noise: [.., H, W, C], of codes.

        Returns:
          [..] nats.
        """
        return summed_over_image(self._bins(noise).log_density)

    def _is_on_codes(self, noise: tf.Tensor) -> tf.Tensor:
        """Whether each image is; not one with NaN. Eagerly an error says how far it is off."""
        noisy = self.unstored.given["clean"] + noise
        off = tf.reduce_max(tf.abs(self.as_stored(noisy) - noisy), axis=[-3, -2, -1])
        rounding = 4 * np.finfo(self.dtype.as_numpy_dtype).eps
        allowed = CODE_TOLERANCE * self.quantization_step + rounding
        if tf.executing_eagerly():
            require(
                tf.logical_not(tf.reduce_any(off > allowed)),
                "noise such that clean + noise is a code, a multiple of the quantization step "
                f"{self.quantization_step.numpy()} between black and white where they clip "
                "(dequantised captures are not: for a model whose `dequantises` is false they are "
                "taken as they were stored, and `stored` makes codes of other noise)",
                lambda: f"noise that is off by up to {float(tf.reduce_max(off)):.3g}",
            )
        return off <= allowed

    def _log_mean_weight(
        self, noise: tf.Tensor, bins: CodeBins, seed: TensorLike, num_draws: int
    ) -> tf.Tensor:
        """log mean_k p(n_k) / q(n_k) of noise n_k drawn from the pixel-wise part q."""
        if not isinstance(num_draws, int) or num_draws < 1:
            raise ValueError(f"expected num_draws >= 1, received {num_draws}.")
        seed = 0 if seed is None else seed
        seed = tf.convert_to_tensor((0, seed) if isinstance(seed, int) else seed)
        # One algorithm on all devices: an export gives what the model gives.
        uniform = tf.random.stateless_uniform(
            tf.concat([[num_draws], self.event_shape_tensor()], axis=0),
            seed,
            dtype=self.dtype,
            alg="philox",
        )
        uniform.set_shape([num_draws, *self.event_shape])
        turn = _turn(noise)

        def log_weight(uniform: tf.Tensor) -> tf.Tensor:
            uniform += turn
            drawn, latent, log_det = bins.draw(uniform - tf.floor(uniform))
            proposed = self.unstored.distribution.log_prob(latent) - log_det
            return self.unstored.log_prob(drawn) - proposed

        if num_draws == 1:
            return log_weight(uniform[0])
        # One after the other: many draws of a batch of frames would not fit the memory.
        weights = tf.map_fn(log_weight, uniform, fn_output_signature=self.dtype)
        return tf.reduce_logsumexp(weights, axis=0) - math.log(num_draws)


def _turn(noise: tf.Tensor) -> tf.Tensor:
    """[.., 1, 1, 1], a number in [0, 1) that goes by the bits of each image.

    Uniform numbers that are turned by it, modulo 1, are uniform and nearly independent from image
    to image, although all images take the same ones: sums over a batch vary as if each had its own.
    """
    # A quarter of the rows tells images apart, in a quarter of the time.
    bits = tf.cast(tf.bitcast(noise[..., ::4, :, :], tf.uint8), noise.dtype)
    # Sums of whole numbers are exact, whatever their order, below 2^24 in float32, which those of
    # one pixel are, and below 2^53 in float64, which those of a frame are.
    of_pixels = tf.cast(tf.reduce_sum(bits, axis=[-2, -1]), tf.float64)
    total = tf.reduce_sum(of_pixels, axis=[-2, -1]) % TURNS
    return over_image(tf.cast(total, noise.dtype)) / TURNS
