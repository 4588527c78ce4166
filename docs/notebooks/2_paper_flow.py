# %% [markdown]
# # Train the paper's flow and read its report
#
# Captures are simulated, the flow of the paper (Noise Flow, ICCV 2019) is trained on them, and its
# report sets it beside simpler models. All is small, so that it takes a minute: `make demo` does
# the same in full, and its figures are in the [results](../results.md).

# %%
import pathlib
import tempfile

import matplotlib.pyplot as plt

import tfp_noiseflow as nf
from tfp_noiseflow.evaluation import measure
from tfp_noiseflow.models import load_baselines
from tfp_noiseflow.reporting import write_report
from tfp_noiseflow.simulation.simulate_captures import simulate_captures

# %% [markdown]
# ## Captures
#
# A capture is a noisy image with its clean image, ISO and camera; a capture file holds many. These
# are of five phones at five ISOs: photons, heavy-tailed read noise, rows, 10-bit codes
# ([ten pictures](../concepts/sensor.md)). Training, validation and test are of different
# photographs. For your own, see [the guide](../guides/train.md).

# %%
workplace = tempfile.TemporaryDirectory()
folder = pathlib.Path(workplace.name)
for split, patches in (("train", 120), ("validation", 8), ("test", 16)):
    path = folder / f"{split}.h5"
    simulate_captures(
        path, split=split, patches_per_combination=patches, patch_size=16, repeat=split == "test"
    )
train, validation, test = (
    nf.read_captures(folder / f"{split}.h5") for split in ("train", "validation", "test")
)
print(len(train), "captures to train on, of", *train.cameras, "at ISO", *train.iso_levels)

# %% [markdown]
# ## The flow
#
# The architecture is written as in the paper, in the density direction: from noise through the
# signal-dependent layer S, four steps A, the gain G, four steps, to N(0, I)
# ([equations](../concepts/layers.md)).

# %%
flow = nf.NoiseFlow(
    "S-Ax4-G-Ax4-CAM", cameras=train.cameras, iso_levels=train.iso_levels, channels=4, seed=0
)
print(flow.number_of_parameters, "parameters")

# %% [markdown]
# ## Training
#
# Maximum likelihood with Adam; 150 steps here, a thousand by default. The model directory gets the
# best and the last checkpoint, the baselines, and the history that is drawn below; called again it
# goes on where it stopped.

# %%
model_dir = folder / "model"
schedule = nf.Schedule(epochs=7, learning_rate=2e-2)
flow = nf.train_noise_model(flow, train, validation, model_dir, schedule, verbose=0)
print(sorted(path.name for path in model_dir.iterdir()))

# %% [markdown]
# ## The report
#
# All models see the same test captures with the same dequantisation.

# %%
measurement = measure(flow, test, baselines=load_baselines(model_dir))
pictures = write_report(measurement, folder / "report", model_dir=model_dir)
models = measurement.report["models"]
for name, entry in models.items():
    print(
        f"{name:17}{entry['parameters']:5} parameters"
        f"   NLL {entry['nll']:.3f}   kl {entry['kl']:.3f}"
    )

# %% [markdown]
# How to read it:
#
# - **NLL** is in nats per dimension, lower is better. The Gaussian has one variance for all; the
#   camera NLF is what the phones' files report, and wrong for some; the recalibrated NLF is fitted
#   to the training captures, 50 numbers; the true NLF is the law that was simulated, as if its
#   noise were Gaussian.
# - **kl** compares histograms of real and sampled noise, camera by camera and ISO by ISO: 0 is no
#   difference, and the report gives its floor, a second captured draw beside the first.
# - A difference counts when it is several paired standard errors:

# %%
for entry in measurement.report["differences"]:
    print(
        f"{entry['model']} minus {entry['baseline']:18} {entry['nll']:+.3f} "
        f"± {entry['paired_standard_error']:.3f}"
    )
assert models["noise_flow"]["nll"] < models["camera_nlf"]["nll"] < models["gaussian"]["nll"]

# %% [markdown]
# After so short a training the flow is not yet where the recalibrated NLF is: it begins far away,
# as the paper's does, and has to find gain and law by gradients. `L-R-P`, the recommended model,
# begins at laws that are fitted to the captures.
#
# The report's folder holds report.md, report.json and pictures. Two of them, the training and the
# variance over the clean level (photon transfer):


# %%
def show(name):
    picture = plt.imread(folder / "report" / name)
    height, width = picture.shape[:2]
    figure = plt.figure(figsize=(width / 120, height / 120))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(picture)
    axes.set_axis_off()
    plt.show()


print(sorted(pathlib.Path(path).name for path in pictures))
show("training.png")

# %%
show("photon_transfer.png")

# %% [markdown]
# ## Using it
#
# `nf.load_model(model_dir)` gives the best checkpoint again, to sample, to fine-tune, to export.

# %%
loaded = nf.load_model(model_dir)
print(loaded)
exported = nf.export_saved_model(loaded, folder / "saved_models" / "mine")
print(sorted(path.name for path in pathlib.Path(exported).iterdir()))

# %% [markdown]
# Next: [your own camera from a folder](3_own_camera.py).
