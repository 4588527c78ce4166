"""Writes saved_models/: a trained model as this repository ships it.

python -m train.ship_model --model_dir=demo/model --report_dir=demo/report --output_dir=saved_models
  --licence=Apache-2.0
"""

from __future__ import annotations

from absl import flags

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "What train.noise_flow wrote.", required=True)
flags.DEFINE_string("report_dir", None, "What train.evaluate wrote of it.", required=True)
flags.DEFINE_string("output_dir", None, "The folder of shipped models.", required=True)
flags.DEFINE_string("name", "noise_flow", "Of the model.")
flags.DEFINE_string("licence", None, "Of the model itself. Default: the card says not stated.")
flags.DEFINE_string("made_by", None, "For the card: how to make the model again.")
_inputs.are_model_dirs("model_dir")
_inputs.exist("report_dir")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.serving.shipping import ship_model

    paths = ship_model(
        FLAGS.model_dir,
        FLAGS.report_dir,
        FLAGS.output_dir,
        name=FLAGS.name,
        licence=FLAGS.licence,
        made_by=FLAGS.made_by,
    )
    _command.wrote(", ".join(paths))


if __name__ == "__main__":
    _command.run(main)
