"""Noise sampled from real dark frames, with drawn noise of photons: the low-light field's way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.capture_file import Captures, read_captures
from tfp_noiseflow.captures.dark_frames import (
    check_memory,
    dark_conditions,
    read_dark_frames,
)
from tfp_noiseflow.captures.fixed_pattern import FixedPattern
from tfp_noiseflow.conditions.conditions import Camera, Condition, Iso
from tfp_noiseflow.conditions.known import Known
from tfp_noiseflow.laws import CameraLaw
from tfp_noiseflow.models.batch_conditions import BatchConditions
from tfp_noiseflow.models.dark_frame_distribution import DarkFrameDistribution
from tfp_noiseflow.models.model_directory import register_noise_model
from tfp_noiseflow.models.noise_model import NoiseModel


@register_noise_model
class DarkFrameNoise(NoiseModel):
    """Photons drawn, everything else sampled from a bank of real dark frames.

    ```python
    model = nf.DarkFrameNoise.from_captures("darks.h5", laws)  # a capture file, its clean image 0
    noise = model(clean, iso=3200, camera="A7S2").sample(seed=(0, 1))
    ```

    noise = beta1 * Poisson(clean / beta1) - clean + a crop, at a random position and in the phase
    of the mosaic, of a random dark frame of the camera and ISO, dark shading taken off [1, 2].
    It has all that dark frames show and no formula tells: banding, tails, what pixels have in
    common. It knows the cameras at the ISOs of its bank alone: nothing in a dark frame tells the
    noise before the amplifier, which grows with the ISO, from that after it, which does not. Where
    a camera multiplies codes above its highest analogue ISO, that is a digital gain.

    It has no density (`has_density` is false; `log_prob` raises NotImplementedError): it augments,
    is exported without `log_prob`, and is scored by `kl` and the statistics of a report.

    The frames are variables that nothing trains: checkpoints and exports hold the bank. It takes
    4 bytes a value, 8 in float64. Values of dark frames are on codes: `StoredNoise` of it, which
    rounds clean + noise, has the noise of rounding twice.

    Args:
      conditions: camera and ISO of the bank, sorted, each once.
      counts: how many frames each has, above 0.
      beta1: a photoelectron's share of full scale for each, above 0; or [.., C], by channel.
      image_shape: (H, W, C) of a frame, packed or of one channel: the largest image that it makes
        noise for.
      has_flips: whether crops are mirrored at random. The phase of the mosaic stays (packed colours
        stay in their channel), what goes with the direction of readout does not.
      dtype: float32 or float64 (or its name).

    Raises:
      ValueError: conditions that are not sorted or are there twice, counts or beta1 that do not
        fit or are not above 0.

    #### References
    [1]: Feng, Wang, Wang, Fan, Huang. Learnability Enhancement for Low-light Raw Denoising: Where
         Paired Real Data Meets Noise Modeling. ACM MM 2022. Dark shading.
    [2]: AIM 2025 Challenge on Real-World RAW Image Denoising. arXiv:2510.06601. The baseline.
    """

    has_density = False

    def __init__(
        self,
        conditions: Sequence[tuple[str, float]],
        counts: Sequence[int] | np.ndarray,
        beta1: Sequence[float] | Sequence[Sequence[float]] | np.ndarray,
        image_shape: tuple[int, int, int],
        *,
        has_flips: bool = False,
        dtype: tf.DType = tf.float32,
    ):
        self._conditions = [(str(camera), float(iso)) for camera, iso in conditions]
        self._counts = np.array(counts, np.int32)
        self._beta1 = np.array(beta1, np.float64)
        self._image_shape = tuple(int(size) for size in image_shape)
        self._has_flips = bool(has_flips)
        self._check()
        cameras = tuple(dict.fromkeys(camera for camera, _ in self._conditions))
        isos = tuple(sorted({iso for _, iso in self._conditions}))
        levels = tuple(
            tuple(iso for own, iso in self._conditions if own == camera) for camera in cameras
        )
        is_by_pair = any(own != isos for own in levels)
        camera = Camera(len(cameras), levels if is_by_pair else None, len(cameras) > 1)
        super().__init__(
            None,
            channels=self._image_shape[2],
            known=Known(cameras, camera, Iso(isos)),
            dtype=tf.as_dtype(dtype),
            name="dark_frame_noise",
        )
        self.trained_iso_range = (isos[0], isos[-1])
        self._frames = tf.Variable(
            tf.zeros([int(self._counts.sum()), *self._image_shape], self.dtype),
            trainable=False,
            name="dark_frames",
        )
        # [M, K], which of the conditions; those that are not known are refused before.
        self._places = np.zeros([len(cameras), len(isos)], np.int32)
        for place, (name, iso) in enumerate(self._conditions):
            self._places[cameras.index(name), isos.index(iso)] = place

    def _check(self) -> None:
        size = len(self._conditions)
        if not size or self._conditions != sorted(set(self._conditions)):
            raise ValueError(
                f"expected pairs of camera and ISO, sorted, each once, received {self._conditions}."
            )
        if self._counts.shape != (size,) or not (self._counts > 0).all():
            raise ValueError(
                f"expected a number of dark frames above 0 for each of {size} conditions, received "
                f"{self._counts}."
            )
        if len(self._image_shape) != 3 or not min(self._image_shape) > 0:
            raise ValueError(f"expected frames [H, W, C], received {self._image_shape}.")
        shapes = ((size,), (size, self._image_shape[2]))
        if self._beta1.shape not in shapes or not np.all(
            (self._beta1 > 0) & np.isfinite(self._beta1)
        ):
            raise ValueError(
                f"expected beta1 above 0 of a shape among {shapes}, for the cameras and ISOs "
                f"{self._conditions}, received {self._beta1.tolist()}."
            )

    @classmethod
    def from_captures(
        cls,
        captures: Captures | str | os.PathLike,
        laws: CameraLaw | Sequence[CameraLaw] | None = None,
        *,
        fixed_patterns: Sequence[FixedPattern] | None = None,
        has_flips: bool = False,
        dtype: tf.DType = tf.float32,
    ) -> DarkFrameNoise:
        """The model of a bank of dark frames.

        Args:
          captures: dark frames, or the path of their capture file: whole frames (or the same window
            of all), noisy, with a clean image of 0 (the black level).
          laws: of each camera, for its beta1; None: that which the file reports (`nlf`).
          fixed_patterns: of the cameras, whose dark shading is taken off; None: the mean of the
            frames of a camera and ISO, see `read_dark_frames`.
          has_flips, dtype: as for the class.

        Raises:
          ValueError: no dark frames, see `read_dark_frames`; laws of other cameras or channels, or
            neither laws nor `nlf`.
          MemoryError: a bank larger than half of the memory that is free.
        """
        if not isinstance(captures, Captures):
            with read_captures(captures) as opened:
                return cls.from_captures(
                    opened, laws, fixed_patterns=fixed_patterns, has_flips=has_flips, dtype=dtype
                )
        conditions, counts, beta1 = dark_conditions(captures)
        if laws is not None:
            laws = (laws,) if isinstance(laws, CameraLaw) else laws
            beta1 = _beta1_of_laws(laws, conditions, captures.image_shape[2])
        elif np.isnan(beta1).any():
            raise ValueError(
                f"{captures.path}: expected laws of the cameras {list(captures.cameras)}, or a "
                "data set 'nlf' whose beta1 is taken, received neither."
            )
        # A bank may fill memory: variables, which take their room twice as they are made, are made
        # before frames are read, and assigned frame by frame: `assign` would copy them all.
        check_memory(captures)
        model = cls(
            conditions, counts, beta1, captures.image_shape, has_flips=has_flips, dtype=dtype
        )
        for number, frame in enumerate(read_dark_frames(captures, fixed_patterns).frames):
            tf.raw_ops.ResourceScatterUpdate(
                resource=model._frames.handle,
                indices=[number],
                updates=tf.constant(frame[np.newaxis], dtype),
            )
        model.origin, model.licence = captures.origin or None, captures.licence or None
        return model

    def _distribution(
        self, given: Mapping[str, tf.Tensor], declared: Mapping[str, Condition]
    ) -> DarkFrameDistribution:
        conditions = BatchConditions(
            given, declared, self.dtype, cameras=self.cameras, owner=self.name
        )
        values = conditions.broadcast()
        level, _ = self.known.iso.level(values["iso"])
        camera = values.get("camera", tf.zeros_like(level))
        place = tf.gather_nd(self._places, tf.stack([camera, level], axis=-1))
        beta1 = self._beta1.reshape([len(self._counts), -1])
        first = np.cumsum(self._counts, dtype=np.int32) - self._counts
        return DarkFrameDistribution(
            self._frames,
            tf.gather(first, place),
            tf.gather(self._counts, place),
            tf.gather(tf.constant(beta1, self.dtype), place),
            conditions,
            has_flips=self._has_flips,
        )

    @property
    def in_words(self) -> str:
        frames = int(self._counts.sum())
        return f"noise of photons and crops of {frames} dark frames, by camera and ISO"

    def get_config(self) -> dict:
        return {
            "conditions": [[camera, iso] for camera, iso in self._conditions],
            "counts": self._counts.tolist(),
            "beta1": self._beta1.tolist(),
            "image_shape": list(self._image_shape),
            "has_flips": self._has_flips,
            "dtype": self.dtype.name,
        }


def _beta1_of_laws(
    laws: Sequence[CameraLaw], conditions: Sequence[tuple[str, float]], channels: int
) -> np.ndarray:
    """[P] or [P, C]."""
    by_camera = {law.camera: law.in_channels(channels) for law in laws}
    missing = sorted({camera for camera, _ in conditions} - set(by_camera))
    if missing:
        raise ValueError(
            f"expected a law of each camera of the dark frames, received laws of "
            f"{sorted(by_camera)}, missing {missing}."
        )
    beta1 = [np.asarray(by_camera[camera](iso)[0]) for camera, iso in conditions]
    if any(values.ndim for values in beta1):
        beta1 = [np.broadcast_to(values, [channels]) for values in beta1]
    return np.stack(beta1)
