"""What float32 costs: likelihoods, log-dets, samples and round trips beside those of float64.

    python -m benchmarks.precision [--models=phones,paper] [--tables=iso,clean]

Prints Markdown. A figure is the largest error and, in brackets, the root mean square: NLL and
log-det in nats per dimension; samples and round trips (noise to the latent and back) in standard
deviations of the noise. Both precisions have the same variables, conditions and latent. Where a
model does not take an ISO, the row says so. A frame of 100 megapixels takes gigabytes: give
--models and --frames one at a time where memory is short.
"""

from __future__ import annotations

import functools
import gc
import os
import platform
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import app, flags

import tfp_noiseflow as nf
from tfp_noiseflow.bijectors import AffineCoupling
from tfp_noiseflow.evaluation.rounding import (
    Off,
    Rounding,
    in_float64,
    measure_rounding,
    round_trip_bound,
)
from tfp_noiseflow.models import load_baselines
from tfp_noiseflow.models.architecture import PAPER_ARCHITECTURE

FLAGS = flags.FLAGS

# What training reaches, and beyond.
ISOS = (25, 100, 1600, 25600, 409600)
# Known to models of few ISOs.
ISO = 1600
PATCHES = 8
PATCH = (32, 32)
SHAPES = {
    "one patch": (32, 32),
    "of a width that does not fold": (32, 30),
    "one row": (1, 4096),
    "one column": (4096, 1),
    "one pixel": (1, 1),
}
# Whose slopes of each value to each fit the memory.
SMALL = (8, 8)
# Of a frame in float64 at once.
ROWS = 250
# Packed, so that megapixels of the mosaic are four times as many.
FRAMES = {
    "12 megapixels": (1500, 2000),
    "50 megapixels": (2500, 5000),
    "100 megapixels": (5000, 5000),
}


def _moved(model: nf.NoiseModel, by: float) -> nf.NoiseModel:
    """With all trained variables moved by normal numbers of this standard deviation."""
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        step = by * generator.standard_normal(variable.shape)
        variable.assign_add(tf.cast(step, variable.dtype))
    return model


def _flow(architecture: str, by: float, **options) -> nf.NoiseModel:
    return _moved(nf.NoiseFlow(architecture, seed=5, **options), by)


# Name -> what it is.
MODELS: dict[str, Callable[[], nf.NoiseModel]] = {
    "phones: stored L-R-P, trained": lambda: nf.load_model("phones"),
    f"phones_paper: {PAPER_ARCHITECTURE}, trained": lambda: nf.load_model("phones_paper"),
    f"{PAPER_ARCHITECTURE}, trained, at any ISO": lambda: nf.load_model(
        "phones_paper"
    ).with_any_iso(),
    f"{PAPER_ARCHITECTURE}, moved by 0.05": lambda: _flow(PAPER_ARCHITECTURE, 0.05),
    f"{PAPER_ARCHITECTURE}, moved by 0.1": lambda: _flow(PAPER_ARCHITECTURE, 0.1),
    f"{PAPER_ARCHITECTURE}, moved by 0.2": lambda: _flow(PAPER_ARCHITECTURE, 0.2),
    "L-R-P-Bx4, moved by 0.1": lambda: _flow("L-R-P-Bx4", 0.1),
    "S-Ax1-R-G-T-CAM, moved by 0.1": lambda: _flow("S-Ax1-R-G-T-CAM", 0.1),
    "N-Ax4-C-Ax4, moved by 0.05": lambda: _flow("N-Ax4-C-Ax4", 0.05),
    "recalibrated NLF": lambda: load_baselines("phones_paper")["recalibrated_nlf"],
    "L: laws of generic cameras": lambda: nf.NoiseFlow.from_laws(nf.generic_cameras(0, 5)),
    "Gaussian": lambda: nf.GaussianNoise(0.02),
}
# Beginnings of the names of those that are measured on whole frames, which takes minutes of each.
OF_FRAMES = ("phones", "L:")


flags.DEFINE_list("models", [], "Beginnings of names; default: all.")
flags.DEFINE_list("tables", ["iso", "clean", "shape", "bound", "frame"], "Which.")
flags.DEFINE_list("frames", list(FRAMES), "Which.")
flags.DEFINE_integer("seed", 0, "Of clean images and latents.")


def clean_images(kind: str, height: int, width: int, number: int = 1) -> np.ndarray:
    """[number, height, width, 4] float32."""
    shape = (number, height, width, 4)
    if kind == "uniform":
        return np.random.default_rng(FLAGS.seed).random(shape, np.float32)
    value = {"0": 0.0, "0.5": 0.5, "saturated": 1.0}[kind]
    return np.full(shape, value, np.float32)


def measured(model: nf.NoiseModel, clean: np.ndarray, iso: float) -> Rounding | str:
    """The errors, or why there are none."""
    camera = model.cameras[0] if model.cameras else None
    try:
        return measure_rounding(model, clean, iso, camera, seed=(FLAGS.seed, 1))
    except ValueError as error:
        return f"refused: {str(error).split(', received')[0]}"


def _shown(off: Off | None) -> str:
    return "" if off is None else f"{off.largest:.0e} ({off.rms:.0e})"


