"""The same calibration as camera engineers print it: EMVA 1288, Release 4.0 Linear.

European Machine Vision Association, "EMVA Standard 1288, Standard for Characterization of Image
Sensors and Cameras, Release 4.0 Linear", 2021. Of its model, in which the variance of a grey value
is

    sigma_y^2 = K^2 sigma_d^2 + sigma_q^2 + K (mu_y - mu_y.dark),  sigma_q^2 = 1/12 DN^2

- system gain K, DN/e-: the slope of photon transfer.
- temporal dark noise sigma_d, e-: without the variance of rounding.
- DSNU and PRNU: standard deviation of the pixels' offsets (e-) and gains (%) in space, the noise in
  time taken off. Here without what varies slowly along a row (pieces of 32 pixels of a channel),
  and DSNU without the profiles of rows and columns and without hot pixels.
- saturation capacity mu_e.sat, e-: where codes end, above black. The standard takes the largest
  variance of photon transfer; where flats do not saturate, it is white by the files.
- SNR max: sqrt(mu_e.sat). Dynamic range: mu_e.sat over mu_e.min, the signal of SNR 1,
  mu_e.min = sqrt(sigma_d^2 + sigma_q^2 / K^2 + 1/4) + 1/2.
- linearity error LE, %: the mean deviation of the mean grey value from a line in exposure time.

Quantum efficiency needs a calibrated light; electrons stand for it everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_noiseflow.calibration.channel_noise import ChannelNoise
from tfp_noiseflow.calibration.measure import ChannelTransfer

COLUMNS = {
    "system_gain_dn_per_electron": "K, DN/e-",
    "temporal_dark_noise_electrons": "temporal dark noise, e-",
    "dsnu_electrons": "DSNU, e-",
    "prnu_percent": "PRNU, %",
    "saturation_capacity_electrons": "saturation capacity, e-",
    "snr_max_db": "SNR max, dB",
    "dynamic_range_db": "dynamic range, dB",
    "linearity_error_percent": "LE, %",
}
MOST_CLIPPED = 0.005


def emva_row(
    cell: ChannelNoise, flats: Sequence[tuple[float, ChannelTransfer]], top: float
) -> dict[str, float | None]:
    """The standard's figures of a channel at an ISO; None: not to be had of its frames.

    Args:
      cell: its noise.
      flats: exposure time (0: not known) and transfer of its flats.
      top: where codes end, in codes above black.
    """
    row: dict[str, float | None] = dict.fromkeys(COLUMNS)
    if cell.level is not None:
        gain = cell.level.beta1 * cell.full_scale
        row["system_gain_dn_per_electron"] = gain
        capacity = top / gain
        row["saturation_capacity_electrons"] = capacity
        row["snr_max_db"] = 10 * np.log10(capacity)
        if cell.dark is not None:
            noise = max(cell.dark.variance - cell.step**2 / 12, 0.0) / gain**2
            row["temporal_dark_noise_electrons"] = np.sqrt(noise)
            row["dsnu_electrons"] = cell.dark.fixed / gain
            least = np.sqrt(noise + cell.step**2 / 12 / gain**2 + 0.25) + 0.5
            row["dynamic_range_db"] = 20 * np.log10(capacity / least)
    whole = [(time, flat) for time, flat in flats if flat.clipped < MOST_CLIPPED]
    if whole:
        _, brightest = max(whole, key=lambda item: item[1].level)
        fixed = cell.dark.fixed**2 if cell.dark else 0.0
        excess, square = brightest.spatial
        row["prnu_percent"] = 100 * np.sqrt(max(excess - fixed, 0.0) / square)
    timed = np.array([(time, flat.level) for time, flat in whole if time > 0]).reshape(-1, 2)
    if len(np.unique(timed[:, 0])) >= 3:
        row["linearity_error_percent"] = _linearity_error(*timed.T)
    return {name: None if value is None else float(value) for name, value in row.items()}


def _linearity_error(times: np.ndarray, levels: np.ndarray) -> float:
    """The standard's weights: relative deviations count."""
    design = np.stack([times, np.ones_like(times)], axis=1) / levels[:, None]
    slope, start = np.linalg.lstsq(design, np.ones_like(levels), rcond=None)[0]
    return float(100 * np.mean(np.abs(levels / (slope * times + start) - 1)))
