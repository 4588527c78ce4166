"""Clean images for simulated captures: photographs that scikit-image ships, and synthetic ramps.

The photographs come with scikit-image's wheel; nothing is downloaded. Each is used by one split
only. They go through the inverse of a camera's image processing (`tfp_noiseflow.imaging`), frame
by frame with random colour metadata and a random metered exposure.

A photograph carries its own noise, compression artefacts and 8-bit steps. They are reduced before
the mosaic by averaging areas of 2x2 pixels or more in linear light (`shrink` in the table), which
also leaves no trace of the photograph's own demosaicking.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.imaging import (
    apply_exposure,
    draw_camera_colors,
    invert_tone_curve,
    linear_srgb_to_camera,
    mosaic_rggb,
    srgb_to_linear,
)

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Photograph:
    """One photograph of scikit-image's data folder.

    Attributes:
      file: its name there. scene: its name in capture files. split: the one that uses it.
      licence: what scikit-image states.
      shrink: side of the areas that are averaged, pixels.
      box: rows and columns that are used, (top, bottom, left, right) pixels; None: all.
    """

    file: str
    scene: str
    split: str
    licence: str
    shrink: int = 2
    box: tuple[int, int, int, int] | None = None


# Every split has colour photographs and a grey texture (a neutral scene). Images for which
# scikit-image states no licence (moon, the stereo motorcycles) are not used, nor are synthetic
# ones, microscopy without texture, and the nearly black deep field. `retina` without the black
# that surrounds it.
PHOTOGRAPHS = (
    Photograph("astronaut.png", "astronaut", "train", "public domain (NASA)"),
    Photograph("ihc.png", "ihc", "train", "no known copyright restrictions (CMMI)"),
    Photograph("camera.png", "camera", "train", "CC0 (Lav Varshney)"),
    Photograph("grass.png", "grass", "train", "CC0 (linolafett)"),
    Photograph("coins.png", "coins", "train", "no known copyright restrictions (Brooklyn Museum)"),
    Photograph("clock_motion.png", "clock", "train", "public domain (Stefan van der Walt)"),
    Photograph("rocket.jpg", "rocket", "validation", "public domain (SpaceX)"),
    Photograph(
        "retina.jpg",
        "retina",
        "validation",
        "CC0 / public domain (Mikael Haeggstroem)",
        shrink=3,
        box=(210, 1200, 210, 1200),
    ),
    Photograph("brick.png", "brick", "validation", "CC0 (CC0Textures)"),
    Photograph("chelsea.png", "chelsea", "test", "CC0 (Stefan van der Walt)"),
    Photograph("gravel.png", "gravel", "test", "CC0 (CC0Textures)"),
    Photograph("coffee.png", "coffee", "test", "CC0 (Rachel Michetti)"),
)

# A metered exposure brings the mean of a photograph's frame to a level of light drawn from a
# log-normal distribution. Its two numbers and the share of ramps were chosen once so that the
# pooled clean values look like those of SIDD: mean about 0.065, standard deviation about 0.083.
METERED_LEVEL_MEDIAN = 0.064
METERED_LEVEL_LOG_SD = 0.82
# An exposure of 1 puts the photograph's white at the sensor's full scale.
EXPOSURE_MAX = 1.0
RAMP_SHARE = 0.125
# The ramps' upper ends, as fractions of full scale, log-uniform; above 1 the ramp saturates.
RAMP_LEVEL_RANGE = (0.05, 1.25)
# A log ramp covers this ratio of levels, a little more than a 10-bit sensor's range.
RAMP_LOG_RANGE = 2000.0
# The raw colour of a ramp: red and blue relative to green, from the white balance of warm light
# to that of a magenta surface.
RAMP_TINT_RANGE = (0.35, 1.0)


def scenes(split: str) -> tuple[str, ...]:
    """The scenes that a split may contain, ramps included.

    Args:
      split: "train", "validation" or "test".

    Returns:
      Names, disjoint between splits.

    Raises:
      ValueError: unknown split.
    """
    names = tuple(photograph.scene for photograph in _photographs_of(split))
    return (*names, *_ramp_scenes(split))


def path_of(scene: str) -> str:
    """The file of a scene's photograph.

    Raises:
      ImportError: scikit-image is not installed. ValueError: unknown scene.
    """
    try:
        import skimage.data
    except ImportError as error:
        raise ImportError(
            "expected scikit-image, whose photographs simulated captures are made from: "
            "pip install scikit-image."
        ) from error
    files = {photograph.scene: photograph.file for photograph in PHOTOGRAPHS}
    if scene not in files:
        raise ValueError(f"expected a scene among {list(files)}, received {scene!r}.")
    # The folder of the installed package itself: `skimage.data.data_dir` is a download cache.
    return os.path.join(os.path.dirname(skimage.data.__file__), files[scene])


@functools.cache
def linear_photograph(photograph: Photograph) -> np.ndarray:
    """A photograph in linear light, its artefacts reduced.

    Args:
      photograph: a row of `PHOTOGRAPHS`.

    Returns:
      [H, W, 3] float32 linear sRGB in [0, 1], read-only. Grey photographs have three equal
      channels.

    Raises:
      ImportError: scikit-image is not installed.
    """
    path = path_of(photograph.scene)
    import skimage.io

    pixels = skimage.io.imread(path)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    if photograph.box:
        top, bottom, left, right = photograph.box
        pixels = pixels[top:bottom, left:right]
    linear = srgb_to_linear(invert_tone_curve(pixels / 255.0))
    shrink = photograph.shrink
    height, width = (size // shrink for size in linear.shape[:2])
    linear = linear[: height * shrink, : width * shrink]
    linear = linear.reshape(height, shrink, width, shrink, 3).mean(axis=(1, 3)).astype(np.float32)
    linear.flags.writeable = False
    return linear


def clean_patches(
    split: str, number: int, *, patch_size: int = 32, seed: int | np.random.SeedSequence = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draws packed clean patches of a split.

    Photographs: a random crop in a random one of its eight orientations, turned before the mosaic
    so that the CFA stays RGGB; colour metadata and exposure are the patch's own. Ramps: linear or
    logarithmic, in a random direction, with a random colour.

    Args:
      split: "train", "validation" or "test".
      number: of patches, n. They are made at once: about 100 kB each at 32 x 32.
      patch_size: P, the side in packed pixels.
      seed: the same seed gives the same patches; splits differ also at the same integer.

    Returns:
      clean [n, P, P, 4] float32 in [0, 1], and scene [n] str.

    Raises:
      ValueError: unknown split, or a patch larger than a photograph of the split.
    """
    photographs = _photographs_of(split)
    if number < 1 or patch_size < 1:
        raise ValueError(
            f"expected at least one patch of at least one pixel, received number {number} and "
            f"patch_size {patch_size}."
        )
    largest = min(min(linear_photograph(p).shape[:2]) // 2 for p in photographs)
    if patch_size > largest:
        raise ValueError(
            f"expected a patch_size of at most {largest} packed pixels, the {split} split's "
            f"smallest photograph; received {patch_size}."
        )
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split),))
    rng = np.random.default_rng(seed)

    is_ramp = rng.random(number) < RAMP_SHARE
    clean = np.empty((number, patch_size, patch_size, 4), np.float32)
    scene = np.empty(number, object)
    for chosen, draw in ((~is_ramp, _draw_photograph_patches), (is_ramp, _draw_ramps)):
        if chosen.any():
            clean[chosen], scene[chosen] = draw(split, int(chosen.sum()), patch_size, rng)
    return clean, scene


