"""The pictures of "The noise of a sensor in ten pictures", from the simulator, the same each time.

python docs/pictures.py      # writes docs/pictures/*.png
"""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image
from scipy import stats

from tfp_noiseflow.imaging.isp import linear_to_srgb
from tfp_noiseflow.reporting.plots.canvas import iso_colors, new_figure, save_figure
from tfp_noiseflow.simulation.phones import ISO_LEVELS, PHONES
from tfp_noiseflow.simulation.photographs import PHOTOGRAPHS, linear_photograph
from tfp_noiseflow.simulation.raw_folder import RawCamera
from tfp_noiseflow.simulation.raw_shoot import RawShoot
from tfp_noiseflow.simulation.sensor import PHONE_SENSOR, draw_codes
from tfp_noiseflow.simulation.tukey_lambda import draw_tukey_lambda

FOLDER = pathlib.Path(__file__).resolve().parent / "pictures"
BLUE, RED, GREY = "#0072B2", "#D55E00", "#777777"
LAW = {phone.name: phone.true for phone in PHONES}


def noisy_of(clean, phone, iso, rng):
    """A packed capture [H, W, 4] in fractions of full scale, rounded and clipped."""
    codes = draw_codes(clean[None], LAW[phone](iso)[None], rng)[0].astype(np.float64)
    return (codes - PHONE_SENSOR.black_code) * PHONE_SENSOR.step


def shown(axes, image, title, aspect="equal", **limits):
    """An image without axes, its pixels as squares or as they fit."""
    axes.imshow(image, cmap="gray", interpolation="nearest", aspect=aspect, **limits)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def photons(rng):
    figure, axes = new_figure(7.5, 2.8, columns=2)
    for one, mean in zip(axes, (3, 60), strict=True):
        counts = rng.poisson(mean, 200_000)
        values, number = np.unique(counts, return_counts=True)
        one.bar(values, number / counts.size, color=BLUE, width=0.8, label="photons of a pixel")
        x = np.linspace(values[0] - 1, values[-1] + 1, 300)
        one.plot(x, stats.norm.pdf(x, mean, mean**0.5), color=RED, label="normal, equal variance")
        one.set(title=f"{mean} on average", xlabel="photons counted", yticks=[])
    axes[1].legend(frameon=False, fontsize=8)
    return figure


def photon_transfer(rng):
    figure, axes = new_figure(6.5, 3.6)
    levels = np.linspace(0.05, 0.7, 12)
    colors = iso_colors(ISO_LEVELS)
    for iso in ISO_LEVELS:
        beta1, beta2 = LAW["Pixel"](iso)
        clean = np.broadcast_to(levels[:, None, None], (len(levels), 4000, 4)).copy()
        variance = (noisy_of(clean, "Pixel", iso, rng) - clean).var(axis=(1, 2))
        axes.plot(levels, variance * 1e4, "o", color=colors[iso], markersize=4)
        axes.plot(levels, (beta1 * levels + beta2) * 1e4, color=colors[iso], label=f"ISO {iso}")
    axes.set(
        xlabel="clean level, of full scale", ylabel="variance of the noise, 1e-4", ylim=(0, None)
    )
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    return figure


def ramps(rng):
    ramp = np.broadcast_to(np.linspace(0, 0.5, 120)[None, :, None], (14, 120, 4)).copy()
    figure, axes = new_figure(7.5, 3.0, rows=4)
    shown(axes[0], linear_to_srgb(ramp[..., 0]), "clean", aspect="auto", vmin=0, vmax=0.8)
    for one, iso in zip(axes[1:], (100, 800, 3200), strict=True):
        noisy = np.clip(noisy_of(ramp, "Pixel", iso, rng)[..., 0], 0, 1)
        shown(one, linear_to_srgb(noisy), f"ISO {iso}", aspect="auto", vmin=0, vmax=0.8)
    return figure


def laws(rng):
    figure, axes = new_figure(7.5, 3.2, columns=2)
    isos = np.geomspace(50, 6400, 100)
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    for phone, style in zip(PHONES, styles, strict=True):
        for one, beta in zip(axes, phone.true(isos).T, strict=True):
            one.loglog(isos, beta, label=phone.name, linestyle=style)
    for one, number in zip(axes, (1, 2), strict=True):
        one.set(
            xlabel="ISO",
            title=f"beta{number}: variance " + ("per light", "in the dark")[number - 1],
        )
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def tails(rng):
    figure, axes = new_figure(6.5, 3.4)
    read = draw_tukey_lambda(PHONE_SENSOR.read_noise_lambda, (2_000_000,), rng)
    edges = np.linspace(-9, 9, 91)
    density, _ = np.histogram(read, edges, density=True)
    axes.stairs(density, edges, color=BLUE, fill=True, alpha=0.5, label="read noise")
    x = np.linspace(-9, 9, 400)
    axes.plot(x, stats.norm.pdf(x), color=RED, label="normal, equal variance")
    axes.set(yscale="log", ylim=(1e-7, 1), xlabel="standard deviations", ylabel="density")
    axes.legend(frameon=False, fontsize=9)
    return figure


