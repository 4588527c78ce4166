"""Evaluates a trained noise model on captures, beside its baselines.

python -m train.evaluate --model_dir=D --captures=G.h5 --output_dir=O
"""

from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.evaluation import measure
from tfp_noiseflow.models import load_baselines, load_named_models
from tfp_noiseflow.reporting import write_report
from tfp_noiseflow.reporting.markdown import models_table

FLAGS = flags.FLAGS
flags.DEFINE_string("model_dir", None, "What train.noise_flow wrote.", required=True)
flags.DEFINE_string("captures", None, "A capture file.", required=True)
flags.DEFINE_string("output_dir", None, "Where report.json, report.md and PNGs go.", required=True)
flags.DEFINE_list("compare", [], "Trained models beside it: NAME=MODEL_DIR.")
flags.DEFINE_integer("seed", 0, "Of the dequantisation and of the models' draws.")
flags.DEFINE_integer(
    "batch_size", None, "Patches at a time; by default, about a million values.", lower_bound=1
)
flags.DEFINE_bool("jit_compile", False, "Whether XLA compiles likelihoods and draws.")


def main(_):
    baselines, compared = load_baselines(FLAGS.model_dir), load_named_models(FLAGS.compare)
    if taken := {*baselines} & {*compared}:
        raise ValueError(
            f"expected --compare=NAME=MODEL_DIR, each of another NAME than those of the baselines "
            f"{sorted(baselines)}, received {sorted(taken)}."
        )
    measurement = measure(
        nf.load_model(FLAGS.model_dir),
        FLAGS.captures,
        baselines={**baselines, **compared},
        seed=FLAGS.seed,
        batch_size=FLAGS.batch_size,
        jit_compile=FLAGS.jit_compile,
        on_progress=lambda done, total: print(f"\r{done} of {total} patches", end="", flush=True),
    )
    print(f"\n{models_table(measurement.report)}")
    paths = write_report(measurement, FLAGS.output_dir, model_dir=FLAGS.model_dir)
    print("wrote " + ", ".join(paths))


if __name__ == "__main__":
    app.run(main)
