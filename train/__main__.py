"""All scripts by one name: `noiseflow COMMAND --FLAG=VALUE ..`, or `python -m train COMMAND ..`."""

from __future__ import annotations

import ast
import difflib
import pathlib
import runpy
import sys
import textwrap

from tfp_noiseflow.version import __version__

from . import _command

# Those of daily use, in the order in which they are needed; all others follow.
FIRST = (
    "add_noise",
    "simulate_captures",
    "import_frames",
    "import_sidd",
    "noise_flow",
    "evaluate",
    "export",
    "calibrate",
    "finetune_camera",
    "law_model",
    "compare",
)
# Of the column of commands.
WIDTH = 32


def scripts() -> dict[str, str]:
    """The scripts by the name of their command."""
    names = {path.stem for path in pathlib.Path(__file__).parent.glob("[a-z]*.py")}
    return {_command.command_name(name): name for name in (*FIRST, *sorted(names - set(FIRST)))}


def overview() -> str:
    """What there is, a line each."""
    lines = ["noiseflow COMMAND --FLAG=VALUE ..", ""]
    for command, script in scripts().items():
        source = pathlib.Path(__file__).with_name(f"{script}.py").read_text(encoding="utf-8")
        meaning = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
        indent = f"  {command:<{WIDTH - 2}}"
        lines += textwrap.wrap(meaning, 100, initial_indent=indent, subsequent_indent=" " * WIDTH)
    return "\n".join([*lines, "", "noiseflow COMMAND --help shows what a command takes."])


def main() -> None:
    """Runs the command that the arguments name."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        print(overview())
        return
    if name == "--version":
        print(__version__)
        return
    commands = scripts()
    command = name.replace("_", "-")
    if command not in commands:
        near = difflib.get_close_matches(command, commands, n=1)
        sys.exit(
            f"noiseflow: expected a command, received {name!r}; "
            + (f"is it {near[0]}?" if near else "--help lists them.")
        )
    _command.program = f"noiseflow {command}"
    sys.argv = [_command.program, *arguments]
    runpy.run_module(f"{__package__}.{commands[command]}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
