"""Rows of pictures with titles as one PNG, every pixel as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfp_noiseflow.atomic_write import written_beside

TEXT_HEIGHT = 14
MARGIN = 8


def write_contact_sheet(
    rows: Sequence[tuple[str, Mapping[str, np.ndarray]]],
    path: str | os.PathLike,
    *,
    scale: int = 1,
) -> None:
    """Writes rows of pictures. Plotting libraries resample images, which changes noise; this not.

    Args:
      rows: each a label and its pictures by title, [H, W, 3] in [0, 1] or uint8; lines of a title
        are separated by newlines. All rows have as many pictures, of one size. Titles that are
        those of the row above are written once.
      path: of the PNG.
      scale: each pixel becomes a square of so many pixels.

    Raises:
      ValueError: no pictures, or of different sizes.
      ImportError: Pillow is not installed.
    """
    ImageDraw, ImageFont, Image = _pillow()
    shapes = {np.shape(picture) for _, pictures in rows for picture in pictures.values()}
    counts = {len(pictures) for _, pictures in rows}
    if len(shapes) != 1 or len(counts) != 1 or counts == {0}:
        raise ValueError(
            f"expected rows of as many pictures of one size, received sizes {sorted(shapes)} and "
            f"rows of {sorted(counts)} pictures."
        )
    height, width = (side * scale for side in next(iter(shapes))[:2])
    columns = counts.pop()
    font = ImageFont.load_default(size=TEXT_HEIGHT - 2)
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def text_width(text: str) -> float:
        return max(int(probe.textlength(line, font)) + 1 for line in text.split("\n"))

    left = max(text_width(label) for label, _ in rows) + 2 * MARGIN
    cell = max(width, *(text_width(title) for _, pictures in rows for title in pictures))
    titles = [tuple(pictures) for _, pictures in rows]
    heads = [
        0 if k and titles[k] == titles[k - 1] else max(t.count("\n") + 1 for t in titles[k])
        for k in range(len(rows))
    ]
    tops, bottom = [], MARGIN
    for lines in heads:
        tops.append(bottom + lines * TEXT_HEIGHT + (MARGIN if lines else 0))
        bottom = tops[-1] + height + MARGIN
    sheet = Image.new("RGB", (left + columns * (cell + MARGIN), bottom), "white")
    draw = ImageDraw.Draw(sheet)
    for (label, pictures), lines, top in zip(rows, heads, tops, strict=True):
        draw.multiline_text((MARGIN, top), label, "black", font)
        for column, (title, picture) in enumerate(pictures.items()):
            x = left + column * (cell + MARGIN)
            if lines:
                head = top - MARGIN - (title.count("\n") + 1) * TEXT_HEIGHT
                draw.multiline_text((x, head), title, "black", font, spacing=1)
            pixels = np.kron(as_uint8(picture), np.ones((scale, scale, 1), np.uint8))
            sheet.paste(Image.fromarray(pixels), (x, top))
    with written_beside(path) as partial:
        sheet.save(partial, format="png", optimize=True)


def cropped(picture: np.ndarray, side: int, middle: tuple[int, int] | None = None) -> np.ndarray:
    """A square piece of a picture, moved inside where it would leave it.

    Args:
      picture: [H, W, 3].
      side: pixels, cut where the picture is smaller.
      middle: row and column of the piece's; None: the picture's.
    """
    height, width = picture.shape[:2]
    row, column = middle or (height // 2, width // 2)
    top = min(max(row - side // 2, 0), max(height - side, 0))
    left = min(max(column - side // 2, 0), max(width - side, 0))
    return picture[top : top + side, left : left + side]


def as_uint8(picture: np.ndarray) -> np.ndarray:
    """[0, 1] as codes of 8 bits; what is uint8 already stays."""
    picture = np.asarray(picture)
    if picture.dtype == np.uint8:
        return picture
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _pillow() -> Any:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError(
            "expected Pillow to write pictures: pip install tfp_noiseflow[photographs]."
        ) from error
    return ImageDraw, ImageFont, Image
