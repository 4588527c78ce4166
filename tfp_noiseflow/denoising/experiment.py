"""The paper's table 3: denoisers trained on different noise, tested on real captures.

Every denoiser sees the same clean images in the same order for the same number of steps; only the
noise differs. The cameras and ISOs of generated noise are drawn at random among those that the
noise model knows. Nothing of the test captures is used before the test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfp_noiseflow.atomic_write import write_json
from tfp_noiseflow.augmentation import AddCameraNoise
from tfp_noiseflow.captures.about import about_captures
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.captures.epoch_order import epoch_steps
from tfp_noiseflow.choices import DENOISER_SOURCES
from tfp_noiseflow.denoising.dncnn import dncnn
from tfp_noiseflow.denoising.quality import dssim_reduction, psnr_and_ssim, rmse_reduction
from tfp_noiseflow.denoising.train_denoiser import train_denoiser
from tfp_noiseflow.denoising.training_pairs import AddGaussianNoise, training_pairs
from tfp_noiseflow.models.camera_nlf import CameraNLF
from tfp_noiseflow.models.model_directory import model_digest
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.training.execution import ONE_BY_ONE, Execution
from tfp_noiseflow.training.replicas import is_chief
from tfp_noiseflow.training.train_noise_model import Schedule


class Experiment:
    """Trains and tests a denoiser for each source of noise and seed, resumably.

    Args:
      noise_flow: the trained noise model.
      recalibrated_nlf: fitted on the captures that the noise flow was trained on; None where it is
        not a source.
      train_captures: clean images of all denoisers, noisy ones of the "real" one, reported NLFs.
      test_captures: of other scenes.
      output_dir: each denoiser has a folder <source>-<seed> in it.
      schedule: of every denoiser; its seed is replaced.
      loss: of every denoiser, see `train_denoiser`.
      network: arguments of `dncnn`.
      quantization_step, clips: as in AddCameraNoise, for all generated noise.
      generator_scenes: that the noise models were fitted or picked on.
      execution: how every denoiser is trained.

    Raises:
      ValueError: the test captures share a scene with what was trained on, or name none.
    """

    def __init__(
        self,
        noise_flow: NoiseModel,
        recalibrated_nlf: NoiseModel | None,
        train_captures: Captures,
        test_captures: Captures,
        output_dir: str | os.PathLike,
        schedule: Schedule,
        *,
        network: Mapping,
        loss: str = "squared_error",
        quantization_step: float = 0.0,
        clips: bool = False,
        generator_scenes: Sequence[str] = (),
        execution: Execution = ONE_BY_ONE,
    ):
        check_scenes(train_captures, test_captures, generator_scenes)
        self._noise_models = {"noise_flow": noise_flow, "recalibrated_nlf": recalibrated_nlf}
        self._train_captures = train_captures
        self._test_captures = test_captures
        self._output_dir = os.fspath(output_dir)
        self._schedule = schedule
        self._loss = loss
        self._network = {**network, "channels": train_captures.image_shape[-1]}
        self._sensor: dict[str, Any] = {"quantization_step": quantization_step, "clips": clips}
        self._execution = execution

    def denoiser(self, source: str, seed: int, *, verbose: int = 2) -> tf_keras.Model:
        """The trained denoiser of a source and seed; trained where it is not yet.

        Args:
          source: a key of `DENOISER_SOURCES`.
          seed: of the initial weights, the order of the images and the added noise.
          verbose: as for `train_denoiser`.

        Raises:
          ValueError: unknown source, or its folder holds another training.
        """
        schedule = Schedule(**{**asdict(self._schedule), "seed": seed})
        tf_keras.utils.set_random_seed(seed)
        add_noise = self._add_noise(source, seed)
        with self._execution.strategy.scope():
            denoiser = dncnn(**self._network)
        trained = train_denoiser(
            denoiser,
            lambda first_epoch: training_pairs(
                self._train_captures,
                add_noise,
                batch_size=schedule.batch_size,
                seed=seed,
                first_epoch=first_epoch,
                cache=self._execution.cache,
            ),
            epoch_steps(self._train_captures, schedule.batch_size),
            self.folder(source, seed),
            schedule,
            about=self._about(source, schedule),
            loss=self._loss,
            execution=self._execution,
            verbose=verbose,
        )
        if self._execution.strategy.num_replicas_in_sync == 1:
            return trained
        # One that a process can use without the others.
        alone = dncnn(**self._network)
        alone.set_weights(trained.get_weights())
        return alone

    def check_sources(self, sources: Sequence[str]) -> None:
        """Raises ValueError where a source cannot be trained on, before any training.

        Args:
          sources: keys of `DENOISER_SOURCES`, whose noise models and captures have to be there.
        """
        for source in sources:
            self._add_noise(source, seed=0)

    def result(self, source: str, seed: int, *, verbose: int = 2) -> dict:
        """PSNR and SSIM of the denoiser on the test captures, kept in result.json in its folder."""
        denoiser = self.denoiser(source, seed, verbose=verbose)
        path = os.path.join(self.folder(source, seed), "result.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if found["test_captures"] == _identity(self._test_captures):
                return found
        result = measure_denoiser(denoiser, self._test_captures)
        if is_chief(self._execution.strategy):
            write_json(path, {"source": source, "seed": seed, **result})
        return result

    def folder(self, source: str, seed: int) -> str:
        """Where a denoiser is kept."""
        return os.path.join(self._output_dir, f"{source}-{seed}")

    def _add_noise(self, source: str, seed: int):
        if source not in DENOISER_SOURCES:
            raise ValueError(
                f"expected a source among {list(DENOISER_SOURCES)}, received {source!r}."
            )
        if source == "real":
            return None
        if source == "gaussian":
            return AddGaussianNoise(seed=seed, **self._sensor).map_function
        model = self._noise_model(source)
        # A model that takes any ISO names none to draw from.
        iso = self._train_captures.iso_levels if model.iso_levels is None else None
        layer = AddCameraNoise(model, iso=iso, returns_pairs=True, seed=seed, **self._sensor)
        return layer.map_function

    def _noise_model(self, source: str) -> NoiseModel:
        model = self._noise_models.get(source)
        if source == "camera_nlf":
            model = CameraNLF.from_reported(self._train_captures)
        if model is None:
            raise ValueError(
                f"expected the model of the source {source!r}, received none: train.noise_flow "
                "writes the baselines beside its model."
            )
        return model

    def _about(self, source: str, schedule: Schedule) -> dict:
        has_model = source not in ("real", "gaussian")
        return {
            "source": source,
            "noise_model": model_digest(self._noise_model(source)) if has_model else None,
            "network": self._network,
            "loss": self._loss,
            "schedule": asdict(schedule),
            "train_captures": _identity(self._train_captures),
            **self._sensor,
        }


def _identity(captures: Captures) -> dict:
    about = about_captures(captures)
    return {name: about[name] for name in ("file", "captures", "digest")}


def generator_scenes(training_data: Mapping) -> tuple[list[str], list[str]]:
    """The scenes that a noise model has seen, by its model directory's `training_data`.

    Args:
      training_data: of config.json.

    Returns:
      The scenes that it was fitted on, that picked its checkpoint, and that the model it started
      from has seen; and which of these are not named, in words.
    """
    scenes: list[str] = []
    unnamed: list[str] = []
    for name, what in (("scenes", "trained on"), ("validation_scenes", "picked by")):
        named = training_data.get(name)
        scenes += named or []
        if not named:
            unnamed.append(what)
    if training_data.get("started_from") is not None:
        before, missing = generator_scenes(training_data["started_from"])
        scenes += before
        unnamed += [f"{what} before" for what in missing]
    return scenes, unnamed


def check_scenes(
    train_captures: Captures, test_captures: Captures, generator_scenes: Sequence[str] = ()
) -> None:
    """Raises ValueError where captures to train and to test on share a scene, or name none.

    Args:
      train_captures, test_captures: of denoisers.
      generator_scenes: that noise models were trained on.
    """
    named: list[set[str]] = []
    for captures in (train_captures, test_captures):
        if captures.scene is None:
            raise ValueError(
                f"{captures.path}: expected a data set 'scene', by which training and test are "
                "kept apart; it holds none."
            )
        named.append(set(captures.scene))
    trained, tested = named
    for what, scenes in (("denoiser", trained), ("noise model", set(generator_scenes))):
        shared = sorted(scenes & tested)
        if shared:
            raise ValueError(
                f"{test_captures.path}: expected test captures of scenes that no {what} is trained "
                f"on, received {shared}. captures.split.split_by_scene keeps scenes apart; so does "
                "train.import_sidd with --train_instances and --test_instances of other scenes."
            )


def code_step(captures: Captures) -> float:
    """The distance of codes as a fraction of full scale.

    Raises:
      ValueError: it is not the same for all captures.
    """
    steps = captures.quantization_step / (captures.white_level - captures.black_level)
    if np.ptp(steps) > 1e-6 * steps.max():
        raise ValueError(
            f"{captures.path}: expected captures of one quantisation for --as_codes, received "
            f"steps of {steps.min():g} to {steps.max():g} of full scale."
        )
    return float(steps[0])


def measure_denoiser(
    denoiser: tf_keras.Model | None, captures: Captures, *, batch_size: int = 64
) -> dict:
    """PSNR and SSIM on captures.

    Args:
      denoiser: noisy -> denoised; None: the noisy images as they are.
      captures: opened with dequantises=False.
      batch_size: captures at a time.

    Returns:
      JSON values: `test_captures` (their identity), `patches`, `psnr`, `ssim` (means over captures)
      and `by_camera_iso`, a list of the same figures with `camera` and `iso`.
    """
    blocks = []
    for block in captures.blocks(batch_size):
        noisy = tf.constant(block.clean + block.noise)
        denoised = noisy if denoiser is None else denoiser(noisy, training=False)
        blocks.append(
            [figure.numpy() for figure in psnr_and_ssim(denoised, tf.constant(block.clean))]
        )
    psnr, ssim = (np.concatenate(values) for values in zip(*blocks, strict=True))

    def figures(rows):
        return {
            "patches": int(np.sum(rows)),
            "psnr": float(psnr[rows].mean()),
            "ssim": float(ssim[rows].mean()),
        }

    cells = [
        (camera, iso, (captures.camera == camera) & (captures.iso == iso))
        for camera in captures.cameras
        for iso in captures.iso_levels
    ]
    return {
        "test_captures": _identity(captures),
        **figures(np.ones(len(psnr), bool)),
        "by_camera_iso": [
            {"camera": camera, "iso": iso, **figures(rows)}
            for camera, iso, rows in cells
            if rows.any()
        ],
    }


def table(noisy: Mapping, results: Mapping[str, Sequence[Mapping]]) -> str:
    """Table 3 as Markdown.

    Args:
      noisy: `measure_denoiser(None, ..)`.
      results: for each source the results of its seeds.

    Returns:
      Means over seeds, ± their standard deviation; and by how much the RMSE and DSSIM of the
      denoiser trained on Noise Flow's noise are lower than the others'.
    """

    def mean(source, figure):
        return float(np.mean([result[figure] for result in results[source]]))

    def cell(source, figure, digits):
        values = [result[figure] for result in results[source]]
        spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
        return f"{np.mean(values):.{digits}f}{spread}"

    lines = [
        "| training noise | PSNR, dB | SSIM | Noise Flow's RMSE lower by | its DSSIM lower by |",
        "|---|---|---|---|---|",
        f"| (noisy images) | {noisy['psnr']:.2f} | {noisy['ssim']:.4f} | | |",
    ]
    for source in (source for source in DENOISER_SOURCES if source in results):
        reductions = ["", ""]
        if source != "noise_flow" and "noise_flow" in results:
            reductions = [
                f"{100 * of(mean('noise_flow', figure), mean(source, figure)):.1f} %"
                for figure, of in (("psnr", rmse_reduction), ("ssim", dssim_reduction))
            ]
        cells = [cell(source, "psnr", 2), cell(source, "ssim", 4), *reductions]
        lines.append(f"| {DENOISER_SOURCES[source]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def iso_table(noisy: Mapping, results: Mapping[str, Sequence[Mapping]]) -> str:
    """PSNR by ISO as Markdown, means over cameras and seeds, a column a source."""
    sources = [source for source in DENOISER_SOURCES if source in results]

    def mean(entries, iso):
        rows = [row for entry in entries for row in entry["by_camera_iso"] if row["iso"] == iso]
        return f"{np.mean([row['psnr'] for row in rows]):.2f}"

    lines = [
        "| ISO | (noisy) | " + " | ".join(DENOISER_SOURCES[source] for source in sources) + " |",
        "|---" * (len(sources) + 2) + "|",
    ]
    for iso in sorted({row["iso"] for row in noisy["by_camera_iso"]}):
        cells = [mean([noisy], iso), *(mean(results[source], iso) for source in sources)]
        lines.append(f"| {iso:g} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
