"""Dark frames as a bank: a source of captures whose clean image is the black level.

Two layouts:

- folder: dark raw frames anywhere below it, whose ISO the file or a folder such as `iso800` says.
- aim2025: the AIM 2025 Challenge on Real-World RAW Image Denoising (arXiv:2510.06601):
  `CAMERA/dark_frame/iso800/*.ARW` and `CAMERA/calib_res/` with `sys_gain.npz`, whose `iso800` is
  the gain in codes a photoelectron of R, Gr, Gb and B, and `dark_shading_iso800.npy` [H, W], codes
  above the black level at each place of the sensor, margins included.

Of the four gains the mean is taken: one amplifier reads all colours, and they differ by the error
of their fits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfp_noiseflow.calibration.calibrate import Calibration
from tfp_noiseflow.calibration.folder import DARKS, FORMATS, Frame, Given, frame_of, read_codes
from tfp_noiseflow.captures.bayer import pack_bayer, unpack_bayer
from tfp_noiseflow.captures.capture_file import Captures, CaptureWriter, read_captures
from tfp_noiseflow.captures.damage import damage_named
from tfp_noiseflow.captures.fixed_pattern import FixedPattern, write_fixed_pattern
from tfp_noiseflow.captures.import_captures import FAULTS, import_captures
from tfp_noiseflow.captures.source import SourceImage, SplitPlan, fingerprint_of
from tfp_noiseflow.choices import DARK_FRAME_LAYOUTS
from tfp_noiseflow.imaging.raw_file import read_raw_file

SPLIT = "dark_frames"
AIM_DARKS, AIM_CALIBRATION, AIM_GAINS = "dark_frame", "calib_res", "sys_gain.npz"


@dataclass(frozen=True)
class DarkBank:
    """A tree of dark frames, as `import_captures` takes it.

    Attributes:
      path: the folder. layout: "folder" or "aim2025".
      camera: the name of the frames' camera; "": what files (in aim2025 the folders) say.
      window: rows and columns of the mosaic, even, about the middle of every frame; None: whole
        frames. A bank is held in memory, 4 bytes a pixel.
      frames_per_iso: the most of a camera and ISO, evenly among them; None: all.
      black_level, white_level, cfa, iso: what the files do not say.
      licence: of the frames.
    """

    path: str | os.PathLike
    layout: str = "folder"
    camera: str = ""
    window: tuple[int, int] | None = None
    frames_per_iso: int | None = None
    black_level: float | None = None
    white_level: float | None = None
    cfa: str | None = None
    iso: float | None = None
    licence: str = ""

    splits = (SPLIT,)
    summary_keys = ("cameras",)

    def __post_init__(self):
        if self.layout not in DARK_FRAME_LAYOUTS:
            raise ValueError(
                f"expected a layout among {list(DARK_FRAME_LAYOUTS)}, received {self.layout!r}."
            )
        if self.window is not None and (
            len(self.window) != 2 or any(side < 2 or side % 2 for side in self.window)
        ):
            raise ValueError(f"expected a window of even rows and columns, received {self.window}.")
        if self.frames_per_iso is not None and self.frames_per_iso < 2:
            raise ValueError(f"expected frames_per_iso of 2 or more, received "
                             f"{self.frames_per_iso}.")  # fmt: skip

    @property
    def settings(self) -> dict:
        """As JSON values."""
        names = [name for name in self.__dataclass_fields__ if name != "path"]
        return {name: getattr(self, name) for name in names}

    def plans(self) -> list[SplitPlan]:
        """The plan of the bank.

        Raises:
          FileNotFoundError: no such folder.
          ValueError: nothing of the layout in it.
        """
        path = os.fspath(self.path)
        if not os.path.isdir(path):
            raise FileNotFoundError(f"{path}: expected a folder of dark frames, there is none.")
        given = Given(self.black_level, self.white_level, self.cfa, self.iso)
        frames: dict[tuple[str, float], list[Frame]] = {}
        bad: dict[str, str] = {}
        for name in _raw_files(path):
            camera = self._camera_of(name)
            if camera is None:
                continue
            try:
                frame = frame_of(path, name, DARKS, given)
            except FAULTS as fault:
                bad[name] = str(fault)
                continue
            camera = camera or frame.camera
            if not camera:
                bad[name] = f"{frame.path}: expected a camera, the file names none (--camera)."
                continue
            frames.setdefault((camera, frame.iso), []).append(frame)
        images = []
        for (camera, _), members in sorted(frames.items()):
            for frame in self._chosen(members):
                try:
                    images.append(self._source_image(camera, frame))
                except FAULTS as fault:
                    bad[frame.name] = str(fault)
        about = {"cameras": sorted({camera for camera, _ in frames})}
        expected = {
            "folder": "dark raw frames",
            "aim2025": "CAMERA/dark_frame/iso800/*.ARW and others",
        }[self.layout]
        return [SplitPlan(SPLIT, images, bad, expected, about)]

    def _camera_of(self, name: str) -> str | None:
        """What the layout says of a file's camera, "" for nothing; None: it is no dark frame."""
        if self.layout == "folder":
            return self.camera
        parts = name.split(os.sep)
        is_dark = len(parts) == 4 and parts[1] == AIM_DARKS
        return (self.camera or parts[0]) if is_dark else None

    def _chosen(self, frames: list[Frame]) -> list[Frame]:
        if self.frames_per_iso is None or len(frames) <= self.frames_per_iso:
            return frames
        places = np.linspace(0, len(frames) - 1, self.frames_per_iso)
        return [frames[int(place)] for place in places]

    def _source_image(self, camera: str, frame: Frame) -> SourceImage:
        calibration = self._calibration(frame)
        files = [frame.path, *calibration]
        size = 0 if self.window is None else 2 * 4 * self.window[0] * self.window[1]
        return SourceImage(
            frame.name.replace(os.sep, "_"),
            fingerprint_of(f"{camera} {frame.iso:g}", files),
            1,
            size,
            content=(camera, frame, calibration),
        )

    def _calibration(self, frame: Frame) -> tuple[str, ...]:
        """The files of gains and of dark shading that go with a frame."""
        if self.layout != "aim2025":
            return ()
        folder = os.path.join(self.path, frame.name.split(os.sep)[0], AIM_CALIBRATION)
        shading = f"dark_shading_iso{frame.iso:g}.npy"
        found = tuple(os.path.join(folder, name) for name in (AIM_GAINS, shading))
        for path in found:
            if not os.path.isfile(path):
                raise FileNotFoundError(f"{path}: expected beside {frame.name}, there is none.")
        return found

    def read(self, image: SourceImage) -> Mapping[str, np.ndarray]:
        """The capture of a frame, in codes."""
        camera, frame, calibration = image.content
        codes = self._cut(frame, read_codes(frame))
        black = float(frame.black_level.mean())
        captures = _dark_capture(camera, frame, codes, black)
        if calibration:
            full_scale = frame.white_level - black
            dark = (codes - black) / full_scale - self.shading(image)
            beta1 = _gain(calibration[0], frame.iso) / full_scale
            captures["nlf"] = np.array([[beta1, np.var(dark, dtype=np.float64)]])
        return captures

    def shading(self, image: SourceImage) -> np.ndarray | None:
        """[H, W] of a frame: the dark shading that the layout has, fractions of full scale.

        Raises:
          FileNotFoundError, ValueError: a damaged map, or one of another size than the sensor.
        """
        _, frame, calibration = image.content
        if not calibration:
            return None
        path = calibration[1]
        with damage_named(f"{path}: expected a whole .npy file"):
            shading = np.load(path)
        raw = read_raw_file(frame.path)
        assert raw.codes is not None  # They were read.
        size = tuple(side // 2 * 2 for side in raw.codes.shape)
        # The map may be of the whole sensor, the codes without its margins.
        top, left = (0, 0) if shading.shape == raw.codes.shape else raw.margins
        cut = shading[top : top + size[0], left : left + size[1]] if shading.ndim == 2 else shading
        if cut.shape != size or not np.isfinite(cut).all():
            raise ValueError(
                f"{path}: expected finite numbers of the size {list(raw.codes.shape)} of "
                f"{frame.path}, or of that with its margins {list(raw.margins)}, received "
                f"{shading.dtype} of shape {list(shading.shape)}."
            )
        return self._cut(frame, cut) / (frame.white_level - float(frame.black_level.mean()))

    def _cut(self, frame: Frame, mosaic: np.ndarray) -> np.ndarray:
        """The window of a frame; it begins at an even row and column."""
        if self.window is None:
            return mosaic
        room = np.array(mosaic.shape) - self.window
        if room.min() < 0:
            raise ValueError(
                f"{frame.path}: expected a frame of at least the window {list(self.window)}, "
                f"received {list(mosaic.shape)}."
            )
        top, left = (room // 2) // 2 * 2
        return mosaic[top : top + self.window[0], left : left + self.window[1]]

    def writer_options(self, split: str, images: int) -> dict:
        """What a CaptureWriter is given for a bank of so many frames."""
        del split
        return {
            "description": f"{images} dark frames, {self.layout} layout; clean is the black level.",
            "origin": f"dark frames of {os.path.basename(os.path.abspath(self.path))}",
            "licence": self.licence,
            "compression": "gzip",
        }


def import_dark_frames(bank: DarkBank, output_dir: str | os.PathLike, **options) -> list[str]:
    """Writes dark_frames.h5, a bank, and the fixed pattern of each of its cameras.

    A fixed pattern is the layout's dark shading, else the mean of the bank's frames at each ISO,
    with its hot pixels apart.

    Args:
      bank: where the frames are.
      output_dir: where the files go; an import that was stopped goes on. See `import_captures`.
      **options: of `import_captures`.

    Returns:
      The paths of the files, the bank's first.

    Raises:
      FileNotFoundError, ValueError, OSError: as `import_captures`.
    """
    options.setdefault("how_to_skip", "skip_bad=True, or --on_bad_file=skip,")
    import_captures(bank, output_dir, **options)
    paths = [os.path.join(output_dir, f"{SPLIT}.h5")]
    with read_captures(paths[0], dequantises=False) as captures:
        for camera in captures.cameras:
            paths.append(_pattern_path(output_dir, camera))
            if not os.path.exists(paths[-1]):
                maps = _maps(bank, camera) if bank.layout == "aim2025" else {}
                write_fixed_pattern(paths[-1], _fixed_pattern(captures, camera, maps))
    return paths


def write_dark_frames(
    calibration: Calibration, output_dir: str | os.PathLike, *, licence: str = ""
) -> list[str]:
    """Writes the darks that a calibration used as a bank, and their fixed pattern.

    The bank reports beta1 and beta2 of the calibrated law (`nlf`), so that
    `nf.DarkFrameNoise.from_captures` needs nothing else.

    Args:
      calibration: of their folder. output_dir: where the files go. licence: of the frames.

    Returns:
      The paths of the files, the bank's first; none where no ISO has two darks.
    """
    groups = [group for group in calibration.folder.groups if group.iso in calibration.darks]
    frames = [
        frame
        for group in groups
        if group.kind == DARKS
        for frame in group.frames
        if frame.name not in calibration.left_out
    ]
    if not frames:
        return []
    camera = calibration.camera
    paths = [os.path.join(output_dir, f"{SPLIT}.h5"), _pattern_path(output_dir, camera)]
    with CaptureWriter(
        paths[0],
        description=f"{len(frames)} dark frames by {camera}; clean is the black level.",
        origin=f"raw frames of {camera}",
        licence=licence,
        compression="gzip",
    ) as writer:
        for frame in frames:
            black = float(frame.black_level.mean())
            capture = _dark_capture(camera, frame, read_codes(frame), black)
            if calibration.law is not None:
                betas = [np.mean(beta) for beta in calibration.law.law(frame.iso)]
                capture["nlf"] = np.array([betas])
            writer.append(**capture)
    with read_captures(paths[0], dequantises=False) as captures:
        write_fixed_pattern(paths[1], _fixed_pattern(captures, camera, {}))
    return paths


def _dark_capture(camera: str, frame: Frame, codes: np.ndarray, black: float) -> dict:
    """The capture of a frame, in codes."""
    noisy = pack_bayer(codes, frame.cfa)[None]
    return {
        "noisy": noisy,
        "clean": np.full(noisy.shape, black, np.float32),
        "iso": np.array([frame.iso], np.float32),
        "camera": np.array([camera], object),
        "cfa": np.array([frame.cfa], object),
        "scene": np.array([frame.name], object),
        "black_level": np.array([black]),
        "white_level": np.array([frame.white_level]),
        "quantization_step": np.array([0.0 if codes.dtype.kind == "f" else 1.0]),
    }


def _pattern_path(output_dir: str | os.PathLike, camera: str) -> str:
    label = re.sub(r"[^\w-]+", "_", camera)
    return os.path.join(output_dir, f"fixed_pattern_{label}.h5")


def _fixed_pattern(captures: Captures, camera: str, maps: dict) -> FixedPattern:
    """Of the maps [H, W] by ISO, and where there is none of the mean of the frames."""
    own = captures.select(captures.camera == camera)
    assert own.cfa is not None  # A bank's captures have it.
    means = []
    for iso in own.iso_levels:
        if iso in maps:
            means.append(maps[iso])
            continue
        frames = own.select(own.iso == np.float32(iso))
        total = sum(block.noise.sum(axis=0, dtype=np.float64) for block in frames.blocks(4))
        means.append(unpack_bayer(total / len(frames), own.cfa[0]))
    return FixedPattern.of_dark_frames(
        np.stack(means),
        own.iso_levels,
        camera=camera,
        cfa=own.cfa[0],
        origin=captures.origin,
        licence=captures.licence,
    )


def _maps(bank: DarkBank, camera: str) -> dict[float, np.ndarray]:
    """ISO to the dark shading of a camera, of one frame's size at each."""
    (plan,) = bank.plans()
    maps: dict[float, np.ndarray] = {}
    for image in plan.images:
        name, frame, _ = image.content
        if name == camera and frame.iso not in maps:
            shading = bank.shading(image)
            assert shading is not None  # The layout has maps.
            maps[frame.iso] = shading
    return maps


def _gain(path: str, iso: float) -> float:
    """Codes a photoelectron at an ISO, the mean over the colours."""
    name = f"iso{iso:g}"
    with damage_named(f"{path}: expected a whole .npz file"), np.load(path) as file:
        names = file.files
        gains = np.asarray(file[name], np.float64) if name in names else None
    if gains is None or gains.shape not in ((), (1,), (4,)) or not np.all(gains > 0):
        raise ValueError(
            f"{path}: expected {name}, gains above 0 of R, Gr, Gb and B or of all, received "
            f"{names if gains is None else gains.tolist()}."
        )
    return float(gains.mean())


def _raw_files(path: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        names = sorted(name for name in files if name.lower().endswith(FORMATS))
        found += [os.path.relpath(os.path.join(folder, name), path) for name in names]
    return found
