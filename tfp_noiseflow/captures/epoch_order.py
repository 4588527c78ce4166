"""The order of captures in an epoch of training: one, whether they are streamed or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures

# Of float32 noise and clean images. HDF5 reads hold one lock, so that few large ones are fast and
# many small ones are not: a block is 128 captures of 32x32x4, a whole number of a file's chunks.
BLOCK_BYTES = 4 << 20

# Captures are drawn from a pool this large: 4096 of 32x32x4.
POOL_BYTES = 128 << 20

FIELDS = ("index", "noise", "clean", "iso", "camera")


def epoch_steps(captures: Captures, batch_size: int) -> int:
    """Full batches in an epoch, at least one (of all captures where there are fewer)."""
    if batch_size < 1:
        raise ValueError(f"expected batch_size >= 1, received {batch_size}.")
    return max(1, len(captures) // batch_size)


def epoch_batches(captures: Any, batch_size: int, seed: int, epoch: int) -> Iterator[CaptureBlock]:
    """The batches of an epoch, shuffled; the last ones may lack some that an epoch leaves over.

    Captures are read in blocks in random order into a pool, from which batches are drawn and which
    is filled up as they are.

    Args:
      captures: what to read: Captures, or what has their `read`, length and `image_shape`.
      batch_size: B, at most the number of captures.
      seed, epoch: of the order and of the dequantisation.

    Yields:
      CaptureBlock.
    """
    generator = np.random.default_rng([seed, epoch])
    capture_bytes = 2 * 4 * int(np.prod(captures.image_shape))
    rows = _ShuffledReader(
        captures, max(1, BLOCK_BYTES // capture_bytes), generator, (seed, epoch + 1)
    )
    pool = rows.take(max(batch_size, POOL_BYTES // capture_bytes))
    while len(pool) >= batch_size:
        drawn = generator.choice(len(pool), batch_size, replace=False)
        yield _rows(pool, drawn)
        incoming = rows.take(batch_size)
        filled, holes = np.split(drawn, [len(incoming)])
        for name in FIELDS:
            getattr(pool, name)[filled] = getattr(incoming, name)
        if len(holes):
            # Nothing comes in any more: what stands at the end closes the gaps.
            size = len(pool) - len(holes)
            moved = np.setdiff1d(np.arange(size, len(pool)), holes)
            for name in FIELDS:
                values = getattr(pool, name)
                values[holes[holes < size]] = values[moved]
            pool = _rows(pool, slice(size))


def epoch_order(captures: Captures, batch_size: int, seed: int, epoch: int) -> np.ndarray:
    """[steps, B] int64, the positions of `epoch_batches`: its full batches, without the images."""
    batches = epoch_batches(_Positions(captures), batch_size, seed, epoch)
    return np.stack([batch.index for batch in batches]).astype(np.int64)


class _Positions:
    """Captures without their images."""

    def __init__(self, captures: Captures):
        self.image_shape = captures.image_shape
        self._count = len(captures)

    def __len__(self) -> int:
        return self._count

    def read(self, start: int, stop: int, *, seed: int | Sequence[int] = 0) -> CaptureBlock:
        del seed
        index = np.arange(start, stop)
        return CaptureBlock(index, *[np.empty((len(index), 0))] * 4)


class _ShuffledReader:
    """The captures of a file, block by block in random order, handed out in any number.

    The seed of the dequantisation is never that of an evaluation, (seed, 0): evaluating the
    training captures would else meet the draws of the first epoch.
    """

    def __init__(
        self,
        captures: Captures,
        block: int,
        generator: np.random.Generator,
        seed: int | Sequence[int],
    ):
        starts = block * generator.permutation(-(-len(captures) // block))
        self._blocks = (
            captures.read(start, min(start + block, len(captures)), seed=seed) for start in starts
        )
        self._rest = captures.read(0, 0)

    def take(self, count: int) -> CaptureBlock:
        """The next `count` captures; fewer at the end."""
        parts, lacking = [], count
        while True:
            # Views: only what is handed out is copied, once.
            parts.append(_rows(self._rest, slice(lacking)))
            self._rest = _rows(self._rest, slice(lacking, None))
            lacking -= len(parts[-1])
            if not lacking or (block := next(self._blocks, None)) is None:
                break
            self._rest = block
        return CaptureBlock(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS)
        )


def _rows(block: CaptureBlock, rows: np.ndarray | slice) -> CaptureBlock:
    return CaptureBlock(*(getattr(block, name)[rows] for name in FIELDS))
