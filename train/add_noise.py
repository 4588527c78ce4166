"""Adds a camera's noise to a photograph or a raw frame.

    python -m train.add_noise --input=F.jpg --camera=Pixel --iso=800,3200 --output_dir=O

Writes O/<name>_<camera>_ISO<iso>.png for each, for a raw frame (.npz, .dng) the noisy raw as .npz
too, and O/<name>_contact_sheet.png: pieces of all, every pixel as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from absl import flags

import tfp_noiseflow as nf
from tfp_noiseflow.progress import Progress

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("input", None, "PNG, JPEG, TIFF; raw: .npz, .dng.", required=True)
flags.DEFINE_string("output_dir", None, "Where the noisy ones go.", required=True)
flags.DEFINE_string("model_dir", "phones", "A noise model; phones comes with the library.")
flags.DEFINE_list("camera", None, "Names. Default: all that the model knows.")
flags.DEFINE_list("iso", None, "ISOs. Default: all that the model knows.")
flags.DEFINE_integer("seed", 0, "Of the noise, and of a photograph's drawn colour metadata.")
flags.DEFINE_float(
    "exposure",
    None,
    "Fraction of full scale that becomes white. Default: 1; for raw the file's, or metered.",
    lower_bound=1e-4,
)
flags.DEFINE_list(
    "white_balance",
    None,
    "Gains of red and blue. Default: drawn; for raw the file's, or metered.",
)
flags.DEFINE_integer("crop", 192, "Side of the contact sheet's pieces, pixels.", lower_bound=10)
flags.DEFINE_list("crop_at", None, "Row and column of their middle. Default: the frame's middle.")
flags.DEFINE_list("fixed_pattern", [], "Files of cameras' fixed patterns, of the frame's size.")
flags.DEFINE_float(
    "digital_gain",
    1.0,
    "By which cameras multiply what they read; --iso is the analogue ISO.",
    lower_bound=1.0,
)

for flag in ("white_balance", "crop_at"):
    flags.register_validator(
        flag, lambda values: values is None or len(values) == 2, "expected two numbers."
    )
_inputs.exist("input", "fixed_pattern")
_inputs.are_model_dirs("model_dir")


def file_labels(cameras: Sequence[str | None]) -> list[str]:
    """What stands for each camera in the names of files."""
    labels = [re.sub(r"[^\w-]+", "_", camera or "any") for camera in cameras]
    if len(set(labels)) < len(labels):
        raise ValueError(f"expected cameras with names of their own as files, received {cameras}.")
    return labels


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.augmentation.noisy_frame import noisy_frame
    from tfp_noiseflow.captures.fixed_pattern import pattern_of
    from tfp_noiseflow.imaging.contact_sheet import as_uint8, cropped, write_contact_sheet
    from tfp_noiseflow.imaging.picture import write_png
    from tfp_noiseflow.imaging.raw_frame import RAW_FORMATS, read_frame, write_raw

    model = nf.load_model(FLAGS.model_dir)
    frame = read_frame(
        FLAGS.input,
        exposure=FLAGS.exposure,
        white_balance=FLAGS.white_balance and [float(gain) for gain in FLAGS.white_balance],
        seed=FLAGS.seed,
    )
    is_raw = FLAGS.input.lower().endswith(RAW_FORMATS)
    cameras = FLAGS.camera or model.cameras or [None]
    isos = [float(iso) for iso in FLAGS.iso or model.known.isos_to_show]
    # All of them now: a wrong one shall not be found when half of the files are written.
    model.known.require_each(cameras, isos)
    patterns = [nf.read_fixed_pattern(path) for path in FLAGS.fixed_pattern]
    pattern_by_camera = {
        camera: pattern_of(patterns, camera) if patterns else None for camera in cameras
    }
    labels = file_labels(cameras)
    name = os.path.splitext(os.path.basename(FLAGS.input))[0]
    middle = FLAGS.crop_at and tuple(map(int, FLAGS.crop_at))
    clean = cropped(as_uint8(frame.picture()), FLAGS.crop, middle)
    rows, written = [], []
    progress = Progress("frames")
    for camera, label in zip(cameras, labels, strict=True):
        pictures = {"clean": clean}
        for iso in isos:
            noisy = noisy_frame(
                model,
                frame,
                camera,
                iso,
                fixed_pattern=pattern_by_camera[camera],
                digital_gain=FLAGS.digital_gain,
                seed=FLAGS.seed,
            )
            picture = as_uint8(noisy.picture())
            path = os.path.join(FLAGS.output_dir, f"{name}_{label}_ISO{iso:g}")
            write_png(picture, f"{path}.png")
            if is_raw:
                write_raw(noisy, f"{path}.npz", camera=camera or "", iso=iso)
            pictures[f"ISO {iso:g}"] = cropped(picture, FLAGS.crop, middle)
            written.append(f"{path}.png" + " and .npz" * is_raw)
            progress(len(written), len(cameras) * len(isos))
        rows.append((camera or "", pictures))
    path = os.path.join(FLAGS.output_dir, f"{name}_contact_sheet.png")
    write_contact_sheet(rows, path)
    progress.close()
    _command.wrote("\n  ".join([*written, path]))


if __name__ == "__main__":
    _command.run(main)
