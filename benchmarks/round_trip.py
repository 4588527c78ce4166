"""What photographs lose on their way to raw and back.

    python -m benchmarks.round_trip [--exposures=1,0.5]

Prints for photographs of scikit-image the PSNR of `process(unprocess(..))`; and, without the mosaic
between them, the PSNR and the share of the pixels that are more than a code of 8 bits off.
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

from tfp_noiseflow.imaging import draw_camera_colors, process, unprocess
from tfp_noiseflow.imaging.inverse_isp import (
    CameraColors,
    apply_exposure,
    invert_tone_curve,
    linear_srgb_to_camera,
    raw_per_camera_rgb,
    srgb_to_linear,
)
from tfp_noiseflow.imaging.isp import apply_tone_curve, camera_to_linear_srgb, linear_to_srgb
from tfp_noiseflow.imaging.picture import read_picture
from tfp_noiseflow.simulation.photographs import path_of

FLAGS = flags.FLAGS

flags.DEFINE_list("exposures", ["1", "0.5"], "1 and the gallery's.")
flags.DEFINE_list("photographs", ["coffee", "astronaut", "chelsea"], "Of scikit-image.")
flags.DEFINE_integer("seed", 3, "Of the colour metadata.")


def without_mosaic(image: np.ndarray, colors: CameraColors, exposure: float) -> np.ndarray:
    """There and back with all three colours of every pixel."""
    linear = srgb_to_linear(invert_tone_curve(image))
    raw = apply_exposure(linear_srgb_to_camera(linear, colors.srgb_to_camera), colors, exposure)
    gains = (1 / raw_per_camera_rgb(colors, exposure)).astype(np.float32)
    balanced = np.minimum(raw * gains[:, None, None], 1)
    srgb = linear_to_srgb(camera_to_linear_srgb(balanced, colors.srgb_to_camera))
    return apply_tone_curve(srgb).numpy()


def main(argv: list[str]) -> None:
    del argv
    colors = draw_camera_colors(1, np.random.default_rng(FLAGS.seed))
    for name in FLAGS.photographs:
        image = read_picture(path_of(name))
        height, width = (side // 2 * 2 for side in image.shape[:2])
        image = image[None, :height, :width]
        for exposure in map(float, FLAGS.exposures):
            back = process(unprocess(image, colors, exposure), colors, exposure).numpy()
            whole = without_mosaic(image, colors, exposure)
            psnr = [-10 * np.log10(np.mean((picture - image) ** 2)) for picture in (back, whole)]
            off = np.mean(np.abs(whole - image).max(axis=-1) > 1 / 255)
            print(
                f"{name}, exposure {exposure:g}: {psnr[0]:.1f} dB; without the mosaic "
                f"{psnr[1]:.1f} dB, {100 * off:.2f} % of the pixels off"
            )


if __name__ == "__main__":
    app.run(main)
