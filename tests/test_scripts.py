"""A child of the server of scripts is what a process of its own is."""

import signal
import time

import pytest

from tests.scripts import ROOT, run, run_process, run_python

CODE = """
import os, sys, threading
print(os.getcwd(), sys.argv, os.environ.get("TF_CPP_MIN_LOG_LEVEL"), sys.stdin.read() == "")
print("late", file=sys.stderr)
threading.Timer(0.1, lambda: print("after the last line")).start()
"""


def test_a_child_has_arguments_folder_and_outputs_of_its_own():
    done, alone = (run_python("-c", CODE, "a", "--b=1", in_child=kind) for kind in (True, False))
    assert done.returncode == alone.returncode == 0
    assert f"{ROOT} ['-c', 'a', '--b=1'] None True\nafter the last line\n" == done.stdout
    assert (done.stdout, done.stderr) == (alone.stdout, alone.stderr)


def test_a_child_ends_with_its_own_status_and_the_next_one_runs():
    for code, status, error in (
        ("import sys; sys.exit(7)", 7, ""),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
        ("import sys; sys.exit('wrong')", 1, "wrong\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import atexit, os; atexit.register(os._exit, 5)", 5, ""),
        ("pass", 0, ""),
    ):
        done = run_python("-c", code)
        assert done.returncode == status, code
        assert done.stderr.endswith(error)


def test_a_child_is_killed_with_all_that_it_started(tmp_path):
    code = f"""
import multiprocessing, pathlib, time
def tick(name):
    while True:
        pathlib.Path({str(tmp_path)!r}, name).touch()
        time.sleep(0.01)
multiprocessing.get_context("fork").Process(target=tick, args=("inner",)).start()
tick("outer")
"""
    done = run_python("-c", code, kill_after=0.5)
    assert done.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {"inner", "outer"}
    for path in tmp_path.iterdir():
        path.unlink()
    time.sleep(0.1)
    assert not list(tmp_path.iterdir())
    assert run_python("-c", "pass", kill_after=60.0).returncode == 0


def test_children_run_tensorflow_and_have_the_scripts_settings_and_flags_of_their_own():
    code = """
import os, sys, tensorflow as tf
from absl import flags
flags.DEFINE_string("epochs", None, "In no other child.")
print("train" in sys.modules, "tfp_noiseflow" in sys.modules)
import train
print(all(name in os.environ for name in train.SETTINGS))
print(float(tf.reduce_sum(tf.data.Dataset.range(10).batch(10).map(tf.square).get_single_element())))
"""
    for _ in range(2):
        done = run_python("-c", code)
        assert done.stdout == "False True\nTrue\n285.0\n", done.stderr


SCRIPTS = sorted(path.stem for path in (ROOT / "train").glob("[a-z]*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_on_one_screen_with_an_example(script):
    done = run_process(script, help="true")
    assert done.returncode == 0 and not done.stderr
    lines = done.stdout.splitlines()
    assert f"python -m train.{script} --" in done.stdout and "Needed:" in lines
    # A window of 100 columns and 40 lines.
    assert len(lines) <= 40 and max(map(len, lines)) <= 100


def test_flags_are_defined_without_tensorflow():
    code = """
import importlib, sys
from absl import flags
for script in {scripts}:
    importlib.import_module(f"train.{script}")
    assert "tensorflow" not in sys.modules, script
    for name in [*flags.FLAGS]:
        delattr(flags.FLAGS, name)
    for name in [name for name in sys.modules if name.startswith("train.")]:
        del sys.modules[name]
"""
    done = run_python("-c", code.replace("{scripts}", str(SCRIPTS)), in_child=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("script", "flags", "told"),
    [
        ("evaluate", {}, "expected --model_dir, --captures, --output_dir"),
        ("evaluate", {"modeldir": "m"}, "'modeldir'. Did you mean: model_dir"),
        ("evaluate", {"model_dir": "m"}, "expected a model directory"),
        ("export", {"model_dir": "phones", "channels": "none"}, "--channels=none"),
        ("noise_flow", {"cache": "disk"}, "none|memory|device|auto"),
        ("noise_flow", {"train_captures": "README.md"}, "expected a capture file (HDF5)"),
        ("calibrate", {"input_dir": "none"}, "expected a file or a folder, found none"),
        ("compare", {"compare": "phones"}, "expected NAME=MODEL_DIR"),
        ("simulate_raw_folder", {"phone": "Nokia"}, "value should be one of"),
    ],
)
def test_mistakes_are_told_in_one_line_before_tensorflow_starts(script, flags, told):
    # As `python -m train.SCRIPT` runs it, but for the end, where the modules are looked at.
    code = f"""
import atexit, runpy, sys
atexit.register(lambda: print("tensorflow" in sys.modules))
sys.argv = ["train.{script}"] + {[f"--{name}={value}" for name, value in flags.items()]}
runpy.run_module("train.{script}", run_name="__main__", alter_sys=True)
"""
    done = run_python("-c", code, in_child=False)
    assert (done.returncode, done.stdout) == (1, "False\n")
    assert done.stderr.startswith(f"python -m train.{script}: ") and told in done.stderr
    assert done.stderr.count("\n") == 1


def test_wrong_input_that_the_library_finds_is_told_in_one_line():
    flags = {"model_dir": "phones", "output_dir": "unused", "baseline": "none"}
    done = run("export", **flags)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "expected a baseline among ['gaussian', 'recalibrated_nlf']" in done.stderr
    assert "Traceback" in run("export", **flags, traceback="true").stderr


def test_one_command_starts_all_scripts():
    done = run_python("-m", "train", in_child=False)
    for script in SCRIPTS:
        assert ("train" if script == "noise_flow" else script.replace("_", "-")) in done.stdout
    done = run_python("-m", "train", "train", "--help", in_child=False)
    assert "noiseflow train --train_captures=F.h5" in done.stdout
    done = run_python("-m", "train", "exprt", in_child=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "noiseflow: expected a command, received 'exprt'; is it export?\n"


def test_tensorflows_remarks_stay_off_the_screen(tmp_path):
    done = run_process("export", model_dir="phones", output_dir=tmp_path / "served")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"Wrote {tmp_path / 'served' / '1'}.\n")
