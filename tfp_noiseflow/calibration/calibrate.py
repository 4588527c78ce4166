"""A camera's noise model from a folder of its raw frames."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tfp_noiseflow.calibration.channel_noise import ChannelNoise, channel_noise
from tfp_noiseflow.calibration.darks import CUT_OFF
from tfp_noiseflow.calibration.emva1288 import emva_row
from tfp_noiseflow.calibration.folder import DARKS, FLATS, Folder, Given, read_folder
from tfp_noiseflow.calibration.iso_law import IsoLaw, fit_iso_law
from tfp_noiseflow.calibration.measure import (
    DarkMeasure,
    LitMeasure,
    measure_darks,
    measure_lit,
)
from tfp_noiseflow.calibration.noise_shape import NoiseShape, fit_shape
from tfp_noiseflow.calibration.parts import part_path, read_part, write_part
from tfp_noiseflow.calibration.sensor_model import sensor_model
from tfp_noiseflow.calibration.verdict import best_shots, verdict
from tfp_noiseflow.models.stored_noise import StoredNoise
from tfp_noiseflow.photon_transfer.bend import Bend, common_bend
from tfp_noiseflow.photon_transfer.pair import CHANNELS

PARTS = "parts"
# The files' black level is told to be wrong from so many codes on, or standard errors.
WRONG_BLACK, WRONG_ERRORS = 0.5, 5.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a folder of frames tells of a camera.

    Attributes:
      camera: its name. folder: the frames.
      cells: ChannelNoise of every channel and ISO, by ISO.
      darks: DarkMeasures by ISO. lit: LitMeasures.
      law: IsoLaw, or None without light. shape: NoiseShape, or None without darks.
      model: the noise model, of law, rows and shape (`sensor_model`), or None without light.
      emva: figures of `emva1288` of each cell.
      verdicts: of each cell, and the reasons.
      left_out: file's name to the reason. notes: what else to know, as sentences.
      shots: what to shoot next, as sentences, most useful first.
    """

    camera: str
    folder: Folder
    cells: tuple[ChannelNoise, ...]
    darks: dict[float, DarkMeasure]
    lit: tuple[LitMeasure, ...]
    law: IsoLaw | None
    shape: NoiseShape | None
    model: StoredNoise | None
    emva: tuple[dict, ...]
    verdicts: tuple[tuple[str, list[str]], ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    shots: tuple[str, ...]

    @property
    def dark_frames(self) -> dict[float, list[str]]:
        """Files of the dark frames that were used, by ISO."""
        return {
            group.iso: [f.path for f in group.frames if f.name not in self.left_out]
            for group in self.folder.groups
            if group.kind == DARKS
        }

    def to_json(self) -> dict:
        """The content of calibration.json: numbers, each with its interval of 95 %.

        `by_channel_iso`: a row for each channel and ISO: beta1 and beta2, fractions of full scale
        and its square, beta2 with row noise and rounding; gain_dn_per_electron; read_noise_dn, the
        standard deviation at no light, codes; row_share, of beta2 without rounding; black_level,
        codes. null: the frames do not tell. `law`: as `CameraLaw.to_config`, with intervals.
        """
        rows = []
        for cell, (grade, _) in zip(self.cells, self.verdicts, strict=True):
            row = {"channel": cell.channel, "iso": cell.iso}
            for name, figure in cell.figures.items():
                row[name], row[f"{name}_interval"] = (None, None) if figure is None else figure
            rows.append(row | {"verdict": grade})
        law = None
        if self.law is not None:
            law = self.law.law.to_config() | {
                f"{name}_interval": bounds.tolist() for name, bounds in self.law.intervals.items()
            }
        return {
            "camera": self.camera,
            "by_channel_iso": rows,
            "law": law,
            "left_out": [{"file": f, "reason": r} for f, r in sorted(self.left_out.items())],
        }


def calibrate_folder(
    input_dir: str | os.PathLike,
    camera: str,
    *,
    black_level: float | None = None,
    white_level: float | None = None,
    cfa: str | None = None,
    iso: float | None = None,
    parts_dir: str | os.PathLike | None = None,
    skip_bad: bool = False,
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Calibration:
    """Measures a folder of raw frames (`folder` says how it is laid out).

    Args:
      input_dir: the folder. camera: its name in the model.
      black_level, white_level, cfa, iso: what the files do not say, or instead of it.
      parts_dir: where the measures of groups are kept; a run that was stopped goes on there.
      skip_bad: leave out files that cannot be read, by name.
      seed: of intervals.
      on_progress: called with (groups done, groups, what is done next) before each and at the end.

    Returns:
      Calibration.

    Raises:
      FileNotFoundError, ValueError: as `read_folder`; frames of one group that differ in size.
    """
    folder = read_folder(input_dir, Given(black_level, white_level, cfa, iso), skip_bad=skip_bad)
    groups = sorted(folder.groups, key=lambda group: group.kind != DARKS)
    darks: dict[float, DarkMeasure] = {}
    lit: list[LitMeasure] = []
    left_out = dict(folder.left_out)
    for done, group in enumerate(groups):
        if on_progress is not None:
            on_progress(done, len(groups), str(group))
        black = None if group.kind == DARKS else _black_at(darks, group.iso)
        about = [skip_bad, None if black is None else black.tolist()]
        path = None if parts_dir is None else part_path(os.fspath(parts_dir), group, about)
        found = None if path is None else read_part(path)
        if found is None:
            measure = (
                measure_darks(group, skip_bad=skip_bad)
                if group.kind == DARKS
                else measure_lit(group, black, darks.get(group.iso), skip_bad=skip_bad)
            )
            if path is not None:
                write_part(path, measure)
        else:
            (measure,) = found
        if isinstance(measure, DarkMeasure):
            darks[group.iso] = measure
            left_out.update(measure.left_out)
        elif measure is not None:
            lit += measure
            for part in measure:
                left_out.update(part.left_out)
        else:
            left_out.update(
                {f.name: "one dark frame alone has no noise in time" for f in group.frames}
            )
    if on_progress is not None:
        on_progress(len(groups), len(groups), "the law")
    return _calibration(camera, folder, darks, lit, left_out, seed)


def remove_parts(parts_dir: str | os.PathLike) -> None:
    """Removes what only a run that was stopped needs."""
    shutil.rmtree(parts_dir, ignore_errors=True)


def _black_at(darks: dict[float, DarkMeasure], iso: float) -> np.ndarray | None:
    """[4], by channel: of the ISO, or between those of others by the logarithm of ISO."""
    if not darks:
        return None
    isos = np.array(sorted(darks))
    levels = np.array([[c.black_level for c in darks[i].channels] for i in isos])
    return np.array([np.interp(np.log(iso), np.log(isos), column) for column in levels.T])


def _calibration(camera, folder, darks, lit, left_out, seed) -> Calibration:
    first = folder.groups[0].frames[0]
    # In whole codes, so that codes are multiples of a step of full scale.
    black = round(float(np.mean(first.black_level)))
    # Some cameras leave out codes in the dark alone; a frame of few levels, by chance.
    steps = [measure.step for measure in darks.values()]
    steps = steps or [min((part.step for part in lit if part.channels), default=1.0)]
    step = max(steps)
    full_scale = first.white_level - black
    if step > 1 and full_scale % step:
        step = 1.0
    cells: list[ChannelNoise] = []
    emva: list[dict] = []
    bends: dict[float, Bend | None] = {}
    for iso in folder.iso_levels:
        of_iso = [part for part in lit if part.iso == iso and part.channels]
        for index, channel in enumerate(CHANNELS):
            dark = darks[iso].channels[index] if iso in darks else None
            cell = channel_noise(
                channel,
                iso,
                [part.channels[index] for part in of_iso],
                dark,
                full_scale=full_scale,
                step=step,
                seed=seed + len(cells),
            )
            cells.append(cell)
            flats = [(p.exposure_time, p.channels[index]) for p in of_iso if p.kind == FLATS]
            top = min([flat.top for _, flat in flats], default=first.white_level)
            level = dark.black_level if dark else black
            emva.append(emva_row(cell, flats, top - level))
        cells[-len(CHANNELS) :], bends[iso] = _bent(cells[-len(CHANNELS) :])
    law = fit_iso_law(cells, camera, seed=seed)
    shape, model = fit_shape(cells), None
    if law is not None:
        cut = [d.clipped > CUT_OFF for measure in darks.values() for d in measure.channels]
        model = sensor_model(
            law,
            shape,
            cells,
            quantization_step=step / full_scale,
            clips_black=bool(cut) and all(cut),
        )
    saturated = [
        iso
        for iso in folder.iso_levels
        if (of_iso := [p for p in lit if p.iso == iso and p.kind == FLATS and p.channels])
        and all(min(c.used for c in part.channels) < 0.05 for part in of_iso)
        and all(max(c.clipped for c in part.channels) > 0.5 for part in of_iso)
    ]
    exposures = {
        iso: len({p.channels[1].level for p in lit if p.iso == iso and p.kind == FLATS})
        for iso in folder.iso_levels
        if all(p.channels for p in lit if p.iso == iso)
    }
    return Calibration(
        camera,
        folder,
        tuple(cells),
        darks,
        tuple(lit),
        law,
        shape,
        model,
        tuple(emva),
        tuple(verdict(cell) for cell in cells),
        left_out,
        tuple(_notes(darks, lit, law, saturated, bends)),
        tuple(best_shots(cells, exposures, len(left_out), saturated)),
    )


def _bent(cells: list[ChannelNoise]) -> tuple[list[ChannelNoise], Bend | None]:
    """The channels of an ISO, with their slopes at no light where variance bends."""
    lit = [(c, c.level) for c in cells if c.level is not None and len(c.level.misses)]
    levels = [level for _, level in lit]
    bend = common_bend([v.misses for v in levels], [(v.beta1, v.beta2) for v in levels])
    if bend is None or not bend.is_clear:
        return cells, None
    slopes = dict(
        zip([id(c) for c, _ in lit], zip(bend.slopes, bend.slope_errors, strict=True), strict=True)
    )
    return [replace(c, slope=slopes.get(id(c), c.slope)) for c in cells], bend


def _notes(darks, lit, law: IsoLaw | None, saturated, bends):
    for iso, measure in sorted(darks.items()):
        found = np.array([channel.black_level for channel in measure.channels])
        errors = np.array([channel.black_error for channel in measure.channels])
        wrong = np.abs(found - measure.reported_black)
        if np.any(wrong > np.maximum(WRONG_BLACK, WRONG_ERRORS * errors)):
            yield (
                f"ISO {iso:g}: the files' black level {measure.reported_black.tolist()} is not "
                f"that of the darks, {np.round(found, 2).tolist()}, which is used"
            )
    for iso, step in sorted({m.iso: m.step for m in (*lit, *darks.values())}.items()):
        if step > 1:
            yield f"ISO {iso:g}: codes are {step:g} apart"
    for iso in saturated:
        yield f"ISO {iso:g}: all flats are saturated"
    for iso, bend in bends.items():
        if bend is not None:
            yield (
                f"ISO {iso:g}: variance over level changes by {bend.bend:+.1%} ± "
                f"{2 * bend.error:.1%} to full scale (electrons that push each other to neighbours,"
                " or codes that are not linear in light); gain_dn_per_electron is that at no light"
            )
    for part in lit:
        yield from part.notes
    if law is not None:
        yield from law.notes
        if not darks:
            yield "no darks: the model has no rows and no tails, its noise is Gaussian"
