"""Evaluation of a noise model on captures, beside its baselines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.capture_file import CaptureBlock, Captures, read_captures
from tfp_noiseflow.evaluation import histograms, likelihood
from tfp_noiseflow.evaluation.dark_patches import dark_patches
from tfp_noiseflow.evaluation.report_content import KL_DRAWS, MODEL, Scores, report_content
from tfp_noiseflow.evaluation.rounding import measure_rounding
from tfp_noiseflow.evaluation.survey import Survey, survey_captures
from tfp_noiseflow.models import CameraNLF
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.repeatable import repeatable_sums
from tfp_noiseflow.simulation.truth import true_negative_log_likelihood

# Values of one image-shaped array in flight: 4 MiB a block of patches, 16 MiB a call of draws.
BLOCK_VALUES = 1 << 20
DRAW_VALUES = 1 << 22

# Of the corner of an image on which precisions are compared, which costs some float64.
ROUNDING_SIDE = 64

# Stand in the place of a block's number in the seeds of the examples' and the dark patches' draws.
EXAMPLES = 2**31 - 1
DARK_PATCHES = 2**31 - 2

EXPECTED_BASELINES = ("gaussian", "recalibrated_nlf")
NO_NLF = "captures hold no nlf data set"
NO_BASELINE = "no such baseline was given"


@dataclass
class Examples:
    """Patches for the eye: one for each of a few camera x ISO."""

    conditions: list[tuple[str, float]]
    clean: np.ndarray  # [k, H, W, C]
    noise: dict[str, np.ndarray]  # "real" and the models' names: [k, H, W, C]


@dataclass
class Measurement:
    """All that an evaluation found: the report's numbers, and what only its pictures need.

    Attributes:
      report: the content of report.json.
      conditions: [G] (camera, ISO).
      edges: [G, 129] inner edges of the histograms, fractions of full scale.
      counts: "real" and the models' names to [G, 130] counts.
      examples: patches to show.
    """

    report: dict
    conditions: list[tuple[str, float]]
    edges: np.ndarray
    counts: dict[str, np.ndarray]
    examples: Examples


def evaluate(
    model: NoiseModel,
    captures: Captures | str | os.PathLike,
    *,
    baselines: Mapping | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    jit_compile: bool = False,
) -> dict:
    """Compares a noise model with its baselines on captures.

    All models see the same patches with the same dequantisation. Compared are `noise_flow` (the
    model), the `baselines`, `camera_nlf` (the noise level functions that the captures report) and,
    where simulated captures tell it, `true_nlf` (the true ones).

    Args:
      model: a noise model, `model(clean, iso=, camera=)` -> distribution over the noise.
      captures: N captures or the path of a capture file. They are read block by block.
      baselines: names ("gaussian", "recalibrated_nlf", ...) to noise models, fitted on the
        training captures.
      seed: of the dequantisation and of the models' draws.
      batch_size: patches at a time; by default what makes about a million values. Likelihoods do
        not depend on it, the models' draws do.
      jit_compile: whether XLA compiles likelihoods, which then differ by roundings, and draws,
        which are others of the same noise: XLA makes uniform numbers of bits in another way.

    Returns:
      The content of report.json, plain Python numbers, no NaN:
        captures: what was measured on.
        models: name to `nll` (nats per dimension, mean over patches), `nll_standard_error`,
          `nll_paper` (of the stored values as they are, taken as continuous, as the paper's code
          takes them; None for a model of codes), `kl`, `kl_paper` (nats; see `histograms`),
          `parameters`, `name` (its architecture, or its class where it has none) and `in_words`;
          of a model without a density the likelihoods are None and `reason` says so; of a model
          that cannot be compared all are None and `reason` says why.
        differences: model, baseline, `nll` (mean of model - baseline: negative where the model is
          better), `paired_standard_error`, `relative_improvement` (exp(-nll) - 1).
        by_camera_iso: camera, iso, model, `nll`, `kl`, `kl_paper`, `patches`.
        floor: `kl` and `kl_paper` of the truth, a second draw scored like a model (with one draw
          a pixel where models have 16); None and `reason` without a second draw.
        photon_transfer: "real" beside the models, see `statistics`.
        correlations: the same, with "floor", a second draw of the captured noise, where there is
          one.
        tails: what a thousandth and a hundred-thousandth of the values of these exceed, see
          `tails`.
        structure: kurtosis, row and neighbour correlations by camera, iso and source, with 95 %
          bootstrap intervals, see `structure`.
        levels: mean and standard deviation of the noise of these by camera, iso, channel and clean
          level.
        dark_patches: stored values of each camera's darkest patch, see `dark_patches`; empty for
          captures without a quantization step.
        rounding: how far the model is from itself in float64: `largest` and `rms` by `nll`,
          `log_det`, `codes`, `sample` and `round_trip`, see `rounding.Rounding`; None of one that
          is overflown, `reason` where it cannot be measured; None for a model of another dtype.
        seed, draws_per_pixel.
      For the same arguments the result is the same.

    Raises:
      ValueError: the captures hold a camera or an ISO that the model does not know (both sets are
        listed); a model gives a log_prob that is not finite; noise without variance.
    """
    return measure(
        model,
        captures,
        baselines=baselines,
        seed=seed,
        batch_size=batch_size,
        jit_compile=jit_compile,
    ).report


@repeatable_sums()
def measure(
    model: NoiseModel,
    captures: Captures | str | os.PathLike,
    *,
    baselines: Mapping | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    jit_compile: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Measurement:
    """As `evaluate`, with the histograms and patches that the report's pictures show.

    Args:
      model, captures, baselines, seed, batch_size, jit_compile: as in `evaluate`.
      on_progress: called with (patches done, patches in all) after each block.

    Returns:
      Measurement.

    Raises:
      ValueError: as in `evaluate`.
    """
    if not isinstance(captures, Captures):
        with read_captures(captures) as opened:
            return measure(
                model,
                opened,
                baselines=baselines,
                seed=seed,
                batch_size=batch_size,
                jit_compile=jit_compile,
                on_progress=on_progress,
            )
    likelihood.known_by(model).check_captures(captures)
    models, reasons = _models_to_compare(model, captures, baselines or {})
    if batch_size is None:
        batch_size = max(1, BLOCK_VALUES // int(np.prod(captures.image_shape)))

    survey = survey_captures(captures, batch_size, seed)
    sources = {name: Scores(survey) for name in ("real", "floor", *models)}
    drawers = {
        name: _Drawer(its, captures, survey, batch_size, seed, jit_compile=jit_compile)
        for name, its in models.items()
    }
    stored = captures.dequantised(False)
    # Dequantised captures differ from the stored ones where they have a step.
    takes_stored = bool(captures.quantization_step.any())
    for number, block in enumerate(captures.blocks(batch_size, seed=seed)):
        noise_by_kind = {True: block.noise, False: block.noise}
        if takes_stored:
            noise_by_kind[False] = stored.read(block.index[0], block.index[-1] + 1).noise
        group = survey.group[block.index]
        scale = survey.deviation_at(block.clean, group)
        chosen, part = survey.is_in_kl_paper[block.index], survey.part[block.index]

        def add(
            name: str,
            noise: np.ndarray,
            counts: np.ndarray,
            block: CaptureBlock = block,
            group: np.ndarray = group,
            scale: np.ndarray = scale,
            chosen: np.ndarray = chosen,
            part: np.ndarray = part,
        ) -> None:
            sources[name].counts += counts
            sources[name].tails.add(noise / scale)
            sources[name].statistics.add(noise, block.clean, group, part)
            sources[name].kl_paper.append(histograms.kl_paper(block.noise[chosen], noise[chosen]))

        add(
            "real", block.noise, histograms.counts_of(block.noise, group, survey.standard_deviation)
        )
        if block.noise_repeat is not None:
            add(
                "floor",
                block.noise_repeat,
                histograms.counts_of(block.noise_repeat, group, survey.standard_deviation),
            )
        for name, drawer in drawers.items():
            noise = noise_by_kind[drawer.dequantises]
            if drawer.has_density:
                sources[name].nll.append(_finite_nll(name, drawer, block, noise))
            if drawer.has_density and drawer.dequantises and takes_stored:
                sources[name].nll_paper.append(drawer.nll(block, noise_by_kind[False]))
            add(name, *drawer.draw(block.clean, block.iso, block.camera, group, number))
        if on_progress is not None:
            on_progress(int(block.index[-1]) + 1, len(captures))

    dark = dark_patches(
        captures,
        survey,
        {name: drawer.draw_dark for name, drawer in drawers.items()},
        KL_DRAWS,
    )
    truth = true_negative_log_likelihood(captures)
    examples = _examples(survey, drawers)
    report = report_content(captures, survey, sources, models, reasons, truth, dark, seed)
    return Measurement(
        report={**report, "rounding": _rounding(model, examples)},
        conditions=survey.conditions,
        edges=np.stack([histograms.kl_edges(sd) for sd in survey.standard_deviation]),
        counts={name: sources[name].counts for name in ("real", *models)},
        examples=examples,
    )


def _rounding(model: Any, examples: Examples) -> dict | None:
    """What float32 costs the model, on a corner of each example; None: its dtype is another one."""
    if not (isinstance(model, NoiseModel) and model.has_density and model.dtype == tf.float32):
        return None
    clean = examples.clean[:, :ROUNDING_SIDE, :ROUNDING_SIDE]
    isos = np.array([iso for _, iso in examples.conditions], np.float32)
    cameras = None if model.cameras is None else [camera for camera, _ in examples.conditions]
    try:
        found = measure_rounding(model, clean, isos, cameras)
    except ValueError as error:
        return {"reason": str(error)}
    return {
        # No JSON number holds what is overflown.
        name: {key: v if np.isfinite(v) else None for key, v in off._asdict().items()}
        for name, off in found._asdict().items()
        if off is not None
    }


def _models_to_compare(
    model: NoiseModel, captures: Captures, baselines: Mapping
) -> tuple[dict, dict]:
    """The models that can be compared, and the reasons of those that cannot."""
    models, reasons = {MODEL: model}, {}
    reserved = {MODEL, "camera_nlf", "true_nlf", "real", "floor"} & set(baselines)
    if reserved:
        raise ValueError(f"expected baselines of other names, received {sorted(reserved)}.")

    def add(name: str, make: Callable) -> None:
        try:
            candidate = make()
            likelihood.known_by(candidate).check_captures(captures)
            models[name] = candidate
        except ValueError as error:
            reasons[name] = str(error)

    for name in dict.fromkeys((*EXPECTED_BASELINES, *baselines)):
        if name in baselines and baselines[name] is not None:
            add(name, lambda name=name: baselines[name])
        else:
            reasons[name] = NO_BASELINE
    if captures.nlf is None:
        reasons["camera_nlf"] = NO_NLF
    else:
        add("camera_nlf", lambda: CameraNLF.from_reported(captures))
    if captures.nlf_true is not None:
        add("true_nlf", lambda: CameraNLF.from_true(captures))
    return models, reasons


class _Drawer:
    """The compiled likelihood and draws of one model."""

    def __init__(
        self,
        model: NoiseModel,
        captures: Captures,
        survey: Survey,
        batch_size: int,
        seed: int,
        *,
        jit_compile: bool,
    ):
        self._known = likelihood.known_by(model)
        self._seed = seed
        self.dequantises = likelihood.dequantises(model)
        self.has_density = likelihood.has_density(model)
        self._nll = None
        if self.has_density:
            self._nll = likelihood.compile_negative_log_likelihood(
                model, captures.image_shape, jit_compile=jit_compile
            )
        batch_values = min(batch_size, len(captures)) * int(np.prod(captures.image_shape))
        # A divisor of the draws, so that one compiled function serves all calls.
        self._draws_per_call = max(
            draws for draws in (1, 2, 4, 8, 16) if draws == 1 or draws * batch_values <= DRAW_VALUES
        )
        # By group: where the model draws codes they are dequantised as the captured ones are.
        steps = np.zeros(len(survey.conditions))
        if not self.dequantises:
            steps[survey.group] = captures.relative_steps
        self._draw = _compile_draw(
            model,
            captures.image_shape,
            survey.standard_deviation,
            steps,
            self._draws_per_call,
            jit_compile=jit_compile,
        )

    def nll(self, block: CaptureBlock, noise: np.ndarray) -> np.ndarray:
        """[n], of the block's captures with their noise as the model takes it."""
        assert self._nll is not None  # The model has a density.
        camera = self._known.indices(block.camera)
        return self._nll(
            *map(tf.constant, (noise, block.clean, block.iso, camera))
        ).numpy().astype(np.float64)  # fmt: skip

    def draw(
        self,
        clean: np.ndarray,
        iso: np.ndarray,
        names: np.ndarray,
        group: np.ndarray,
        block_number: int,
        calls: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """One draw [n, H, W, C], and the histograms [G, 130] of all draws."""
        camera = self._known.indices(names)
        conditions = [tf.constant(v) for v in (clean, iso, camera, group.astype(np.int32))]
        first: Any = None
        counts: Any = 0
        for call in range(calls or KL_DRAWS // self._draws_per_call):
            words = np.random.SeedSequence([self._seed, block_number, call]).generate_state(2)
            noise, call_counts = self._draw(*conditions, tf.constant(words.view(np.int32)))
            first = noise.numpy() if first is None else first
            counts = counts + call_counts.numpy().astype(np.int64)
        return first, counts

    def draw_dark(
        self, clean: np.ndarray, iso: np.ndarray, names: np.ndarray, group: np.ndarray
    ) -> np.ndarray:
        """One draw [n, H, W, C] for the dark patches; where the model draws codes, dequantised."""
        return self.draw(clean, iso, names, group, DARK_PATCHES, calls=1)[0]


def _compile_draw(
    model: NoiseModel,
    image_shape: tuple[int, int, int],
    standard_deviation: np.ndarray,
    steps: np.ndarray,
    draws: int,
    *,
    jit_compile: bool,
) -> Callable:
    deviation = tf.constant(standard_deviation, tf.float32)

    # Without the histograms, which XLA takes long to count and whose check of values it drops.
    @tf.function(jit_compile=jit_compile or None)
    def noise_of(
        clean: tf.Tensor, iso: tf.Tensor, camera: tf.Tensor, group: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        distribution = likelihood.noise_distribution(model, clean, iso, camera)
        noise = tf.cast(distribution.sample(draws, seed=seed), tf.float32)
        if steps.any():
            within = tf.random.stateless_uniform(tf.shape(noise), seed + 1, -0.5, 0.5)
            noise += tf.gather(tf.constant(steps, tf.float32), group)[:, None, None, None] * within
        return noise

    @tf.function
    def draw(
        clean: tf.Tensor, iso: tf.Tensor, camera: tf.Tensor, group: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        noise = noise_of(clean, iso, camera, group, seed)
        return noise[0], histograms.pooled_counts(noise, group, deviation)

    indices = tf.TensorSpec([None], tf.int32)
    return draw.get_concrete_function(
        tf.TensorSpec([None, *image_shape], tf.float32),
        tf.TensorSpec([None], tf.float32),
        indices,
        indices,
        tf.TensorSpec([2], tf.int32),
    )


def _finite_nll(name: str, drawer: _Drawer, block: CaptureBlock, noise: np.ndarray) -> np.ndarray:
    nll = drawer.nll(block, noise)
    if not np.all(np.isfinite(nll)):
        bad = block.index[~np.isfinite(nll)]
        raise ValueError(
            f"expected a finite log_prob of every capture, model {name!r} gives one that is NaN or "
            f"infinite for {len(bad)} captures, the first is capture {bad[0]}."
        )
    return nll


def _examples(survey: Survey, drawers: dict[str, _Drawer], rows: int = 4) -> Examples:
    """Patches of up to 4 camera x ISO: other cameras from row to row, from low to high ISO."""
    cameras = list(dict.fromkeys(camera for camera, _ in survey.conditions))
    levels = sorted({iso for _, iso in survey.conditions})
    rows = min(rows, len(survey.conditions))
    chosen = []
    for row in range(rows):
        iso = levels[round(row * (len(levels) - 1) / max(1, rows - 1))]
        camera = cameras[row % len(cameras)]
        # The wanted pair, or the nearest that there is and that is not yet shown.
        chosen.append(
            min(
                (g for g in range(len(survey.conditions)) if g not in chosen),
                key=lambda g: (
                    survey.conditions[g][0] != camera,
                    abs(np.log(survey.conditions[g][1] / iso)),
                ),
            )
        )
    conditions = [survey.conditions[g] for g in chosen]
    clean = survey.example_clean[chosen]
    names = np.array([camera for camera, _ in conditions], object)
    isos = np.array([iso for _, iso in conditions], np.float32)
    noise = {"real": survey.example_noise[chosen]}
    for name, drawer in drawers.items():
        noise[name], _ = drawer.draw(clean, isos, names, np.asarray(chosen), EXAMPLES, calls=1)
    return Examples(conditions, clean, noise)
