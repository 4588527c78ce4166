"""The table of what was tried, in a document that it is a part of."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, MutableMapping

# Columns of versions and the packages that they may be of.
PACKAGES = {
    "TensorFlow": ("tensorflow",),
    "tf_keras": ("tf-keras", "tf-keras-nightly"),
    "TFP": ("tensorflow-probability", "tfp-nightly"),
    "NumPy": ("numpy",),
    "Keras 3": ("keras", "keras-nightly"),
    "h5py": ("h5py",),
}
COLUMNS = ("environment", "Python", *PACKAGES, "passed", "failed", "skipped", "remark")


@dataclasses.dataclass
class Outcome:
    """What came of a combination.

    Attributes:
      python: its version, "3.11.7", or as much of it as was asked for.
      versions: by the columns of PACKAGES; empty where nothing was installed.
      passed, failed, skipped: how many tests; None: none ran.
      remark: what failed or is missing, in few words.
    """

    python: str
    versions: MutableMapping[str, str] = dataclasses.field(default_factory=dict)
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    remark: str = ""


def table(rows: Mapping[str, str]) -> str:
    """Markdown of the rows that `row` gives."""
    return "\n".join([f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *rows.values()])


def row(name: str, outcome: Outcome) -> str:
    """A line of the table."""
    counts = (outcome.passed, outcome.failed, outcome.skipped)
    cells = [
        name,
        outcome.python,
        *(outcome.versions.get(column, "") for column in PACKAGES),
        *("" if count is None else str(count) for count in counts),
        outcome.remark.replace("|", "\\|"),
    ]
    return f"| {' | '.join(cells)} |"


def updated(document: str, rows: Mapping[str, str], order: Iterable[str]) -> str:
    """The document with these rows in its table.

    Args:
      document: Markdown with one table of COLUMNS.
      rows: by name; in the place of the document's.
      order: names of all rows; others of the document go.

    Raises:
      ValueError: the document has no such table.
    """
    head = f"| {' | '.join(COLUMNS)} |\n"
    found = re.search(re.escape(head) + r"(\|.*\n?)*", document)
    if found is None:
        raise ValueError(f"expected a document with a table of {COLUMNS}")
    lines = found[0].splitlines()[2:]
    all_rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines} | dict(rows)
    kept = {name: all_rows[name] for name in order if name in all_rows}
    return f"{document[: found.start()]}{table(kept)}\n{document[found.end() :]}"
