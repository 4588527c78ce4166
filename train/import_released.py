"""Imports the checkpoint that the authors of Noise Flow released into a model directory.

python -m train.import_released --checkpoint=FOLDER --model_dir=D
"""

from __future__ import annotations

import os

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_text

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("checkpoint", None, "The folder of model.ckpt.best.*.", required=True)
flags.DEFINE_string("model_dir", None, "Where the model goes.", required=True)
flags.DEFINE_enum(
    "cfa",
    None,
    ["RGGB", "GRBG", "GBRG", "BGGR"],
    "Of the packed images that it is for. Default: the released loader's order.",
)
flags.DEFINE_string(
    "noise_parameters",
    None,
    "CSV of the cameras' NLFs (cam_iso, beta1, beta2), for noise_strength.md.",
)
_inputs.exist("checkpoint", "noise_parameters")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.interop.noise_strength import (
        noise_strength,
        noise_strength_markdown,
        read_noise_parameters,
    )
    from tfp_noiseflow.interop.released_checkpoint import TRAINING_DATA
    from tfp_noiseflow.simulation.photographs import clean_patches

    model = nf.load_released_checkpoint(FLAGS.checkpoint, cfa=FLAGS.cfa)
    nf.save_model(model, FLAGS.model_dir, TRAINING_DATA)
    if FLAGS.noise_parameters:
        nlf = read_noise_parameters(FLAGS.noise_parameters)
        clean, _ = clean_patches("test", 64)
        report = noise_strength_markdown(noise_strength(model, nlf, clean))
        write_text(os.path.join(FLAGS.model_dir, "noise_strength.md"), report)
        print(report)
    print(model)
    _command.wrote(FLAGS.model_dir)
    _command.advise("evaluate", model_dir=FLAGS.model_dir, captures="TEST.h5", output_dir="REPORT")


if __name__ == "__main__":
    _command.run(main)
