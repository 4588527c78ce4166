# %% [markdown]
# # Your own camera from a folder
#
# A noise model of a camera from its own raw frames: flats, darks and bursts of a static scene at
# three ISOs ([what to shoot](../guides/calibrate.md)). Here the camera is simulated, with faults as
# real ones have, so that what calibration finds can be set beside the truth.

# %%
import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import tfp_noiseflow as nf
from tfp_noiseflow.simulation.phones import PHONES
from tfp_noiseflow.simulation.raw_folder import simulate_raw_folder
from tfp_noiseflow.simulation.raw_shoot import RawShoot

workplace = tempfile.TemporaryDirectory()
folder = pathlib.Path(workplace.name)
shoot = RawShoot(iso_levels=(100, 400, 1600), shape=(256, 384), burst=6)
truth = simulate_raw_folder(folder / "frames", "Pixel", shoot, seed=0)
frames = sorted(path.relative_to(folder) for path in (folder / "frames").rglob("*.npz"))
print(len(frames), "frames:", *frames[:3], "..", *frames[-2:], sep="\n  ")

# %% [markdown]
# ## One call
#
# The same as `python -m train.calibrate --input_dir=frames --camera=Mine ..`.

# %%
calibration = nf.calibrate(folder / "frames", "Mine", folder / "report", folder / "model")
report = (folder / "report" / "report.md").read_text()
print(report[:1500].rpartition("\n")[0])

# %% [markdown]
# The first lines are a verdict: good, usable, or do not use, with reasons and with the shots that
# would help most. Then look at the photon transfer: points lie on their lines.


# %%
def show(name):
    picture = plt.imread(folder / "report" / name)
    height, width = picture.shape[:2]
    figure = plt.figure(figsize=(width / 120, height / 120))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(picture)
    axes.set_axis_off()
    plt.show()


show("photon_transfer.png")

# %% [markdown]
# Shaken frames and flickering light are found and left out by name: the simulated shoot has one of
# each in every burst.

# %%
for entry in calibration.to_json()["left_out"]:
    print(entry["file"], entry["reason"], sep=": ")
left_out = {entry["file"] for entry in calibration.to_json()["left_out"]}
assert left_out == {entry["file"] for entry in truth["left_out"]}

# %% [markdown]
# ## Beside the truth
#
# The law over ISO that was found, and what was simulated: at the ISOs that were shot and between
# them.

# %%
isos = np.array([100, 200, 400, 800, 1600])
law = calibration.law.law
(phone,) = (phone for phone in PHONES if phone.name == truth["camera"])
# [ISOs, 2, channels], relative to the truth, in percent.
found = np.stack(law(isos), axis=1)
misses = 100 * (found / phone.true(isos)[..., None] - 1)
for iso, (beta1, beta2) in zip(isos, misses.round(1), strict=True):
    print(f"ISO {iso:4}: beta1 of R, Gr, Gb, B {beta1} % from the truth, beta2 {beta2} %")
assert np.abs(misses[:, 0]).max() < 5 and np.abs(misses[:, 1]).max() < 8

# %% [markdown]
# ## A distribution
#
# What calibration wrote is a noise model like any other, of what this camera stores: with its law,
# the banding of its rows and the tails of its darks. Beside a dark frame of the camera, one of the
# model, neighbours of a row averaged, which shows the bands; and a histogram of each. Hot pixels,
# which only the camera's frame has, are a pattern and not noise: the report lists them.

# %%
model = nf.load_model(folder / "model")
print(model)
with np.load(folder / "frames" / "darks" / "iso1600" / "d0.npz") as file:
    scale = float(file["white"] - file["black"])
    dark = (file["raw"].astype(float) - file["black"])[::2, ::2]
drawn = model(np.zeros([1, 128, 192, 4], np.float32), iso=1600, camera="Mine").sample(seed=(0, 1))
drawn = drawn.numpy()[0, ..., 0] * scale

figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), layout="constrained")
for axis, frame, title in zip(
    axes, (dark, drawn), ("the camera's dark", "the model's"), strict=False
):
    averaged = np.stack([np.convolve(row, np.ones(30) / 30, mode="same") for row in frame])
    axis.imshow(averaged[:64, :96], cmap="gray", vmin=-4, vmax=4)
    axis.set_title(title)
    axis.set_axis_off()
edges = np.arange(-24.5, 25)
for frame, label in ((dark, "camera"), (drawn, "model")):
    axes[2].hist(frame.ravel(), edges, histtype="step", label=label)
axes[2].set(yscale="log", xlabel="codes above black")
axes[2].legend(frameon=False)
plt.show()
widths = [np.diff(np.percentile(frame, (16, 84))).item() / 2 for frame in (dark, drawn)]
print(f"half the width of the middle 68 %: {widths[0]:.2f} and {widths[1]:.2f} codes")
assert abs(widths[1] / widths[0] - 1) < 0.1

# %% [markdown]
# Next: [a denoiser trained on generated noise](4_denoiser.py).
