"""Frames of a static scene in tiles: their noise from differences, apart from what the scene does.

A tile is a piece of a plane's row. Of each, over all frames, two sums of squares, which are
independent under Gaussian noise: `squares` of the frames' deviations from their mean, which are
noise, and `texture` of their mean, which is the scene and a little noise. Where noise has heavier
tails, an outlier is in both: tiles are chosen by the texture of others around them.

From both sums a tile's mean and its slope are taken off. So neither row noise, nor light that
flickers along the rows, nor a shift of a smooth scene between frames is counted; row noise has an
estimate of its own (`calibration.darks`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tfp_noiseflow.photon_transfer.motion import gradients

# Pixels of a tile: few, so that also a scene of many details has flat ones; of flats more, of which
# mean and slope take less.
PIXELS, FLAT_PIXELS = 8, 32


@dataclass(frozen=True, eq=False)
class Tiles:
    """The tiles of one plane.

    Attributes:
      level: [n] float64, the mean over pixels and frames, with the weights that the pixels' noise
        has in `squares`: those at the ends have less, as the slope follows them.
      near: [n], the level of the tiles above and below. Tiles are grouped and left out by it: by
        their own level, they would be by their noise.
      is_at_end: [n], whether a pixel of a frame is at an end of the codes.
      squares: [n], of deviations from the frames' mean; sigma^2 freedom of noise alone.
      freedom: [n], degrees of freedom of `squares`.
      texture: [n], of the frames' mean, times the number of frames; of a scene without texture
        sigma^2 texture_freedom.
      around: [n], the texture of the tiles above and below, averaged.
      texture_freedom: degrees of freedom of a tile in one frame.
    """

    level: np.ndarray
    near: np.ndarray
    is_at_end: np.ndarray
    squares: np.ndarray
    freedom: np.ndarray
    texture: np.ndarray
    around: np.ndarray
    texture_freedom: int

    def __len__(self) -> int:
        return len(self.level)

    @property
    def variance(self) -> np.ndarray:
        """[n], of the noise of one pixel of one frame."""
        return self.squares / self.freedom

    def select(self, rows: np.ndarray) -> Tiles:
        """Some of the tiles."""
        names = [name for name in self.__dataclass_fields__ if name != "texture_freedom"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def tile_plane(
    frames: np.ndarray,
    black_level: float | np.ndarray = 0.0,
    gains: np.ndarray | None = None,
    shifts: np.ndarray | None = None,
    ends: tuple[float, float] = (-np.inf, np.inf),
    pixels: int = PIXELS,
) -> Tiles:
    """The tiles of a plane of a static scene.

    Args:
      frames: [n, H, W], n >= 2 frames of the plane, any real type; what is no whole tile at the
        right and at the bottom is not used.
      black_level: is taken off; a number, or [H, W] where it is shaded.
      gains: [n], of mean 1, of the light of each frame; None: 1.
      shifts: [n, 2], by how many pixels each frame's scene is further down and to the right; taken
        off to first order, and the noise that the gradient adds by its share; None: 0.
      ends: codes of black and white at which they end.
      pixels: of a tile; a plane that is narrower is one tile wide.

    Returns:
      Tiles, row by row.

    Raises:
      ValueError: fewer than two frames, or no whole tile.
    """
    count, height, width = frames.shape
    if count < 2 or height < 1 or width < PIXELS:
        raise ValueError(
            f"expected two frames or more of {PIXELS} columns or more in each plane, received "
            f"{list(frames.shape)}."
        )
    pixels = min(pixels, width)
    frames = frames[:, :, : width // pixels * pixels]
    whole_black = np.asarray(black_level)
    if whole_black.ndim:
        whole_black = whole_black[:, : frames.shape[2]]
    black = whole_black.astype(np.float32)

    def by_tile(plane):
        return plane.reshape(height, -1, pixels)

    # The black level first: float32 keeps a hundredth of a code of 16 bits.
    mean = np.zeros(frames.shape[1:])
    for frame in frames:
        mean += frame
    mean = (mean / count - whole_black).astype(np.float32)
    squares = np.zeros((height, width // pixels))
    tiles = by_tile(mean)
    level = tiles @ _weights(pixels)
    texture = count * _squares(tiles - level[:, :, None].astype(np.float32))
    is_at_end = np.zeros(squares.shape, bool)
    slopes = None if shifts is None else gradients(mean)
    for index, frame in enumerate(frames):
        codes = by_tile(frame)
        is_at_end |= (codes.min(axis=2) <= ends[0]) | (codes.max(axis=2) >= ends[1])
        gain = np.float32(1.0 if gains is None else gains[index])
        noise = frame.astype(np.float32) - black - gain * mean
        if shifts is not None and slopes is not None:
            moved = np.float32(shifts[index][0]) * slopes[0]
            moved += np.float32(shifts[index][1]) * slopes[1]
            noise += moved
            # A tile may have an edge in its neighbour's pixels alone, on which the gradient rests.
            texture += 2 * _squares(by_tile(moved))
        squares += _squares(by_tile(noise))
    if shifts is not None:
        # The noise of a central difference of the mean has the variance sigma^2 / (2 n).
        added = np.sum(np.square(shifts)) / (2 * count)
        squares /= 1 + added / (count - 1)
        texture /= 1 + 2 * added
    return _tiles(level, is_at_end, squares, count - 1, texture, pixels)


def tile_single(
    frame: np.ndarray, black_level: float = 0.0, ends: tuple[float, float] = (-np.inf, np.inf)
) -> Tiles:
    """The tiles of one frame alone, whose noise is its own texture: an upper bound.

    Args:
      frame: [H, W]. black_level, ends: as for `tile_plane`.

    Returns:
      Tiles; `squares` is `texture`.
    """
    height, width = frame.shape
    codes = frame[:, : width // PIXELS * PIXELS].reshape(height, -1, PIXELS)
    is_at_end = (codes.min(axis=2) <= ends[0]) | (codes.max(axis=2) >= ends[1])
    tiles = codes.astype(np.float32) - np.float32(black_level)
    level = tiles @ _weights(PIXELS)
    texture = _squares(tiles - level[:, :, None].astype(np.float32))
    return _tiles(level, is_at_end, texture, 1, texture, PIXELS)


def _tiles(level, is_at_end, squares, frames, texture, pixels) -> Tiles:
    """Of [H, tiles] each; `frames`, of as many independent differences."""

    def beside(values):
        if len(values) > 1:
            padded = np.pad(values, ((1, 1), (0, 0)), mode="reflect")
        else:
            padded = np.pad(values, ((1, 1), (0, 0)), mode="edge")
        return (padded[:-2] + padded[2:]) / 2

    freedom = np.full(level.shape, float(frames * (pixels - 2)))
    return Tiles(
        np.ravel(level),
        np.ravel(beside(level)),
        np.ravel(is_at_end),
        np.ravel(squares),
        np.ravel(freedom),
        np.ravel(texture),
        np.ravel(beside(texture)),
        texture_freedom=pixels - 2,
    )


def _squares(tiles: np.ndarray) -> np.ndarray:
    """[H, tiles, pixels] -> [H, tiles], without mean and slope."""
    total = np.einsum("abc,abc->ab", tiles, tiles, dtype=np.float64)
    mean = tiles.sum(axis=2, dtype=np.float64) / np.sqrt(tiles.shape[2])
    slope = (tiles @ _slope(tiles.shape[2]).astype(np.float32)).astype(np.float64)
    return total - mean**2 - slope**2


def _slope(pixels: int) -> np.ndarray:
    """[pixels], of length 1."""
    line = np.arange(pixels) - (pixels - 1) / 2
    return line / np.sqrt(np.sum(line**2))


def _weights(pixels: int) -> np.ndarray:
    """[pixels] of sum 1: what is left of each pixel's variance without mean and slope."""
    left = 1 - 1 / pixels - _slope(pixels) ** 2
    return left / left.sum()
