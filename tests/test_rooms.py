"""The library's packages depend on each other in one direction."""

import ast
import graphlib
import pathlib

LIBRARY = pathlib.Path(__file__).resolve().parents[1] / "tfp_noiseflow"


def imported_modules(path):
    """Names of all modules that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needs():
    """Package to the packages that its files import."""
    packages = {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    return {
        package: {
            parts[1]
            for path in (LIBRARY / package).glob("**/*.py")
            for parts in (name.split(".") for name in imported_modules(path))
            if parts[0] == LIBRARY.name and len(parts) > 1 and parts[1] in packages - {package}
        }
        for package in packages
    }


def test_packages_import_each_other_without_a_cycle():
    # Raises CycleError, which names the packages of the cycle.
    order = list(graphlib.TopologicalSorter(needs()).static_order())
    assert len(order) == len(list(LIBRARY.glob("*/__init__.py")))


def test_captures_and_images_know_no_model():
    graph = needs()
    assert graph["conditions"] == graph["imaging"] == set()
    assert graph["captures"] == {"conditions"}
    assert graph["photon_transfer"] == {"captures", "laws"}
    needed = {"bijectors", "captures", "imaging", "laws", "models", "photon_transfer", "reporting"}
    assert graph["calibration"] == needed
    assert graph["sidd"] == {"captures"}
    assert graph["simulation"] <= {"captures", "imaging", "models"}
