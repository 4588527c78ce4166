"""What a calibration writes beside its report: the model, the numbers, captures."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

import numpy as np

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.calibration.burst_captures import write_burst_captures
from tfp_noiseflow.calibration.calibrate import PARTS, Calibration, calibrate_folder, remove_parts
from tfp_noiseflow.calibration.channel_noise import ChannelNoise
from tfp_noiseflow.calibration.dark_bank import write_dark_frames
from tfp_noiseflow.calibration.emva1288 import COLUMNS
from tfp_noiseflow.calibration.report import write_report
from tfp_noiseflow.captures.bayer import CHANNEL_POSITIONS
from tfp_noiseflow.laws.camera_table import CameraTable, write_camera_tables
from tfp_noiseflow.laws.noise_profile import noise_profile
from tfp_noiseflow.models.model_directory import save_model
from tfp_noiseflow.photon_transfer.pair import CHANNELS

CAPTURES = "captures.h5"


def calibrate(
    input_dir: str | os.PathLike,
    camera: str,
    report_dir: str | os.PathLike,
    output_model_dir: str | os.PathLike | None = None,
    *,
    captures: bool = True,
    dark_frames: bool = True,
    licence: str = "",
    **options: Any,
) -> Calibration:
    """A camera's noise model from a folder of its raw frames, with a report.

    ```python
    calibration = nf.calibrate("frames", "Mine", "report", "model")
    model = nf.load_model("model")  # or calibration.model
    ```

    Into `report_dir` go calibration.json (`Calibration.to_json`), laws.csv and laws.json (beta1 and
    beta2 by channel and ISO, as `nf.read_camera_tables` reads them), noise_profile.json (DNG's
    NoiseProfile by ISO), emva1288.csv, hot_pixels.csv, captures.h5 (captures of the bursts, codes,
    for `train.noise_flow`), dark_frames.h5 (the darks, a bank for `nf.DarkFrameNoise`) and
    fixed_pattern_CAMERA.h5 (their mean, for `train.add_noise`), report.md and its pictures.

    Args:
      input_dir: raw frames in folders flats, darks, scenes.
      camera: its name. report_dir: see above.
      output_model_dir: where the model goes; None: nowhere.
      captures: whether captures are made of the bursts.
      dark_frames: whether the darks become a bank: some 1 byte a pixel of each on disk.
      licence: of the numbers; the model and its exports tell it.
      **options: as for `calibrate_folder`.

    Returns:
      Calibration.

    Raises:
      FileNotFoundError, ValueError: as `calibrate_folder`.
    """
    parts_dir = options.pop("parts_dir", os.path.join(report_dir, PARTS))
    calibration = calibrate_folder(input_dir, camera, parts_dir=parts_dir, **options)
    law = calibration.law
    if output_model_dir is not None and calibration.model is not None and law is not None:
        isos = [float(iso) for iso in law.law.iso_range or ()]
        origin = f"calibrated on raw frames of {camera}"
        about = {"origin": origin, "licence": licence, "iso_range": isos}
        save_model(calibration.model, output_model_dir, about)
    write_numbers(calibration, report_dir)
    if captures:
        write_burst_captures(calibration, os.path.join(report_dir, CAPTURES), licence=licence)
    if dark_frames:
        write_dark_frames(calibration, report_dir, licence=licence)
    write_report(calibration, report_dir)
    # The last, as it says that all else is there.
    write_json(os.path.join(report_dir, "calibration.json"), calibration.to_json())
    remove_parts(parts_dir)
    return calibration


def write_numbers(calibration: Calibration, report_dir: str | os.PathLike) -> None:
    """Writes laws.csv, laws.json, noise_profile.json, emva1288.csv and hot_pixels.csv."""
    os.makedirs(report_dir, exist_ok=True)

    def place(name: str) -> str:
        return os.path.join(report_dir, name)

    table = law_table(calibration)
    if table is not None:
        write_camera_tables(place("laws.csv"), [table])
        write_camera_tables(place("laws.json"), [table])
    if calibration.law is not None:
        law = calibration.law.law
        profiles = {
            f"{iso:g}": noise_profile(law, iso).tolist() for iso in calibration.folder.iso_levels
        }
        write_json(place("noise_profile.json"), profiles)
    rows = [
        [cell.iso, cell.channel, *(row[name] for name in COLUMNS)]
        for cell, row in zip(calibration.cells, calibration.emva, strict=True)
    ]
    _write_csv(place("emva1288.csv"), ["iso", "channel", *COLUMNS], rows)
    hot = []
    for cell in calibration.cells:
        if cell.dark is not None:
            for (row, column), excess in zip(cell.dark.hot, cell.dark.hot_excess, strict=True):
                place_in_mosaic = mosaic_place(cell.channel, row, column, calibration)
                hot.append([f"{cell.iso:g}", *place_in_mosaic, f"{excess:.1f}"])
    _write_csv(place("hot_pixels.csv"), ["iso", "row", "column", "standard_deviations"], hot)


def law_table(calibration: Calibration) -> CameraTable | None:
    """beta1 and beta2 of the ISOs at which all channels have both; None where there is none."""
    by_iso = {}
    for iso in calibration.folder.iso_levels:
        figures = [(cell.figures["beta1"], cell.figures["beta2"]) for cell in _of(calibration, iso)]
        both = [(one[0], two[0]) for one, two in figures if one and two and two[0] > 0]
        if len(both) == len(figures):
            by_iso[iso] = both
    if not by_iso:
        return None
    beta1, beta2 = np.moveaxis(np.array(list(by_iso.values())), -1, 0)
    origin = "calibrated on its own raw frames"
    return CameraTable(calibration.camera, np.array(list(by_iso)), beta1, beta2, CHANNELS, origin)


def mosaic_place(channel: str, row: int, column: int, calibration: Calibration) -> tuple[int, int]:
    """Row and column in the mosaic of a channel's pixel."""
    cfa = calibration.folder.groups[0].frames[0].cfa
    down, right = CHANNEL_POSITIONS[cfa][CHANNELS.index(channel)]
    return int(2 * row + down), int(2 * column + right)


def _of(calibration: Calibration, iso: float) -> list[ChannelNoise]:
    return [cell for cell in calibration.cells if cell.iso == iso]


def _write_csv(path: str, header: list[str], rows: list[list]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
