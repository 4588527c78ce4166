"""The noise model of a calibrated camera: its law, rows and shape, as codes are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.calibration.channel_noise import ChannelNoise
from tfp_noiseflow.calibration.iso_law import IsoLaw
from tfp_noiseflow.calibration.noise_shape import NoiseShape
from tfp_noiseflow.laws.camera_law import TERMS2
from tfp_noiseflow.laws.polynomial_fit import solve_non_negative
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.stored_noise import StoredNoise

# Without darks a law alone; with them rows and shape too.
LAW, WHOLE = "L", "L-R-P"
# Rows of which none is seen stand as this share of the read noise, so that training can move them.
LEAST_ROW_SHARE = 1e-4


def sensor_model(
    law: IsoLaw,
    shape: NoiseShape | None,
    cells: Sequence[ChannelNoise],
    *,
    quantization_step: float,
    clips_black: bool,
) -> StoredNoise:
    """A model that samples, is trained on and is exported as any other.

    Args:
      law: of all ISOs.
      shape: of the read noise; None, without darks: the model is a law alone.
      cells: of all channels and ISOs, whose darks tell the rows.
      quantization_step: a fraction of full scale. clips_black: whether codes end at black.
    """
    stored: dict[str, Any] = {"quantization_step": quantization_step, "clips_black": clips_black}
    if shape is None:
        return StoredNoise(NoiseFlow.from_laws(law.without_rounding, LAW), **stored)
    flow = NoiseFlow.from_laws(law.of_pixels, WHOLE)
    rows = flow.layers["row_noise"].log_variance
    rows.become([row_variances(cells, law)])
    for name, number in shape.numbers.items():
        getattr(flow.layers["power_tailed_shape"], name).values.assign(number)
    return StoredNoise(flow, **stored)


def row_noise(model: StoredNoise, iso: float) -> tuple[float, float]:
    """The standard deviation of rows' offsets, full scale, and its square's share of beta2.

    Args:
      model: of `sensor_model`, with rows. iso: any; beta2 is without rounding.
    """
    rows = model.unstored.layers["row_noise"]
    at = {"iso": tf.constant(iso, model.dtype), "camera": 0}
    variance = float(tf.exp(rows.log_variance.at(**at)))
    read = float(tf.reduce_mean(tf.exp(rows.noise.log_beta2.at(**at))))
    return np.sqrt(variance), variance / (variance + read)


def row_variances(cells: Sequence[ChannelNoise], law: IsoLaw) -> np.ndarray:
    """[3], of r g^2 + s g + t, g = ISO / 100: the variance of rows' offsets, of all channels.

    A row of the mosaic has pixels of two channels; what rows are is measured in each, and the mean
    is taken. Of darks at one ISO rows go with it as the read noise does, at two as r g^2 + t.
    """
    dark = [cell for cell in cells if cell.dark is not None]
    isos = np.array(sorted({cell.iso for cell in dark}))
    by_iso = [[cell for cell in dark if cell.iso == iso] for iso in isos]
    variance = np.array([np.mean([cell.row_variance for cell in own]) for own in by_iso])
    beta2 = np.array([np.mean(law.of_pixels(iso)[1]) for iso in isos])
    read = np.array([np.mean(term) for term in law.of_pixels.beta2])
    least = LEAST_ROW_SHARE * read
    if len(isos) == 1:
        return np.maximum(variance[0] / beta2[0] * read, least)
    powers = {2: [2, 0]}.get(len(isos), list(TERMS2.values()))
    terms = np.stack([(isos / 100) ** power for power in powers], axis=-1)
    # A variance of rows is known to a share of itself and of the pixels' by as many rows.
    error = np.array([_error(own) for own in by_iso])
    found = solve_non_negative(terms / error[:, None], variance / error)
    numbers = np.zeros(len(TERMS2))
    numbers[[2 - power for power in powers]] = found
    return np.maximum(numbers, least * (numbers.max() == 0))


def _error(cells: Sequence[ChannelNoise]) -> float:
    """The standard error of the mean row variance of some channels, full scale squared."""
    errors = [
        cell.dark.replicates[:, 1].std() / cell.full_scale**2
        for cell in cells
        if cell.dark is not None
    ]
    return float(np.mean(errors)) + 1e-30
