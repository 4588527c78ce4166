"""Makes the README's pictures: one clean image with several models' noise, a contact sheet, and
dark frames.

    python -m train.gallery --model_dir=D --captures=G.h5 --photograph=F.png --output_dir=O

Writes O/noise.png (the paper's figure 1, with the KL divergence on each picture) and
O/contact_sheet.png (cameras x ISOs); where the captures are of a simulated sensor, O/dark_frame.png
too: its dark frame at the highest ISO beside the models'.
"""

from __future__ import annotations

import os

import numpy as np
from absl import flags

import tfp_noiseflow as nf

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("model_dir", None, "A trained Noise Flow and its baselines.", required=True)
flags.DEFINE_string("captures", None, "Held-out captures, packed.", required=True)
flags.DEFINE_string("photograph", None, "For the contact sheet.", required=True)
flags.DEFINE_string("output_dir", None, "Where the PNGs go.", required=True)
flags.DEFINE_list("cameras", None, "Rows. Default: the first three of the model or captures.")
flags.DEFINE_list("isos", None, "Of the contact sheet. Default: the model's, or the captures'.")
flags.DEFINE_list("compare", [], "Models beside it in dark_frame.png: NAME=MODEL_DIR.")
flags.DEFINE_float("iso", None, "Of noise.png. Default: the highest of these but one.")
flags.DEFINE_float("exposure", None, "As in train.add_noise. Default: 0.5 for a photograph.")
flags.DEFINE_integer("crop", 144, "Side of the contact sheet's pieces, pixels.", lower_bound=10)
flags.DEFINE_list("crop_at", None, "Row and column of their middle. Default: the middle.")
flags.DEFINE_integer("seed", 0, "Of all noise.")
_inputs.are_model_dirs("model_dir")
_inputs.are_capture_files("captures")
_inputs.exist("photograph")
_inputs.are_named_model_dirs("compare")


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.augmentation.noisy_frame import noisy_frame
    from tfp_noiseflow.evaluation.report_content import model_name
    from tfp_noiseflow.imaging.contact_sheet import cropped, write_contact_sheet
    from tfp_noiseflow.imaging.raw_frame import RAW_FORMATS, read_frame
    from tfp_noiseflow.models import load_baselines, load_named_models
    from tfp_noiseflow.reporting.noise_gallery import plot_noise_gallery
    from tfp_noiseflow.simulation.sensor import SENSORS

    model = nf.load_model(FLAGS.model_dir)
    captures = nf.read_captures(FLAGS.captures)
    baselines = load_baselines(FLAGS.model_dir)
    if "gaussian" not in baselines:
        raise ValueError(
            f"{FLAGS.model_dir}: expected baselines.json with the Gaussian, as train.noise_flow "
            f"writes it beside its model, found {sorted(baselines)}."
        )
    models = {"Gaussian": baselines["gaussian"]}
    if captures.nlf is not None:
        models["camera NLF"] = nf.CameraNLF.from_reported(captures)
    models[model_name(model)] = model
    compared = {model_name(model): model, **load_named_models(FLAGS.compare)}
    cameras = FLAGS.cameras or (model.cameras or captures.cameras)[:3]
    levels = model.iso_levels or captures.iso_levels
    isos = [float(iso) for iso in FLAGS.isos or levels]
    iso = FLAGS.iso or sorted(levels)[-2:][0]
    # All of them now: a wrong one shall not be found when the first picture is written.
    model.known.require_each(cameras, isos)
    path = os.path.join(FLAGS.output_dir, "noise.png")
    for row in plot_noise_gallery(
        models, captures, [(camera, iso) for camera in cameras], path, seed=FLAGS.seed
    ):
        print(row)
    is_raw = FLAGS.photograph.lower().endswith(RAW_FORMATS)
    exposure = FLAGS.exposure or (None if is_raw else 0.5)
    frame = read_frame(FLAGS.photograph, exposure=exposure, seed=FLAGS.seed)
    middle = FLAGS.crop_at and tuple(map(int, FLAGS.crop_at))
    rows = []
    for camera in cameras:
        pictures = {"clean": cropped(frame.picture(), FLAGS.crop, middle)}
        for iso in isos:
            noisy = noisy_frame(model, frame, camera, iso, seed=FLAGS.seed)
            pictures[f"ISO {iso:g}"] = cropped(noisy.picture(), FLAGS.crop, middle)
        rows.append((camera, pictures))
    write_contact_sheet(rows, os.path.join(FLAGS.output_dir, "contact_sheet.png"))
    _command.wrote(f"noise.png and contact_sheet.png in {FLAGS.output_dir}")
    if captures.process in SENSORS:
        _write_dark_frame(captures, compared, cameras, max(isos))


def _write_dark_frame(captures: nf.Captures, models, cameras, iso: float) -> None:
    """Of the camera with the most read noise."""
    from tfp_noiseflow.reporting.dark_frames import plot_dark_frames, sampler
    from tfp_noiseflow.simulation.sensor import SENSORS, SensorProcess

    process = SensorProcess((iso,), SENSORS[captures.process])
    beta2 = dict(zip(process.cameras, process.true_nlf[:, 0, 1], strict=True))
    camera = max(cameras, key=lambda name: beta2[name])
    index = np.array([process.cameras.index(camera)])

    def observe(clean: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(FLAGS.seed)
        codes = process.observe(clean[None], index, np.zeros(1, int), rng)[0]
        return (codes - float(process.black_level)) * process.sensor.step

    made = {name: sampler(model, camera, iso, seed=FLAGS.seed) for name, model in models.items()}
    path = os.path.join(FLAGS.output_dir, "dark_frame.png")
    print(plot_dark_frames({f"{camera}, ISO {iso:g}": observe} | made, path))
    _command.wrote(path)


if __name__ == "__main__":
    _command.run(main)
