"""A part of `python -m tests.fuzz`: no file crashes, hangs, runs code or lies."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "files", [200, pytest.param(1500, marks=pytest.mark.slow)], ids=lambda files: f"{files} files"
)
def test_wrong_files_are_told_or_read_for_what_they_are(files, record_property):
    # A process of its own: it forks readers, before any TensorFlow operation has run.
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", f"--files={files}", f"--seed={files}", "--json"],
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    # A model may be as large as its configuration asks for, as SECURITY.md says.
    for name in ("config.json", "baselines.json"):
        for outcome in ("memory", "hang"):
            found["forbidden"].get(name, {}).pop(outcome, None)
    assert not any(found["forbidden"].values()), found["examples"]
    record_property(
        "mutated files", sum(sum(counts.values()) for counts in found["counts"].values())
    )
