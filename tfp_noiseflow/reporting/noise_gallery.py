"""The paper's figure 1: one clean image with the noise of several models and with real noise."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.bayer import unpack_bayer
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.evaluation.histograms import kl_smoothed, pooled_counts
from tfp_noiseflow.imaging import meter, process
from tfp_noiseflow.imaging.contact_sheet import write_contact_sheet
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.reporting.examples import captures_to_show

DRAWS = 16


def plot_noise_gallery(
    models: Mapping[str, NoiseModel],
    captures: Captures,
    conditions: Sequence[tuple[str, float]],
    path: str | os.PathLike,
    *,
    seed: int = 0,
    scale: int = 1,
) -> list[dict]:
    """Writes the figure: a row a camera and ISO, the KL divergence from real noise on each picture.

    Of the captures of a camera and ISO the one with the most contrast is shown, where there are
    enough of another scene in each row, as sRGB with the white balance and brightness of its clean
    image. The divergence is `kl` of this image alone:
    its real noise against 16 draws of the model for the same clean image.

    Args:
      models: by title; they know the cameras and ISOs.
      captures: packed, dequantised.
      conditions: (camera, ISO) of each row.
      path: of the PNG.
      seed: of the models' draws.
      scale: each pixel becomes a square of so many pixels.

    Returns:
      For each row a dict: camera, iso, and kl by title; "floor" where the captures hold a second
      draw of the real noise.

    Raises:
      ValueError: captures that are not packed, or none of a camera and ISO.
    """
    if captures.image_shape[-1] != 4:
        raise ValueError(
            f"{captures.path}: expected packed captures [H, W, 4], received "
            f"{list(captures.image_shape)}."
        )
    rows, figures = [], []
    groups = [
        np.flatnonzero((captures.camera == camera) & (captures.iso == iso))
        for camera, iso in conditions
    ]
    for (camera, iso), own in zip(conditions, groups, strict=True):
        if not len(own):
            raise ValueError(f"{captures.path}: expected captures of {camera} at ISO {iso:g}.")
    truth = "real" if captures.nlf_true is None else "real (simulated)"
    shown = captures_to_show(captures, groups)
    for row, ((camera, iso), index) in enumerate(zip(conditions, shown, strict=True)):
        block = captures.read(index, index + 1)
        clean, real = block.clean[0], block.noise[0]
        draws = {
            title: model(clean, iso=iso, camera=camera).sample(DRAWS, seed=(seed, row)).numpy()
            for title, model in models.items()
        }
        kl = {title: divergence(real, noise) for title, noise in draws.items()}
        noises = {title: draw[0] for title, draw in draws.items()} | {truth: real}
        mosaic = unpack_bayer(clean, "RGGB")
        colors, exposure = meter(mosaic)
        pictures = {
            f"{title}\n{f'KL {kl[title]:.4f}' if title in kl else ''}": process(
                unpack_bayer(np.clip(clean + noise, 0, 1), "RGGB")[None], colors, exposure
            )[0].numpy()
            for title, noise in (noises | {"clean": np.zeros_like(clean)}).items()
        }
        rows.append((f"{camera}\nISO {iso:g}", pictures))
        if block.noise_repeat is not None:
            kl["floor"] = divergence(real, block.noise_repeat)
        figures.append({"camera": camera, "iso": iso, "kl": kl})
    write_contact_sheet(rows, path, scale=scale)
    return figures


def divergence(real: np.ndarray, noise: np.ndarray) -> float:
    """`kl` of one image's noise [H, W, C] against draws [n, H, W, C]."""
    deviation = tf.constant([real.std()])
    counts = [
        pooled_counts(tf.constant(values), tf.zeros([len(values)], tf.int32), deviation)[0]
        for values in (real[None], noise)
    ]
    return float(kl_smoothed(*counts))
