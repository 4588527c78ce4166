"""What is repeated leaves memory and open files as they are; what does not is found."""

import mmap
import os

import numpy as np
import pytest

from tests.long_runs.runs import export_and_load, load_models, train
from tests.long_runs.usage import repeat


def test_memory_that_is_kept_is_found():
    kept = []

    def keep(_):
        # Of the system, not of what the process has had before and given back.
        kept.append(mmap.mmap(-1, 800_000))
        kept[-1].write(bytes(800_000))

    usage = repeat(keep, 50, samples=10)
    assert usage.done == [*range(5, 51, 5)]
    assert usage.growth == pytest.approx(800_000, rel=0.05)
    assert usage.more_handles == 0


def test_files_that_stay_open_are_found():
    kept = []
    usage = repeat(lambda _: kept.append(os.open(os.devnull, os.O_RDONLY)), 20, samples=10)
    for descriptor in kept:
        os.close(descriptor)
    # From the fourth on it is warm.
    assert usage.more_handles == 16


def test_what_is_given_back_is_no_growth():
    usage = repeat(lambda _: np.ones(100_000).sum(), 50, samples=10)
    assert abs(usage.growth) < 10_000 and usage.more_handles == 0


def test_what_the_allocator_keeps_of_freed_memory_is_no_growth():
    kept = []

    def leave_a_gap(number):
        freed = [b"x" * 60_000 for _ in range(20 * (number + 1))]
        # Above what is freed: without it the allocator would give that back by itself.
        kept.append(b"x" * 60_000)
        del freed

    # What is kept, and not the 1,200,000 more that each has for a while.
    assert repeat(leave_a_gap, 20, samples=5).growth == pytest.approx(60_000, rel=0.5)


def test_a_run_stops_when_its_time_is_over():
    assert len(repeat(lambda _: None, 10**9, longest=0.05, samples=2).done) <= 3


@pytest.mark.slow
def test_training_exports_and_loads_leave_memory_and_files_as_they_are(tmp_path):
    trained = train(tmp_path / "training", 12_000, steps_per_epoch=1_000, seconds=0.1)
    exported = export_and_load(tmp_path / "exports", 5)
    loaded = load_models(tmp_path / "model", 40, samples=10)
    for usage, largest in ((trained, 2_000), (exported, 4_000_000), (loaded, 50_000)):
        assert usage.more_handles <= 0
        # A batch of the training has 1000 bytes, a graph of an export millions: all is given back.
        assert usage.growth < largest, usage
