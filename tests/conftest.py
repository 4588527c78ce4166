"""What several test modules share."""

import fcntl
import pathlib

import pytest


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
