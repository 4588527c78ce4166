"""Marginal KL divergences between real noise and a model's noise, from histograms.

Two definitions, always printed side by side:

`kl`: per camera and ISO, the values of all its patches pooled; 128 equal bins over +-6 standard
deviations of its real noise plus two open ends; 0.5 added to every count; KL(real || model). Its
mean over camera x ISO is the figure. Nothing is dropped, so it is a KL divergence of the smoothed
histograms: never negative, and 0 only where they are equal.

`kl_paper`: what the paper's code computes. Per patch, bins of 0.2 / 64 on [-0.1, 0.1] plus two
open ends; sum of p log(p / q) over the bins where both are positive, nothing renormalised; mean
over every 5th patch. A bin that the model leaves empty costs nothing, so this is no KL divergence
and may be negative. It has a floor well above 0, as one patch's two histograms differ by chance:
per 4096-value patch a perfect model scores 0.001 at a noise standard deviation of 0.0015, 0.005
at 0.01 and 0.014 at 0.03.

Both look at values alone, not at where they lie, so unpacking a patch to its Bayer mosaic first,
as the paper's code does, changes no histogram.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

PAPER_LIMIT = 0.1
PAPER_BINS = 64
PAPER_STRIDE = 5

KL_LIMIT = 6.0
KL_BINS = 128
KL_ADDED_COUNT = 0.5


def kl_paper(real_noise: np.ndarray, model_noise: np.ndarray) -> np.ndarray:
    """The paper's marginal divergence of each patch, in nats.

    Args:
      real_noise: [n, ...], fractions of full scale.
      model_noise: [n, ...], one draw of the model for each value of `real_noise`.

    Returns:
      [n] float64: sum of p log(p / q) over the bins where both are positive.

    Raises:
      ValueError: the shapes differ.

    #### References
    Abdelhamed, Brubaker, Brown: Noise Flow, ICCV 2019, section 4, and its released code.
    """
    real_noise, model_noise = np.asarray(real_noise), np.asarray(model_noise)
    if real_noise.shape != model_noise.shape:
        raise ValueError(
            f"expected model noise of the shape of the real noise, {list(real_noise.shape)}, "
            f"received {list(model_noise.shape)}."
        )
    p, q = _paper_frequencies(real_noise), _paper_frequencies(model_noise)
    in_both = (p > 0) & (q > 0)
    ratio = np.divide(p, q, out=np.ones_like(p), where=in_both)
    return np.sum(np.where(in_both, p, 0.0) * np.log(ratio), axis=-1)


def _paper_frequencies(noise: np.ndarray) -> np.ndarray:
    patches = len(noise)
    noise = noise.reshape(patches, int(np.prod(noise.shape[1:]))).astype(np.float64)
    width = 2 * PAPER_LIMIT / PAPER_BINS
    inner = np.clip(np.floor((noise + PAPER_LIMIT) / width), -1, PAPER_BINS).astype(np.int64)
    bins = PAPER_BINS + 2
    index = inner + 1 + bins * np.arange(patches)[:, None]
    counts = np.bincount(index.ravel(), minlength=bins * patches)
    return counts.reshape(patches, bins) / noise.shape[1]


def kl_smoothed(real_counts: np.ndarray, model_counts: np.ndarray) -> np.ndarray:
    """KL(real || model) of two histograms with 0.5 added to every count, in nats.

    Args:
      real_counts: [..., bins].
      model_counts: [..., bins]; the two need not hold the same number of values.

    Returns:
      [...] float64.
    """
    p = np.asarray(real_counts, np.float64) + KL_ADDED_COUNT
    q = np.asarray(model_counts, np.float64) + KL_ADDED_COUNT
    p /= p.sum(-1, keepdims=True)
    q /= q.sum(-1, keepdims=True)
    return np.sum(p * np.log(p / q), axis=-1)


def kl_edges(standard_deviation: float) -> np.ndarray:
    """The inner edges [129] of the bins of `kl`, in the units of the standard deviation."""
    return standard_deviation * np.linspace(-KL_LIMIT, KL_LIMIT, KL_BINS + 1)


def pooled_counts(noise: tf.Tensor, group: tf.Tensor, standard_deviation: tf.Tensor) -> tf.Tensor:
    """Histograms of noise per group of patches, in the bins of `kl`. Works in a `tf.function`.

    Args:
      noise: [..., n, H, W, C] float.
      group: [n] int32, in [0, G): the camera x ISO of each patch.
      standard_deviation: [G] float, of the real noise.

    Returns:
      [G, 130] int32: the open end below, 128 bins, the open end above. (int32: for fewer than
      2**31 values a call.)

    Raises:
      InvalidArgumentError: a value is NaN or infinite.
    """
    bins = KL_BINS + 2
    groups = tf.shape(standard_deviation)[0]
    per_patch = tf.gather(tf.cast(standard_deviation, noise.dtype), group)[:, None, None, None]
    scaled = noise * (KL_BINS / (2 * KL_LIMIT) / per_patch) + KL_BINS / 2
    # A sum is finite where all its terms are, at a fraction of the cost of looking at each.
    with tf.control_dependencies(
        [tf.debugging.assert_all_finite(tf.reduce_sum(noise), "expected finite noise.")]
    ):
        inner = tf.cast(tf.clip_by_value(tf.floor(scaled), -1.0, float(KL_BINS)), tf.int32)
    index = inner + (1 + bins * group)[:, None, None, None]
    counts = tf.math.bincount(
        tf.reshape(index, [-1]), minlength=bins * groups, maxlength=bins * groups
    )
    return tf.reshape(counts, [groups, bins])


def counts_of(noise: np.ndarray, group: np.ndarray, standard_deviation: np.ndarray) -> np.ndarray:
    """`pooled_counts` of arrays, [G, 130] int64.

    Args:
      noise: [n, H, W, C]. group: [n]. standard_deviation: [G].
    """
    counts = pooled_counts(
        tf.constant(noise, tf.float32),
        tf.constant(group, tf.int32),
        tf.constant(standard_deviation, tf.float32),
    )
    return counts.numpy().astype(np.int64)