def rows(rng):
    mosaic_rows, columns = 60, 90
    _, beta2 = LAW["Nexus 6"](3200)
    read, row = PHONE_SENSOR.read_and_row(beta2)
    frame = read * draw_tukey_lambda(PHONE_SENSOR.read_noise_lambda, (mosaic_rows, columns), rng)
    frame += row * rng.standard_normal((mosaic_rows, 1))
    along = np.ones(30) / 30
    averaged = np.stack([np.convolve(line, along, mode="same") for line in frame])
    figure, axes = new_figure(7.5, 2.7, columns=2)
    for one, image, title in zip(
        axes, (frame, averaged), ("a dark frame", "30 neighbours of a row averaged"), strict=True
    ):
        limit = 3 * image.std()
        shown(one, image, title, vmin=-limit, vmax=limit)
    return figure


def codes(rng):
    figure, axes = new_figure(7.5, 2.9, columns=2)
    for one, iso in zip(axes, (100, 3200), strict=True):
        beta1, beta2 = LAW["Galaxy S20 FE"](iso)
        level = 20 * PHONE_SENSOR.step
        clean = np.full((200, 1000, 4), level)
        # In codes above black.
        stored = np.rint(noisy_of(clean, "Galaxy S20 FE", iso, rng) / PHONE_SENSOR.step)
        deviation = np.sqrt(beta1 * level + beta2) / PHONE_SENSOR.step
        values, number = np.unique(stored, return_counts=True)
        edges = np.append(values, values[-1] + 1) - 0.5
        one.stairs(number / stored.size, edges, color=BLUE, fill=True, alpha=0.6)
        x = np.linspace(20 - 5 * deviation, 20 + 5 * deviation, 300)
        one.plot(x, stats.norm.pdf(x, 20, deviation), color=RED)
        one.set(title=f"ISO {iso}: {deviation:.1f} codes of noise", xlabel="code above black",
                yticks=[], xlim=(x[0], x[-1]))  # fmt: skip
    return figure


def clipping(rng):
    figure, axes = new_figure(7.5, 2.9, columns=2)
    levels = np.linspace(0, 0.06, 16)
    # Many rows of each level, because a row's offset is common to all of its pixels.
    clean = np.repeat(levels, 1000)[:, None, None] * np.ones((1, 50, 4))
    noise = noisy_of(clean, "Nexus 6", 3200, rng) - clean
    noise = noise.reshape(len(levels), -1)
    dark = levels[2] + noise[2]
    axes[0].hist(dark, np.arange(-0.5, 150, 4) * PHONE_SENSOR.step, color=BLUE)
    axes[0].axvline(levels[2], color=RED, label="clean level")
    axes[0].set(xlabel="noisy, of full scale", title="a dark grey at ISO 3200", yticks=[])
    axes[0].legend(frameon=False, fontsize=8)
    axes[1].plot(levels, noise.mean(axis=1), "o-", color=BLUE, markersize=4)
    axes[1].axhline(0, color=GREY, linewidth=0.8)
    axes[1].set(xlabel="clean level", title="mean of the noise")
    return figure


def fixed_pattern(rng):
    shoot = RawShoot(shape=(60, 90), iso_levels=(100, 1600), dsnu=0.5, shading=6, hot_pixels=2e-3)
    camera = RawCamera("Pixel", shoot)
    frames = np.stack([camera.shoot_frame(0, 1600, rng) for _ in range(256)]).astype(np.float64)
    low, high = np.percentile(frames[0], (5, 95))
    figure, axes = new_figure(7.5, 2.7, columns=2)
    for one, image, title in zip(
        axes, (frames[0], frames.mean(0)), ("one dark frame", "the mean of 256"), strict=True
    ):
        shown(one, image, title, vmin=low, vmax=high)
    return figure


def together(rng):
    photograph = next(photograph for photograph in PHOTOGRAPHS if photograph.split == "test")
    light = linear_photograph(photograph)[..., 1]
    top, left = (side // 3 for side in light.shape)
    # Green, one pixel of the mosaic each: what a sensor has of it in low light.
    clean = 0.4 * light[top : top + 64, left : left + 64].astype(np.float64)
    beta1, beta2 = LAW["Nexus 6"](3200)
    read, row = PHONE_SENSOR.read_and_row(beta2)
    shot = rng.poisson(clean / beta1) * beta1
    both = shot + read * draw_tukey_lambda(PHONE_SENSOR.read_noise_lambda, clean.shape, rng)
    banded = both + row * rng.standard_normal((len(clean), 1))
    stored = np.clip(np.rint(banded / PHONE_SENSOR.step), 0, None) * PHONE_SENSOR.step
    figure, axes = new_figure(8, 2.1, columns=5)
    titles = ("clean", "photons", "read noise", "rows", "codes, clipped")
    for one, image, title in zip(axes, (clean, shot, both, banded, stored), titles, strict=True):
        shown(one, linear_to_srgb(np.clip(image, 0, 1)), title, vmin=0, vmax=0.8)
    return figure


PICTURES = (photons, photon_transfer, ramps, laws, tails, rows, codes, clipping, fixed_pattern,
            together)  # fmt: skip


def draw(folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes all pictures; their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, picture in enumerate(PICTURES):
        path = folder / f"{picture.__name__}.png"
        save_figure(picture(np.random.default_rng([0, number])), str(path))
        # Of so few colours a file is a third as large and looks the same.
        Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in draw(FOLDER):
        print(f"{written.stat().st_size / 1000:6.1f} kB  {written}")
