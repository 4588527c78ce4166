"""Exports a trained model as a SavedModel.

python -m train.export --model_dir=D --output_dir=saved_models/NAME [--baseline=recalibrated_nlf]
"""

from __future__ import annotations

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.models.model_directory import load_baselines, read_config
from tfp_noiseflow.models.noise_model import NoiseModel

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


flags.DEFINE_string(
    "baseline", None, "A model of the directory's baselines.json instead: gaussian, ..."
)
flags.DEFINE_integer(
    "channels",
    None,
    "Of the images, for models that take any number. Default: those of the directory's model, or "
    "4.",
    lower_bound=1,
)


def chosen_model() -> NoiseModel:
    """The model of the directory, or one of its baselines."""
    if FLAGS.baseline is None:
        return nf.load_model(FLAGS.model_dir)
    baselines = load_baselines(FLAGS.model_dir)
    if FLAGS.baseline not in baselines:
        raise ValueError(
            f"{FLAGS.model_dir}: expected a baseline among {list(baselines)}, received "
            f"{FLAGS.baseline!r}."
        )
    return baselines[FLAGS.baseline]


def main(argv: list[str]) -> None:
    del argv
    config = read_config(FLAGS.model_dir)
    path = nf.export_saved_model(
        chosen_model(),
        FLAGS.output_dir,
        # A baseline takes any number, but was fitted on images of the directory's model.
        channels=FLAGS.channels or config.get("channels"),
        training_data=config.get("training_data"),
        has_valid_output=FLAGS.valid_output,
    )
    print(f"Wrote {path}.")


if __name__ == "__main__":
    app.run(main)
