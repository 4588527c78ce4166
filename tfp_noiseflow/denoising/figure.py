"""The paper's figure 8: noisy patches, denoised by differently trained denoisers, and clean."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras

from tfp_noiseflow.captures.bayer import unpack_bayer
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.choices import DENOISER_SOURCES
from tfp_noiseflow.denoising.quality import psnr_and_ssim
from tfp_noiseflow.imaging import meter, process
from tfp_noiseflow.imaging.contact_sheet import write_contact_sheet
from tfp_noiseflow.reporting.examples import captures_to_show

ROWS = 4


def plot_denoised(
    denoisers: Mapping[str, tf_keras.Model], captures: Captures, path: str | os.PathLike
) -> None:
    """Writes the figure: a row a capture, PSNR on each picture.

    Shown are captures with much contrast at the two highest ISOs, each of another camera and, where
    there are enough, another scene: where denoisers differ. All pictures of a row have the white
    balance and brightness of its clean image.

    Args:
      denoisers: by the name of what they were trained on.
      captures: packed, opened with dequantises=False.
      path: of the PNG.

    Raises:
      ValueError: captures that are not packed.
    """
    if captures.image_shape[-1] != 4:
        raise ValueError(
            f"{captures.path}: expected packed captures [H, W, 4] for the figure, received "
            f"{list(captures.image_shape)}."
        )
    rows = []
    is_high = captures.iso >= captures.iso_levels[-2:][0]
    groups = [np.flatnonzero(is_high & (captures.camera == camera)) for camera in captures.cameras]
    groups = [group for group in groups if len(group)][:ROWS]
    for index in captures_to_show(captures, groups):
        block = captures.read(index, index + 1)
        noisy = tf.constant(block.clean + block.noise)
        images = {"noisy": noisy}
        images |= {
            DENOISER_SOURCES[name]: model(noisy, training=False)
            for name, model in denoisers.items()
        }
        mosaic = unpack_bayer(block.clean, "RGGB")
        colors, exposure = meter(mosaic[0])
        pictures = {}
        for name, image in (images | {"clean": tf.constant(block.clean)}).items():
            psnr = float(psnr_and_ssim(image, tf.constant(block.clean))[0][0])
            title = name if name == "clean" else f"{name}\n{psnr:.2f} dB"
            raw = unpack_bayer(np.clip(image, 0, 1), "RGGB")
            pictures[title] = process(raw, colors, exposure)[0].numpy()
        rows.append((f"{block.camera[0]}\nISO {block.iso[0]:g}", pictures))
    write_contact_sheet(rows, path, scale=max(1, 192 // (2 * captures.image_shape[0])))
