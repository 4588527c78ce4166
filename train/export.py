"""Exports a trained model as a SavedModel.

python -m train.export --model_dir=D --output_dir=saved_models/NAME
"""

from __future__ import annotations

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.models.model_directory import read_config

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "What train.noise_flow wrote.", required=True)
flags.DEFINE_string(
    "output_dir", None, "The served model's folder; a version goes under it.", required=True
)
flags.DEFINE_bool(
    "valid_output",
    False,
    "Whether wrong rows give valid = false instead of failing the batch that they are in.",
)


def main(argv: list[str]) -> None:
    del argv
    path = nf.export_saved_model(
        nf.load_model(FLAGS.model_dir),
        FLAGS.output_dir,
        training_data=read_config(FLAGS.model_dir).get("training_data"),
        has_valid_output=FLAGS.valid_output,
    )
    print(f"Wrote {path}.")


if __name__ == "__main__":
    app.run(main)
