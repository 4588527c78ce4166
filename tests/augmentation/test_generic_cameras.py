"""Training images get the noise of plausible cameras that do not exist."""

import numpy as np

import tfp_noiseflow as nf

CAMERAS = nf.generic_cameras(seed=0, n=20)


def test_each_image_gets_the_noise_of_one_generic_camera():
    add_noise = nf.AddCameraNoise(nf.NoiseFlow.from_laws(CAMERAS), iso=640, seed=1)
    clean = np.full((40, 64, 64, 4), 0.3, np.float32)
    found = np.var(np.float64(add_noise(clean)) - clean, axis=(1, 2, 3))
    expected = np.array([np.dot(law(640), [0.3, 1]) for law in CAMERAS])
    nearest = np.abs(np.log(found[:, None] / expected)).argmin(axis=1)
    # 16,384 values: a standard error of the variance of 1.1 %, four and a half of that.
    np.testing.assert_allclose(found, expected[nearest], rtol=0.05)
    # 40 draws among 20 find 17 on average; neighbours may be mistaken for each other.
    assert len(np.unique(nearest)) > 10


def test_an_image_that_brings_its_camera_and_iso_gets_their_noise():
    add_noise = nf.AddCameraNoise(nf.NoiseFlow.from_laws(CAMERAS), returns_pairs=True)
    clean = np.full((2, 64, 64, 4), 0.3, np.float32)
    given = {"clean": clean, "iso": np.array([100.0, 3200.0]), "camera": ["generic 3", "generic 7"]}
    noisy, _ = add_noise(given)
    found = np.var(np.float64(noisy) - clean, axis=(1, 2, 3))
    expected = [np.dot(CAMERAS[3](100), [0.3, 1]), np.dot(CAMERAS[7](3200), [0.3, 1])]
    # 16,384 values: a standard error of the variance of 1.1 %, four and a half of that.
    np.testing.assert_allclose(found, expected, rtol=0.05)
