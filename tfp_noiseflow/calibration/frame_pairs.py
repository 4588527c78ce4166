"""Data sets of noisy raw frames with a clean one, as sources of captures.

Three layouts:

- folder: `SCENE/noisy/*.npz` (or any raw format) and `SCENE/clean/*`. Several clean frames are
  averaged; one of a longer exposure is divided by the ratio of the exposures.
- sid: See-in-the-Dark, Chen et al., CVPR 2018: `Sony/short/00001_00_0.1s.ARW` and
  `Sony/long/00001_00_10s.ARW`; the first five digits are the scene, the last part is the exposure
  time, and each short frame's clean one is the long frame of its scene.
- eld: Extreme Low-light Denoising, Wei et al., CVPR 2020: `CAMERA/scene-1/IMG_0001.ARW` to
  `IMG_0016.ARW`. Frames 1, 6, 11 and 16 are clean, at the base ISO; those between are noisy, at
  higher ISOs and shorter exposures. The clean frame of the nearest number is taken.

The ratio by which a clean frame is divided is that of exposure time times ISO; the black level is
taken off first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.captures.import_captures import FAULTS, import_captures
from tfp_noiseflow.captures.source import SourceImage, SplitPlan, fingerprint_of
from tfp_noiseflow.choices import FRAME_LAYOUTS
from tfp_noiseflow.imaging.raw_file import CAMERA_FORMATS, MOSAIC_FORMATS, NPZ, read_raw_file

FORMATS = (NPZ, *CAMERA_FORMATS, *MOSAIC_FORMATS)
SID_NAME = re.compile(r"(\d{5})_(\d{2})_(\d+(?:\.\d+)?)s")
ELD_NAME = re.compile(r"IMG_(\d{4})", re.IGNORECASE)
ELD_CLEAN = (1, 6, 11, 16)
PATCH_SIZE = 32
PATCHES = 256


@dataclass(frozen=True)
class FramePair:
    """A noisy frame and what its clean image is made of.

    Attributes:
      name: of the pair, by which it is told. scene: of its scene. camera: "" where only files say.
      noisy: its file. clean: files of the frames that are averaged.
      times: of the noisy and the clean exposure, seconds; None: what the files say.
    """

    name: str
    scene: str
    camera: str
    noisy: str
    clean: tuple[str, ...]
    times: tuple[float, float] | None = None


@dataclass(frozen=True)
class FramePairs:
    """A tree of frame pairs, as `import_captures` takes it.

    Attributes:
      path: the folder. layout: "folder", "sid" or "eld".
      camera: name for pairs of which neither files nor folders say one.
      test_share: share of the scenes that are the test split; no scene is in both.
      black_level, white_level, cfa, iso: what the files do not say.
      patch_size: side in packed pixels. patches_per_frame: at most. seed: of splits and places.
    """

    path: str | os.PathLike
    layout: str = "folder"
    camera: str = ""
    test_share: float = 0.2
    black_level: float | None = None
    white_level: float | None = None
    cfa: str | None = None
    iso: float | None = None
    patch_size: int = PATCH_SIZE
    patches_per_frame: int = PATCHES
    seed: int = 0

    summary_keys = ("scenes",)

    def __post_init__(self):
        if self.layout not in FRAME_LAYOUTS:
            raise ValueError(
                f"expected a layout among {list(FRAME_LAYOUTS)}, received {self.layout!r}."
            )
        if not 0 <= self.test_share < 1:
            raise ValueError(f"expected a test_share in [0, 1), received {self.test_share}.")
        if self.patch_size < 1 or self.patches_per_frame < 1:
            raise ValueError(
                f"expected patch_size and patches_per_frame of 1 or more, received "
                f"{self.patch_size} and {self.patches_per_frame}."
            )

    @property
    def splits(self) -> tuple[str, ...]:
        """Names."""
        return ("train", "test") if self.test_share else ("train",)

    @property
    def settings(self) -> dict:
        """As JSON values."""
        names = [name for name in self.__dataclass_fields__ if name != "path"]
        return {name: getattr(self, name) for name in names}

    def plans(self) -> list[SplitPlan]:
        """The plan of each split.

        Raises:
          FileNotFoundError: no such folder.
          ValueError: nothing of the layout in it.
        """
        pairs, bad = find_pairs(self.path, self.layout)
        scenes = sorted({pair.scene for pair in pairs})
        order = np.random.default_rng(self.seed).permutation(len(scenes))
        number = round(self.test_share * len(scenes))
        if self.test_share:
            number = min(max(number, 1), max(len(scenes) - 1, 0))
        test = {scenes[index] for index in order[:number]}
        plans = []
        for split in self.splits:
            own = [pair for pair in pairs if (pair.scene in test) == (split == "test")]
            images, faults = [], dict(bad) if split == "train" else {}
            for pair in own:
                try:
                    images.append(self._source_image(pair))
                except FAULTS as fault:
                    faults[pair.name] = str(fault)
            about = {"scenes": sorted({pair.scene for pair in own})}
            plans.append(
                SplitPlan(split, images, faults, "of scenes of their own, two or more", about)
            )
        return plans

    def _source_image(self, pair: FramePair) -> SourceImage:
        fingerprint = fingerprint_of(f"{pair.scene} {pair.camera}", [pair.noisy, *pair.clean])
        patch_bytes = 2 * 4 * self.patch_size**2 * 4
        return SourceImage(
            pair.name.replace(os.sep, "_"),
            fingerprint,
            self.patches_per_frame,
            self.patches_per_frame * patch_bytes,
            content=pair,
        )

    def read(self, image: SourceImage) -> Mapping[str, np.ndarray]:
        """The captures of a pair, in fractions of full scale."""
        pair: FramePair = image.content
        noisy, about = self._fractions(pair.noisy)
        clean, shots = [], []
        for path in pair.clean:
            values, shot = self._fractions(path)
            clean.append(values)
            shots.append(shot)
        for path, values, shot in zip(pair.clean, clean, shots, strict=True):
            if values.shape != noisy.shape or shot["cfa"] != about["cfa"]:
                raise ValueError(
                    f"{path}: expected a clean frame of the size and CFA of {pair.noisy}, "
                    f"{list(noisy.shape)} {about['cfa']}, received {list(values.shape)} "
                    f"{shot['cfa']}."
                )
        ratio = self._ratio(pair, about, shots[0])
        clean = np.mean(clean, axis=0)
        is_full = clean > 0.98
        clean = clean / ratio
        packed = [pack_bayer(part, about["cfa"]) for part in (noisy, clean, is_full)]
        corners = self._corners(packed[0].shape, image.name)
        blocks = [
            np.stack([part[y : y + self.patch_size, x : x + self.patch_size] for y, x in corners])
            for part in packed
        ]
        # What is saturated in the clean frame is not known.
        is_known = ~blocks[2].any(axis=(1, 2, 3))
        if not is_known.any():
            raise ValueError(f"{pair.clean[0]}: expected a clean frame that is not all saturated.")
        count = int(is_known.sum())
        camera = pair.camera or about["camera"] or self.camera
        if not camera:
            raise ValueError(f"{pair.noisy}: expected a camera, the file names none (--camera).")
        step = about["step"]
        return {
            "noisy": blocks[0][is_known].astype(np.float32),
            "clean": blocks[1][is_known].astype(np.float32),
            "iso": np.full(count, about["iso"], np.float32),
            "camera": np.full(count, camera, object),
            "scene": np.full(count, pair.scene, object),
            "cfa": np.full(count, about["cfa"], object),
            "quantization_step": np.full(count, step),
        }

    def writer_options(self, split: str, images: int) -> dict:
        """What a CaptureWriter is given for a split of so many frames."""
        return {
            "description": (
                f"{self.layout} layout, {split} split, {images} noisy frames; clean: means of "
                "bursts or longer exposures divided by the ratio of exposure times ISO."
            ),
            "origin": f"raw frames of {os.path.basename(os.path.abspath(self.path))}",
        }

    def _fractions(self, path: str) -> tuple[np.ndarray, dict]:
        """[H, W] in fractions of full scale, even sides, and what the file says."""
        file = read_raw_file(path)
        given: dict[str, Any] = {
            "black": self.black_level if self.black_level is not None else file.black_level,
            "white": self.white_level if self.white_level is not None else file.white_level,
            "cfa": self.cfa or file.cfa,
            "iso": self.iso or file.iso,
        }
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise ValueError(f"{path}: expected {', '.join(missing)}, which the file does not say.")
        assert file.codes is not None  # They were read.
        height, width = (side // 2 * 2 for side in file.codes.shape)
        cell = np.broadcast_to(np.asarray(given["black"], np.float64), (2, 2))
        black = np.tile(cell, (height // 2, width // 2))
        white = float(np.asarray(given["white"], np.float64).reshape(()))
        values = (file.codes[:height, :width] - black) / (white - cell.mean())
        about: dict[str, Any] = {
            "cfa": given["cfa"],
            "iso": float(given["iso"]),
            "camera": file.camera,
        }
        about |= {"time": file.exposure_time, "step": 1 / (white - float(cell.mean()))}
        return values, about

    def _ratio(self, pair: FramePair, noisy: dict, clean: dict) -> float:
        """Light of the clean frame over the noisy one's, as codes have it."""
        times = pair.times or (noisy["time"], clean["time"])
        if None in times:
            if self.layout == "folder":
                return 1.0  # A burst's, of the same exposure.
            raise ValueError(f"{pair.noisy}: expected exposure times, the files name none.")
        ratio = times[1] * clean["iso"] / (times[0] * noisy["iso"])
        if not 0 < ratio < np.inf:
            raise ValueError(f"{pair.noisy}: expected exposures above 0, received {times}.")
        return float(ratio)

    def _corners(self, shape: Sequence[int], name: str) -> list[tuple[int, int]]:
        size = self.patch_size
        if min(shape[:2]) < size:
            raise ValueError(
                f"{name}: expected frames of {2 * size} pixels or more a side, received "
                f"{[2 * side for side in shape[:2]]}."
            )
        grid = [
            (y, x)
            for y in range(0, shape[0] - size + 1, size)
            for x in range(0, shape[1] - size + 1, size)
        ]
        seed = int(fingerprint_of(f"{self.seed} {name}", [])[:8], 16)
        order = np.random.default_rng(seed).permutation(len(grid))[: self.patches_per_frame]
        return [grid[index] for index in np.sort(order)]


