"""What several test modules share."""

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
def program(tmp_path_factory) -> pathlib.Path:
    """The C++ program that runs exports, built once; skips where there is no compiler."""
    # Here, because it imports TensorFlow, which not every test needs.
    from tests.native import program as native

    if native.compiler() is None:
        pytest.skip("there is no C++ compiler")
    return native.build(tmp_path_factory.mktemp("native"))
