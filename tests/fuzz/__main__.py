"""Files that are wrong, read as users read files: none may crash, hang, run code or lie.

    python -m tests.fuzz [--files=10000] [--seed=0] [--formats="capture file,raw .npz"]

Writes honest files of every kind that the library reads, changes each at random positions or in
its structure, and reads it in a process of its own. Prints how many files had which outcome, and
the first of each that must not be:

- equal: the values of the honest file. other values: a pixel or a text of others, in formats that
  have no check sums. refused: a ValueError or the system's own error that names the file.
- error: another one. crash, hang. memory: more than twice what the honest file takes, and some
  room. deeds: something outside of the file was opened or started.

Ends with status 1 where one of the latter occurred; crashes of the libraries that decode HDF5 and
cameras' formats are counted and allowed, as SECURITY.md says.
"""

from __future__ import annotations

import collections
import ctypes
import json
import os
import pathlib
import shutil
import struct
import sys
import tempfile

import numpy as np
from absl import app, flags

from tests.fuzz.formats import FORMATS
from tests.fuzz.mutations import of_bytes
from tests.fuzz.runner import ROOM_BYTES, Read, Runner

FLAGS = flags.FLAGS

flags.DEFINE_integer("files", 10000, "How many, over all formats.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Of the changes.")
flags.DEFINE_list("formats", [], "By name; by default, all.")
flags.DEFINE_string("keep", None, "A folder for the files that show a defect.")
flags.DEFINE_bool("json", False, "Whether to print JSON instead of a table.")

GOOD = ("equal", "other values", "refused")
BAD = ("error", "crash", "hang", "memory", "deeds")
# Of native decoders, against which no Python stands: `python -m train.check_captures` does.
MAY_CRASH = (
    "capture file",
    "capture file, plain",
    "fixed pattern",
    "MAT 7.3 (SIDD image)",
    "raw .dng",
)


class Opened:
    """Whether files of a folder were opened, by whatever library."""

    IN_OPEN = 0x20

    def __init__(self, folder: pathlib.Path):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK)
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), self.IN_OPEN)

    def __call__(self) -> list[str]:
        """Their names, since the last call."""
        try:
            content = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return []
        names, at = [], 0
        while at < len(content):
            _, _, _, length = struct.unpack_from("iIII", content, at)
            names.append(content[at + 16 : at + 16 + length].rstrip(b"\0").decode() or "the folder")
            at += 16 + length
        return names


def outcome_of(read: Read, honest: Read) -> str:
    """One of GOOD and BAD."""
    if read.deeds:
        return "deeds"
    # A changed size may be an honest one of another file.
    if read.memory > 2 * (max(honest.size, read.size) + honest.memory) + ROOM_BYTES:
        return "memory"
    if read.outcome != "values":
        return read.outcome
    return "equal" if read.text == honest.text else "other values"


def try_format(name: str, count: int, base: pathlib.Path, runner: Runner) -> tuple[dict, dict]:
    """Counts of outcomes, and of each bad one the first files: number, kind of change, text."""
    kind = FORMATS[name]
    generator = np.random.default_rng([FLAGS.seed, list(FORMATS).index(name)])
    trial, kept, outside = (base / part for part in ("trial", "honest", "outside"))
    shutil.rmtree(outside, ignore_errors=True)
    path = runner.write_honest(name, trial)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(trial, kept)
    _fill(outside, kept)
    runner.read(name, path)  # What is imported and set up at the first call.
    honest = runner.read(name, path)
    if honest.outcome != "values":
        raise RuntimeError(f"{name}: an honest file gave {honest}")
    opened = Opened(outside)
    counts, examples = collections.Counter(), collections.defaultdict(list)
    for number in range(count):
        shutil.rmtree(trial)
        shutil.copytree(kept, trial)
        target = path / kind.target if kind.target else path
        is_structured = generator.random() < kind.structured
        (kind.structure if is_structured else of_bytes)(target, generator)
        opened()
        read = runner.read(name, path)
        outcome = outcome_of(read, honest)
        if outside_files := opened():
            outcome, read = "deeds", Read("deeds", f"opened {sorted(set(outside_files))}")
        counts[outcome] += 1
        if outcome in BAD:
            how = "structure" if is_structured else "bytes"
            deeds = f" {list(read.deeds)}" if read.deeds else ""
            text = f"{name}, file {number}, {how}: {read.text}{deeds}, {read.memory >> 20} MiB"
            examples[outcome].append(text)
            if FLAGS.keep:
                shutil.copytree(trial, pathlib.Path(FLAGS.keep) / f"{outcome}-{name}-{number}")
    return counts, examples


def _fill(outside: pathlib.Path, honest: pathlib.Path) -> None:
    """A folder beside the file: what it would have to open to read it."""
    shutil.copytree(honest, outside)
    found = next((path for path in outside.rglob("*") if path.suffix in (".h5", ".MAT")), None)
    if found is not None:
        shutil.copy(found, outside / "file.h5")
    (outside / "bytes").write_bytes(b"secret" * 100_000)
    for path in outside.glob("checkpoints/best/*"):
        shutil.copy(path, outside)
        (outside / "best").mkdir(exist_ok=True)
        shutil.copy(path, outside / "best")


def main(argv: list[str]) -> None:
    del argv
    names = FLAGS.formats or list(FORMATS)
    total = sum(FORMATS[name].share for name in names)
    results, examples = {}, collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, Runner(pathlib.Path(folder) / "log") as runner:
        for name in names:
            count = max(1, round(FLAGS.files * FORMATS[name].share / total))
            results[name], found = try_format(name, count, pathlib.Path(folder), runner)
            for outcome, texts in found.items():
                examples[outcome] += texts
            print(f"{name}: {dict(results[name])}", file=sys.stderr, flush=True)
    forbidden = {
        name: {o: counts[o] for o in BAD if counts[o] and not (o == "crash" and name in MAY_CRASH)}
        for name, counts in results.items()
    }
    forbidden = {name: counts for name, counts in forbidden.items() if counts}
    if FLAGS.json:
        print(json.dumps({"counts": results, "forbidden": forbidden, "examples": examples}))
    else:
        print(f"| format | files | {' | '.join((*GOOD, *BAD))} |")
        print(f"|{'---|' * (2 + len(GOOD) + len(BAD))}")
        rows = results | {"all": sum(results.values(), collections.Counter())}
        for name, counts in rows.items():
            cells = [str(counts[outcome] or "") for outcome in (*GOOD, *BAD)]
            print(f"| {name} | {sum(counts.values())} | {' | '.join(cells)} |")
        for texts in examples.values():
            print("\n" + "\n".join(texts[:12]))
    sys.exit(1 if forbidden else 0)


if __name__ == "__main__":
    app.run(main)
