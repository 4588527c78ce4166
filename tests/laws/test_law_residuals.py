"""The table of what laws miss: every camera with three ISOs has its row, and its reasons."""

import numpy as np
import pytest

from tests.scripts import run
from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.camera_table import CameraTable, write_camera_tables
from tfp_noiseflow.laws.law_residuals import law_residuals

ISOS = np.array([100.0, 200, 400, 800, 1600])
BETA1, BETA2 = CameraLaw((2e-4, 1e-5), (1e-7, 2e-8, 1e-6))(ISOS)


def row(beta1=BETA1, beta2=BETA2, iso=ISOS, channels=("all",)):
    return law_residuals([CameraTable("A", iso, beta1, beta2, channels)]).splitlines()[2:]


def test_a_table_that_follows_a_law_is_missed_nowhere():
    assert row() == [
        "| A | all | 5: 100 to 1600 | 0.0002, 1e-05 | 1e-07, 2e-08, 1e-06 | 0 %, 0 % "
        "| 0 %, 0 % |  |"
    ]


def test_each_channel_has_its_row():
    rows = row(np.stack([BETA1, 2 * BETA1], 1), np.stack([BETA2, BETA2], 1), channels=("R", "B"))
    assert [line.split("|")[2].strip() for line in rows] == ["R", "B"]
    assert "0.0004, 2e-05" in rows[1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"beta1": BETA1 * [1, 1, 1, 1, 0.3]},
            "beta1, worst at ISO 1600: falls with ISO (ISO 800",
        ),
        ({"beta1": BETA1 * [1, 1, 1, 1, 2]}, "rises faster than ISO (ISO 800 to 1600)"),
        ({"beta2": BETA2 * [1, 1, 1, 1, 4]}, "rises faster than ISO^2 (ISO 800 to 1600)"),
        ({"beta2": [2e-6, 2e-6, 2e-6, 1e-5, 8e-5]}, "a floor of 2e-06 (ISO 100, 200, 400)"),
        ({"beta2": [0, -1e-6, 1e-6, 1e-5, 4e-5]}, "0 or less (ISO 100, 200)"),
        ({"beta2": BETA2 * [1, 1.3, 1, 1.3, 1]}, "each step could be a law's"),
    ],
)
def test_what_no_law_follows_is_named(changes, reason):
    changes = {name: np.array(values) for name, values in changes.items()}
    (line,) = row(**changes)
    assert reason in line


def test_cameras_with_fewer_isos_have_no_row():
    assert row(BETA1[:2], BETA2[:2], ISOS[:2]) == []
    assert row(BETA1[:3], BETA2[:3], np.array([100, 100, 200])) == []
    unknown = np.array([100, 200, np.nan, np.nan, np.nan])
    assert row(iso=unknown) == []


def test_the_command_prints_it(tmp_path):
    tables = [CameraTable("A", ISOS, BETA1, BETA2)]
    write_camera_tables(tmp_path / "t.json", tables)
    done = run("law_residuals", table=tmp_path / "t.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == law_residuals(tables)
