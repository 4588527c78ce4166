"""What few captures of a new camera are worth: cameras left out in turn, then added."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.choices import NEW_CAMERA_PATCHES
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.evaluation.likelihood import paired_difference
from tfp_noiseflow.models import (
    NoiseFlow,
    NoiseModel,
    load_baselines,
    load_model,
    model_of_captures,
    untrained_model,
)
from tfp_noiseflow.training import Schedule, finetune_camera, train_noise_model
from tfp_noiseflow.training.pixelwise_start import start_at_pixelwise_fit

DEFAULT_ARCHITECTURE = "S-G-CAM"


class NewCameraExperiment:
    """Compares flows that get a camera from few captures with those that had it from the start.

    Compared is the NLL on the camera's own test captures: of the flow of the other cameras with
    this one added, of the flow that had it from the start, and of its recalibrated NLF. Trained
    models are kept in the folder: what is there is not trained again.

    Args:
      train_captures, validation_captures, test_captures: of all cameras; the second pick the best
        checkpoints, the third are compared on.
      output_dir: of the models, new_camera.json and table.md.
      model_dir: the flow that has all cameras from the start; the others get its layers. None: it
        is trained.
      architecture: of the flows; it has CAM, N or L. None: that of `model_dir`, without one
        S-G-CAM.
      clips: the ends at which values are clipped where the flows are of stored codes; None: they
        are of dequantised noise, unless `model_dir` is of codes.
      patches: numbers of captures of the new camera.
      epochs: of the flows that have their cameras from the start; None: as `Schedule` says.
      seed: of the weights, the order, and the captures that are picked.
      verbose: as for `train_noise_model`; 0 prints nothing.

    Raises:
      ValueError: `architecture` is not that of `model_dir`.
    """

    def __init__(
        self,
        train_captures: Captures,
        validation_captures: Captures,
        test_captures: Captures,
        output_dir: str | os.PathLike,
        *,
        model_dir: str | os.PathLike | None = None,
        architecture: str | None = None,
        clips: Collection[str] | None = None,
        patches: Sequence[int] = NEW_CAMERA_PATCHES,
        epochs: int | None = None,
        seed: int = 0,
        verbose: int = 2,
    ):
        if model_dir is not None and architecture is not None:
            _check_architecture(model_dir, architecture)
        self._train_captures = train_captures
        self._validation_captures = validation_captures
        self._test_captures = test_captures
        self._output_dir = os.fspath(output_dir)
        self._model_dir = None if model_dir is None else os.fspath(model_dir)
        self._architecture = architecture
        self._clips = clips
        self._patches = list(patches)
        self._schedule = Schedule(epochs=epochs, seed=seed)
        self._verbose = verbose

    def run(self, cameras: Sequence[str] | None = None) -> str:
        """Leaves cameras out in turn; writes new_camera.json and table.md after each of them.

        Args:
          cameras: None: all of the training captures.

        Returns:
          The text of table.md: a row for each camera and number of captures.
        """
        from_the_start = self._model_dir or self._train("all-cameras", without=None)
        rows: list[dict] = []
        text = ""
        for camera in cameras or self._train_captures.cameras:
            rows += self._compare(camera, from_the_start)
            text = table(rows)
            # A run that is stopped leaves the cameras that it has done.
            write_json(os.path.join(self._output_dir, "new_camera.json"), rows)
            write_text(os.path.join(self._output_dir, "table.md"), text)
        return text

    def _train(self, name: str, *, without: str | None) -> str:
        """The model directory of a flow of all cameras, or of all but one."""
        captures = [self._train_captures, self._validation_captures]
        if without is not None:
            captures = [c.select(c.camera != without) for c in captures]
        model_dir = os.path.join(self._output_dir, name)
        model = self._untrained(captures[0])
        if self._verbose:
            print(f"{model_dir}: {model}", flush=True)
        start_at_pixelwise_fit(model, captures[0], verbose=self._verbose)
        train_noise_model(
            model, captures[0], captures[1], model_dir, self._schedule, verbose=self._verbose
        )
        return model_dir

    def _untrained(self, captures: Captures) -> NoiseModel:
        if self._model_dir:
            # All that the flow to compare with is made of, its couplings' width too.
            model = untrained_model(self._model_dir)
            config = {**model.unstored.get_config(), "cameras": captures.cameras}
            return model.storing(NoiseFlow(**config, seed=self._schedule.seed))
        return model_of_captures(
            self._architecture or DEFAULT_ARCHITECTURE,
            captures,
            clips=self._clips,
            seed=self._schedule.seed,
        )

    def _compare(self, camera: str, from_the_start: str) -> Iterator[dict]:
        """A row for each number of captures."""
        # A name may hold what a path must not.
        folder = urllib.parse.quote(camera.replace(" ", "_"), safe="")
        others = self._train(f"without-{folder}", without=camera)
        captures, test = (
            c.select(c.camera == camera) for c in (self._train_captures, self._test_captures)
        )
        known = negative_log_likelihood(load_model(from_the_start), test)
        nlf = load_baselines(from_the_start)["recalibrated_nlf"]
        recalibrated = negative_log_likelihood(nlf, test)
        for count in self._patches:
            model_dir = os.path.join(self._output_dir, f"{folder}-{count}")
            few = _picked(captures, count, self._schedule.seed)
            flow = finetune_camera(others, few, camera, model_dir, verbose=min(self._verbose, 1))
            nll = negative_log_likelihood(flow, test)
            psi = flow.physical_parameters().get(f"psi({camera})")
            row = {
                "camera": camera,
                "patches": len(few),
                "nll": float(nll.mean()),
                "from_the_start": paired_difference(nll, known),
                "recalibrated_nlf": paired_difference(nll, recalibrated),
                "psi": None if psi is None else float(psi),
            }
            if self._verbose:
                print(f"{camera}, {count} patches: {row}", flush=True)
            yield row


def table(rows: Sequence[dict]) -> str:
    """The rows of new_camera.json as Markdown."""

    def difference(row, name):
        standard_error = row[name]["paired_standard_error"]
        spread = "" if standard_error is None else f" ± {standard_error:.5f}"
        return f"{row[name]['nll']:+.5f}{spread}"

    lines = [
        "| camera | patches | NLL, nats/dim | minus with it from the start | "
        "minus its recalibrated NLF |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        differences = " | ".join(difference(row, n) for n in ("from_the_start", "recalibrated_nlf"))
        lines.append(f"| {row['camera']} | {row['patches']} | {row['nll']:.4f} | {differences} |")
    return "\n".join(lines) + "\n"


def _picked(captures: Captures, count: int, seed: int) -> Captures:
    """Some captures at random; fewer of them are among more of them."""
    order = np.random.default_rng(seed).permutation(len(captures))
    return captures.select(np.sort(order[:count]))


def _check_architecture(model_dir: str | os.PathLike, architecture: str) -> None:
    """Raises ValueError unless an architecture is that of a model directory's flow."""
    model = load_model(model_dir)
    named = NoiseFlow(
        architecture,
        cameras=model.cameras,
        iso_levels=model.iso_levels,
        channels=model.channels or 4,
    )
    if named.architecture != getattr(model, "architecture", None):
        raise ValueError(
            f"expected the --architecture of {model_dir}, {model}, received "
            f"{architecture!r}; without it, the flows get that one's layers."
        )
