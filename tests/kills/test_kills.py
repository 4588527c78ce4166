"""Killed jobs leave whole files or none, and go on; what would not is found."""

import json
import signal
import subprocess
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.kills import trial
from tests.kills.contents import contents, differences, faults, temporary
from tests.kills.jobs import JOBS, make_inputs
from tests.kills.trial import Trials

# Of the commands that take a second or two: all of them run in `python -m tests.kills`.
QUICK = ("simulate_captures", "import_dark_frames", "import_sidd", "export")


def _write(folder):
    """What a job might write: captures, a report, a model."""
    clean = np.full([4, 8, 8, 4], 0.2, np.float32)
    nf.write_captures(folder / "captures.h5", clean, clean, [100.0] * 4, ["A"] * 4)
    (folder / "report.json").write_text(json.dumps({"nll": -3.5}))
    (folder / "table.csv").write_text("iso,beta1\n100,1e-4\n")
    nf.save_model(nf.NoiseFlow("S-G", iso_levels=(100,), seed=0), folder / "model", {})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    _write(folder)
    return contents(folder)


def _truncate(name, size):
    def change(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:size])

    return change


def _zero_data(folder):
    """As after a kill amid a write of HDF5 in place."""
    with h5py.File(folder / "captures.h5", "r+") as file:
        del file["iso"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_truncate("captures.h5", 3000), "captures.h5"),
        (_zero_data, "captures.h5"),
        (_truncate("report.json", 5), "report.json"),
        (_truncate("table.csv", 12), "table.csv"),
        (_truncate("model/config.json", 30), "config.json"),
        (_truncate("model/checkpoints/best/ckpt-1.index", 40), "model best"),
        (_truncate("model/checkpoints/best/ckpt-1.data-00000-of-00001", 1), "model best"),
    ],
)
def test_half_a_file_is_found(tmp_path, whole, change, name):
    _write(tmp_path)
    assert faults(tmp_path, whole) == [] and differences(contents(tmp_path), whole) == []
    change(tmp_path)
    found = faults(tmp_path, whole)
    assert found and all(name in text for text in found)


def test_absent_files_are_no_faults_but_differ(tmp_path, whole):
    _write(tmp_path)
    (tmp_path / "report.json").unlink()
    (tmp_path / "captures.h5.0123abcd.partial").write_text("half")
    (tmp_path / "one_more.json").write_text("{}")
    assert faults(tmp_path, whole) == []
    assert temporary(tmp_path) == ["captures.h5.0123abcd.partial"]
    assert differences(contents(tmp_path), whole) == [
        "report.json: missing",
        "one_more.json: one more",
    ]


def test_another_last_digit_of_a_checkpoint_differs(tmp_path, whole):
    _write(tmp_path)
    model = nf.load_model(tmp_path / "model")
    variable = model.trainable_variables[0]
    variable.assign(np.nextafter(variable.numpy(), np.float32(9)))
    nf.save_model(model, tmp_path / "model", {})
    assert differences(contents(tmp_path), whole) == ["model/checkpoint best: other content"]


def test_kill_times_are_within_the_shortest_uninterrupted_run(tmp_path, monkeypatch):
    clock, latest = [0.0], []
    # Two uninterrupted runs, one that ends before its kill, one more over what that left; one that
    # is killed, and one that goes on from it, which tells nothing of a whole run.
    seconds = iter([4.0, 10.0, 3.0, 0.2, 10.0, 0.5])

    def run(script, after=float("inf"), **flags):
        taken = next(seconds)
        clock[0] += min(taken, after)
        return subprocess.CompletedProcess(script, -signal.SIGKILL if after < taken else 0)

    def uniform(low, high):
        latest.append(high)
        return high

    monkeypatch.setattr(trial, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setattr(trial, "run_killed", run)
    generator = SimpleNamespace(uniform=uniform, random=lambda: 1.0)
    trials = Trials(JOBS["export"], tmp_path, tmp_path / "outputs", generator)
    assert [trials.kill(), trials.kill()] == [False, True]
    assert latest == [4.0, 3.0] and trials.outcomes.seconds == 3.0
    assert (trials.outcomes.kills, trials.outcomes.too_late) == (1, 1)


@pytest.mark.slow
def test_killed_jobs_leave_whole_files_and_go_on(tmp_path, record_property):
    make_inputs(tmp_path / "inputs")
    kills = 0
    for number, name in enumerate(QUICK):
        generator = np.random.default_rng([0, number])
        trials = Trials(JOBS[name], tmp_path / "inputs", tmp_path / "outputs", generator)
        while not trials.outcomes.kills:
            trials.kill()
        assert not trials.outcomes.bad, trials.outcomes.texts
        kills += trials.outcomes.kills
    record_property("kills", kills)
