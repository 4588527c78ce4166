"""What several test modules share."""

import collections
import fcntl
import pathlib

import pytest
from hypothesis import HealthCheck, settings

# What tests count of what they tried, by its name in their `record_property`.
COUNTED = ("drawn cases", "mutated files", "kills")

# Of tests/properties: `max_examples` is the unit of a property's weight. Cases are the same in
# each run, and take as long as they take: the first one of a shape traces a graph.
for _profile, _unit in (("quick", 1), ("thorough", 24)):
    settings.register_profile(
        _profile,
        max_examples=_unit,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
settings.load_profile("quick")


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """Data that are not part of the repository, beside the checkout; skips where they are not."""
    path = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the shared data folder is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def program(tmp_path_factory, testrun_uid) -> pathlib.Path:
    """The C++ program that runs exports, built once for all workers; skips without a compiler."""
    # Here, because it imports TensorFlow, which not every test needs.
    from tests.native import program as native

    if native.compiler() is None:
        pytest.skip("there is no C++ compiler")
    folder = tmp_path_factory.getbasetemp().parent / f"native-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = folder / "built"
        if not built.exists():
            built.write_text(str(native.build(folder)))
    return pathlib.Path(built.read_text())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first: one that starts last would run alone while a worker waits."""
    items.sort(key=lambda item: item.path.name != "test_targets.py")


def pytest_terminal_summary(terminalreporter) -> None:
    """Tells what was counted, over all workers."""
    counts = collections.Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                counts.update({k: v for k, v in report.user_properties if k in COUNTED})
    for name, count in counts.items():
        terminalreporter.write_line(f"{count} {name}")
