"""Exports a trained model as a SavedModel.

python -m train.export --model_dir=D --output_dir=saved_models/NAME
"""

from __future__ import annotations

from absl import flags

import tfp_noiseflow as nf

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "What train.noise_flow wrote, or phones.", required=True)
flags.DEFINE_string("output_dir", None, "The served model's folder, of versions.", required=True)
flags.DEFINE_bool(
    "valid_output",
    False,
    "Wrong rows give valid = false instead of failing their batch.",
)
flags.DEFINE_string("baseline", None, "A model of baselines.json instead: recalibrated_nlf.")
flags.DEFINE_integer(
    "channels",
    None,
    "Of the images, for models that take any number. Default: the directory's model's, or 4.",
    lower_bound=1,
)
_inputs.are_model_dirs("model_dir")


def chosen_model() -> nf.NoiseModel:
    """The model of the directory, or one of its baselines."""
    from tfp_noiseflow.models import load_baselines

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
    from tfp_noiseflow.models.model_directory import read_config

    config = read_config(FLAGS.model_dir)
    path = nf.export_saved_model(
        chosen_model(),
        FLAGS.output_dir,
        # A baseline takes any number, but was fitted on images of the directory's model.
        channels=FLAGS.channels or config.get("channels"),
        training_data=config.get("training_data"),
        has_valid_output=FLAGS.valid_output,
    )
    _command.wrote(path)


if __name__ == "__main__":
    _command.run(main)
