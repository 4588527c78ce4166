"""Scripts as users run them, and fast: in children of a server (tests/script_server.py)."""

from __future__ import annotations

import atexit
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(script: str, **flags) -> subprocess.CompletedProcess:
    """`python -m train.SCRIPT --FLAG=VALUE ..`, in a child of the server."""
    return run_python("-m", *_arguments(script, flags))


def run_killed(script: str, after: float, **flags) -> subprocess.CompletedProcess:
    """The same, killed with all that it started after so many seconds, where it has not ended."""
    return run_python("-m", *_arguments(script, flags), kill_after=after)


def run_process(script: str, **flags) -> subprocess.CompletedProcess:
    """The same in a process of its own, which takes seconds more: once for each script."""
    return run_python("-m", *_arguments(script, flags), in_child=False)


def run_python(
    *arguments, in_child: bool = True, kill_after: float | None = None
) -> subprocess.CompletedProcess:
    """`python ARGUMENTS`: -m MODULE .. or -c CODE ..

    Args:
      *arguments: all but the interpreter.
      in_child: of the server, where TensorFlow is imported and has not started (its devices can be
        configured); False: a process of its own.
      kill_after: seconds after which a child is killed (SIGKILL); None: never.
    """
    arguments = [str(argument) for argument in arguments]
    if not in_child:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: os.path.join(folder, name) for name in ("stdout", "stderr")}
        for path in outputs.values():
            pathlib.Path(path).touch()
        request = {"arguments": arguments, "environment": _environment(), "cwd": str(ROOT)}
        request["kill_after"] = kill_after
        server = _server()
        server.stdin.write(json.dumps(request | outputs) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        if not answer:
            raise RuntimeError(f"the server of scripts ended with {server.wait()}")
        texts = {name: pathlib.Path(path).read_text() for name, path in outputs.items()}
    return subprocess.CompletedProcess(arguments, int(answer), **texts)


def _arguments(script, flags):
    return [f"train.{script}", *(f"--{name}={value}" for name, value in flags.items())]


def _environment():
    # Scripts say themselves what TensorFlow shows.
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}


@functools.cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.script_server"],
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    @atexit.register
    def end():
        server.stdin.close()
        server.wait()

    return server
