"""Leaves one camera out in turn, adds it with few captures, and compares.

    python -m train.new_camera_experiment --train_captures=F.h5 --validation_captures=V.h5 \
        --test_captures=G.h5 --output_dir=O

NLL on the left out camera's test captures: of the flow of the other cameras with this one added
from few captures, of the flow that had it from the start, and of its recalibrated NLF.
O/new_camera.json and O/table.md hold all cameras that are done, a row for each number of captures.
Goes on where it was stopped: trained models are kept in O.
"""

from __future__ import annotations

import os
import urllib.parse

import numpy as np
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.evaluation.likelihood import paired_difference
from tfp_noiseflow.models import untrained_model

FLAGS = flags.FLAGS

flags.DEFINE_string("train_captures", None, "Capture file of all cameras.", required=True)
flags.DEFINE_string("validation_captures", None, "Picks the best checkpoints.", required=True)
flags.DEFINE_string("test_captures", None, "Capture file to compare on.", required=True)
flags.DEFINE_string("output_dir", None, "Models, new_camera.json and table.md.", required=True)
flags.DEFINE_string(
    "model_dir",
    None,
    "The flow that has all cameras from the start; the others get its layers. Default: trained "
    "here.",
)
flags.DEFINE_string(
    "architecture",
    None,
    "Of the flows; it has CAM or N. Default: that of --model_dir, without one S-G-CAM.",
)
flags.DEFINE_list("cameras", None, "To leave out in turn. Default: all of the captures.")
flags.DEFINE_list("patches", ["64", "256", "1024"], "Captures of the new camera.")
flags.DEFINE_integer("epochs", None, "Of the flows that have their cameras from the start.")
flags.DEFINE_integer("seed", 0, "Of the weights, the order, and the captures that are picked.")


DEFAULT_ARCHITECTURE = "S-G-CAM"


def check_architecture() -> None:
    """Raises ValueError where --architecture is not that of --model_dir's flow."""
    if None in (FLAGS.model_dir, FLAGS.architecture):
        return
    model = nf.load_model(FLAGS.model_dir)
    asked = nf.NoiseFlow(
        FLAGS.architecture,
        cameras=model.cameras,
        iso_levels=model.iso_levels,
        channels=model.channels,
    )
    if asked.architecture != getattr(model, "architecture", None):
        raise ValueError(
            f"expected the --architecture of {FLAGS.model_dir}, {model}, received "
            f"{FLAGS.architecture!r}; without it, the flows get that one's layers."
        )


def trained(name: str, without: str | None) -> str:
    """The model directory of a flow of all cameras, or of all but one."""
    captures = [
        nf.read_captures(path) for path in (FLAGS.train_captures, FLAGS.validation_captures)
    ]
    if without is not None:
        captures = [c.select(c.camera != without) for c in captures]
    model_dir = os.path.join(FLAGS.output_dir, name)
    cameras = captures[0].cameras
    if FLAGS.model_dir:
        # All that the flow to compare with is made of, its couplings' width too.
        config = {**untrained_model(FLAGS.model_dir).get_config(), "cameras": cameras}
        model = nf.NoiseFlow(**config, seed=FLAGS.seed)
    else:
        model = nf.NoiseFlow(
            FLAGS.architecture or DEFAULT_ARCHITECTURE,
            cameras=cameras,
            iso_levels=captures[0].iso_levels,
            channels=captures[0].image_shape[-1],
            seed=FLAGS.seed,
        )
    print(f"{model_dir}: {model}", flush=True)
    schedule = nf.Schedule(epochs=FLAGS.epochs, seed=FLAGS.seed)
    nf.train_noise_model(model, *captures, model_dir, schedule, verbose=2)
    return model_dir


def picked(captures: nf.Captures, count: int) -> nf.Captures:
    """Some captures at random; fewer of them are among more of them."""
    order = np.random.default_rng(FLAGS.seed).permutation(len(captures))
    return captures.select(np.sort(order[:count]))


def compare(camera: str, from_the_start: str) -> list[dict]:
    """A row for each number of captures."""
    # A name may hold what a path must not.
    folder = urllib.parse.quote(camera.replace(" ", "_"), safe="")
    others = trained(f"without-{folder}", camera)
    captures = nf.read_captures(FLAGS.train_captures)
    captures = captures.select(captures.camera == camera)
    test = nf.read_captures(FLAGS.test_captures)
    test = test.select(test.camera == camera)
    known = negative_log_likelihood(nf.load_model(from_the_start), test)
    recalibrated = negative_log_likelihood(nf.CameraNLF.fit(captures), test)
    rows = []
    for count in map(int, FLAGS.patches):
        model_dir = os.path.join(FLAGS.output_dir, f"{folder}-{count}")
        flow = nf.finetune_camera(others, picked(captures, count), camera, model_dir, verbose=0)
        nll = negative_log_likelihood(flow, test)
        psi = flow.physical_parameters().get(f"psi({camera})")
        rows.append(
            {
                "camera": camera,
                "patches": min(count, len(captures)),
                "nll": float(nll.mean()),
                "from_the_start": paired_difference(nll, known),
                "recalibrated_nlf": paired_difference(nll, recalibrated),
                "psi": None if psi is None else float(psi),
            }
        )
        print(f"{camera}, {count} patches: {rows[-1]}", flush=True)
    return rows


def table(rows: list[dict]) -> str:
    lines = [
        "| camera | patches | NLL, nats/dim | minus with it from the start | "
        "minus its recalibrated NLF |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        differences = " | ".join(
            f"{row[name]['nll']:+.5f} ± {row[name]['paired_standard_error']:.5f}"
            for name in ("from_the_start", "recalibrated_nlf")
        )
        lines.append(f"| {row['camera']} | {row['patches']} | {row['nll']:.4f} | {differences} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    del argv
    check_architecture()
    from_the_start = FLAGS.model_dir or trained("all-cameras", None)
    cameras = FLAGS.cameras or nf.read_captures(FLAGS.train_captures).cameras
    rows = []
    for camera in cameras:
        rows += compare(camera, from_the_start)
        # A run that is stopped leaves the cameras that it has done.
        write_json(os.path.join(FLAGS.output_dir, "new_camera.json"), rows)
        write_text(os.path.join(FLAGS.output_dir, "table.md"), table(rows))
    print(f"{table(rows)}\nWrote {FLAGS.output_dir}.")


if __name__ == "__main__":
    app.run(main)
