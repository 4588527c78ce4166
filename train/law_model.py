"""Makes a noise model of cameras' laws, without captures: from a table or from DNG files.

python -m train.law_model --table=F.csv --output_model_dir=D
python -m train.law_model --dng=FOLDER --output_model_dir=D
python -m train.law_model --table=F.csv --add_to=M --output_model_dir=D

Each camera's law of five numbers is fitted to its rows; what it misses of them is printed.
"""

from __future__ import annotations

import numpy as np
from absl import flags

import tfp_noiseflow as nf

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("table", None, "beta1 and beta2 by camera and ISO, CSV or JSON.")
flags.DEFINE_string("dng", None, "A DNG file with a NoiseProfile, or a folder of them.")
flags.DEFINE_string("add_to", None, "Model directory of a trained L flow, to add the cameras to.")
flags.DEFINE_string("output_model_dir", None, "Where the model goes.", required=True)
flags.DEFINE_string("licence", None, "Of the numbers; the model and its exports tell it.")
flags.mark_flags_as_mutual_exclusive(["table", "dng"], required=True)
_inputs.exist("table", "dng")
_inputs.are_model_dirs("add_to")


def _percent(values) -> str:
    return " ".join(f"{100 * value:+.1f} %" for value in np.atleast_1d(values))


def main(argv: list[str]) -> None:
    del argv
    from tfp_noiseflow.models.model_directory import read_config

    read = nf.read_camera_tables if FLAGS.table else nf.read_noise_profiles
    laws = []
    for table in read(FLAGS.table or FLAGS.dng):
        fit = table.fit()
        law = fit.law
        laws.append(law)
        beta1, beta2 = (np.array2string(np.array(b), precision=4) for b in (law.beta1, law.beta2))
        print(f"{law.camera or 'camera'}: beta1 {beta1}, beta2 {beta2}")
        misses = {"beta1": fit.relative_residual_beta1, "beta2": fit.relative_residual_beta2}
        for row, iso in enumerate(table.iso[~np.isnan(table.iso)]):
            texts = [f"{name} {_percent(values[row])}" for name, values in misses.items()]
            print(f"  ISO {iso:g}, law minus table: {', '.join(texts)}")
    about = {"origin": f"laws of {FLAGS.table or FLAGS.dng}", "licence": FLAGS.licence}
    if FLAGS.add_to:
        model = nf.load_model(FLAGS.add_to)
        for law in laws:
            model = nf.with_camera_law(model, law)
        about = {**read_config(FLAGS.add_to)["training_data"], "added": about}
    else:
        model = nf.NoiseFlow.from_laws(laws)
    nf.save_model(model, FLAGS.output_model_dir, about)
    _command.wrote(f"{FLAGS.output_model_dir}: {model}")
    _command.advise(
        "add_noise", model_dir=FLAGS.output_model_dir, input="PHOTO.jpg", iso=800, output_dir="O"
    )


if __name__ == "__main__":
    _command.run(main)
