"""What an import's folder holds: its record and its parts.

`import.json` says what was imported and how; it is also what keeps an import from going on in the
folder of another: one with other settings, or of other files.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from tfp_noiseflow.captures.source import SplitPlan

RECORD = "import.json"
PARTS = "parts"

# What import.json holds, and what each of its files; a source's own keys stand before the last.
RECORD_KEYS = ("settings", "fingerprints", "files")
SUMMARY_KEYS = ("captures", "images", "bad")

# Of names in a message, and of a value's letters.
LONGEST_LIST = 10
LONGEST_VALUE = 200


def part_of(output_dir: str | os.PathLike, split: str, image: str) -> str:
    """The capture file of one image while its split is not whole."""
    return os.path.join(output_dir, PARTS, split, f"{image}.h5")


def claim(output_dir: str | os.PathLike, settings: dict, summary_keys: Sequence[str]) -> dict:
    """The record of an import in a folder, begun or new.

    Args:
      output_dir: the folder.
      settings: of the import, as JSON gives them back.
      summary_keys: of the source.

    Returns:
      The record, with those of its files that are there.

    Raises:
      ValueError: the folder holds an import with other settings, or a file that is no record.
    """
    path = os.path.join(output_dir, RECORD)
    if not os.path.exists(path):
        return {"settings": settings, "fingerprints": {}, "files": {}}
    record = _read_record(path, [*SUMMARY_KEYS[:-1], *summary_keys, SUMMARY_KEYS[-1]])
    found = record["settings"]
    faults = "; ".join(
        f"{name}: expected {settings.get(name)}, found {_shown(found.get(name))}"
        for name in (*settings, *(name for name in found if name not in settings))
        if found.get(name) != settings.get(name)
    )
    if faults:
        raise ValueError(f"{output_dir} holds an import with other settings ({faults}).")
    record["files"] = {
        name: summary
        for name, summary in record["files"].items()
        if os.path.exists(os.path.join(output_dir, f"{name}.h5"))
    }
    return record


def _read_record(path: str, summary_keys: Sequence[str]) -> dict:
    expected = f"{path}: expected the record of an import (to begin anew, remove its folder)"
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    # Or nested too deeply.
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{expected}, but it is not JSON; it is damaged ({error}).") from error
    if not _has_mappings(record, RECORD_KEYS):
        found = sorted(record) if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"{expected} with {list(RECORD_KEYS)}, found {found}.")
    for name, summary in record["files"].items():
        if not (_has_mappings(summary, ["bad"]) and set(summary_keys) <= set(summary)):
            raise ValueError(
                f"{expected}, with {list(summary_keys)} of {name}, found {_shown(summary)}."
            )
        if not _has_mappings(record["fingerprints"], [name]):
            raise ValueError(f"{expected}, with the fingerprints of {name}, found none.")
    return record


def _shown(value: Any) -> str:
    """A value in a message, which a damage can make long."""
    return textwrap.shorten(str(value), LONGEST_VALUE, placeholder=" ...")


def _has_mappings(value: Any, keys: Iterable[str]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), dict) for key in keys)


def check_fingerprints(
    output_dir: str | os.PathLike, record: dict, plans: Iterable[SplitPlan]
) -> None:
    """Raises ValueError where a file or a part is of other files than those of the source."""
    faults = []
    for plan in plans:
        imported = record["fingerprints"].get(plan.name, {})
        in_file = images_in_file(plan.name, record)
        for name, found in plan.fingerprints.items():
            is_there = name in in_file or os.path.exists(part_of(output_dir, plan.name, name))
            if is_there and imported.get(name) != found:
                faults.append(
                    f"{name}: expected the fingerprint {imported.get(name)}, found {found}"
                )
    if faults:
        raise ValueError(
            f"{output_dir} holds an import of other files; these images are not those that were "
            f"imported:\n{shortened(faults)}"
        )


def images_in_file(split: str, record: dict) -> set[str]:
    """Names of the images in a file that is complete."""
    summary = record["files"].get(split)
    return set(record["fingerprints"][split]) - set(summary["bad"]) if summary else set()


def shortened(lines: Sequence[str]) -> str:
    """Lines of a message, ten at most."""
    more = [f"and {len(lines) - LONGEST_LIST} more"] if len(lines) > LONGEST_LIST else []
    return "\n".join([*lines[:LONGEST_LIST], *more])
