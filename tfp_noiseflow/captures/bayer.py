"""Bayer mosaics and their packed form.

Packed: a mosaic [.., H, W] as [.., H/2, W/2, 4] in the order R, Gr, Gb, B whatever the sensor's
CFA. Gr is the green of the red rows, Gb the green of the blue rows.
"""

from __future__ import annotations

import numpy as np

# (row, column) of R, Gr, Gb, B within the 2x2 cell. A CFA is named by its cell, row by row.
CHANNEL_POSITIONS = {
    "RGGB": ((0, 0), (0, 1), (1, 0), (1, 1)),
    "GRBG": ((0, 1), (0, 0), (1, 1), (1, 0)),
    "GBRG": ((1, 0), (1, 1), (0, 0), (0, 1)),
    "BGGR": ((1, 1), (1, 0), (0, 1), (0, 0)),
}


def pack_bayer(mosaic: np.ndarray, cfa: str) -> np.ndarray:
    """Packs a Bayer mosaic.

    Args:
      mosaic: [.., H, W], any dtype, H and W even.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR": the 2x2 cell at the top left, row by row.

    Returns:
      [.., H/2, W/2, 4] of the mosaic's dtype, in the order R, Gr, Gb, B.

    Raises:
      ValueError: unknown CFA, fewer than two dimensions, or odd H or W.
    """
    positions = _positions(cfa)
    mosaic = np.asarray(mosaic)
    if mosaic.ndim < 2 or mosaic.shape[-2] % 2 or mosaic.shape[-1] % 2:
        raise ValueError(
            "expected a mosaic of shape [.., H, W] with H and W even, "
            f"received shape {list(mosaic.shape)}."
        )
    return np.stack([mosaic[..., row::2, column::2] for row, column in positions], axis=-1)


def unpack_bayer(packed: np.ndarray, cfa: str) -> np.ndarray:
    """The mosaic of a packed image, the inverse of `pack_bayer`.

    Args:
      packed: [.., H/2, W/2, 4], any dtype, in the order R, Gr, Gb, B.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".

    Returns:
      [.., H, W] of the same dtype.

    Raises:
      ValueError: unknown CFA, or not four channels.
    """
    positions = _positions(cfa)
    packed = np.asarray(packed)
    if packed.ndim < 3 or packed.shape[-1] != 4:
        raise ValueError(
            "expected a packed image of shape [.., H/2, W/2, 4], "
            f"received shape {list(packed.shape)}."
        )
    *batch, height, width, _ = packed.shape
    mosaic = np.empty((*batch, 2 * height, 2 * width), packed.dtype)
    for channel, (row, column) in enumerate(positions):
        mosaic[..., row::2, column::2] = packed[..., channel]
    return mosaic


def _positions(cfa: str) -> tuple[tuple[int, int], ...]:
    if cfa not in CHANNEL_POSITIONS:
        raise ValueError(f"expected a CFA among {list(CHANNEL_POSITIONS)}, received {cfa!r}.")
    return CHANNEL_POSITIONS[cfa]
