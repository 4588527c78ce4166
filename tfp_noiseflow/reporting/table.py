"""Tables in Markdown, and numbers in them."""

from __future__ import annotations

from collections.abc import Sequence

CHANNELS = ("R", "Gr", "Gb", "B")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are as wide as their widest cell, so that it reads as text too."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def signed(value: float | None, digits: int = 3) -> str:
    """With its sign, "none" for None."""
    return "none" if value is None else f"{value:+.{digits}f}"


def channel_names(channels: int) -> list[str]:
    """Those of a packed image, or numbers."""
    return list(CHANNELS) if channels == len(CHANNELS) else [str(i) for i in range(channels)]
