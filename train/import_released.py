"""Imports the checkpoint that the authors of Noise Flow released into a model directory.

python -m train.import_released --checkpoint=FOLDER --model_dir=D
"""

from __future__ import annotations

from absl import app, flags

import tfp_noiseflow as nf

FLAGS = flags.FLAGS

flags.DEFINE_string("checkpoint", None, "The folder of model.ckpt.best.*.", required=True)
flags.DEFINE_string("model_dir", None, "Where the model goes.", required=True)
flags.DEFINE_enum(
    "cfa",
    None,
    ["RGGB", "GRBG", "GBRG", "BGGR"],
    "Of the sensor whose packed images the model is for. Default: the released loader's order.",
)


def main(argv: list[str]) -> None:
    del argv
    model = nf.load_released_checkpoint(FLAGS.checkpoint, cfa=FLAGS.cfa)
    training_data = {
        "description": "SIDD raw, as the released code of Noise Flow loads it",
        "origin": "Abdelhamed, Brubaker, Brown: Noise Flow, ICCV 2019, the released checkpoint",
        "licence": "CC BY-NC-SA 4.0",
    }
    nf.save_model(model, FLAGS.model_dir, training_data)
    print(f"{model}\nWrote {FLAGS.model_dir}.")


if __name__ == "__main__":
    app.run(main)
