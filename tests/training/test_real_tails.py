"""T on the heavy tails of a real sensor: near-dark blocks of a camera at ISO 3200."""

import pathlib

import numpy as np
import pytest
import tf_keras

import tfp_noiseflow as nf
from tfp_noiseflow.captures.dataset import training_dataset
from tfp_noiseflow.evaluation.likelihood import negative_log_likelihood
from tfp_noiseflow.training.pixelwise_start import start_at_pixelwise_fit

BLOCKS = (
    pathlib.Path(__file__).resolve().parents[3]
    / "shared/data/real_raw/a7rm3_iso3200_dark_blocks.npz"
)
CAMERA, STEPS = "a7rm3", 200


def captures_of(path, blocks, levels):
    """Patches of 16x16 whose clean value is the mean of their block's channel."""
    # In the dark this file's codes are 2 apart.
    black, white, step = (*levels, 2)
    noisy = (blocks - black) / (white - black)
    clean = np.broadcast_to(noisy.mean(axis=(1, 2), keepdims=True), noisy.shape)
    patches = [
        image.reshape(-1, 4, 16, 4, 16, 4).swapaxes(2, 3).reshape(-1, 16, 16, 4)
        for image in (noisy, clean)
    ]
    count = len(patches[0])
    step /= white - black
    nf.write_captures(path, *patches, [3200] * count, [CAMERA] * count, quantization_step=step)
    return nf.read_captures(path)


@pytest.mark.slow
@pytest.mark.skipif(not BLOCKS.exists(), reason=f"needs {BLOCKS.name} of the shared data")
def test_tails_and_skew_are_worth_0_03_nats_beside_the_gaussian_by_codes(tmp_path):
    with np.load(BLOCKS) as data:
        blocks, levels = np.float64(data["raw"]), (int(data["black"]), int(data["white"]))
    assert not np.any(blocks % 2)
    order = np.random.default_rng(0).permutation(len(blocks))
    train, test = (
        captures_of(tmp_path / f"{name}.h5", blocks[half], levels)
        for name, half in zip(("train", "test"), np.array_split(order, 2), strict=True)
    )
    nll = {}
    for architecture in ("L", "L-T"):
        flow = nf.NoiseFlow(architecture, [CAMERA], seed=0)
        step = train.code_steps()[CAMERA]
        model = nf.StoredNoise(flow, step, clips_black=False, clips_white=False)
        with pytest.warns(UserWarning, match="ISO 3200 alone"):
            start_at_pixelwise_fit(model, train)
        trainer = nf.LikelihoodTrainer(model)
        rate = tf_keras.optimizers.schedules.CosineDecay(3e-2, STEPS)
        trainer.compile(tf_keras.optimizers.Adam(rate))
        dataset = training_dataset(
            train.dequantised(False), cameras=[CAMERA], batch_size=64, seed=0
        )
        trainer.fit(dataset, steps_per_epoch=STEPS, verbose=0)
        assert model.is_exact
        nll[architecture] = negative_log_likelihood(model, test).mean()
    print(nll)
    assert nll["L-T"] < nll["L"] - 0.03
