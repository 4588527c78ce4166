"""Writes a folder of raw frames of a simulated camera whose noise is known, for `train.calibrate`.

python -m train.simulate_raw_folder --output_dir=D --phone=Pixel
"""

from __future__ import annotations

import os
from typing import Any

from absl import flags

from tfp_noiseflow.progress import Progress
from tfp_noiseflow.simulation.phones import PHONES
from tfp_noiseflow.simulation.raw_shoot import RawShoot

from . import _command

FLAGS = flags.FLAGS
SHOOT = RawShoot()

# Its fields that have a flag of their name.
MEANINGS = {
    "flat_exposures": "Exposures of the flats of an ISO.",
    "flats": "Frames of each exposure.",
    "darks": "Dark frames of an ISO.",
    "scenes": "Static scenes of an ISO.",
    "burst": "Frames of each scene.",
    "bits": "Of the codes.",
    "black_level": "What files give, in codes.",
    "black_drift": "By how much the true one is above it at the highest ISO, codes.",
    "shading": "Row and column profile of the dark, codes from end to end.",
    "prnu": "Standard deviation of the pixels' gains.",
    "dsnu": "Standard deviation of the pixels' offsets, of the read noise's.",
    "hot_pixels": "Share of pixels that are hot.",
    "flicker": "By how much one frame of a burst is brighter.",
    "shake": "By how many pixels one frame of a burst is shifted.",
    "row_share": "Of the read noise.",
    "lowest_code": "Where codes end below.",
}

flags.DEFINE_string("output_dir", None, "Where the frames go.", required=True)
flags.DEFINE_enum("phone", "Pixel", [phone.name for phone in PHONES], "Whose noise.")
flags.DEFINE_list("iso_levels", list(map(str, SHOOT.iso_levels)), "ISOs of the frames.")
flags.DEFINE_integer("height", SHOOT.shape[0], "Of the mosaic, even.", lower_bound=16)
flags.DEFINE_integer("width", SHOOT.shape[1], "Of the mosaic, even.", lower_bound=32)
flags.DEFINE_integer("seed", 0, "The same seed writes the same frames.")
for _name, _meaning in MEANINGS.items():
    _value = getattr(SHOOT, _name)
    _define = flags.DEFINE_integer if isinstance(_value, int) else flags.DEFINE_float
    _define(_name, _value, _meaning)


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.simulation.raw_folder import simulate_raw_folder

    given: dict[str, Any] = {name: FLAGS[name].value for name in MEANINGS}
    given["iso_levels"] = tuple(int(iso) for iso in FLAGS.iso_levels)
    given["shape"] = (FLAGS.height // 2 * 2, FLAGS.width // 2 * 2)
    with Progress("frames") as progress:
        truth = simulate_raw_folder(
            FLAGS.output_dir, FLAGS.phone, RawShoot(**given), seed=FLAGS.seed, on_frame=progress
        )
    for row in truth["by_iso"]:
        print(f"ISO {row['iso']}: beta1 {row['beta1']:.4g}, beta2 {row['beta2']:.4g}")
    truth_path = os.path.join(FLAGS.output_dir, "truth.json")
    _command.wrote(f"{FLAGS.output_dir}; the truth: {truth_path}")
    _command.advise(
        "calibrate",
        input_dir=FLAGS.output_dir,
        camera="Mine",
        output_model_dir="MODEL",
        report_dir="REPORT",
    )


if __name__ == "__main__":
    _command.run(main)
