"""A child of the server of scripts is what a process of its own is."""

import signal

from tests.scripts import ROOT, run, run_python

CODE = """
import os, sys, threading
print(os.getcwd(), sys.argv, os.environ["TF_CPP_MIN_LOG_LEVEL"], sys.stdin.read() == "")
print("late", file=sys.stderr)
threading.Timer(0.1, lambda: print("after the last line")).start()
"""


def test_a_child_has_arguments_folder_and_outputs_of_its_own():
    done, alone = (run_python("-c", CODE, "a", "--b=1", in_child=kind) for kind in (True, False))
    assert done.returncode == alone.returncode == 0
    assert f"{ROOT} ['-c', 'a', '--b=1'] 2 True\nafter the last line\n" == done.stdout
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


def test_wrong_flags_are_told_as_a_process_tells_them():
    done = run("evaluate", model_dir="m")
    assert done.returncode == 1
    assert "flag --captures=None: Flag --captures must have a value other than None" in done.stderr
