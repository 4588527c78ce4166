"""Writes a folder of raw frames of a simulated camera whose noise is known, for `train.calibrate`.

python -m train.simulate_raw_folder --output_dir=D --phone=Pixel
"""

from __future__ import annotations

import dataclasses
import os

from absl import app, flags

from tfp_noiseflow.simulation.phones import PHONES
from tfp_noiseflow.simulation.raw_folder import RawShoot, simulate_raw_folder

FLAGS = flags.FLAGS
SHOOT = RawShoot()

flags.DEFINE_string("output_dir", None, "Where the frames go.", required=True)
flags.DEFINE_enum("phone", "Pixel", [phone.name for phone in PHONES], "Whose noise.")
flags.DEFINE_list("iso_levels", list(map(str, SHOOT.iso_levels)), "ISOs of the frames.")
flags.DEFINE_integer("height", SHOOT.shape[0], "Of the mosaic, even.", lower_bound=16)
flags.DEFINE_integer("width", SHOOT.shape[1], "Of the mosaic, even.", lower_bound=32)
flags.DEFINE_integer("seed", 0, "The same seed writes the same frames.")
for _field in dataclasses.fields(RawShoot):
    if _field.name not in ("iso_levels", "shape"):
        _define = flags.DEFINE_integer if _field.type == "int" else flags.DEFINE_float
        _define(_field.name, _field.default, "See RawShoot.")


def main(argv: list[str]) -> None:
    del argv
    given = {f.name: FLAGS[f.name].value for f in dataclasses.fields(RawShoot) if f.name in FLAGS}
    given["iso_levels"] = tuple(int(iso) for iso in FLAGS.iso_levels)
    given["shape"] = (FLAGS.height // 2 * 2, FLAGS.width // 2 * 2)

    def show(done, total):
        if done == total or done % 20 == 0:
            print(f"{done} of {total} frames", flush=True)

    truth = simulate_raw_folder(
        FLAGS.output_dir, FLAGS.phone, RawShoot(**given), seed=FLAGS.seed, on_frame=show
    )
    for row in truth["by_iso"]:
        print(f"ISO {row['iso']}: beta1 {row['beta1']:.4g}, beta2 {row['beta2']:.4g}")
    print(f"Wrote {FLAGS.output_dir}; the truth: {os.path.join(FLAGS.output_dir, 'truth.json')}.")


if __name__ == "__main__":
    app.run(main)
