# %% [markdown]
# # Noise models in ten minutes
#
# A noise model maps the conditions of a capture (the clean image, its ISO, its camera) to a
# distribution over its noise. The model of this page comes with the library: five phones, any ISO,
# what a sensor stores.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tfp_noiseflow as nf
from tfp_noiseflow.simulation.phones import PHONES

model = nf.load_model("phones")
print(model)
print(model.known)

# %% [markdown]
# ## A distribution
#
# Images are packed raw, [.., H, W, 4] with channels R, Gr, Gb, B, in fractions of full scale. Here
# are two ramps, one at ISO 100 and one at ISO 3200: cameras and ISOs may differ within a batch.

# %%
ramp = np.linspace(0.0, 0.4, 96, dtype=np.float32)
clean = np.tile(ramp[:, None], (2, 32, 1, 4))
noise = model(clean, iso=[100, 3200], camera="Pixel")
print(noise)

noisy = clean + noise.sample(seed=(0, 1)).numpy()

figure, axes = plt.subplots(2, 1, figsize=(7, 3.4), layout="constrained")
for axis, image, iso in zip(axes, noisy, (100, 3200), strict=True):
    axis.imshow(image[..., 1] ** (1 / 2.2), cmap="gray", vmin=0, vmax=0.7)
    axis.set_title(f"Pixel at ISO {iso}")
    axis.set_axis_off()
plt.show()

# %% [markdown]
# The same seed gives the same noise. What a sensor stores are codes, and so are the samples: they
# differ from multiples of the code's step by a rounding of float32.

# %%
assert np.array_equal(noisy, clean + noise.sample(seed=(0, 1)).numpy())
codes = noisy / model.quantization_step
print(f"{np.abs(codes - np.rint(codes)).max():.1e} of a step from a code at most")
assert np.abs(codes - np.rint(codes)).max() < 1e-3

# %% [markdown]
# ## Variance is a line over light
#
# Of many samples of flat patches, the variance of the noise over the clean level: points. The line
# is the law that these captures were simulated with, and the model was trained on.

# %%
levels = np.linspace(0.1, 0.6, 8, dtype=np.float32)
flats = np.tile(levels[:, None, None, None], (1, 64, 64, 4))
figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for phone in PHONES:
    samples = model(flats, iso=1000, camera=phone.name).sample(seed=(0, 2)).numpy()
    beta1, beta2 = phone.true(1000)
    variance = samples.var(axis=(1, 2, 3))
    (line,) = axis.plot(levels, beta1 * levels + beta2, label=phone.name)
    axis.plot(levels, variance, "o", color=line.get_color())
    assert np.abs(variance / (beta1 * levels + beta2) - 1).max() < 0.15
axis.set(xlabel="clean level", ylabel="variance", title="ISO 1000, at which nothing was trained")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## A likelihood
#
# `log_prob` is a density in nats; divided by the number of values it is nats per dimension, and its
# negative, NLL, is lower for conditions that explain the noise better. Here is one noise image of a
# Pixel at ISO 800 and its NLL for other ISOs: the minimum is where it was shot.

# %%
patch = np.random.default_rng(0).uniform(0.02, 0.5, (1, 64, 64, 4)).astype(np.float32)
observed = model(patch, iso=800, camera="Pixel").sample(seed=(0, 3)).numpy()
# What is stored lies on codes; `patch + observed` is the capture.
isos = np.geomspace(200, 3200, 17)
many = np.repeat(patch, len(isos), axis=0)
log_prob = model(many, iso=isos, camera="Pixel").log_prob(np.repeat(observed, len(isos), axis=0))
nll = -log_prob.numpy() / patch.size

figure, axis = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axis.semilogx(isos, nll, "o-")
axis.axvline(800, color="gray", linestyle=":")
axis.set(xlabel="ISO that the model is told", ylabel="NLL, nats per dimension")
plt.show()
print(f"lowest at ISO {isos[nll.argmin()]:.0f}")
assert abs(np.log2(isos[nll.argmin()] / 800)) < 0.3

# %% [markdown]
# ## Which camera was it?
#
# With a density, Bayes' rule is one line: of equal priors, the posterior of the five phones.

# %%
cameras = list(model.cameras)
log_prob = model(np.repeat(patch, len(cameras), axis=0), iso=800, camera=cameras).log_prob(
    np.repeat(observed, len(cameras), axis=0)
)
posterior = np.exp(log_prob - log_prob.numpy().max())
posterior /= posterior.sum()
for camera, probability in zip(cameras, posterior, strict=True):
    print(f"{camera:14} {probability:.3f}")
assert cameras[posterior.argmax()] == "Pixel"

# %% [markdown]
# ## Wrong conditions are errors
#
# What a model does not know it says, with what was expected and what came.

# %%
for wrong in ({"iso": 800, "camera": "Pixel 9"}, {"iso": -1, "camera": "Pixel"}):
    try:
        model(patch, **wrong)
    except ValueError as error:
        print(error)

# %% [markdown]
# Next: [train the paper's flow and read its report](2_paper_flow.py).
