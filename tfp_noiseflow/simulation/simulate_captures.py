"""Simulated captures: clean photographs and ramps with the noise of a process added.

Four processes: `sensor` (phones' noise, more than Gaussian), `second_sensor` (the same of another
sensor, which no model was chosen by), `gaussian` (the same phones' laws and nothing else) and
`reference` (the paper's family, with a known density). A further process is an object with the
attributes of `Process`; one that is known by name is one more row in `PROCESSES`, with its name in
`choices.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from tfp_noiseflow.captures.capture_file import CaptureWriter
from tfp_noiseflow.simulation.gaussian import GaussianProcess
from tfp_noiseflow.simulation.phones import ISO_LEVELS
from tfp_noiseflow.simulation.photographs import SPLITS, clean_patches
from tfp_noiseflow.simulation.reference import ReferenceProcess
from tfp_noiseflow.simulation.sensor import SECOND_SENSOR, SensorProcess


class Process(Protocol):
    """What captures are simulated with.

    Attributes:
      cameras, iso_levels: of the captures; every pair of them is simulated.
      true_nlf, reported_nlf: [cameras, ISOs, 2] (beta1, beta2); None where there is none.
      black_level, white_level, quantization_step: of what `observe` gives.
      name: by which `truth` knows the process again; none where nothing more is known of it.
      description: for the capture file. licence: of the noise, where it has one of its own.
    """

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def iso_levels(self) -> tuple[float, ...]: ...

    @property
    def true_nlf(self) -> np.ndarray | None: ...

    @property
    def reported_nlf(self) -> np.ndarray | None: ...

    @property
    def black_level(self) -> float: ...

    @property
    def white_level(self) -> float: ...

    @property
    def quantization_step(self) -> float: ...

    @property
    def description(self) -> str: ...

    @property
    def licence(self) -> str: ...

    def store_clean(self, clean: np.ndarray) -> np.ndarray:
        """Clean images [n, H, W, 4] in [0, 1] in the units of `observe`'s."""

    def observe(
        self, clean: np.ndarray, camera: np.ndarray, iso: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Noisy images of clean ones [n, H, W, 4]; camera, iso [n] are positions."""


# name -> a function of random numbers, from which a process may draw its truth, and of the ISOs
# where they are asked for.
PROCESSES: dict[str, Callable] = {
    "sensor": lambda rng, *iso_levels: SensorProcess(*iso_levels),
    "second_sensor": lambda rng, iso_levels=ISO_LEVELS: SensorProcess(iso_levels, SECOND_SENSOR),
    "gaussian": lambda rng, *iso_levels: GaussianProcess(*iso_levels),
    "reference": ReferenceProcess.draw,
}

# Patches that are made and written at once: some 100 MB of memory at 32 x 32.
BLOCK_SIZE = 256

ORIGIN = (
    "Simulated. Clean images: photographs shipped by scikit-image through an inverse image "
    "processing pipeline, and synthetic ramps."
)
LICENCE = (
    "Simulated. The photographs are in the public domain, CC0 or without known copyright "
    "restrictions, as scikit-image states."
)


def make_process(name: str, seed: int = 0, iso_levels: Sequence[float] | None = None) -> Process:
    """The process that `simulate_captures` uses at a seed, with its truth.

    Args:
      name: of `PROCESSES`.
      seed: from which the reference process draws its truth, the same for all splits.
      iso_levels: ISOs of the captures; None: 100, 400, 800, 1600, 3200.

    Returns:
      The process.

    Raises:
      ValueError: unknown process, or an ISO that is not positive and finite.
    """
    if name not in PROCESSES:
        raise ValueError(f"expected a process among {list(PROCESSES)}, received {name!r}.")
    return PROCESSES[name](
        _random_numbers(seed, "truth"), *([] if iso_levels is None else [iso_levels])
    )


def simulate_captures(
    path: str | os.PathLike,
    *,
    process: str | Process = "sensor",
    split: str = "train",
    patches_per_combination: int = 480,
    patch_size: int = 32,
    seed: int = 0,
    repeat: bool = False,
    compression: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a capture file of simulated captures.

    Every camera and ISO of the process has the same number of patches, in random order. At one
    seed the clean images are those of the other process too, and the noise of different splits is
    independent. The file holds `nlf_true`, `scene` and `cfa`, and `nlf` where the process's
    cameras report one.

    Args:
      path: where the file goes; an existing one is replaced once the new one is complete.
      process: a name of `PROCESSES`, or any other process.
      split: "train", "validation" or "test": which photographs are used.
      patches_per_combination: patches for each camera and ISO.
      patch_size: side in packed pixels.
      seed: the same seed writes the same data.
      repeat: adds `noisy_repeat`, a second independent draw, which gives metrics their floor.
      compression: None, "gzip" or "lzf".
      on_progress: called with (patches written, patches in all) after each block.

    Raises:
      ValueError: unknown process or split, a number below 1, or a patch larger than a photograph.
    """
    source = make_process(process, seed) if isinstance(process, str) else process
    if split not in SPLITS:
        raise ValueError(f"expected a split among {list(SPLITS)}, received {split!r}.")
    if patches_per_combination < 1:
        raise ValueError(
            f"expected patches_per_combination >= 1, received {patches_per_combination}."
        )
    shape = (len(source.cameras), len(source.iso_levels))
    order = np.repeat(np.arange(shape[0] * shape[1]), patches_per_combination)
    _random_numbers(seed, "order", split).shuffle(order)
    cameras, isos = np.unravel_index(order, shape)
    with CaptureWriter(
        path,
        description=f"{source.description} Split: {split}; seed: {seed}.",
        origin=ORIGIN,
        licence=f"{LICENCE} {source.licence}".rstrip(),
        process=getattr(source, "name", ""),
        black_level=source.black_level,
        white_level=source.white_level,
        quantization_step=source.quantization_step,
        compression=compression,
    ) as writer:
        for block, start in enumerate(range(0, len(order), BLOCK_SIZE)):
            camera = cameras[start : start + BLOCK_SIZE]
            iso = isos[start : start + BLOCK_SIZE]
            clean, scene = clean_patches(
                split,
                len(camera),
                patch_size=patch_size,
                seed=_seed_sequence(seed, "clean", split, block),
            )
            draws = {"noisy": "noise"} | ({"noisy_repeat": "repeat"} if repeat else {})
            writer.append(
                clean=source.store_clean(clean),
                iso=np.asarray(source.iso_levels, np.float32)[iso],
                camera=np.asarray(source.cameras)[camera],
                scene=scene,
                cfa=["RGGB"] * len(camera),
                nlf=None if source.reported_nlf is None else source.reported_nlf[camera, iso],
                nlf_true=None if source.true_nlf is None else source.true_nlf[camera, iso],
                **{
                    name: source.observe(
                        clean, camera, iso, _random_numbers(seed, stream, split, block)
                    )
                    for name, stream in draws.items()
                },
            )
            if on_progress is not None:
                on_progress(start + len(camera), len(order))


# One stream of random numbers for each purpose, so that none depends on how many another took.
_STREAMS = ("truth", "order", "clean", "noise", "repeat")


def _seed_sequence(seed, stream, split=SPLITS[0], block=0) -> np.random.SeedSequence:
    key = (_STREAMS.index(stream), SPLITS.index(split), block)
    return np.random.SeedSequence(seed, spawn_key=key)


def _random_numbers(seed, stream, split=SPLITS[0], block=0) -> np.random.Generator:
    return np.random.default_rng(_seed_sequence(seed, stream, split, block))