def find_pairs(path: str | os.PathLike, layout: str) -> tuple[list[FramePair], dict[str, str]]:
    """The pairs of a tree, and what of it has no clean frame, by name.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: nothing of the layout in it.
    """
    path = os.fspath(path)
    if not os.path.isdir(path):
        raise FileNotFoundError(f"{path}: expected a folder of frames, there is none.")
    pairs, bad = {"folder": _of_folder, "sid": _of_sid, "eld": _of_eld}[layout](path)
    if not pairs:
        expected = {
            "folder": "SCENE/noisy and SCENE/clean",
            "sid": "short/00001_00_0.1s.ARW and long/00001_00_10s.ARW",
            "eld": "scene-1/IMG_0001.ARW and others",
        }[layout]
        found = "; ".join(list(bad.values())[:3])
        raise ValueError(f"{path}: expected frames in the layout {expected}, found none. {found}")
    return pairs, bad


def import_frames(source: FramePairs, output_dir: str | os.PathLike, **options) -> dict:
    """Writes train.h5 and test.h5 of a tree of frame pairs; see `import_captures`."""
    options.setdefault("how_to_skip", "skip_bad=True, or --on_bad_file=skip,")
    return import_captures(source, output_dir, **options)


def _raw_files(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(FORMATS))
    return [os.path.join(folder, name) for name in names]


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _of_folder(path: str):
    pairs, bad = [], {}
    for folder, folders, _ in os.walk(path):
        folders.sort()
        noisy = _raw_files(os.path.join(folder, "noisy"))
        clean = _raw_files(os.path.join(folder, "clean"))
        scene = os.path.relpath(folder, path)
        if noisy and not clean:
            bad[scene] = f"{folder}: expected frames in clean beside those in noisy, found none."
        elif noisy:
            for file in noisy:
                pairs.append(FramePair(f"{scene}_{_stem(file)}", scene, "", file, tuple(clean)))
    return pairs, bad


