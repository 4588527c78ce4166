"""Whether a capture file of unknown origin can be read, tried where a crash harms nothing."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection

from tfp_noiseflow.captures.capture_file import Captures


def check_captures(path: str | os.PathLike, *, seconds: float | None = None) -> str:
    """Reads all of a capture file in a process of its own.

    Some damages make HDF5 crash or turn in a circle, which Python cannot catch: what reads such a
    file in a training ends the training.

    Args:
      path: of the file.
      seconds: after which reading counts as endless; None: it may take its time.

    Returns:
      What the file holds, in a line.

    Raises:
      ValueError: it cannot be read, or the reader crashed or did not end; names the file.
      FileNotFoundError: there is no such file.
    """
    path = os.fspath(path)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    reader = context.Process(target=_read_whole, args=(path, theirs), daemon=True)
    reader.start()
    theirs.close()
    try:
        is_done = ours.poll(seconds)
        error, text = ours.recv() if is_done else (None, "")
    except EOFError:
        reader.join()
        raise ValueError(
            f"{path}: expected a capture file, but reading it ended the reader (exit status "
            f"{reader.exitcode}); it is damaged."
        ) from None
    finally:
        reader.kill()
        reader.join()
    if not is_done:
        raise ValueError(
            f"{path}: expected a capture file, but reading it did not end in {seconds:g} seconds; "
            "it is damaged."
        )
    if error is not None:
        raise error
    return text


def _read_whole(path: str, result: Connection) -> None:
    try:
        with Captures(path, dequantises=False) as captures:
            for _ in captures.blocks():
                pass
            text = str(captures)
    except (OSError, ValueError) as error:
        result.send((error, None))
    else:
        result.send((None, text))
