"""Trains denoisers on different noise and tests them on captures: the paper's table 3.

    python -m train.denoiser --model_dir=D --train_captures=F.h5 --test_captures=G.h5
      --output_dir=O

Goes on where it was stopped: denoisers are kept in O/<source>-<seed>.
"""

from __future__ import annotations

import os

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.choices import DENOISER_LOSSES, DENOISER_SOURCES

from . import _command, _execution_flags, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "A trained Noise Flow and its baselines.", required=True)
flags.DEFINE_string("train_captures", None, "Those of the Noise Flow.", required=True)
flags.DEFINE_string("test_captures", None, "Captures of other scenes.", required=True)
flags.DEFINE_string("output_dir", None, "Denoisers, table.md, figure.png.", required=True)
flags.DEFINE_list("sources", list(DENOISER_SOURCES), "What denoisers are trained on.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "Of weights, order and noise.")
flags.DEFINE_integer("depth", 9, "Convolutions of the DnCNN; its own paper has 17.", lower_bound=2)
flags.DEFINE_integer("filters", 32, "Of each convolution; its own paper has 64.", lower_bound=1)
flags.DEFINE_bool("batch_normalization", False, "As in DnCNN's paper; for larger batches.")
flags.DEFINE_integer("epochs", 1, "Passes over the training captures.", lower_bound=1)
flags.DEFINE_integer("batch_size", 4, "Patches a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-3, "Adam's, at its highest; half a cosine down to 0.")
flags.DEFINE_enum(
    "loss",
    "squared_error",
    list(DENOISER_LOSSES),
    "The paper's, or of the PSNR, in which low ISOs count as much.",
)
flags.DEFINE_bool(
    "as_codes",
    False,
    "Round generated images to the captures' codes and clip them; not as in the paper.",
)
flags.DEFINE_string("figure_captures", None, "Captures of figure.png. Default: those of the test.")
flags.DEFINE_integer("verbose", 1, "0: silent, 1: progress bar, 2: a line an epoch.")
flags.adopt_module_key_flags(_execution_flags)
_inputs.are_capture_files("train_captures", "test_captures", "figure_captures")
_inputs.are_model_dirs("model_dir")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.denoising import experiment
    from tfp_noiseflow.denoising.export import export_once
    from tfp_noiseflow.denoising.figure import plot_denoised
    from tfp_noiseflow.models import load_baselines
    from tfp_noiseflow.models.model_directory import read_config
    from tfp_noiseflow.training.replicas import is_chief

    # First: workers that share a training are found before TensorFlow does anything else.
    execution = _execution_flags.execution()
    train_captures = nf.read_captures(FLAGS.train_captures, dequantises=False)
    test_captures = nf.read_captures(FLAGS.test_captures, dequantises=False)
    scenes, unnamed = experiment.generator_scenes(read_config(FLAGS.model_dir)["training_data"])
    for what in unnamed:
        print(f"{FLAGS.model_dir} does not name the scenes it was {what}: not checked.")
    seeds = [int(seed) for seed in FLAGS.seeds]
    trials = experiment.Experiment(
        nf.load_model(FLAGS.model_dir),
        load_baselines(FLAGS.model_dir).get("recalibrated_nlf"),
        train_captures,
        test_captures,
        FLAGS.output_dir,
        nf.Schedule(
            epochs=FLAGS.epochs, batch_size=FLAGS.batch_size, learning_rate=FLAGS.learning_rate
        ),
        network={
            "depth": FLAGS.depth,
            "filters": FLAGS.filters,
            "has_batch_normalization": FLAGS.batch_normalization,
        },
        loss=FLAGS.loss,
        quantization_step=experiment.code_step(train_captures) if FLAGS.as_codes else 0.0,
        clips=FLAGS.as_codes,
        generator_scenes=scenes,
        execution=execution,
    )
    trials.check_sources(FLAGS.sources)
    figure_captures = test_captures
    if FLAGS.figure_captures:
        figure_captures = nf.read_captures(FLAGS.figure_captures, dequantises=False)
        experiment.check_scenes(train_captures, figure_captures, scenes)
    noisy = experiment.measure_denoiser(None, test_captures)
    results: dict[str, list[dict]] = {source: [] for source in FLAGS.sources}
    for seed in seeds:
        for source in FLAGS.sources:
            print(f"{trials.folder(source, seed)}", flush=True)
            results[source].append(trials.result(source, seed, verbose=FLAGS.verbose))
            print(f"PSNR {results[source][-1]['psnr']:.2f} dB", flush=True)
    # All workers take part in what makes them.
    denoisers = {source: trials.denoiser(source, seeds[0], verbose=0) for source in FLAGS.sources}
    if not is_chief(execution.strategy):
        return
    text = f"{experiment.table(noisy, results)}\n{experiment.iso_table(noisy, results)}"
    write_text(os.path.join(FLAGS.output_dir, "table.md"), text)
    write_json(os.path.join(FLAGS.output_dir, "table.json"), {"noisy": noisy, **results})
    folder = os.path.join(FLAGS.output_dir, "saved_models")
    for source, denoiser in denoisers.items():
        export_once(denoiser, folder, source, seeds[0])
    print(text)
    _command.wrote(f"table.md, table.json and saved_models in {FLAGS.output_dir}")
    # The figure last: nothing that took hours shall be lost where it cannot be drawn.
    if figure_captures.image_shape[-1] == 4:
        plot_denoised(denoisers, figure_captures, os.path.join(FLAGS.output_dir, "figure.png"))
        _command.wrote(f"figure.png in {FLAGS.output_dir}")
    else:
        print(f"No figure: {figure_captures.path} does not hold packed captures.")


if __name__ == "__main__":
    _command.run(main)
