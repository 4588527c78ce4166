"""Builds and runs served_model.cc on the C++ libraries of the installed TensorFlow."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import numpy as np
import tensorflow as tf

SOURCE = pathlib.Path(__file__).with_name("served_model.cc")
REQUEST_FOLDERS = "{number:05d}-{signature}"


def compiler() -> str | None:
    """The C++ compiler, None where there is none."""
    return shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")


def build(folder: str | os.PathLike, source: pathlib.Path = SOURCE) -> pathlib.Path:
    """Compiles the program into a folder.

    Raises:
      AssertionError: it does not compile; the text is the compiler's.
    """
    program = pathlib.Path(folder) / "served_model"
    libraries = tf.sysconfig.get_lib()
    # TensorFlow's library is of 1 GB: this linker takes 2 seconds for it, the usual one 12.
    quick_linker = ["-fuse-ld=gold"] if shutil.which("ld.gold") else []
    command = [
        compiler(),
        str(source),
        *tf.sysconfig.get_compile_flags(),
        "-O1",
        "-w",
        *quick_linker,
        f"-L{libraries}",
        f"-Wl,-rpath,{libraries}",
        # Without it nothing registers a session factory.
        "-Wl,--no-as-needed",
        "-l:libtensorflow_cc.so.2",
        "-l:libtensorflow_framework.so.2",
        "-o",
        str(program),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stderr}"
    return program


def run(program: pathlib.Path, *arguments) -> str:
    """Runs it, and returns what it printed."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stderr}"
    return done.stdout


def answers(program: pathlib.Path, export: str, requests, folder: pathlib.Path) -> list:
    """What the program answers to requests.

    Args:
      program: what `build` made.
      export: a version's folder.
      requests: (signature, input name -> array) each.
      folder: to write requests and answers in.

    Returns:
      For each request output name -> array, or the text of its error: its code and message.
    """
    folders = []
    for number, (signature, inputs) in enumerate(requests):
        folders.append(folder / REQUEST_FOLDERS.format(number=number, signature=signature))
        write_request(folders[-1], inputs)
    run(program, export, "run", folder)
    return [answer(of_request) for of_request in folders]


def write_request(folder: pathlib.Path, inputs: dict) -> None:
    """Writes the inputs of a request (input name -> array) as the program reads them."""
    folder.mkdir(parents=True)
    for name, value in inputs.items():
        proto = tf.make_tensor_proto(value)
        (folder / f"{name}.input").write_bytes(proto.SerializeToString())


def answer(folder: pathlib.Path) -> dict[str, np.ndarray] | str:
    """What the program answered to a request: see `answers`."""
    error = folder / "error"
    if error.exists():
        return error.read_text(errors="replace")
    outputs = {}
    for path in folder.glob("*.output"):
        proto = tf.make_tensor_proto(0)
        proto.ParseFromString(path.read_bytes())
        outputs[path.stem] = tf.make_ndarray(proto)
    return outputs
