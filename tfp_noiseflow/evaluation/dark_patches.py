"""Stored values of the darkest patches: where codes and clipping show."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.evaluation.survey import Survey

# Of the patch's values, the rest are told as below and above.
QUANTILES = (1e-3, 1 - 1e-3)


def dark_patches(
    captures: Captures,
    survey: Survey,
    drawn_by: Mapping[str, Callable[..., np.ndarray]],
    draws: int,
) -> list[dict]:
    """Histograms, by code, of the darkest patch of each camera at its highest ISO.

    Args:
      captures: N captures.
      survey: of the captures.
      drawn_by: a model's name to a function of clean [n, H, W, C], ISO [n], camera [n] and group
        [n], which draws noise [n, H, W, C].
      draws: of each model.

    Returns:
      A row for each camera whose captures have a quantization step: `camera`, `iso`, `clean` (the
      patch's mean), `quantization_step` (a fraction of full scale), `codes` (from black on, those
      below it negative), and of "real" and each model `shares` of the values by code, `below` and
      `above` them.
    """
    steps = captures.relative_steps[survey.darkest]
    highest = {camera: g for g, (camera, _) in enumerate(survey.conditions)}
    groups = np.array([g for g in highest.values() if steps[g] > 0], np.int64)
    if not len(groups):
        return []
    stored = captures.dequantised(False)
    blocks = [stored.read(capture, capture + 1) for capture in survey.darkest[groups]]
    clean = np.concatenate([block.clean for block in blocks])
    noise = {"real": np.concatenate([block.noise for block in blocks])[:, None]}
    repeated = np.repeat(groups, draws)
    camera, iso = zip(*(survey.conditions[g] for g in repeated), strict=True)
    given = (
        np.repeat(clean, draws, axis=0),
        np.array(iso, np.float32),
        np.array(camera, object),
        repeated,
    )
    for name, draw in drawn_by.items():
        noise[name] = draw(*given).reshape(len(groups), draws, *clean.shape[1:])
    return [
        {
            "camera": survey.conditions[g][0],
            "iso": survey.conditions[g][1],
            "clean": float(clean[row].mean()),
            "quantization_step": float(steps[g]),
            **_histograms({n: (v[row] + clean[row]) / steps[g] for n, v in noise.items()}),
        }
        for row, g in enumerate(groups)
    ]


def _histograms(values: Mapping[str, np.ndarray]) -> dict:
    """Of values in steps, for each source."""
    codes = {name: np.rint(of).astype(np.int64).ravel() for name, of in values.items()}
    low, high = np.quantile(codes["real"], QUANTILES).astype(int)
    # As far below the lowest as the highest is above: where a model may be that knows no black.
    low -= high - low + 1
    shares, below, above = {}, {}, {}
    for name, of in codes.items():
        counts = np.bincount(np.clip(of, low - 1, high + 1) - (low - 1), minlength=high - low + 3)
        below[name], *shares[name], above[name] = (counts / of.size).tolist()
    codes_shown = list(range(int(low), int(high) + 1))
    return {"codes": codes_shown, "shares": shares, "below": below, "above": above}
