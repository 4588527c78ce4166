"""Trains denoisers on different noise and tests them on captures: the paper's table 3.

    python -m train.denoiser --model_dir=D --train_captures=F.h5 --test_captures=G.h5 \
        --output_dir=O

Goes on where it was stopped: denoisers are kept in O/<source>-<seed>.
"""

from __future__ import annotations

import os

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.denoising import experiment
from tfp_noiseflow.denoising.export import export_once
from tfp_noiseflow.denoising.figure import plot_denoised
from tfp_noiseflow.denoising.train_denoiser import LOSSES
from tfp_noiseflow.models import load_baselines
from tfp_noiseflow.models.model_directory import read_config

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "A trained Noise Flow and its baselines.", required=True)
flags.DEFINE_string(
    "train_captures",
    None,
    "What the Noise Flow was trained on, or its clean images.",
    required=True,
)
flags.DEFINE_string("test_captures", None, "Captures of other scenes.", required=True)
flags.DEFINE_string("output_dir", None, "Denoisers, table.md, figure.png.", required=True)
flags.DEFINE_list("sources", list(experiment.SOURCES), "What denoisers are trained on.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "Of weights, order and noise.")
flags.DEFINE_integer("depth", 9, "Convolutions of the DnCNN; its own paper has 17.", lower_bound=2)
flags.DEFINE_integer("filters", 32, "Of each convolution; its own paper has 64.", lower_bound=1)
flags.DEFINE_bool(
    "batch_normalization", False, "As in DnCNN's own paper; needs larger batches than the default."
)
flags.DEFINE_integer("epochs", 1, "Passes over the training captures.", lower_bound=1)
flags.DEFINE_integer("batch_size", 4, "Patches a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-3, "Adam's, at its highest; half a cosine down to 0.")
flags.DEFINE_enum(
    "loss",
    "squared_error",
    list(LOSSES),
    "squared_error: DnCNN's own and the paper's. log_error: of the PSNR, in which low ISOs count "
    "as much as high ones.",
)
flags.DEFINE_bool(
    "as_codes",
    False,
    "Whether generated noisy images are rounded to the captures' codes and clipped to [0, 1]; the "
    "paper adds noise as it is.",
)
flags.DEFINE_string("figure_captures", None, "Captures of figure.png. Default: those of the test.")
flags.DEFINE_integer("verbose", 2, "0: silent, 1: progress bar, 2: a line an epoch.")


def main(argv: list[str]) -> None:
    del argv
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
    )
    trials.check_sources(FLAGS.sources)
    figure_captures = test_captures
    if FLAGS.figure_captures:
        figure_captures = nf.read_captures(FLAGS.figure_captures, dequantises=False)
        experiment.check_scenes(train_captures, figure_captures, scenes)
    noisy = experiment.measure_denoiser(None, test_captures)
    results = {source: [] for source in FLAGS.sources}
    for seed in seeds:
        for source in FLAGS.sources:
            print(f"{trials.folder(source, seed)}", flush=True)
            results[source].append(trials.result(source, seed, verbose=FLAGS.verbose))
            print(f"PSNR {results[source][-1]['psnr']:.2f} dB", flush=True)
    text = f"{experiment.table(noisy, results)}\n{experiment.iso_table(noisy, results)}"
    write_text(os.path.join(FLAGS.output_dir, "table.md"), text)
    write_json(os.path.join(FLAGS.output_dir, "table.json"), {"noisy": noisy, **results})
    denoisers = {source: trials.denoiser(source, seeds[0], verbose=0) for source in FLAGS.sources}
    folder = os.path.join(FLAGS.output_dir, "saved_models")
    for source, denoiser in denoisers.items():
        export_once(denoiser, folder, source, seeds[0])
    print(f"{text}\nWrote table.md, table.json and saved_models in {FLAGS.output_dir}.")
    # The figure last: nothing that took hours shall be lost where it cannot be drawn.
    if figure_captures.image_shape[-1] == 4:
        plot_denoised(denoisers, figure_captures, os.path.join(FLAGS.output_dir, "figure.png"))
        print(f"Wrote figure.png in {FLAGS.output_dir}.")
    else:
        print(f"No figure: {figure_captures.path} does not hold packed captures.")


if __name__ == "__main__":
    app.run(main)
