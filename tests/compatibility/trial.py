"""An environment is made, the tests run in it, and what came of it is told."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

from tests.compatibility.combinations import TESTS, Combination
from tests.compatibility.table import PACKAGES, Outcome
from tests.documents import ROOT

# A test that hangs fails its combination.
LONGEST_SECONDS = 3600

_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {d.metadata["Name"].lower().replace("_", "-"): d.version
         for d in importlib.metadata.distributions()}
print(json.dumps([platform.python_version(), found]))
"""


def try_combination(combination: Combination, folder: pathlib.Path) -> Outcome:
    """Makes the environment in an empty folder and runs TESTS in it."""
    outcome = Outcome(combination.python)
    python = interpreter(combination.python)
    if python is None:
        outcome.remark = f"no python{combination.python} on PATH"
        return outcome
    subprocess.run([python, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    if error := _install(python, combination):
        outcome.remark = error
        return outcome
    outcome.python, found = json.loads(_run([python, "-c", _VERSIONS]).stdout)
    for column, names in PACKAGES.items():
        outcome.versions[column] = next((found[name] for name in names if name in found), "")
    _test(python, folder / "tests.xml", outcome)
    return outcome


def interpreter(version: str) -> str | None:
    """Of "3.12", from PATH; None where there is none that runs."""
    path = shutil.which(f"python{version}")
    # A version manager's stand-in may be there without the version.
    if path is None or _run([path, "--version"]).returncode:
        return None
    return path


def missing(error: str) -> str:
    """Why pip installed nothing, of its standard error, in few words."""
    if found := re.search(r"No matching distribution found for (.+)", error):
        return f"not in the registry: {found[1]}"
    if "ResolutionImpossible" in error:
        conflicts = re.findall(r"^ +(.+ depends on .+)$", error, re.MULTILINE)
        return f"no versions fit: {'; '.join(dict.fromkeys(conflicts))}"
    lines = [line for line in error.splitlines() if "error" in line.lower()] or ["pip failed"]
    return lines[0][:200]


def _install(python: pathlib.Path, combination: Combination) -> str:
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    given = [combination.requirements()]
    if combination.alone:
        given.append(["--no-deps", *combination.alone])
    for requirements in given:
        result = _run([*pip, *requirements])
        if result.returncode:
            sys.stderr.write(result.stderr)
            return missing(result.stderr)
    return ""


def _test(python: pathlib.Path, report: pathlib.Path, outcome: Outcome) -> None:
    options = ["-n", "2", "--dist=worksteal", "-q", "-m", "not slow", f"--junitxml={report}"]
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, "-m", "pytest", *options, "-p", "no:cacheprovider", *TESTS]
    try:
        result = _run(command, timeout=LONGEST_SECONDS, TF_CPP_MIN_LOG_LEVEL="2", **threads)
    except subprocess.TimeoutExpired:
        outcome.remark = f"the tests did not end in {LONGEST_SECONDS} s"
        return
    if result.returncode:
        sys.stderr.write(result.stdout + result.stderr)
    if not report.exists():
        outcome.remark = f"pytest ended with {result.returncode}"
        return
    count(report, outcome)


def count(report: pathlib.Path, outcome: Outcome) -> None:
    """Writes the tests of pytest's XML report into the outcome."""
    outcome.passed = outcome.failed = outcome.skipped = 0
    failed = []
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            outcome.failed += 1
            failed.append(f"{case.get('classname').split('.')[-1]}.{case.get('name')}")
        elif "skipped" in kinds:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    outcome.remark = "; ".join(failed[:3]) + (f"; {len(failed) - 3} more" if failed[3:] else "")


def _run(command: list, timeout: float | None = None, **environment) -> subprocess.CompletedProcess:
    # Neither another checkout's modules nor the caller's environment.
    own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=own | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