def _row(labels: tuple[str, ...], found: Rounding | str) -> str:
    cells = [found, "", "", "", ""] if isinstance(found, str) else map(_shown, found)
    return f"| {' | '.join((*labels, *cells))} |"


def _head(*labels: str) -> None:
    columns = (*labels, *("NLL", "log-det", "NLL of codes", "sample", "round trip"))
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def _is_extrapolated(model: nf.NoiseModel, iso: float) -> bool:
    isos = model.trained_iso_range
    return isos is not None and not isos[0] <= iso <= isos[1]


def table_of_isos(models: dict[str, nf.NoiseModel]) -> None:
    """Uniform clean images."""
    _head("model", "ISO")
    clean = clean_images("uniform", *PATCH, PATCHES)
    for name, model in models.items():
        for iso in ISOS:
            found = measured(model, clean, iso)
            is_beyond = isinstance(found, Rounding) and _is_extrapolated(model, iso)
            print(_row((name, f"{iso}{', extrapolated' * is_beyond}"), found), flush=True)


def table_of_cleans(models: dict[str, nf.NoiseModel]) -> None:
    """Images of one value each."""
    _head("model", "clean")
    for name, model in models.items():
        for kind in ("0", "0.5", "saturated"):
            found = measured(model, clean_images(kind, *PATCH, PATCHES), ISO)
            print(_row((name, kind), found), flush=True)


def table_of_shapes(models: dict[str, nf.NoiseModel]) -> None:
    """Uniform clean images."""
    _head("model", "shape")
    for name, model in models.items():
        for shape, (height, width) in SHAPES.items():
            # As many values of each shape.
            number = max(1, PATCHES * PATCH[0] * PATCH[1] // (height * width))
            found = measured(model, clean_images("uniform", height, width, number), ISO)
            print(_row((name, f"{shape}, {height} x {width}"), found), flush=True)


def table_of_bounds(models: dict[str, nf.NoiseModel]) -> None:
    """Round trips of one small image, and what bounds them."""
    print("\n| model | round trip | its bound |\n|---|---|---|")
    clean = clean_images("uniform", *SMALL)[0]
    for name, model in models.items():
        camera = 0 if model.cameras else None
        off = measure_rounding(model, clean, ISO, camera, seed=(FLAGS.seed, 1)).round_trip
        bound = round_trip_bound(model, clean, ISO, camera, seed=(FLAGS.seed, 1))
        print(f"| {name} | {_shown(off)} | {_shown(bound)} |", flush=True)


def table_of_frames(models: dict[str, nf.NoiseModel]) -> None:
    """NLL of whole frames in one call, by TensorFlow and by XLA; of codes where they are stored."""
    print("\n| model | frame | clean | NLL | by XLA |\n|---|---|---|---|---|")
    for name, model in models.items():
        if not name.startswith(OF_FRAMES):
            continue
        for frame in FLAGS.frames:
            for kind in ("0.5", "uniform"):
                cells = frame_errors(model, clean_images(kind, *FRAMES[frame]))
                print(f"| {' | '.join((name, frame, kind, *cells))} |", flush=True)
                gc.collect()


def frame_errors(model: nf.NoiseModel, clean: np.ndarray) -> list[str]:
    """How far the NLL of a frame is off, in nats per dimension, by TensorFlow and by XLA."""

    def log_prob(model, clean, noise):
        distribution = model(clean, iso=ISO, camera=camera)
        if not model.dequantises:
            return distribution.pixelwise_log_prob(noise)
        return distribution.log_prob(noise)

    camera = 0 if model.cameras else None
    clean = tf.constant(clean)
    noise = tf.function(
        lambda clean: model(clean, iso=ISO, camera=camera).sample(seed=(FLAGS.seed, 1))
    )(clean)
    found = []
    for jit_compile in (None, True):
        of_ours = tf.function(functools.partial(log_prob, model), jit_compile=jit_compile)
        found.append(float(of_ours(clean, noise)[0]))
    of_exact = tf.function(functools.partial(log_prob, in_float64(model)))
    # Models without steps look at one row at a time, so that a few rows of float64 are enough.
    has_steps = any(isinstance(layer, AffineCoupling) for layer in model.submodules)
    rows = clean.shape[1] if has_steps else ROWS
    exact = 0.0
    for start in range(0, clean.shape[1], rows):
        part = (tf.cast(x[:, start : start + rows], tf.float64) for x in (clean, noise))
        exact += float(of_exact(*part)[0])
    dimensions = clean.shape.num_elements()
    return [f"{abs(one - exact) / dimensions:.0e}" for one in found]


def main(argv: list[str]) -> None:
    del argv
    wanted = tuple(FLAGS.models) or ("",)
    models = {name: make() for name, make in MODELS.items() if name.startswith(wanted)}
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores.")
    tables = {
        "iso": table_of_isos,
        "clean": table_of_cleans,
        "shape": table_of_shapes,
        "bound": table_of_bounds,
        "frame": table_of_frames,
    }
    for table in FLAGS.tables:
        tables[table](models)


if __name__ == "__main__":
    app.run(main)
