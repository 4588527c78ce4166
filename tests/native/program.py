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


def build(folder: str | os.PathLike) -> pathlib.Path:
    """Compiles the program into a folder.

    Raises:
      subprocess.CalledProcessError: it does not compile; the output says why.
    """
    program = pathlib.Path(folder) / "served_model"
    libraries = tf.sysconfig.get_lib()
    command = [
        compiler(),
        str(SOURCE),
        *tf.sysconfig.get_compile_flags(),
        "-O1",
        "-w",
        f"-L{libraries}",
        f"-Wl,-rpath,{libraries}",
        # Without it nothing registers a session factory.
        "-Wl,--no-as-needed",
        "-l:libtensorflow_cc.so.2",
        "-l:libtensorflow_framework.so.2",
        "-o",
        str(program),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
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
        folders[-1].mkdir(parents=True)
        for name, value in inputs.items():
            proto = tf.make_tensor_proto(value)
            (folders[-1] / f"{name}.input").write_bytes(proto.SerializeToString())
    run(program, export, "run", folder)
    return [_answer(of_request) for of_request in folders]


def _answer(folder: pathlib.Path) -> dict[str, np.ndarray] | str:
    error = folder / "error"
    if error.exists():
        return error.read_text(errors="replace")
    outputs = {}
    for path in folder.glob("*.output"):
        proto = tf.make_tensor_proto(0)
        proto.ParseFromString(path.read_bytes())
        outputs[path.stem] = tf.make_ndarray(proto)
    return outputs
