"""Types are checked strictly wherever a public name is defined; `make lint` checks them."""

import fnmatch
import pathlib
import tomllib

import tfp_noiseflow as nf

PYPROJECT = pathlib.Path(__file__).resolve().parents[1] / "pyproject.toml"


def strict_modules():
    """The patterns of modules in which every function has types."""
    (strict,) = (
        override["module"]
        for override in tomllib.loads(PYPROJECT.read_text())["tool"]["mypy"]["overrides"]
        if override.get("disallow_untyped_defs") and override.get("disallow_incomplete_defs")
    )
    return strict


def test_modules_of_public_names_are_strict():
    public = [getattr(nf, name) for name in nf.__all__]
    public += [getattr(nf.bijectors, name) for name in nf.bijectors.__all__]
    modules = {named.__module__ for named in public if hasattr(named, "__module__")}
    assert len(modules) > 40  # Of a module or text, such as the version, there is none.
    strict = strict_modules()
    lenient = {m for m in modules if not any(fnmatch.fnmatchcase(m, p) for p in strict)}
    assert not lenient, "expected these modules among the strict ones of pyproject.toml"
