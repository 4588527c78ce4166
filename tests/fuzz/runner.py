"""Reads files in a process that may crash, and watches what reading does.

The process is forked of one that has imported everything and run no TensorFlow op; it reads file
after file, and another takes its place when it dies.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
import pathlib
import select
import signal
import sys
from dataclasses import dataclass

import numpy as np

from tests.fuzz.formats import FORMATS, write_honest

# Of a file of some kilobytes.
LONGEST_SECONDS = 60.0
# What any call may take beside twice the honest size: decoders' tables, chunks, messages.
ROOM_BYTES = 16 << 20
# No test may take the machine's memory; what fails here would have failed somewhere else later.
LARGEST_SPACE = 16 << 30


@dataclass(frozen=True)
class Read:
    """What came of a file.

    Attributes:
      outcome: "values", "refused", "error" (one of another type, or that does not name the file),
        "crash", "hang".
      text: the digest of the values, or the error.
      memory: bytes by which the process grew at most. size: of the values, bytes.
      deeds: what reading did besides: files outside that were opened, programs started.
    """

    outcome: str
    text: str
    memory: int = 0
    size: int = 0
    deeds: tuple[str, ...] = ()


class Runner:
    """A process that reads files, one at a time."""

    def __init__(self, log: pathlib.Path):
        self._log = log
        self._process = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_) -> None:
        self._end()

    def write_honest(self, name: str, folder: pathlib.Path) -> pathlib.Path:
        """An honest file of a format, in a new folder."""
        answer = self._ask({"write": name, "folder": str(folder)})
        return pathlib.Path(answer["path"])

    def read(self, name: str, path: pathlib.Path) -> Read:
        """Reads a file of a format."""
        answer = self._ask({"read": name, "path": str(path)})
        return Read(**answer | {"deeds": tuple(answer.get("deeds", ()))})

    def _ask(self, request: dict) -> dict:
        if self._process is None:
            self._start()
        with contextlib.suppress(BrokenPipeError):
            os.write(self._to, json.dumps(request).encode() + b"\n")
        content = b""
        while not content.endswith(b"\n"):
            ready, _, _ = select.select([self._from], [], [], LONGEST_SECONDS)
            part = os.read(self._from, 1 << 16) if ready else b""
            if not part:
                status = self._end()
                if not ready:
                    return {"outcome": "hang", "text": f"more than {LONGEST_SECONDS:g} s"}
                return {"outcome": "crash", "text": signal.Signals(-status).name if status < 0
                        else f"exit {status}"}  # fmt: skip
            content += part
        return json.loads(content)

    def _start(self) -> None:
        request_read, self._to = os.pipe()
        self._from, answer_write = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._to)
            os.close(self._from)
            status = 1
            try:
                _run(request_read, answer_write, self._log)
                status = 0
            finally:
                os._exit(status)
        os.close(request_read)
        os.close(answer_write)

    def _end(self) -> int:
        if self._process is None:
            return 0
        os.close(self._to)
        ready, _, _ = select.select([self._from], [], [], 2.0)  # Its end closes the pipe.
        if not ready:
            os.kill(self._process, signal.SIGKILL)
        _, status = os.waitpid(self._process, 0)
        os.close(self._from)
        self._process = None
        return os.waitstatus_to_exitcode(status)


def _run(requests: int, answers: int, log: pathlib.Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_SPACE, LARGEST_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.enable(sys.__stderr__)
    deeds: list[str] = []
    is_watched = False

    def watch(event: str, arguments: tuple) -> None:
        if is_watched and _is_forbidden(event, arguments, folder):
            deeds.append(f"{event} {arguments[:1]}")

    sys.addaudithook(watch)
    with os.fdopen(requests) as lines:
        for line in lines:
            request = json.loads(line)
            if "write" in request:
                path = write_honest(request["write"], pathlib.Path(request["folder"]))
                answer = {"path": str(path)}
            else:
                path = pathlib.Path(request["path"])
                folder = str(path if path.is_dir() else path.parent)
                deeds.clear()
                is_watched = True
                answer = _read(request["read"], path)
                is_watched = False
                answer["deeds"] = list(deeds)
            os.write(answers, json.dumps(answer).encode() + b"\n")


def _is_forbidden(event: str, arguments: tuple, folder: str) -> bool:
    """Whether something happens that reading data has no need of."""
    if event in ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class"):
        return True
    if event.startswith(("socket.", "os.remove", "os.rename", "shutil.")):
        return True
    if event != "open" or not isinstance(arguments[0], (str, bytes)):
        return False
    path = os.path.realpath(os.fsdecode(arguments[0]))
    is_written = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if path in (os.devnull, f"/proc/{os.getpid()}/clear_refs"):
        return False
    if path.startswith(folder):
        return is_written
    # Modules that are imported when they are first needed, and what the system is asked.
    own = (sys.prefix, sys.base_prefix, "/usr", "/lib", "/etc", "/proc", "/sys", os.getcwd())
    return is_written or not path.startswith(own)


def _read(name: str, path: pathlib.Path) -> dict:
    before = _status("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
    size = 0
    try:
        values = FORMATS[name].read(path)
        outcome = "values"
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        names_it = str(path) in text or str(getattr(error, "filename", None)).startswith(str(path))
        is_told = isinstance(error, (ValueError, FileNotFoundError, OSError))
        outcome = "refused" if is_told and names_it else "error"
        if len(text) > 20_000:
            outcome = "error"  # Nobody reads it.
    memory = _status("VmHWM") - before
    if outcome == "values":
        digest = hashlib.sha256()
        size = _digest(values, digest)
        text = digest.hexdigest()
    return {"outcome": outcome, "text": text[:400], "memory": memory, "size": size}


def _status(name: str) -> int:
    """Bytes, of /proc/self/status."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise KeyError(name)


def _digest(value, digest) -> int:
    """Of whatever a reader returns; the bytes of its arrays."""
    if isinstance(value, dict):
        return sum(_digest([key, entry], digest) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        digest.update(f"{len(value)} ".encode())
        return sum(_digest(entry, digest) for entry in value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.dtype} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
        return value.nbytes
    if isinstance(value, np.ndarray):
        return _digest(value.tolist(), digest)
    text = repr(value).encode()
    digest.update(text)
    return len(text)
