"""Versions that are tried together: what is asked for, what is told."""

import os
import re

import pytest

from tests.compatibility.combinations import (
    COMBINATIONS,
    TESTS,
    Combination,
    library_requirements,
    name_of,
)
from tests.compatibility.table import COLUMNS, Outcome, row, table, updated
from tests.compatibility.trial import count, interpreter, missing, try_combination
from tests.documents import ROOT

GOOD = Outcome("3.11.7", {"TensorFlow": "2.18.0", "NumPy": "2.0.0"}, 300, 0, 2)
DOCUMENT = f"# Versions\n\n{table({'TF 2.18': row('TF 2.18', GOOD)})}\n\nAfter it.\n"


def test_a_row_shows_versions_counts_and_what_is_missing():
    cells = dict(zip(COLUMNS, row("TF 2.18", GOOD)[2:-2].split(" | "), strict=True))
    assert (cells["environment"], cells["Python"]) == ("TF 2.18", "3.11.7")
    assert (cells["TensorFlow"], cells["NumPy"], cells["TFP"]) == ("2.18.0", "2.0.0", "")
    assert (cells["passed"], cells["failed"], cells["skipped"]) == ("300", "0", "2")
    # Nothing that ran is no zero, and a bar is no column.
    assert row("TF 2.22", Outcome("3.12", remark="a|b")) == (
        "| TF 2.22 | 3.12 |  |  |  |  |  |  |  |  |  | a\\|b |"
    )


def test_rows_that_were_run_replace_those_of_the_document():
    other = row("TF 2.19", Outcome("3.11", remark="not in the registry: tensorflow==2.19.*"))
    both = updated(DOCUMENT, {"TF 2.19": other}, ("TF 2.18", "TF 2.19"))
    assert both == f"# Versions\n\n{table({0: row('TF 2.18', GOOD), 1: other})}\n\nAfter it.\n"
    again = row("TF 2.18", Outcome("3.11", remark="no python3.11 on PATH"))
    assert updated(both, {"TF 2.18": again}, ("TF 2.18", "TF 2.19")) == both.replace(
        row("TF 2.18", GOOD), again
    )
    # A combination that is no longer tried leaves no row.
    assert updated(both, {}, ("TF 2.19",)) == both.replace(f"{row('TF 2.18', GOOD)}\n", "")
    with pytest.raises(ValueError, match=r"expected a document with a table of \('environment'"):
        updated("# Versions\n", {}, ())


def test_the_document_has_the_table_of_all_combinations():
    text = (ROOT / "docs" / "compatibility.md").read_text()
    assert updated(text, {}, COMBINATIONS) == text
    assert all(f"\n| {name} | " in text for name in COMBINATIONS)


def test_a_pin_stands_in_the_place_of_the_range():
    requirements = Combination(
        "3.12", ("numpy==2.0.*", "tfp-nightly"), ("tf-keras-nightly",), ("tf_keras",)
    ).requirements()
    names = [name_of(text) for text in requirements]
    assert "numpy==2.0.*" in requirements and names.count("numpy") == 1
    assert {"tensorflow", "h5py", "matplotlib", "pytest"} < set(names)
    assert not {"tf-keras", "tf-keras-nightly", "rawpy"} & set(names)


def test_lower_bounds_are_tried():
    requirements = COMBINATIONS["lower bounds"].requirements()
    assert all("==" in text or name_of(text).startswith(("py", "hyp")) for text in requirements)
    assert not any("," in text for text in requirements)


def test_each_tensorflow_of_the_range_is_tried():
    (allowed,) = (text for text in library_requirements() if name_of(text) == "tensorflow")
    lowest, end = (int(minor) for minor in re.findall(r"2\.(\d+)", allowed))
    pins = [pin for combination in COMBINATIONS.values() for pin in combination.pins]
    tried = [re.match(r"tensorflow[=>]=2\.(\d+)", pin) for pin in pins]
    assert {int(pin[1]) for pin in tried if pin} == set(range(lowest, end))


def test_tests_that_are_run_exist():
    assert all((ROOT / path).exists() for path in TESTS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement tf_keras==2.22.*\n"
            "ERROR: No matching distribution found for tf_keras==2.22.*\n",
            "not in the registry: tf_keras==2.22.*",
        ),
        (
            "The conflict is caused by:\n    tensorflow 2.18.0 depends on numpy<2.1.0\n"
            "    The user requested numpy==2.4\nERROR: ResolutionImpossible: for help visit\n",
            "no versions fit: tensorflow 2.18.0 depends on numpy<2.1.0",
        ),
        ("WARNING: slow\nERROR: Failed building wheel\n", "ERROR: Failed building wheel"),
        ("", "pip failed"),
    ],
)
def test_why_pip_installed_nothing(error, expected):
    assert missing(error) == expected


def test_a_python_that_does_not_run_is_told(tmp_path, monkeypatch):
    # As the stand-ins of version managers.
    stand_in = tmp_path / "python3.12"
    stand_in.write_text("#!/bin/sh\nexit 127\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    outcome = try_combination(Combination("3.12"), tmp_path / "environment")
    assert outcome == Outcome("3.12", remark="no python3.12 on PATH")
    stand_in.write_text("#!/bin/sh\nexit 0\n")
    assert interpreter("3.12") == str(stand_in)


def test_failed_tests_are_counted_and_named(tmp_path):
    (tmp_path / "report.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.test_a" name="test_1"/>'
        '<testcase classname="tests.test_a" name="test_2"><skipped/></testcase>'
        + "".join(
            f'<testcase classname="tests.test_b" name="test_{i}"><{kind}/></testcase>'
            for i, kind in enumerate(("failure", "error", "failure", "failure"))
        )
        + "</testsuite></testsuites>"
    )
    outcome = Outcome("3.11")
    count(tmp_path / "report.xml", outcome)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 4, 1)
    assert outcome.remark == "test_b.test_0; test_b.test_1; test_b.test_2; 1 more"
