"""The pictures on a contact sheet, found again."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

SMALLEST = 12


def cells(sheet: np.ndarray, columns: int) -> list[list[np.ndarray]]:
    """The pictures of a sheet, row by row.

    Pictures fill their rectangles, text leaves most of its own white: a sheet of text has none.

    Args:
      sheet: [H, W, 3].
      columns: pictures a row.

    Returns:
      For each row its pictures [h, w, 3], equal in size to a few pixels.
    """
    is_drawn = sheet.min(axis=-1) < 1
    # Over pixels that happen to be white, not over the margin between pictures.
    is_picture = scipy.ndimage.binary_closing(is_drawn, np.ones((5, 5)))
    places = [
        (rows, across)
        for rows, across in scipy.ndimage.find_objects(scipy.ndimage.label(is_picture)[0])
        if min(rows.stop - rows.start, across.stop - across.start) >= SMALLEST
        and is_drawn[rows, across].mean() > 0.9
    ]
    assert places and len(places) % columns == 0, f"expected rows of {columns}, found {places}"
    sizes = [(rows.stop - rows.start, across.stop - across.start) for rows, across in places]
    assert np.ptp(sizes, axis=0).max() <= 4, f"expected pictures of one size, found {sizes}"
    places.sort(key=lambda place: place[0].start)
    grid = [places[k : k + columns] for k in range(0, len(places), columns)]
    return [
        [sheet[place] for place in sorted(row, key=lambda place: place[1].start)] for row in grid
    ]
