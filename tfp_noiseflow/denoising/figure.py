"""The paper's figure 8: noisy patches, denoised by differently trained denoisers, and clean."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras

from tfp_noiseflow.captures.bayer import unpack_bayer
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.denoising.experiment import SOURCES
from tfp_noiseflow.denoising.quality import psnr_and_ssim
from tfp_noiseflow.imaging import meter, process
from tfp_noiseflow.imaging.contact_sheet import write_contact_sheet

ROWS = 4


def plot_denoised(
    denoisers: Mapping[str, tf_keras.Model], captures: Captures, path: str | os.PathLike
) -> None:
    """Writes the figure: a row a capture, PSNR on each picture.

    Shown are the captures with the most texture among those at the two highest ISOs, each of
    another camera: where denoisers differ. All pictures of a row have one white balance and
    brightness, those of its clean image.

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
    for index in _most_textured(captures):
        block = captures.read(index, index + 1)
        noisy = tf.constant(block.clean + block.noise)
        images = {"noisy": noisy}
        images |= {SOURCES[name]: model(noisy, training=False) for name, model in denoisers.items()}
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


def _most_textured(captures: Captures) -> list[int]:
    """Positions of captures, at most one a camera and scene."""
    high = captures.iso >= captures.iso_levels[-2:][0]
    texture = np.zeros(len(captures))
    for block in captures.blocks():
        green = block.clean[..., 1]
        texture[block.index] = np.abs(np.diff(green, axis=1)).mean(axis=(1, 2))
    # Grey textures without shapes show little; scenes are not told apart where none are named.
    found = {}
    scene = captures.scene if captures.scene is not None else np.arange(len(captures))
    for index in np.argsort(-texture * high, kind="stable"):
        taken = {scene[other] for other in found.values()}
        if captures.camera[index] not in found and (len(taken) > 2 or scene[index] not in taken):
            found[captures.camera[index]] = int(index)
    return sorted(found.values(), key=lambda index: -texture[index])[:ROWS]
