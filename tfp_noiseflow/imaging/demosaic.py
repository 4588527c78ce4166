"""Demosaicking: full colour from a Bayer mosaic, in TensorFlow, differentiable.

Gradient-based threshold-free interpolation: the difference of green and the other colour is
estimated along rows and along columns, and each pixel takes the mean of the estimates of its four
sides, weighted by how smooth they are there. Edges are so followed and not crossed, which is what
leaves no zipper and little false colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_noiseflow.types import TensorLike

# Reflected around the image, so that its border is interpolated as the inside is: a colour depends
# on mosaic pixels up to 11 away, and what is shifted over the border comes from the other side.
# Twice an even number, which keeps the CFA's phase and, added twice, fits images of 10 pixels.
HALF_BORDER = 6
BORDER = 2 * HALF_BORDER
# Keeps the weights finite where the image is flat: far below a code of 16 bits.
SMALLEST_GRADIENT = 1e-6
# Red minus green at blue pixels (and the reverse) from the diagonal neighbours: Pekkucuksen and
# Altunbasak, equation 11; divided by 32.
DIAGONAL = (
    (0, 0, -1, 0, -1, 0, 0),
    (0, 0, 0, 0, 0, 0, 0),
    (-1, 0, 10, 0, 10, 0, -1),
    (0, 0, 0, 0, 0, 0, 0),
    (-1, 0, 10, 0, 10, 0, -1),
    (0, 0, 0, 0, 0, 0, 0),
    (0, 0, -1, 0, -1, 0, 0),
)
CROSS = ((0, 1, 0), (1, 0, 1), (0, 1, 0))
# Which axes are mirrored to make another CFA RGGB: rows, columns.
MIRRORED = {"RGGB": (), "GRBG": (-1,), "GBRG": (-2,), "BGGR": (-2, -1)}


def demosaic(mosaic: TensorLike, cfa: str = "RGGB") -> tf.Tensor:
    """Interpolates the two missing colours of every pixel.

    Args:
      mosaic: [n, H, W] float, H and W even, at least 10; white-balanced, as edges of a neutral
        scene are then the same in all colours.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".

    Returns:
      [n, H, W, 3] of the mosaic's dtype, not clipped: measured colours are unchanged.

    Raises:
      ValueError: another shape, or an unknown CFA.

    #### References
    [1]: Pekkucuksen, Altunbasak. Gradient Based Threshold Free Color Filter Array Interpolation.
         ICIP 2010.
    """
    mosaic = checked_mosaic(mosaic, cfa)
    mirrored = [axis % 3 for axis in MIRRORED[cfa]]
    mosaic = tf.reverse(mosaic, mirrored) if mirrored else mosaic
    for _ in range(2):
        mosaic = tf.pad(mosaic, [[0, 0], *[[HALF_BORDER, HALF_BORDER]] * 2], mode="REFLECT")
    rgb = _demosaic_rggb(mosaic)[:, BORDER:-BORDER, BORDER:-BORDER]
    return tf.reverse(rgb, mirrored) if mirrored else rgb


def checked_mosaic(mosaic: TensorLike, cfa: str) -> tf.Tensor:
    """Mosaics [n, H, W] as a tensor; ValueError for another shape or an unknown CFA."""
    mosaic = tf.convert_to_tensor(mosaic)
    if cfa not in MIRRORED:
        raise ValueError(f"expected a CFA among {list(MIRRORED)}, received {cfa!r}.")
    sides = mosaic.shape.as_list()
    if len(sides) != 3 or any(side is not None and (side % 2 or side < 10) for side in sides[1:]):
        raise ValueError(
            f"expected mosaics [n, H, W] with H and W even and at least 10, received "
            f"{mosaic.shape}."
        )
    return mosaic


def _demosaic_rggb(mosaic: tf.Tensor) -> tf.Tensor:
    is_red, is_blue = _is_at(mosaic, 0, 0), _is_at(mosaic, 1, 1)
    is_green = tf.logical_not(tf.logical_or(is_red, is_blue))
    # Equation 5: green minus the row's (column's) other colour, everywhere.
    along = [_green_minus_other(mosaic, axis, is_green) for axis in (1, 2)]
    # Equations 6 to 9: the mean of four one-sided means.
    total = weights = 0.0
    for axis, difference in zip((1, 2), along, strict=True):
        gradient = tf.abs(_shifted(difference, axis, 1) - _shifted(difference, axis, -1))
        across = _window(gradient, 3 - axis, range(-2, 3))
        for side in (range(-4, 1), range(5)):
            roughness = _window(across, axis, side)
            weight = 1.0 / (tf.square(roughness) + SMALLEST_GRADIENT**2)
            total += weight * _window(difference, axis, side) / 5.0
            weights += weight
    difference = total / weights
    green = tf.where(is_green, mosaic, mosaic + difference)
    # At a green pixel the four neighbours' estimates: two of the row's, two of the column's
    # colour; each colour's own plane is completed at the other colour's pixels first.
    diagonal = _convolved(difference, DIAGONAL, 32.0)
    planes = []
    for is_own, is_other in ((is_red, is_blue), (is_blue, is_red)):
        known = tf.where(is_own, difference, tf.where(is_other, diagonal, tf.zeros_like(green)))
        at_green = _convolved(known, CROSS, 4.0)
        plane = tf.where(is_own, mosaic, green - tf.where(is_green, at_green, known))
        planes.append(plane)
    return tf.stack([planes[0], green, planes[1]], axis=-1)


def _green_minus_other(mosaic: tf.Tensor, axis: int, is_green: tf.Tensor) -> tf.Tensor:
    """The missing one of green and the other colour of a line by Hamilton and Adams' estimate."""
    near = _shifted(mosaic, axis, 1) + _shifted(mosaic, axis, -1)
    far = _shifted(mosaic, axis, 2) + _shifted(mosaic, axis, -2)
    estimate = near / 2.0 + (2.0 * mosaic - far) / 4.0
    return tf.where(is_green, mosaic - estimate, estimate - mosaic)


def _is_at(mosaic: tf.Tensor, row: int, column: int) -> tf.Tensor:
    """[1, H, W] bool: the pixels of one position of the 2x2 cells."""
    height, width = tf.shape(mosaic)[1], tf.shape(mosaic)[2]
    is_row = tf.equal(tf.range(height) % 2, row)
    is_column = tf.equal(tf.range(width) % 2, column)
    return tf.logical_and(is_row[:, None], is_column)[None]


def _shifted(plane: tf.Tensor, axis: int, by: int) -> tf.Tensor:
    """The value `by` pixels further; around the border, which is cut off in the end."""
    return tf.roll(plane, -by, axis)


def _window(plane: tf.Tensor, axis: int, offsets: Sequence[int]) -> tf.Tensor:
    return tf.add_n([_shifted(plane, axis, offset) for offset in offsets])


def _convolved(plane: tf.Tensor, kernel: Any, divisor: float) -> tf.Tensor:
    kernel = tf.constant(kernel, plane.dtype)[..., None, None] / divisor
    return tf.nn.conv2d(plane[..., None], kernel, strides=1, padding="SAME")[..., 0]
