"""Whether to trust a calibration, why not, and what to shoot next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.calibration.channel_noise import ChannelNoise

GOOD, USABLE, BAD = "good", "usable", "do not use"
# Half an interval over its number, and misses of the line: up to these it is good, or usable.
BETA1_ERRORS = (0.025, 0.10)
BETA2_ERRORS = (0.06, 0.25)
MISSES = (0.03, 0.10)
# Below 1.5 % of full scale most cameras' read noise and shot noise are alike.
DARK_FRAMES, FLAT_EXPOSURES = 10, 6


def verdict(cell: ChannelNoise) -> tuple[str, list[str]]:
    """ "good", "usable" or "do not use", and the reasons, as sentences."""
    reasons: dict[str, str] = {}
    figures = cell.figures
    if cell.level is None:
        return BAD, ["no lit frames: beta1 is not known"]
    if cell.is_bound:
        reasons["of one frame, or of a moving scene without flat parts: upper bounds"] = BAD
    if cell.level.beta2_is_prior:
        reasons["beta2 is other cameras': levels are too alike, and there are no darks"] = (
            USABLE if figures["beta1"] else BAD
        )
    elif cell.dark is None:
        reasons["no darks: beta2 is an extrapolation, black level and rows are not measured"] = (
            USABLE
        )
    for name, limits in (("beta1", BETA1_ERRORS), ("beta2", BETA2_ERRORS)):
        figure = figures[name]
        if figure is None or (name == "beta2" and cell.level.beta2_is_prior):
            continue
        value, (low, high) = figure
        error = (high - low) / 2 / value if value > 0 else np.inf
        if error > limits[0]:
            grade = USABLE if error <= limits[1] else BAD
            reasons[f"{name} is known to {error:.0%} only"] = grade
    if cell.level.residual > MISSES[0]:
        grade = USABLE if cell.level.residual <= MISSES[1] else BAD
        reasons[
            f"variance misses the line by {cell.level.residual:.0%}: codes that are not linear or "
            "not raw, or another black level"
        ] = grade
    grades = set(reasons.values())
    return next((g for g in (BAD, USABLE) if g in grades), GOOD), list(reasons)


def best_shots(
    cells: Sequence[ChannelNoise],
    flat_exposures: dict[float, int],
    left_out: int,
    saturated: Sequence[float] = (),
) -> list[str]:
    """The shots that would help most, most useful first, as sentences.

    Args:
      cells: of all channels and ISOs.
      flat_exposures: how many there are of each ISO. left_out: frames.
      saturated: ISOs all of whose flats end at white.
    """
    isos = sorted({cell.iso for cell in cells})
    shots = []
    for iso in saturated:
        shots.append(f"ISO {iso:g}: its flats are saturated; half the exposure, and again half")
    unlit = sorted({cell.iso for cell in cells if cell.level is None})
    if unlit:
        shots.append(
            f"flats at ISO {_listed(unlit)}, {FLAT_EXPOSURES} exposures that halve from just below "
            "white, 2 frames of each: without light there is no beta1"
        )
    bound = sorted({cell.iso for cell in cells if cell.is_bound})
    if bound:
        shots.append(
            f"flats at ISO {_listed(bound)}, or a burst of a scene from a tripod: there are upper "
            "bounds alone"
        )
    undark = sorted({cell.iso for cell in cells if cell.dark is None})
    if undark:
        shots.append(
            f"{DARK_FRAMES} dark frames (lens cap on, viewfinder covered) at ISO {_listed(undark)}:"
            " they give beta2, black level, row noise, tails and hot pixels"
        )
    if len(isos) < 3:
        more = [np.sqrt(isos[0] * isos[-1])] if len(isos) == 2 else [4 * isos[0], 16 * isos[0]]
        shots.append(
            f"flats and darks at {3 - len(isos)} more ISO, {_listed(more)} for instance: a law "
            "over ISO needs three"
        )
    for cell in sorted(cells, key=lambda cell: -_error(cell)):
        if cell.level is not None and not cell.is_bound and _error(cell) > BETA1_ERRORS[0]:
            times = int(np.ceil((_error(cell) / BETA1_ERRORS[0]) ** 2))
            shots.append(
                f"some {times} times as many flats at ISO {cell.iso:g} (beta1 of {cell.channel} is "
                f"known to {_error(cell):.0%})"
            )
            break
    few = [iso for iso in isos if 0 < flat_exposures.get(iso, 0) < 3]
    if few:
        shots.append(
            f"more exposures of flats at ISO {_listed(few)}: three or more show whether the camera "
            "is linear"
        )
    frames = [(c.iso, c.dark.frames) for c in cells if c.dark is not None]
    fewest = [(iso, count) for iso, count in frames if count < DARK_FRAMES]
    if fewest and not undark:
        shots.append(
            f"{DARK_FRAMES - fewest[0][1]} more darks at ISO "
            f"{_listed(sorted({iso for iso, _ in fewest}))}: rows and hot pixels"
        )
    if left_out:
        shots.append(f"the {left_out} frames that were left out, from a tripod in a steady light")
    return shots


def _error(cell: ChannelNoise) -> float:
    figure = cell.figures["beta1"]
    return 0.0 if figure is None else (figure[1][1] - figure[1][0]) / 2 / max(figure[0], 1e-12)


def _listed(isos) -> str:
    return ", ".join(f"{iso:g}" for iso in isos)
