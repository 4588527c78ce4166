"""Trains a noise model on capture files; goes on where it was stopped.

python -m train.noise_flow --train_captures=F.h5 --validation_captures=G.h5 --model_dir=D --stored
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.choices import RECOMMENDED_ARCHITECTURE

from . import _command, _execution_flags, _inputs, _schedule_flags, _stored_flags

FLAGS = flags.FLAGS

flags.DEFINE_string("train_captures", None, "Capture file to train on.", required=True)
flags.DEFINE_string("validation_captures", None, "Picks the best checkpoint.", required=True)
flags.DEFINE_string("model_dir", None, "Where the model goes; resumed if there.", required=True)
flags.DEFINE_string(
    "architecture",
    RECOMMENDED_ARCHITECTURE,
    "Layers (the paper's: S-Ax4-G-Ax4-CAM), or a model directory to train anew.",
)
flags.DEFINE_list("cameras", None, "Camera names. Default: the captures'.")
flags.DEFINE_list("iso_levels", None, "ISOs. Default: the captures'.")
flags.DEFINE_string("start_from", None, "Model directory whose layers of the same name it has.")
flags.DEFINE_multi_string(
    "option", [], "NAME=VALUE of nf.NoiseFlow, the value as JSON: hidden_channels=8."
)
flags.DEFINE_integer("seed", 0, "Of the initial weights, the order and the dequantisation.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")
for _module in (_schedule_flags, _stored_flags, _execution_flags):
    flags.adopt_module_key_flags(_module)
_inputs.are_capture_files("train_captures", "validation_captures")
_inputs.are_model_dirs("start_from")


def parsed_options(texts: Sequence[str]) -> dict[str, object]:
    """Options given as NAME=VALUE, values as JSON; ValueError for others."""
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            if not equals or name in options:
                raise ValueError
            options[name] = json.loads(value)
        except ValueError as error:
            raise ValueError(
                f"expected --option=NAME=VALUE, each name once, the value as JSON, received {text}."
            ) from error
    return options


_inputs.pass_check("option", lambda text: parsed_options([text]))


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.captures.cached_captures import chosen_cache
    from tfp_noiseflow.models import model_of_captures
    from tfp_noiseflow.models.model_directory import read_config
    from tfp_noiseflow.training.checkpoints import is_begun
    from tfp_noiseflow.training.pixelwise_start import start_at_pixelwise_fit

    execution = _execution_flags.execution()
    train_captures = nf.read_captures(FLAGS.train_captures)
    validation_captures = nf.read_captures(FLAGS.validation_captures)

    def new_model() -> nf.NoiseModel:
        return model_of_captures(
            FLAGS.architecture,
            train_captures,
            cameras=FLAGS.cameras,
            iso_levels=FLAGS.iso_levels,
            clips=_stored_flags.clips(),
            seed=FLAGS.seed,
            **parsed_options(FLAGS.option),
        )

    model = new_model()
    started_from = None
    if FLAGS.start_from:
        started_from = read_config(FLAGS.start_from)["training_data"]
        start = nf.load_model(FLAGS.start_from)
        taken = model.unstored.start_layers_from(start.unstored)
        print(f"Layers of {FLAGS.start_from}: {', '.join(taken)}")
    elif not is_begun(FLAGS.model_dir):
        # Else what was trained would take its place.
        estimates = start_at_pixelwise_fit(
            model, train_captures, seed=FLAGS.seed, verbose=FLAGS.verbose
        )
        for estimate in estimates.values():
            print(f"Starts at the law of {estimate}")
    if execution.strategy.num_replicas_in_sync > 1:
        # Where it starts was found on one device.
        started = model
        with execution.strategy.scope():
            model = new_model()
        for variable, value in zip(model.variables, started.variables, strict=True):
            variable.assign(value)
    print(model)
    cache, reason = chosen_cache(execution.cache, train_captures, validation_captures)
    print(reason)
    nf.train_noise_model(
        model,
        train_captures,
        validation_captures,
        FLAGS.model_dir,
        _schedule_flags.schedule(seed=FLAGS.seed),
        started_from=started_from,
        execution=replace(execution, cache=cache),
        verbose=FLAGS.verbose,
    )
    _command.wrote(f"{os.path.join(FLAGS.model_dir, '')}: the best and last checkpoints, logs")
    _command.advise("evaluate", model_dir=FLAGS.model_dir, captures="TEST.h5", output_dir="REPORT")


if __name__ == "__main__":
    _command.run(main)
