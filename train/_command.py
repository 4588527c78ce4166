"""How every script runs: help on one screen, mistakes in one line, TensorFlow kept quiet."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from absl import flags

FLAGS = flags.FLAGS

LARGEST_WIDTH = 100
# Of the column in which flags stand beside what they mean.
FLAG_WIDTH = 30

# What people typed, where it is not `python -m`: the dispatcher sets it to `noiseflow NAME`.
program: str | None = None


class _Help(flags.BooleanFlag):
    """Shows what a script takes, and ends it."""

    def __init__(self):
        super().__init__("help", False, "Show this.", short_name="h", allow_hide_cpp=True)

    def parse(self, arg):
        if self._parse(arg):
            print(help_text(sys.modules["__main__"].__doc__ or ""))
            sys.exit(0)


def run(main: Callable[[list[str]], None], *, needs_tensorflow: bool = True) -> None:
    """Parses the flags and calls `main` with what is left of the command line: the script's name.

    A mistake in the flags, or in the files that they name, is told in one line with exit status 1,
    and so is a `ValueError` or an `OSError` of `main`, what the library raises for wrong input.

    Args:
      main: the script's job.
      needs_tensorflow: whether it is imported, quietly, before `main` is called.
    """
    if "help" not in FLAGS:
        flags.DEFINE_flag(_Help(), module_name=__name__)
        flags.DEFINE_bool("traceback", False, "Show where in the code an error is.")
    try:
        arguments = FLAGS(sys.argv)
    except flags.Error as error:
        _stop(f"{_mistake(error).rstrip('.')}; --help tells more")
    if arguments[1:]:
        _stop(f"expected flags, --NAME=VALUE, received {' '.join(arguments[1:])!r}")
    try:
        if needs_tensorflow:
            _import_tensorflow()
        main(arguments)
    except (ValueError, OSError) as error:
        if FLAGS.traceback:
            raise
        _stop(error)
    except KeyboardInterrupt:
        print(f"{_program()}: stopped.", file=sys.stderr)
        # The status of a process that the signal ended.
        sys.exit(130)


def wrote(what: str) -> None:
    """Says at the end what was written."""
    print(f"Wrote {what}.")


def advise(script: str, **values: object) -> None:
    """Says what to do next: a script with its flags, as the user calls scripts."""
    called = f"noiseflow {command_name(script)}" if program else f"python -m train.{script}"
    print("Next:", called, *(f"--{name}={value}" for name, value in values.items()))


def command_name(script: str) -> str:
    """What a script is called as a command of `noiseflow`."""
    return {"noise_flow": "train"}.get(script, script.replace("_", "-"))


def _program() -> str:
    module = sys.modules["__main__"].__spec__
    return program or (f"python -m {module.name}" if module else os.path.basename(sys.argv[0]))


def _mistake(error: flags.Error) -> str:
    """The first mistake that is told; of flags that are missing all."""
    missing = [flag.name for flag in _own_flags() if flag.value is None and _is_needed(flag)]
    absl_tells = tuple(f"flag --{name}=None: " for name in missing)
    others = [line for line in str(error).splitlines() if not line.startswith(absl_tells)]
    return others[0] if others else "expected " + ", ".join(f"--{name}" for name in missing)


def _stop(error: object) -> NoReturn:
    sys.exit(f"{_program()}: {' '.join(str(error).split())}")


def _import_tensorflow() -> None:
    """Imports TensorFlow without its remarks; where that fails, they are shown."""
    if "tensorflow" not in sys.modules:
        with _kept_from_screen():
            import tensorflow  # noqa: F401
    # What its Python side, and absl for it, remarks: an export alone has ten lines.
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def _kept_from_screen() -> Iterator[None]:
    """Keeps what is written to the standard error, by C++ too, from it unless an error comes."""
    with tempfile.TemporaryFile() as remarks:
        sys.stderr.flush()
        screen = os.dup(2)
        os.dup2(remarks.fileno(), 2)
        try:
            yield
        except BaseException:
            remarks.seek(0)
            os.write(screen, remarks.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def help_text(documentation: str) -> str:
    """A script's documentation and its flags, with defaults.

    Args:
      documentation: of the script.
    """
    module = sys.modules["__main__"].__spec__
    text = documentation.strip()
    if module:
        # As it was called: documentation has the checkout's way.
        text = re.sub(rf"python -m train\.{module.name.rpartition('.')[2]}\b", _program(), text)
    parts = [text]
    own = _own_flags()
    for title, group in (
        ("Needed:", [flag for flag in own if _is_needed(flag)]),
        ("With their defaults:", [flag for flag in own if not _is_needed(flag)]),
    ):
        if group:
            parts.append("\n".join([title, *_lines(group)]))
    return "\n\n".join(parts)


def _own_flags() -> list[flags.Flag]:
    """The script's, in the order in which it defines and adopts them."""
    found = {flag.name: flag for flag in FLAGS.get_key_flags_for_module(sys.argv[0])}
    return list(found.values())


def _is_needed(flag: flags.Flag) -> bool:
    """Whether a flag has to be given: it has a check that no value does not pass."""
    return flag.default is None and any(
        getattr(check, "flag_name", None) == flag.name and not check.checker(None)
        for check in flag.validators
    )


def _lines(group: Iterable[flags.Flag]) -> Iterator[str]:
    width = min(LARGEST_WIDTH, shutil.get_terminal_size((LARGEST_WIDTH, 0)).columns)
    for flag in group:
        shown = f"  --{flag.name}={_default(flag)}"
        # A longer one has a line of its own.
        beside = len(shown) < FLAG_WIDTH
        if not beside:
            yield shown
        yield from textwrap.wrap(
            _meaning(flag),
            width,
            initial_indent=(shown if beside else "").ljust(FLAG_WIDTH),
            subsequent_indent=" " * FLAG_WIDTH,
        )


def _default(flag: flags.Flag) -> str:
    value = flag.default
    if value is None:
        return "..."
    if isinstance(value, list):
        text = ",".join(value)
        return text if len(text) < LARGEST_WIDTH // 2 else f"{value[0]},..,{value[-1]}"
    return str(value).lower() if flag.boolean else str(value)


def _meaning(flag: flags.Flag) -> str:
    # What absl adds to it: the values before, of a flag that may be repeated a remark behind.
    text = re.sub(r"^<.*?>: |;\s+repeat this option.*", "", flag.help, flags=re.DOTALL)
    values = getattr(flag.parser, "enum_values", None)
    return text + (f" ({', '.join(values)})" if values else "")