def _draw_photograph_patches(split, number, patch_size, rng):
    photographs = _photographs_of(split)
    size = 2 * patch_size
    linear = np.empty((number, size, size, 3), np.float32)
    frame_level = np.empty(number)
    scene = np.empty(number, object)
    choice = rng.integers(len(photographs), size=number)
    for index, photograph in enumerate(photographs[chosen] for chosen in choice):
        frame = linear_photograph(photograph)
        top, left = (int(rng.integers(side - size + 1)) for side in frame.shape[:2])
        crop = np.rot90(frame[top : top + size, left : left + size], rng.integers(4))
        linear[index] = crop[::-1] if rng.integers(2) else crop
        frame_level[index] = _mean_level(photograph)
        scene[index] = photograph.scene
    colors = draw_camera_colors(number, rng)
    level = METERED_LEVEL_MEDIAN * np.exp(METERED_LEVEL_LOG_SD * rng.standard_normal(number))
    exposure = np.minimum(level / frame_level, EXPOSURE_MAX)
    camera_rgb = linear_srgb_to_camera(linear, colors.srgb_to_camera)
    mosaic = mosaic_rggb(apply_exposure(camera_rgb, colors, exposure))
    return pack_bayer(mosaic, "RGGB"), scene


def _draw_ramps(split, number, patch_size, rng):
    size = 2 * patch_size
    rows, columns = np.mgrid[:size, :size] / max(size - 1, 1) - 0.5
    angle = rng.uniform(0.0, 2.0 * np.pi, number)[:, None, None]
    position = rows * np.sin(angle) + columns * np.cos(angle)
    low = position.min(axis=(1, 2), keepdims=True)
    position = (position - low) / (position.max(axis=(1, 2), keepdims=True) - low)
    is_log = rng.random(number) < 0.5
    ramp = np.where(is_log[:, None, None], RAMP_LOG_RANGE ** (position - 1.0), position)
    level = np.exp(rng.uniform(*np.log(RAMP_LEVEL_RANGE), number))
    tint = np.ones((number, 3))
    tint[:, 0] = rng.uniform(*RAMP_TINT_RANGE, number)
    tint[:, 2] = rng.uniform(*RAMP_TINT_RANGE, number)
    color = (level[:, None] * tint)[:, None, None, :]
    rgb = np.clip(ramp[..., None] * color, 0.0, 1.0).astype(np.float32)
    names = np.array(_ramp_scenes(split), object)
    return pack_bayer(mosaic_rggb(rgb), "RGGB"), names[is_log.astype(int)]


@functools.cache
def _mean_level(photograph: Photograph) -> float:
    return float(linear_photograph(photograph).mean())


def _photographs_of(split: str) -> tuple[Photograph, ...]:
    if split not in SPLITS:
        raise ValueError(f"expected a split among {list(SPLITS)}, received {split!r}.")
    return tuple(photograph for photograph in PHOTOGRAPHS if photograph.split == split)


def _ramp_scenes(split: str) -> tuple[str, str]:
    return f"linear ramps ({split})", f"logarithmic ramps ({split})"
