"""A calibrated camera's law over ISO, with intervals."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tfp_noiseflow.calibration.channel_noise import ChannelNoise, pixel_variance
from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.capture_fit import fit_law, fit_numbers
from tfp_noiseflow.laws.population import expected_law
from tfp_noiseflow.photon_transfer.line import GROUPS, interval

REPLICATES = 200
ORIGIN = "calibrated on the camera's own frames"


@dataclass(frozen=True, eq=False)
class IsoLaw:
    """The law of a camera.

    Attributes:
      law: CameraLaw, by channel where there are several; beta2 with rounding.
      intervals: of 95 %, as `law.beta1` and `law.beta2`: beta1 [2, (C,) 2], beta2 [3, (C,) 2].
      without_rounding: the same law for `StoredNoise`, which rounds itself.
      of_pixels: that without the variance of rows too, for an R; without darks, `without_rounding`.
      notes: what the frames do not determine, as sentences.
    """

    law: CameraLaw
    intervals: dict[str, np.ndarray]
    without_rounding: CameraLaw
    of_pixels: CameraLaw
    notes: tuple[str, ...]


def fit_iso_law(cells: Sequence[ChannelNoise], camera: str, *, seed: int = 0) -> IsoLaw | None:
    """The law of all channels and ISOs, by maximum likelihood on the sums by level.

    Args:
      cells: of every channel and ISO.
      camera: its name. seed: of the replicates.

    Returns:
      IsoLaw; None where no channel has light.
    """
    channels = list(dict.fromkeys(cell.channel for cell in cells))
    rng = np.random.default_rng(seed)
    by_channel: list[np.ndarray] = []
    pixels_by_channel: list[np.ndarray] = []
    drawn_by_channel: list[list[np.ndarray]] = []
    notes: dict[str, list[str]] = {}
    isos = sorted({cell.iso for cell in cells})
    for channel in channels:
        own = [cell for cell in cells if cell.channel == channel]
        own = [cell for cell in own if cell.level is not None or cell.dark is not None]
        if not any(cell.level is not None for cell in own):
            return None
        estimate = fit_law({cell.iso: _sums(cell) for cell in own}, camera)
        for text in estimate.serious_warnings:
            notes.setdefault(text, []).append(channel)
        is_prior = [cell for cell in own if cell.level is not None and cell.level.beta2_is_prior]
        if is_prior and not any(cell.dark for cell in own):
            # Nothing dark enough was seen: that is the population's, beside the beta1 there.
            estimate = replace(estimate, unseen=estimate.unseen | {"beta2"})
        population = functools.partial(_population_law, own)
        by_channel.append(_numbers(estimate.completed_by(population)))
        alone = fit_law({cell.iso: _sums(cell, has_rows=False) for cell in own}, camera)
        alone = replace(alone, unseen=estimate.unseen, seen_at_one_iso=estimate.seen_at_one_iso)
        pixels_by_channel.append(_numbers(alone.completed_by(population)))
        drawn = []
        for _ in range(REPLICATES):
            pick = rng.multinomial(GROUPS, np.full(GROUPS, 1 / GROUPS))
            sums = {cell.iso: _sums(cell, pick, rng.standard_normal()) for cell in own}
            drawn.append(fit_numbers(sums, camera))
        drawn_by_channel.append(drawn)
    numbers, pixels = np.array(by_channel).T, np.array(pixels_by_channel).T
    rounding = np.array([np.mean([c.rounding for c in cells if c.channel == k]) for k in channels])
    whole = numbers.copy()
    whole[4] += rounding

    def law_of(numbers: np.ndarray) -> CameraLaw:
        terms = numbers if len(channels) > 1 else numbers[:, 0]
        return CameraLaw(tuple(terms[:2]), tuple(terms[2:]), camera, ORIGIN, (isos[0], isos[-1]))

    law, without, of_pixels = law_of(whole), law_of(numbers), law_of(pixels)
    bounds = np.array([[interval(row) for row in np.array(of).T] for of in drawn_by_channel])
    bounds = np.moveaxis(bounds, 0, 1)
    bounds[4] += rounding[:, None]
    if len(channels) == 1:
        bounds = bounds[:, 0]
    told = tuple(f"channel {', '.join(names)}: {text}" for text, names in notes.items())
    intervals = {"beta1": bounds[:2], "beta2": bounds[2:]}
    return IsoLaw(law, intervals, without, of_pixels, told)


def _numbers(law: CameraLaw) -> np.ndarray:
    return np.array([*law.beta1, *law.beta2])


def _population_law(cells: Sequence[ChannelNoise], iso: float) -> CameraLaw:
    """What other cameras have beside the beta1 of the nearest ISO."""
    lit = [(cell.iso, cell.level.beta1) for cell in cells if cell.level is not None]
    nearest, beta1 = min(lit, key=lambda pair: abs(np.log(pair[0] / iso)))
    return expected_law(nearest, beta1)[0]


def _sums(
    cell: ChannelNoise,
    pick: np.ndarray | None = None,
    offset: float = 0.0,
    *,
    has_rows: bool = True,
) -> np.ndarray:
    """[3, L], as `NoiseStatistics` has them: noise without rounding, with rows or without."""
    parts = []
    scale, rows = cell.full_scale, cell.row_variance * has_rows
    if cell.sums is not None:
        total = cell.sums.total if pick is None else np.einsum("g,gkb->kb", pick, cell.sums.sums)
        freedom, levels, squares = total / np.array([1, scale, scale**2])[:, None]
        # What rows add to each pixel, and rounding, are known.
        squares = squares + freedom * (rows - cell.rounding)
        parts.append([freedom, np.maximum(levels, 0), np.maximum(squares, 0)])
    if cell.dark is not None:
        _, error = pixel_variance(cell.dark)
        value = cell.dark.variance + offset * error
        value -= (cell.row_variance - rows) * scale**2
        worth = 2 * (cell.dark.variance / max(error, 1e-6 * cell.dark.variance)) ** 2
        square = worth * max(value / scale**2 - cell.rounding, 1e-3 * cell.rounding)
        parts.append([[worth], [0.0], [square]])
    return np.concatenate([np.array(part) for part in parts], axis=1)
