"""Imports the checkpoint that the authors of Noise Flow released into a model directory.

python -m train.import_released --checkpoint=FOLDER --model_dir=D
"""

from __future__ import annotations

import os

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_text
from tfp_noiseflow.interop.noise_strength import (
    noise_strength,
    noise_strength_markdown,
    read_noise_parameters,
)
from tfp_noiseflow.interop.released_checkpoint import TRAINING_DATA
from tfp_noiseflow.simulation.photographs import clean_patches

FLAGS = flags.FLAGS

flags.DEFINE_string("checkpoint", None, "The folder of model.ckpt.best.*.", required=True)
flags.DEFINE_string("model_dir", None, "Where the model goes.", required=True)
flags.DEFINE_enum(
    "cfa",
    None,
    ["RGGB", "GRBG", "GBRG", "BGGR"],
    "Of the sensor whose packed images the model is for. Default: the released loader's order.",
)
flags.DEFINE_string(
    "noise_parameters",
    None,
    "CSV file of the cameras' NLFs (cam_iso, beta1, beta2). With it, noise_strength.md in the "
    "model directory compares the model's noise with them.",
)


def main(argv: list[str]) -> None:
    del argv
    model = nf.load_released_checkpoint(FLAGS.checkpoint, cfa=FLAGS.cfa)
    nf.save_model(model, FLAGS.model_dir, TRAINING_DATA)
    if FLAGS.noise_parameters:
        nlf = read_noise_parameters(FLAGS.noise_parameters)
        clean, _ = clean_patches("test", 64)
        report = noise_strength_markdown(noise_strength(model, nlf, clean))
        write_text(os.path.join(FLAGS.model_dir, "noise_strength.md"), report)
        print(report)
    print(f"{model}\nWrote {FLAGS.model_dir}.")


if __name__ == "__main__":
    app.run(main)
