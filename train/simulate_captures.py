"""Writes simulated captures: train.h5, validation.h5 and test.h5.

python -m train.simulate_captures --output_dir=C --process=sensor
"""

from __future__ import annotations

import os

import numpy as np
from absl import flags

from tfp_noiseflow.captures.capture_file import read_captures
from tfp_noiseflow.choices import PROCESSES
from tfp_noiseflow.progress import Progress

from . import _command, _inputs

FLAGS = flags.FLAGS
flags.DEFINE_string("output_dir", None, "Where the three files go.", required=True)
flags.DEFINE_enum("process", "sensor", list(PROCESSES), "Where the noise comes from.")
flags.DEFINE_string("model_dir", None, "Noise of this trained model in place of a process.")
flags.DEFINE_list(
    "iso_levels",
    None,
    "ISOs. Default: a model's levels; 100, 400, 800, 1600, 3200 of a process.",
)
flags.DEFINE_integer("patches_per_combination", 480, "Training patches per camera and ISO.")
flags.DEFINE_integer("validation_patches_per_combination", 40, "The same for validation.")
flags.DEFINE_integer("test_patches_per_combination", 80, "The same for test.")
flags.DEFINE_integer("patch_size", 32, "Side of a patch, in packed pixels.")
flags.DEFINE_integer("seed", 0, "The same seed writes the same data.")
_inputs.are_model_dirs("model_dir")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.simulation.model_process import ModelProcess
    from tfp_noiseflow.simulation.photographs import SPLITS
    from tfp_noiseflow.simulation.simulate_captures import Process, make_process, simulate_captures

    numbers = {
        "train": FLAGS.patches_per_combination,
        "validation": FLAGS.validation_patches_per_combination,
        "test": FLAGS.test_patches_per_combination,
    }
    isos = [float(iso) for iso in FLAGS.iso_levels] if FLAGS.iso_levels else None
    process: Process
    if FLAGS.model_dir:
        process = ModelProcess.load(FLAGS.model_dir, isos)
    else:
        process = make_process(FLAGS.process, FLAGS.seed, isos)
    for split in SPLITS:
        path = os.path.join(FLAGS.output_dir, f"{split}.h5")
        with Progress("patches", split) as progress:
            simulate_captures(
                path,
                process=process,
                split=split,
                patches_per_combination=numbers[split],
                patch_size=FLAGS.patch_size,
                seed=FLAGS.seed,
                repeat=split != "train",
                on_progress=progress,
            )
        with read_captures(path) as captures:
            sums = [(b.clean.sum(), np.square(b.clean).sum()) for b in captures.blocks()]
            values = len(captures) * np.prod(captures.image_shape)
            mean, mean_square = np.array(sums, np.float64).sum(axis=0) / values
            print(
                f"{path}: {captures}, {os.path.getsize(path) / 1e6:.0f} MB, clean mean "
                f"{mean:.4f}, standard deviation {np.sqrt(mean_square - mean**2):.4f}"
            )
    paths = {
        f"{split}_captures": os.path.join(FLAGS.output_dir, f"{split}.h5")
        for split in ("train", "validation")
    }
    _command.advise("noise_flow", **paths, model_dir="MODEL")


if __name__ == "__main__":
    _command.run(main)
