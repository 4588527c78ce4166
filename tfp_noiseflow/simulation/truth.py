"""The exact likelihood of simulated captures: what no model of them can exceed."""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures
from tfp_noiseflow.simulation.sensor import SENSORS, SensorProcess

# Captures whose likelihood is computed at once: 16 million values of 32x32x4.
CAPTURES_AT_ONCE = 4096


def true_negative_log_likelihood(captures: Captures) -> np.ndarray | None:
    """The NLL of captures under the process that simulated them.

    Args:
      captures: N captures.

    Returns:
      [N] float64, nats per dimension of the stored codes, as a density: -log P / D + log step,
      which compares with the NLL of dequantised noise. None where no process is known that
      simulated them, or none whose likelihood is.
    """
    process = _process_of(captures)
    if process is None:
        return None
    step = process.sensor.step
    position = {name: index for index, name in enumerate(process.cameras)}
    found = []
    for block in captures.dequantised(False).blocks(CAPTURES_AT_ONCE):
        # As float32 shares of full scale codes are right to a ten-thousandth.
        codes = np.rint(process.black_level + (block.noise + block.clean) / step)
        log_prob = process.log_prob(
            codes.astype(np.int64),
            np.clip(block.clean, 0, 1),
            np.array([position[camera] for camera in block.camera]),
            np.searchsorted(process.iso_levels, block.iso),
        )
        found.append(-log_prob / block.clean[0].size + np.log(step))
    return np.concatenate(found)


def _process_of(captures: Captures) -> SensorProcess | None:
    """A sensor process, where captures are its own."""
    if captures.process not in SENSORS or captures.nlf_true is None:
        return None
    process = SensorProcess(captures.iso_levels, SENSORS[captures.process])
    levels = {
        name: (getattr(captures, name), getattr(process, name))
        for name in ("black_level", "white_level", "quantization_step")
    }
    is_own = {*captures.cameras} <= {*process.cameras} and all(
        np.all(found == expected) for found, expected in levels.values()
    )
    if not is_own:
        return None
    camera = [process.cameras.index(name) for name in captures.camera]
    iso = np.searchsorted(process.iso_levels, captures.iso)
    is_true = np.allclose(captures.nlf_true, process.true_nlf[camera, iso], rtol=1e-6)
    return process if is_true else None
