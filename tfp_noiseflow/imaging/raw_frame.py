"""Raw frames: read from files, made of photographs, written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfp_noiseflow.atomic_write import written_beside
from tfp_noiseflow.imaging.inverse_isp import CameraColors, draw_camera_colors, unprocess
from tfp_noiseflow.imaging.isp import process
from tfp_noiseflow.imaging.metering import meter
from tfp_noiseflow.imaging.picture import FORMATS, check_is_file, read_picture
from tfp_noiseflow.imaging.raw_file import CAMERA_FORMATS, NPZ, read_raw_file

RAW_FORMATS = (NPZ, *CAMERA_FORMATS)
UINT16 = np.dtype(np.uint16)


@dataclasses.dataclass(frozen=True)
class RawFrame:
    """One Bayer frame and what its picture is made with.

    Attributes:
      mosaic: [H, W] float32 in fractions of full scale, black level subtracted; H and W even.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".
      colors: CameraColors of one frame. exposure: the fraction of full scale that becomes white.
      black_level: [2, 2], by position in the CFA's cell, and white_level: of the file's codes.
      code_type: of the codes; a floating type is not rounded.
      quarter_turns: counterclockwise, of the picture against the mosaic.
    """

    mosaic: np.ndarray
    cfa: str
    colors: CameraColors
    exposure: float
    black_level: np.ndarray
    white_level: float
    code_type: np.dtype
    quarter_turns: int = 0

    def picture(self) -> np.ndarray:
        """The frame as sRGB, upright, [H, W, 3] (or [W, H, 3]) float32 in [0, 1]."""
        picture = process(self.mosaic[None], self.colors, self.exposure, self.cfa)[0].numpy()
        return np.ascontiguousarray(np.rot90(picture, self.quarter_turns))

    def with_mosaic(self, mosaic: np.ndarray) -> RawFrame:
        """The same frame with other pixels."""
        return dataclasses.replace(self, mosaic=mosaic)

    def codes(self) -> np.ndarray:
        """[H, W] of `code_type`, in the units of the file: rounded, from 0 to the white level."""
        black = _by_pixel(self.black_level, self.mosaic.shape)
        codes = np.clip(black + self.mosaic * (self.white_level - black), 0, self.white_level)
        is_floating = self.code_type.kind == "f"
        return (codes if is_floating else np.rint(codes)).astype(self.code_type)


def frame_of_photograph(
    srgb: np.ndarray,
    *,
    exposure: float = 1.0,
    white_balance: Sequence[float] | None = None,
    seed: int = 0,
) -> RawFrame:
    """A raw frame that a photograph could have been made from (`unprocess`).

    Args:
      srgb: [H, W, 3] in [0, 1]; an odd last row or column is cut off.
      exposure: the fraction of full scale that the photograph's white reaches, > 0.
      white_balance: the gains of red and blue that the raw was balanced with; None: drawn. The
        photograph stays as it is, the raw colours and their noise depend on it.
      seed: of the drawn colour metadata.

    Returns:
      RawFrame, in codes of 16 bits without a pedestal.
    """
    height, width = (side // 2 * 2 for side in srgb.shape[:2])
    colors = draw_camera_colors(1, np.random.default_rng(seed))
    if white_balance is not None:
        colors = with_white_balance(colors, *white_balance)
    mosaic = unprocess(srgb[None, :height, :width].astype(np.float32), colors, exposure)[0]
    return RawFrame(mosaic, "RGGB", colors, exposure, np.zeros([2, 2]), 65535.0, UINT16)


def frame_of_codes(
    codes: np.ndarray,
    cfa: str,
    black_level: ArrayLike,
    white_level: float | np.ndarray,
    *,
    white_balance: Sequence[float] | None = None,
    srgb_to_camera: np.ndarray | None = None,
    exposure: float | None = None,
    quarter_turns: int = 0,
) -> RawFrame:
    """A raw frame from codes.

    Args:
      codes: [H, W] numbers; an odd last row or column is cut off, what is above white is white.
        Codes of a floating type (fractions of full scale, for instance) stay floating.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR".
      black_level: a number, or [2, 2] by position in the CFA's cell. white_level: a number.
      white_balance: the gains of red and blue. srgb_to_camera: [3, 3], as in CameraColors.
      exposure: the fraction of full scale that becomes white. What is None is metered, the exposure
        with the gains that are used.
      quarter_turns: counterclockwise, of the picture against the mosaic.

    Raises:
      ValueError: another shape, an unknown CFA, white not above black, pixels that are not finite,
        gains or an exposure not above 0, a matrix without an inverse.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "uif":
        raise ValueError(f"expected numbers, received a mosaic of {codes.dtype}.")
    if codes.ndim != 2 or min(codes.shape, default=0) < 10:
        raise ValueError(f"expected a mosaic [H, W] of 10 pixels or more, received {codes.shape}.")
    if cfa not in ("RGGB", "GRBG", "GBRG", "BGGR"):
        raise ValueError(f"expected a Bayer CFA such as 'RGGB', received {cfa!r}.")
    black_level = _numbers("black level", black_level, ((), (2, 2)))
    black_level = np.broadcast_to(black_level, (2, 2))
    white_level = float(_numbers("white level", white_level, ((),)))
    if not np.all(white_level > black_level):
        raise ValueError(
            f"expected white above black, received white {white_level} and black {black_level}."
        )
    codes = codes[: codes.shape[0] // 2 * 2, : codes.shape[1] // 2 * 2]
    black = _by_pixel(black_level, codes.shape)
    mosaic = np.minimum((codes - black) / (white_level - black), 1.0).astype(np.float32)
    if not np.isfinite(mosaic).all():
        raise ValueError("expected finite pixels, received NaN or infinity.")
    gains = None
    if white_balance is not None:
        gains = _numbers("white_balance (of red and blue)", white_balance, ((2,),)).tolist()
        _check_gains(*gains)
    colors, metered = meter(mosaic, cfa, gains)
    if srgb_to_camera is not None:
        matrix = _numbers("srgb_to_camera", srgb_to_camera, ((3, 3),))
        if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < 3:
            raise ValueError(f"expected a colour matrix with an inverse, received {matrix}.")
        colors = dataclasses.replace(colors, srgb_to_camera=matrix[None])
    exposure = metered if exposure is None else float(_numbers("exposure", exposure, ((),)))
    if not 0 < exposure < np.inf:
        raise ValueError(f"expected an exposure above 0, received {exposure}.")
    code_type: np.dtype = UINT16 if white_level < 2**16 else np.dtype(np.uint32)
    if codes.dtype.kind == "f" or white_level >= 2**32:
        code_type = np.dtype(np.float32)
    return RawFrame(
        mosaic, cfa, colors, exposure, black_level, white_level, code_type, int(quarter_turns)
    )


def read_raw(
    path: str | os.PathLike,
    *,
    exposure: float | None = None,
    white_balance: Sequence[float] | None = None,
) -> RawFrame:
    """Reads a raw frame.

    Args:
      path: .npz with `raw` [H, W], `black`, `white` and `cfa` (and, where they are known,
        `white_balance`, the gains of red and blue, `srgb_to_camera`, `exposure` and
        `quarter_turns`, as `frame_of_codes` takes them), or .dng and cameras' other formats with
        the extra `dng`.
      exposure, white_balance: instead of the file's; None: the file's, or metered.

    Raises:
      FileNotFoundError: no such file.
      ValueError: a file that is damaged or of another form; names it.
      ImportError: a DNG without rawpy.
    """
    path = os.fspath(path)
    check_is_file(path, RAW_FORMATS)
    file = read_raw_file(path)
    codes, cfa, black, white = file.codes, file.cfa, file.black_level, file.white_level
    if codes is None or cfa is None or black is None or white is None:
        values = {"raw": codes, "black": black, "white": white, "cfa": cfa}
        missing = sorted(name for name, value in values.items() if value is None)
        raise ValueError(f"{path}: expected raw, black, white and cfa, missing {missing}.")
    asked = {"exposure": exposure, "white_balance": white_balance}
    looks = file.looks | {name: value for name, value in asked.items() if value is not None}
    try:
        return frame_of_codes(codes, cfa, black, white, **looks)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_frame(
    path: str | os.PathLike,
    *,
    exposure: float | None = None,
    white_balance: Sequence[float] | None = None,
    seed: int = 0,
) -> RawFrame:
    """A raw file's frame, or one that a photograph could have been made from.

    Args:
      path: a raw file as `read_raw` takes it, or .png, .jpg, .tif.
      exposure: None: 1 for a photograph, else the file's, or metered.
      white_balance: None: drawn for a photograph, else the file's, or metered.
      seed: for photographs, see `frame_of_photograph`.

    Raises:
      FileNotFoundError, ValueError, ImportError: as `read_raw` and `read_picture`.
    """
    path = os.fspath(path)
    check_is_file(path, (*FORMATS, *RAW_FORMATS))
    if path.lower().endswith(RAW_FORMATS):
        return read_raw(path, exposure=exposure, white_balance=white_balance)
    exposure = 1.0 if exposure is None else exposure
    return frame_of_photograph(
        read_picture(path), exposure=exposure, white_balance=white_balance, seed=seed
    )


def write_raw(frame: RawFrame, path: str | os.PathLike, **about: Any) -> None:
    """Writes a frame as .npz, with all that its picture is made with.

    These are `raw`, its codes, `black`, `white`, `cfa`, `white_balance`, `srgb_to_camera`,
    `exposure` and `quarter_turns`.

    Args:
      frame: what to write. path: where.
      **about: further arrays or texts.
    """
    white_balance = [frame.colors.red_gain[0], frame.colors.blue_gain[0]]
    with written_beside(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(
            file,
            raw=frame.codes(),
            black=frame.black_level,
            white=frame.white_level,
            cfa=frame.cfa,
            white_balance=white_balance,
            srgb_to_camera=frame.colors.srgb_to_camera[0],
            exposure=frame.exposure,
            quarter_turns=frame.quarter_turns,
            **about,
        )


def with_white_balance(colors: CameraColors, red_gain: float, blue_gain: float) -> CameraColors:
    """The same colour matrix with other gains, both > 0."""
    _check_gains(red_gain, blue_gain)
    return dataclasses.replace(
        colors, red_gain=np.array([red_gain]), blue_gain=np.array([blue_gain])
    )


def _check_gains(red_gain: float, blue_gain: float) -> None:
    if not (0 < red_gain < np.inf and 0 < blue_gain < np.inf):
        raise ValueError(f"expected gains above 0, received {red_gain} and {blue_gain}.")


def _numbers(name: str, values: ArrayLike, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "uif" or values.shape not in shapes:
        raise ValueError(
            f"expected {name}: numbers of a shape among {list(shapes)}, received {values.dtype} of "
            f"shape {values.shape}."
        )
    return values.astype(np.float64)


def _by_pixel(cell: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.tile(cell, (shape[0] // 2, shape[1] // 2))
