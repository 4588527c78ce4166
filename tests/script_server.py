"""Runs commands as `python` would, in forked children of a process that has imported the libraries.

An import of TensorFlow takes seconds and a fork of a process that has done it milliseconds. Started
by tests/scripts.py, which sends a request a line to its standard input (JSON: the arguments of
`python`, the environment, the folder, the files for the child's output) and reads a line with the
exit status from its standard output. A child ends as a process does: with the interpreter's end and
what runs there. A request may have a `kill_after`: seconds after which the child and all that it
started are killed, in the midst of what they do.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import sys

# Before TensorFlow: it sets what TensorFlow reads when it is imported.
import train  # noqa: F401

# isort: split
import h5py  # noqa: F401
import matplotlib.backends.backend_agg
import matplotlib.figure  # noqa: F401
import skimage.data
import skimage.transform  # noqa: F401
import tensorflow_probability  # noqa: F401
import tf_keras  # noqa: F401
from tensorflow.python.eager import context

import tfp_noiseflow.evaluation
import tfp_noiseflow.serving  # noqa: F401

# Of prctl: orphans of a killed child become the server's, which waits for their end.
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    # What is imported stays when a child ends, which would take a second to free it.
    gc.freeze()
    for line in sys.stdin:
        # The threads of a runtime that has started would be missing in a child, which would wait
        # for them forever.
        if context.context()._initialized:
            raise RuntimeError("expected no TensorFlow op to have run before a fork")
        request = json.loads(line)
        kill_after = request.pop("kill_after", None)
        child = os.fork()
        if child == 0:
            run(**request)
            return
        if kill_after is not None:
            kill(child, kill_after)
        _, status = os.waitpid(child, 0)
        if kill_after is not None:
            reap(child)
        print(os.waitstatus_to_exitcode(status), flush=True)


def kill(child: int, after: float) -> None:
    """Kills a child's process group after so many seconds, if the child has not ended."""
    os.setpgid(child, child)
    descriptor = os.pidfd_open(child)
    ended, _, _ = select.select([descriptor], [], [], after)
    os.close(descriptor)
    if not ended:
        os.killpg(child, signal.SIGKILL)


def reap(group: int) -> None:
    """Waits for the end of all of a killed group: until then they may write."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def run(arguments: list[str], environment: dict, cwd: str, stdout: str, stderr: str) -> None:
    """Makes this process one that runs `python ARGUMENTS`, and runs it.

    Args:
      arguments: -m and a module or -c and code, then those of the program.
      environment: variables; those that TensorFlow reads when it is imported are the server's.
      cwd: the folder to run in.
      stdout: file for what it prints.
      stderr: file for errors.
    """
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (stdout, os.O_WRONLY), (stderr, os.O_WRONLY))
    ):
        opened = os.open(path, flags | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    kind, program, *sys.argv[1:] = arguments
    # Its settings of the environment again, where the request's has none.
    for name in [name for name in sys.modules if name.partition(".")[0] == "train"]:
        del sys.modules[name]
    if kind == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = kind
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
