"""Which versions are tried together, and with which tests."""

from __future__ import annotations

import dataclasses
import re
import tomllib

from tests.documents import ROOT

# Of the library's extras, those that TESTS need.
EXTRAS = ("report", "simulation", "tensorboard", "serving", "photographs")
TOOLS = ("hypothesis", "pytest", "pytest-xdist")

# Layers, training with resume, model directories, export and its requests, captures, the shipped
# models and exports, augmentation, Keras 3: minutes in two workers.
TESTS = (
    "tests/augmentation",
    "tests/bijectors/test_all_layers.py",
    "tests/captures",
    "tests/frameworks/test_keras3.py",
    "tests/models/test_model_directory.py",
    "tests/serving/test_export.py",
    "tests/serving/test_shipped_model.py",
    "tests/training/test_history.py",
    "tests/training/test_training.py",
)


@dataclasses.dataclass(frozen=True)
class Combination:
    """An environment: what of the library's requirements is not left to pip.

    Attributes:
      python: "3.11".
      pins: requirements in the place of those that the library has of the same packages.
      alone: requirements that are installed without what they need, in the place of the library's
        requirements `replaced`: nightly builds need nightly builds of TensorFlow.
      replaced: names of packages.
    """

    python: str
    pins: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    def requirements(self) -> list[str]:
        """Of all that pip resolves together."""
        not_left = {name_of(pin) for pin in self.pins} | {name_of(name) for name in self.replaced}
        ranges = [*library_requirements(), *TOOLS]
        return [*self.pins, *(text for text in ranges if name_of(text) not in not_left)]


def library_requirements() -> list[str]:
    """The library's and its EXTRAS' in pyproject.toml: "numpy>=2.0"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(text for extra in EXTRAS for text in extras[extra])]


def name_of(requirement: str) -> str:
    """ "tf-keras" of "tf_keras>=2.18"."""
    return re.match(r"[\w.-]+", requirement)[0].replace("_", "-").lower()


def lower_bound(requirement: str) -> str:
    """ "2.18" of "tf_keras>=2.18,<2.23"."""
    return re.search(r">=([\w.]+)", requirement)[1]


def _oldest() -> tuple[str, ...]:
    return tuple(f"{name_of(text)}=={lower_bound(text)}" for text in library_requirements())


def _pinned() -> tuple[str, ...]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return tuple(line for line in lines if "==" in line)


def _tensorflow(minor: str) -> tuple[str, ...]:
    return f"tensorflow=={minor}.*", f"tf_keras=={minor}.*"


_RELEASE_CANDIDATE = "tensorflow>=2.22.0rc0,<2.23"
_KERAS_NIGHTLY = "tf-keras-nightly>=2.22.0.dev0,<2.23.0.dev0"

COMBINATIONS = {
    # Of TensorFlow 2.18.
    "lower bounds": Combination("3.11", _oldest()),
    "TF 2.19": Combination("3.11", _tensorflow("2.19")),
    "TF 2.20": Combination("3.13", _tensorflow("2.20")),
    "requirements.txt": Combination("3.11", _pinned()),
    "newest, 3.12": Combination("3.12"),
    "newest, 3.13": Combination("3.13"),
    "TFP nightly": Combination("3.12", ("tfp-nightly",), replaced=("tensorflow-probability",)),
    "TF 2.22": Combination("3.12", (_RELEASE_CANDIDATE, "tf_keras==2.22.*")),
    "TF 2.22, tf_keras nightly": Combination(
        "3.13", (_RELEASE_CANDIDATE,), alone=(_KERAS_NIGHTLY,), replaced=("tf_keras",)
    ),
}
