"""What the baselines are fitted to, gathered in one pass over captures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures

# Clean levels are binned, by square root because the noise's standard deviation goes with it:
# within a bin the variance differs by less than a percent except in the darkest few.
LEVELS = 1024


class NoiseStatistics:
    """Sums over the noise of captures, block by block.

    Attributes:
      count: values of noise.
      square_sum: of all values.
      by_condition: (camera, ISO) to [3, L]: for each level of the clean image the number of
        values, the sum of their clean ones (below 0: 0) and the sum of their squared noise.
    """

    def __init__(self, blocks: Iterable[CaptureBlock] = ()):
        self.count = 0
        self.square_sum = 0.0
        self.by_condition: dict[tuple[str, float], np.ndarray] = {}
        for block in blocks:
            self.add(block)

    def add(self, block: CaptureBlock) -> None:
        """Adds the captures of a block."""
        self.count += block.noise.size
        self.square_sum += float(np.sum(np.square(block.noise, dtype=np.float64)))
        levels = np.sqrt(np.clip(block.clean, 0, 1)) * (LEVELS - 1)
        levels = levels.astype(np.int32).reshape(len(block), -1)
        clean = np.maximum(block.clean, 0).reshape(len(block), -1)
        squares = np.square(block.noise).reshape(len(block), -1)
        for row, key in enumerate(zip(block.camera, block.iso.tolist(), strict=True)):
            cell = self.by_condition.setdefault(key, np.zeros((3, LEVELS)))
            cell[0] += np.bincount(levels[row], minlength=LEVELS)
            cell[1] += np.bincount(levels[row], clean[row], LEVELS)
            cell[2] += np.bincount(levels[row], squares[row], LEVELS)


def noise_statistics(captures: Captures | NoiseStatistics) -> NoiseStatistics:
    """The statistics of all captures of a file; statistics as they are."""
    return captures if isinstance(captures, NoiseStatistics) else NoiseStatistics(captures.blocks())
