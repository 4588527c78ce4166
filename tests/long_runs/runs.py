"""What is repeated: steps of a training, exports and loads, with all that goes with them."""

from __future__ import annotations

import pathlib
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable

import numpy as np
import tensorflow as tf

import tfp_noiseflow as nf
from tests.long_runs.usage import Usage, repeat
from tfp_noiseflow.models.model_directory import checkpoint_folder, latest_checkpoint
from tfp_noiseflow.training.execution import Execution

PATCH = (8, 8, 4)
CAMERAS, ISOS = ("A", "B"), (100.0, 800.0)


def write_captures(path: pathlib.Path, count: int, seed: int) -> None:
    """Captures of a constant noise."""
    generator = np.random.default_rng(seed)
    clean = generator.uniform(0.1, 0.9, (count, *PATCH)).astype(np.float32)
    noisy = clean + 0.02 * generator.standard_normal(clean.shape).astype(np.float32)
    nf.write_captures(path, noisy, clean, np.resize(ISOS, count), list(np.resize(CAMERAS, count)))


def train(
    folder: pathlib.Path,
    steps: int,
    *,
    steps_per_epoch: int = 5000,
    seconds: float = 5.0,
    on_sample: Callable[[Usage], None] | None = None,
) -> Usage:
    """A training of so many steps of one capture, with a checkpoint and a validation an epoch.

    Args:
      folder: where captures and the model go.
      steps: in all. steps_per_epoch: of each.
      seconds: between two samples.
      on_sample: called after each.
    """
    for name, count in (("train", steps_per_epoch), ("validation", 64)):
        write_captures(folder / f"{name}.h5", count, len(name))
    usage, is_done = Usage(), threading.Event()

    def watch():
        # From the second epoch on nothing is traced.
        epochs = 1
        while not is_done.wait(seconds):
            if (done := _epochs_done(folder / "model")) > epochs:
                epochs = done
                usage.sample(epochs * steps_per_epoch)
                if on_sample is not None:
                    on_sample(usage)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with (
            nf.read_captures(folder / "train.h5") as captures,
            nf.read_captures(folder / "validation.h5") as validation,
        ):
            nf.train_noise_model(
                nf.NoiseFlow("S-G-CAM", cameras=CAMERAS, iso_levels=ISOS, seed=0),
                captures,
                validation,
                folder / "model",
                nf.Schedule(epochs=steps // steps_per_epoch, batch_size=1),
                execution=Execution(cache="memory", steps_per_execution=min(1000, steps_per_epoch)),
                verbose=0,
            )
    finally:
        is_done.set()
        watcher.join()
    usage.sample(steps // steps_per_epoch * steps_per_epoch)
    return usage


def export_and_load(folder: pathlib.Path, count: int, **options) -> Usage:
    """Exports of a model, each loaded and called.

    Args:
      folder: of the exports, of which each is removed.
      count: how many. **options: of `repeat`.
    """
    model = _model()
    given = {
        "clean": tf.fill([1, *PATCH], 0.2),
        "iso": tf.constant([100.0]),
        "camera": tf.constant(["A"]),
        "seed": tf.constant([[0, 1]]),
        "temperature": tf.ones([1]),
    }

    def action(number):
        path = nf.export_saved_model(model, folder)
        tf.saved_model.load(path).signatures["sample_noise"](**given)
        shutil.rmtree(path)

    return repeat(action, count, **options)


def load_models(folder: pathlib.Path, count: int, **options) -> Usage:
    """Loads of a model directory, each sampled once.

    Args:
      folder: where the model goes. count: how many. **options: of `repeat`.
    """
    nf.save_model(_model(), folder, {})
    clean = np.full([1, *PATCH], 0.2, np.float32)

    def action(number):
        nf.load_model(folder)(clean, iso=100.0, camera="A").sample(seed=(0, number))

    return repeat(action, count, **options)


def run_alone(name: str, count: int, longest: float, answer) -> None:
    """Does one of the three, in a process of its own, and tells how it goes.

    Args:
      name: "training step", "export and load" or "load_model".
      count: how many. longest: seconds; a training takes as long as it takes.
      answer: a connection that the usage is sent to.
    """

    def show(usage):
        print(
            f"{name} {usage.done[-1]}: {usage.memory[-1] / 1e6:.1f} MB, {usage.handles[-1]} files, "
            f"{usage.seconds[-1]:.0f} s",
            file=sys.stderr,
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        if name == "training step":
            usage = train(path, count, on_sample=show)
        else:
            repeated = {"export and load": export_and_load, "load_model": load_models}[name]
            usage = repeated(path, count, longest=longest, on_sample=show)
    answer.send(usage)


def _model() -> nf.NoiseFlow:
    return nf.NoiseFlow("S-G-CAM", cameras=CAMERAS, iso_levels=ISOS, seed=0)


def _epochs_done(model_dir: pathlib.Path) -> int:
    """By the last checkpoint's name: what reading history.csv takes grows with the epochs."""
    path = latest_checkpoint(str(model_dir / checkpoint_folder(model_dir) / "last"))
    # None too where it is replaced between the look at its name and at its files.
    return 0 if path is None else int(path.rpartition("-")[2])
