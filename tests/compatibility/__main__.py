"""Versions of Python, TensorFlow and what else the library needs: which work together.

    python -m tests.compatibility [--only="TF 2.19"] [--document=docs/compatibility.md]

Makes an environment for each combination of `combinations.py`, with the interpreters of PATH
(`python3.12`) and the registry that pip knows, runs a part of the tests in it and removes it.
Prints a table and writes it into the document, where rows that were not run stay. What pip does not
find is said in the last column. Ends with status 1 where a test failed.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

from absl import app, flags

from tests.compatibility import table
from tests.compatibility.combinations import COMBINATIONS
from tests.compatibility.trial import try_combination
from tests.documents import ROOT

FLAGS = flags.FLAGS

flags.DEFINE_multi_enum("only", list(COMBINATIONS), list(COMBINATIONS), "Which.")
flags.DEFINE_string(
    "document", str(ROOT / "docs" / "compatibility.md"), "Whose table is updated; empty: none."
)
flags.DEFINE_string("folder", None, "Where environments are made; by default, a temporary one.")


def main(argv: list[str]) -> None:
    del argv
    rows, is_good = {}, True
    for name in FLAGS.only:
        with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
            outcome = try_combination(COMBINATIONS[name], pathlib.Path(folder))
        # Without counts although it was installed: the tests did not run to their end.
        is_good &= not outcome.failed and not (outcome.versions and outcome.passed is None)
        rows[name] = table.row(name, outcome)
        print(rows[name], file=sys.stderr, flush=True)
        if FLAGS.document:
            document = pathlib.Path(FLAGS.document)
            document.write_text(table.updated(document.read_text(), rows, COMBINATIONS))
    print(table.table(rows))
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    app.run(main)
