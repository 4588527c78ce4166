# %% [markdown]
# # A denoiser trained on generated noise
#
# To train a denoiser one needs noisy images with clean ones, and real pairs are laborious to shoot.
# Clean images and a noise model give as many as one likes. Here a small DnCNN is trained twice on
# the same clean images: with noise of the library's model of a phone, and with Gaussian noise of
# any strength, as is often done. Both are tested on captures of the (simulated) phone. All is
# small, so that it takes a minute; the [results](../results.md) have the experiment of the paper's
# table 3.

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tf_keras

import tfp_noiseflow as nf
from tfp_noiseflow.denoising.dncnn import dncnn
from tfp_noiseflow.denoising.quality import psnr_and_ssim
from tfp_noiseflow.denoising.train_denoiser import squared_error
from tfp_noiseflow.denoising.training_pairs import AddGaussianNoise
from tfp_noiseflow.imaging.isp import linear_to_srgb
from tfp_noiseflow.simulation.phones import PHONES
from tfp_noiseflow.simulation.photographs import clean_patches
from tfp_noiseflow.simulation.sensor import PHONE_SENSOR, draw_codes

CAMERA, ISO = "Nexus 6", 1600

# %% [markdown]
# ## Clean images
#
# Packed raw, [.., H, W, 4], unprocessed from photographs; those of the test are of other
# photographs.

# %%
clean = np.asarray(clean_patches("train", 1500, patch_size=32, seed=0)[0], np.float32)
test_clean = np.asarray(clean_patches("test", 48, patch_size=64, seed=1)[0], np.float32)
print(clean.shape, test_clean.shape)

# %% [markdown]
# ## Captures to test on
#
# By the simulated sensor itself, not by the noise model.

# %%
(law,) = (phone.true(ISO) for phone in PHONES if phone.name == CAMERA)
codes = draw_codes(test_clean, np.tile(law, (len(test_clean), 1)), np.random.default_rng(2))
test_noisy = ((codes.astype(np.float32) - PHONE_SENSOR.black_code) * PHONE_SENSOR.step).astype(
    np.float32
)

# %% [markdown]
# ## Noise in `tf.data`
#
# `nf.AddCameraNoise` draws noise as the training asks for it: each image has new noise in each
# epoch. The other source is white Gaussian noise of a standard deviation that is drawn for each
# image, as the paper's comparison has it.

# %%
model = nf.load_model("phones")
sources = {
    "noise model": nf.AddCameraNoise(
        model, camera=CAMERA, iso=ISO, returns_pairs=True, seed=0
    ).map_function,
    "Gaussian": AddGaussianNoise(seed=0, quantization_step=PHONE_SENSOR.step).map_function,
}


def pairs(add_noise):
    images = tf.data.Dataset.from_tensor_slices(clean).shuffle(len(clean), seed=0).repeat()
    return images.batch(16).enumerate().map(add_noise).prefetch(2)


# %% [markdown]
# ## Training

# %%
denoisers = {}
for name, add_noise in sources.items():
    tf_keras.utils.set_random_seed(0)
    denoiser = dncnn(depth=5, filters=24)
    rate = tf_keras.optimizers.schedules.CosineDecay(3e-3, 500)
    denoiser.compile(tf_keras.optimizers.Adam(rate), loss=squared_error)
    history = denoiser.fit(pairs(add_noise), steps_per_epoch=50, epochs=10, verbose=0)
    denoisers[name] = denoiser
    first, *_, last = history.history["loss"]
    print(f"{name}: loss {first:.3f} in the first epoch, {last:.3f} in the last")

# %% [markdown]
# ## What they are worth

# %%
denoised = {"noisy": test_noisy}
denoised |= {name: denoiser.predict(test_noisy, verbose=0) for name, denoiser in denoisers.items()}
psnr = {}
for name, images in denoised.items():
    of_each, ssim = psnr_and_ssim(images, test_clean)
    psnr[name] = of_each.numpy().mean()
    print(f"{name:12} PSNR {psnr[name]:.2f} dB, SSIM {ssim.numpy().mean():.4f}")
assert psnr["noise model"] > psnr["Gaussian"] > psnr["noisy"]

# %% [markdown]
# Green of the patch with the most contrast, as a picture: noisy, both denoisers, clean.

# %%
index = int(np.argmax(test_clean.std(axis=(1, 2, 3))))
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
shown = denoised | {"clean": test_clean}
white = np.percentile(test_clean[index, ..., 1], 99)
for axis, (name, images) in zip(axes, shown.items(), strict=True):
    axis.imshow(
        linear_to_srgb(np.clip(images[index, ..., 1] / white, 0, 1)), cmap="gray", vmin=0, vmax=1
    )
    axis.set_title(name)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# With your own camera's model ([your own camera](3_own_camera.py)) in the place of the phone's, and
# your own clean images, this is a denoiser for your camera.
