"""How far a job is: a bar on a terminal, lines in a log, nothing of a short job."""

import os
import pty
import re
import sys
import termios
import time

import pytest

from tfp_noiseflow import progress
from tfp_noiseflow.training.shown_progress import ShownProgress


def run_job(shown, steps=20):
    for done in range(1, steps + 1):
        time.sleep(0.01)
        shown(done, steps, f"at {done}")
    shown.close()


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.02)


def test_a_log_has_lines_with_the_time_left(at_once, capsys):
    run_job(progress.Progress("patches", "evaluating"))
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 15
    for line in lines:
        assert re.fullmatch(r"evaluating: \d+ of 20 patches, \d\d:\d\d left, at \d+", line)


def test_a_terminal_has_a_bar_with_the_time_left(at_once, monkeypatch):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        run_job(progress.Progress("patches", "evaluating"), steps=60)
        terminal.flush()
        text = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert re.search(r"evaluating: +\d+%\|.*\| \d+/60 \[\d\d:\d\d<\d\d:\d\d", text)
    assert "\n" not in text


def test_the_time_left_is_that_of_the_parts_behind_the_first(at_once, capsys):
    with progress.Progress("steps") as shown:
        time.sleep(1.5)
        for done in (1, 2, 3):
            time.sleep(0.05)
            shown(done, 200)
    # 197 of 0.05 s, a half more on a busy machine; of 0.55 s they would be 108 s.
    left = [int(seconds) for seconds in re.findall(r"00:(\d\d) left", capsys.readouterr().err)]
    assert left and 5 < left[-1] < 40


def test_short_jobs_and_silent_ones_show_nothing(monkeypatch, capsys):
    run_job(progress.Progress("patches"))
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.0)
    run_job(progress.Progress("patches", is_shown=False))
    assert capsys.readouterr().err == ""


def test_a_smaller_number_begins_a_new_job(at_once, capsys):
    with progress.Progress("frames") as shown:
        for done in (3, 1):
            time.sleep(0.03)
            shown(done, 4, f"job {done}")
    assert [line[-5:] for line in capsys.readouterr().err.splitlines()] == ["job 3", "job 1"]


def test_a_line_an_epoch_tells_the_loss_and_the_time_left(capsys):
    shown = ShownProgress(6, 10, 2, first_epoch=2)
    shown.on_train_begin()
    for epoch in (2, 3):
        shown.on_epoch_begin(epoch)
        shown.on_train_batch_end(0)
        shown.on_epoch_end(epoch, {"loss": -3.0, "val_loss": -2.5, "val_kl": 0.1})
    shown.on_train_end()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "training: epoch 3 of 6, loss -3.0000, val_loss -2.5000, 00:00 left"
    assert second.startswith("training: epoch 4 of 6, ")
