"""How far the tails of noise reach, in units of the captured noise's standard deviation."""

from __future__ import annotations

import numpy as np

SHARES = (1e-3, 1e-5)
# Of values in standard deviations: bins of 0.01 to either side.
LIMIT = 50.0
WIDTH = 0.01
# A quantile beyond which fewer values lie is not told.
FEWEST_VALUES = 10


class TailCounts:
    """Counts of standardised noise, from which its outer quantiles follow."""

    def __init__(self) -> None:
        self._counts = np.zeros(int(2 * LIMIT / WIDTH), np.int64)

    def add(self, standardised: np.ndarray) -> None:
        """Adds values, each in the standard deviation that captured noise has in its place."""
        inner = np.clip(standardised.ravel(), -LIMIT, LIMIT - WIDTH)
        index = ((inner + LIMIT) / WIDTH).astype(np.int64)
        self._counts += np.bincount(index, minlength=len(self._counts))

    def quantiles(self) -> list[dict]:
        """What a share of the values exceeds.

        Returns:
          For each of the shares 1e-3 and 1e-5 `share`, `absolute` (exceeded by the absolute value),
          `lower` and `upper` (of the values themselves), in standard deviations, right to 0.01;
          None where fewer than ten values lie beyond.
        """
        half = len(self._counts) // 2
        upper, lower = self._counts[half:], self._counts[:half][::-1]
        rows = []
        for share in SHARES:
            fewest = share * self._counts.sum()
            rows.append(
                {
                    "share": share,
                    "absolute": _exceeded_by(lower + upper, fewest),
                    "lower": _negative(_exceeded_by(lower, fewest)),
                    "upper": _exceeded_by(upper, fewest),
                }
            )
        return rows


def _exceeded_by(counts: np.ndarray, values: float) -> float | None:
    """The distance from 0, in bins outwards, beyond which so many values lie."""
    beyond = np.cumsum(counts[::-1])[::-1]
    if values < FEWEST_VALUES or beyond[0] < values:
        return None
    return WIDTH * float(np.count_nonzero(beyond >= values))


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
