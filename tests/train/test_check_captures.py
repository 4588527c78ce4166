"""train.check_captures on files that are whole, damaged, and such as end whoever reads them."""

import os
import signal
import time

import pytest

from tests.scripts import run
from tests.training.codes import write_codes
from tfp_noiseflow.captures import check_captures as module
from tfp_noiseflow.captures.capture_file import Captures


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.h5"
    write_codes(path, 4)
    return path


def test_files_are_told_apart(whole, tmp_path):
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(whole.read_bytes()[:3000])
    done = run("check_captures", captures=f"{whole},{damaged},{tmp_path / 'none.h5'}")
    assert done.returncode == 1
    assert "4 of shape (8, 8, 4)" in done.stdout and "1 of 3 files can be read" in done.stdout
    assert f"{damaged}: expected a capture file (HDF5)" in done.stdout
    assert f"{tmp_path / 'none.h5'}: no such capture file" in done.stdout
    assert run("check_captures", captures=whole).returncode == 0


def _crash(path, result):
    os.kill(os.getpid(), signal.SIGSEGV)


def _turn_in_a_circle(path, result):
    time.sleep(60)


@pytest.mark.parametrize(
    ("reader", "message"),
    [(_crash, "ended the reader"), (_turn_in_a_circle, "did not end in 0.5 seconds")],
)
def test_a_reader_that_crashes_or_does_not_end_is_told(whole, monkeypatch, reader, message):
    monkeypatch.setattr(module, "_read_whole", reader)
    with pytest.raises(ValueError, match=f"{whole}: expected a capture file, .*{message}"):
        module.check_captures(whole, seconds=0.5 if reader is _turn_in_a_circle else None)


def test_a_file_can_be_read_here_afterwards(whole):
    module.check_captures(whole)
    with Captures(whole) as captures:
        assert len(captures) == 4
