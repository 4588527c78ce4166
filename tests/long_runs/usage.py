"""What a process holds of the machine while it does the same again and again."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# A run is warm from this share on: caches are filled, the allocator has what it needs.
WARM = 0.2


@dataclass
class Usage:
    """Samples of a run.

    Attributes:
      done: how many of what is repeated, by sample. memory: resident, bytes, without what the
        allocator keeps of freed memory. handles: files that are open. seconds: since the start.
    """

    done: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _start: float = field(default_factory=time.perf_counter)

    def sample(self, done: int) -> None:
        """Adds one."""
        self.done.append(done)
        _give_back()
        self.memory.append(_resident())
        self.handles.append(len(os.listdir("/proc/self/fd")))
        self.seconds.append(time.perf_counter() - self._start)

    @property
    def warm(self) -> int:
        """The first sample after the warm-up."""
        return next(i for i, done in enumerate(self.done) if done >= WARM * self.done[-1])

    @property
    def growth(self) -> float:
        """Bytes of memory a repetition, once warm: the slope of a line through the samples."""
        done, memory = self.done[self.warm :], self.memory[self.warm :]
        middle = sum(done) / len(done)
        spread = sum((d - middle) ** 2 for d in done)
        return sum((d - middle) * m for d, m in zip(done, memory, strict=True)) / max(spread, 1)

    @property
    def more_handles(self) -> int:
        """How many more files are open at the end than when it was warm."""
        return self.handles[-1] - self.handles[self.warm]


def repeat(
    action: Callable[[int], object],
    count: int,
    *,
    samples: int = 50,
    longest: float = float("inf"),
    on_sample: Callable[[Usage], None] | None = None,
) -> Usage:
    """Does something again and again, sampled in between.

    Args:
      action: called with 0, 1, ..
      count: how often.
      samples: how many, over the count or, where that is sooner, over the longest time.
      longest: seconds, after which it stops early.
      on_sample: called after each sample.
    """
    usage = Usage()
    start = last = time.perf_counter()
    for number in range(count):
        action(number)
        now = time.perf_counter()
        is_last = number + 1 == count or now - start > longest
        is_due = (number + 1) % max(1, count // samples) == 0 or now - last > longest / samples
        if is_last or is_due:
            last = now
            gc.collect()
            usage.sample(number + 1)
            if on_sample is not None:
                on_sample(usage)
        if is_last:
            break
    return usage


def _give_back() -> None:
    """Has the allocator give freed pages back, of which it keeps more or less by megabytes."""
    # Of glibc alone.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _resident() -> int:
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise RuntimeError("expected VmRSS in /proc/self/status, received none")
