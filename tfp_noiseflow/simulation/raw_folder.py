"""A folder of raw frames of a simulated camera, whose truth is known: what a user would shoot.

    flats/iso800/f3_0.npz    a uniform light, defocused, at several exposures
    darks/iso800/d0.npz      no light
    scenes/iso800/s0_4.npz   bursts of static scenes
    truth.json

A frame's mean is

    mean = black + drift(ISO) + row + column shading + light * PRNU + hot pixels

in codes. Its noise is the sensor process's: Poisson shot noise, Tukey-lambda read noise, a Gaussian
offset of each row, rounding; codes go from 0 to white, so that what is below black is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from tfp_noiseflow.atomic_write import write_json, written_beside
from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.simulation.phones import PHONES, Phone
from tfp_noiseflow.simulation.photographs import PHOTOGRAPHS, linear_photograph
from tfp_noiseflow.simulation.raw_shoot import RawShoot
from tfp_noiseflow.simulation.sensor import RAW_SENSOR
from tfp_noiseflow.simulation.tukey_lambda import draw_tukey_lambda

CFA = "RGGB"
# Light of a flat's brightest exposure, of full scale; each other is half of the one before.
BRIGHTEST = 0.7
# The lens darkens the corners of flats by this share.
VIGNETTING = 0.3
# A lit scene's white and a colour cast, as raw frames have before white balance.
TINT = (0.6, 1.0, 0.5)


class RawCamera:
    """One phone as a camera with the faults of a shoot.

    Args:
      phone: of `phones.PHONES`, by name. shoot: what is wrong with it. seed: of its pixels.

    Attributes:
      white_level, full_scale: in codes.

    Raises:
      ValueError: an unknown phone, or codes coarser than its law says.
    """

    def __init__(self, phone: str, shoot: RawShoot, seed: int = 0):
        self.phone, self.shoot = _phone(phone), shoot
        self.white_level = 2**shoot.bits - 1
        self.full_scale = self.white_level - shoot.black_level
        rng = np.random.default_rng([seed, 0])
        height, width = shoot.shape
        self.gains = 1 + shoot.prnu * rng.standard_normal(shoot.shape)
        self._offsets = rng.standard_normal(shoot.shape)
        rows, columns = (np.linspace(-0.5, 0.5, side) for side in shoot.shape)
        ripple = 0.2 * rng.standard_normal(height)[:, None] + 0.2 * rng.standard_normal(width)
        slope = rows[:, None] + 0.5 * np.cos(3 * columns)
        self._shading = shoot.shading * (slope - slope.mean() + 0.1 * (ripple - ripple.mean()))
        self.is_hot = rng.random(shoot.shape) < shoot.hot_pixels
        self._heat = rng.uniform(10, 100, shoot.shape) * self.is_hot
        least = min(self.law(iso)[1] for iso in shoot.iso_levels)
        if not least > 1 / 12 / self.full_scale**2:
            raise ValueError(
                f"expected beta2 above the quantisation variance of {shoot.bits} bits, "
                f"{1 / 12 / self.full_scale**2:.3g}, received {least:.3g} of {phone}."
            )

    def law(self, iso: float) -> tuple[float, float]:
        """beta1 and beta2, which includes the variance of rounding."""
        beta1, beta2 = self.phone.true(iso)
        return float(beta1), float(beta2)

    def read_noise(self, iso: float) -> float:
        """Standard deviation of read and row noise, in codes."""
        return float(np.sqrt(self.law(iso)[1] * self.full_scale**2 - 1 / 12))

    def black(self, iso: float) -> np.ndarray:
        """[H, W], the mean code of each pixel in the dark."""
        lowest, highest = min(self.shoot.iso_levels), max(self.shoot.iso_levels)
        span = np.log(highest / lowest) if highest > lowest else 1.0
        drift = self.shoot.black_drift * np.log(iso / lowest) / span
        noise = self.read_noise(iso)
        offsets = self.shoot.dsnu * noise * self._offsets + self._heat * noise
        return self.shoot.black_level + drift + self._shading + offsets

    def mean_black(self, iso: float) -> list[float]:
        """Of R, Gr, Gb, B, without hot pixels."""
        black = np.where(self.is_hot, np.nan, self.black(iso))
        return np.nanmean(pack_bayer(black, CFA), axis=(0, 1)).tolist()

    def shoot_frame(self, light: np.ndarray, iso: float, rng: np.random.Generator) -> np.ndarray:
        """One frame.

        Args:
          light: [H, W] or a number, in fractions of full scale.
          iso: of the frame. rng: random numbers.

        Returns:
          [H, W] uint16 codes.
        """
        beta1, _ = self.law(iso)
        shape, noise, share = self.shoot.shape, self.read_noise(iso), self.shoot.row_share
        electrons = rng.poisson(np.clip(light, 0, None) * self.gains / beta1)
        codes = self.black(iso) + electrons * (beta1 * self.full_scale)
        codes += (
            np.sqrt(1 - share) * noise * draw_tukey_lambda(RAW_SENSOR.read_noise_lambda, shape, rng)
        )
        codes += np.sqrt(share) * noise * rng.standard_normal((shape[0], 1))
        lowest = self.shoot.lowest_code
        return np.clip(np.rint(codes), lowest, self.white_level).astype(np.uint16)

    def flat(self, exposure: int) -> np.ndarray:
        """[H, W], the light of a flat; exposure 0 is the brightest."""
        y, x = (np.linspace(-1, 1, side) for side in self.shoot.shape)
        lens = 1 - VIGNETTING * (y[:, None] ** 2 + x**2) / 2
        return BRIGHTEST * 0.5**exposure * lens

    def scene(self, number: int, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
        """[H, W], the light of a static scene: a photograph, enlarged, and dark and light areas.

        Args:
          number: which. shift: rows and columns by which the camera points elsewhere.
        """
        height, width = self.shoot.shape
        photographs = [photograph for photograph in PHOTOGRAPHS if photograph.split == "train"]
        linear = linear_photograph(photographs[number % len(photographs)])
        # Bilinear, to a frame a little larger than the sensor: cameras see no harder edges.
        margin = max(abs(s) for s in shift) if any(shift) else 0
        rows = np.linspace(0, linear.shape[0] - 2, height + 64)[32 + shift[0] :][:height]
        columns = np.linspace(0, linear.shape[1] - 2, width + 64)[32 + shift[1] :][:width]
        if margin > 32:
            raise ValueError(f"expected a shift of at most 32 pixels, received {shift}.")
        light = _bilinear(linear, rows, columns)
        light *= np.array(TINT)
        mosaic = np.empty((height, width))
        for (y, x), colour in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (0, 1, 1, 2), strict=True):
            mosaic[y::2, x::2] = light[y::2, x::2, colour]
        return 0.8 * mosaic


def simulate_raw_folder(
    output_dir: str | os.PathLike,
    phone: str = "Pixel",
    shoot: RawShoot | None = None,
    *,
    seed: int = 0,
    on_frame: Callable[[int, int], None] | None = None,
) -> dict:
    """Writes a folder of raw frames and what is true of them.

    Args:
      output_dir: where; files that are there are replaced.
      phone: of `phones.PHONES`, by name.
      shoot: what is shot; None: a `RawShoot` as it is.
      seed: of all that is drawn.
      on_frame: called with (frames written, frames) after each.

    Returns:
      The content of truth.json: `camera`; `white_level`, `black_level`; `by_iso`: iso, beta1,
      beta2, row_share, read_noise_dn, black_level (of R, Gr, Gb, B, the mean without hot pixels);
      `hot_pixels` [n, 2] rows and columns; `left_out`: file and what is wrong with it.

    Raises:
      ValueError: as `RawCamera`.
    """
    shoot = shoot or RawShoot()
    camera = RawCamera(phone, shoot, seed)
    frames = list(_frames(camera))
    left_out = [{"file": name, "reason": fault} for name, _, _, _, fault in frames if fault]
    for number, (name, iso, exposure_time, light, _) in enumerate(frames):
        rng = np.random.default_rng([seed, 1, number])
        path = os.path.join(output_dir, name)
        with written_beside(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(
                file,
                raw=camera.shoot_frame(light(), iso, rng),
                black=shoot.black_level,
                white=camera.white_level,
                cfa=CFA,
                iso=iso,
                exposure_time=exposure_time,
                camera=phone,
            )
        if on_frame is not None:
            on_frame(number + 1, len(frames))
    by_iso, isos = [], shoot.iso_levels
    for iso in isos:
        beta1, beta2 = camera.law(iso)
        by_iso.append(
            {
                "iso": iso,
                "beta1": beta1,
                "beta2": beta2,
                "row_share": shoot.row_share,
                "read_noise_dn": float(np.sqrt(beta2) * camera.full_scale),
                "black_level": camera.mean_black(iso),
            }
        )
    truth = {
        "camera": phone,
        "white_level": camera.white_level,
        "black_level": shoot.black_level,
        "tukey_lambda": RAW_SENSOR.read_noise_lambda,
        "shoot": asdict(shoot) | {"iso_levels": list(isos), "shape": list(shoot.shape)},
        "by_iso": by_iso,
        "hot_pixels": np.argwhere(camera.is_hot).tolist(),
        "left_out": left_out,
    }
    write_json(os.path.join(output_dir, "truth.json"), truth)
    return truth


def _frames(camera: RawCamera):
    """Of each frame: its name, ISO, exposure time, a function that gives its light, its fault."""
    shoot = camera.shoot
    for iso in shoot.iso_levels:
        for exposure in range(shoot.flat_exposures):
            time = 0.02 * 100 / iso * 0.5**exposure
            for number in range(shoot.flats):
                name = f"flats/iso{iso}/f{exposure}_{number}.npz"
                yield name, iso, time, lambda e=exposure: camera.flat(e), None
        for number in range(shoot.darks):
            yield f"darks/iso{iso}/d{number}.npz", iso, 0.001, lambda: 0.0, None
        for scene in range(shoot.scenes):
            for number in range(shoot.burst):
                name = f"scenes/iso{iso}/s{scene}_{number}.npz"
                fault, shift, light = None, (0, 0), 1.0
                # Neither is the first, and a burst of three still has a pair.
                if shoot.shake and number == 1 and shoot.burst > 3:
                    fault, shift = "shaken", (shoot.shake, shoot.shake)
                if shoot.flicker and number == 2 and shoot.burst > 3:
                    fault, light = "flickers", 1 + shoot.flicker
                made = lambda s=scene, d=shift, l=light: l * camera.scene(s, d)  # noqa: E731, E741
                yield name, iso, 0.01 * 100 / iso, made, fault


def _phone(name: str) -> Phone:
    phones = {phone.name: phone for phone in PHONES}
    if name not in phones:
        raise ValueError(f"expected a phone among {list(phones)}, received {name!r}.")
    return phones[name]


def _bilinear(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """An image [H, W, C] at fractional rows and columns."""
    top, left = rows.astype(int), columns.astype(int)
    y, x = (rows - top)[:, None, None], (columns - left)[:, None]
    upper, lower = image[top], image[top + 1]

    def across(part):
        return (1 - x) * part[:, left] + x * part[:, left + 1]

    return (1 - y) * across(upper) + y * across(lower)