def _of_sid(path: str):
    pairs, bad = [], {}
    for folder, folders, _ in os.walk(path):
        folders.sort()
        long = {}
        for file in _raw_files(os.path.join(folder, "long")):
            if match := SID_NAME.fullmatch(_stem(file)):
                long[match[1]] = (file, float(match[3]))
        for file in _raw_files(os.path.join(folder, "short")):
            match = SID_NAME.fullmatch(_stem(file))
            camera = os.path.basename(folder)
            name = f"{camera}_{_stem(file)}"
            if not match:
                bad[name] = f"{file}: expected a name such as 00001_00_0.1s."
            elif match[1] not in long:
                bad[name] = f"{file}: expected a long exposure {match[1]}_00_10s beside it."
            else:
                clean, time = long[match[1]]
                scene = f"{camera} {match[1]}"
                times = (float(match[3]), time)
                pairs.append(FramePair(name, scene, "", file, (clean,), times))
    return pairs, bad


def _of_eld(path: str):
    pairs, bad = [], {}
    for folder, folders, _ in os.walk(path):
        folders.sort()
        if not re.fullmatch(r"scene-\d+", os.path.basename(folder)):
            continue
        camera = os.path.basename(os.path.dirname(folder))
        scene = f"{camera} {os.path.basename(folder)}"
        found = {}
        for file in _raw_files(folder):
            if match := ELD_NAME.fullmatch(_stem(file)):
                found[int(match[1])] = file
        clean = {number: found[number] for number in ELD_CLEAN if number in found}
        for number, file in found.items():
            if number in ELD_CLEAN:
                continue
            name = f"{scene} {_stem(file)}".replace(" ", "_")
            if not clean:
                bad[name] = f"{file}: expected a clean frame IMG_0001 (or 6, 11, 16) beside it."
                continue
            nearest = min(clean, key=lambda other: (abs(other - number), other))
            pairs.append(FramePair(name, scene, "", file, (clean[nearest],)))
    return pairs, bad
