"""Rows and shape are found again in captures that were made with them, and cost nothing without."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfp_noiseflow as nf
from tfp_noiseflow.captures.dataset import training_dataset
from tfp_noiseflow.evaluation.likelihood import negative_log_likelihood
from tfp_noiseflow.training.pixelwise_start import start_at_pixelwise_fit

STEP = 1 / 1023
CAMERAS, ISOS = ("a", "b"), (100.0, 800.0)
LAWS = (
    nf.CameraLaw((2e-4, 1e-5), (2e-7, 0, 2e-6), camera="a"),
    nf.CameraLaw((3e-4, 0), (3e-6, 0, 1e-6), camera="b"),
)
# An electron of camera b adds as much as the read noise, so that photons skew the noise.
FEW_ELECTRONS = (LAWS[0], nf.CameraLaw((2e-3, 0), (4e-6, 0, 1e-6), camera="b"))
# Of T and of P.
NUMBERS = {
    "marginal_shape": {"photon_skew": 0.55, "read_log_tail": 0.45},
    "power_tailed_shape": {"photon_skew": 0.55, "log_read_tail": 0.2, "tail_index": 0.3},
}
ROW_SHARE = 0.15
STEPS, BATCH = 250, 40
# Clean values: of the whole range of dark and bright, and of what is dark but not clipped.
ALL, GREY = (1e-4, 0.5), (0.03, 0.08)


def true_flow(architecture):
    laws = FEW_ELECTRONS if architecture[-1] in "TP" else LAWS
    flow = nf.NoiseFlow(architecture, CAMERAS, laws=laws)
    if "R" in architecture:
        layer = flow.layers["row_noise"]
        layer.log_variance.follow(layer.noise.log_beta2, ROW_SHARE)
    for layer, numbers in NUMBERS.items():
        for name, value in numbers.items() if layer in flow.layers else ():
            getattr(flow.layers[layer], name).values.assign(value)
    return nf.StoredNoise(flow, STEP)


def write(path, model, clean_range, count, seed):
    """Captures of codes that a model makes."""
    rng = np.random.default_rng(seed)
    camera, iso = rng.integers(0, 2, count).astype(np.int32), rng.choice(ISOS, count)
    clean = np.exp(rng.uniform(*np.log(clean_range), (count, 16, 16, 4)))
    clean = clean.astype(np.float32)
    noise = nf.sample_noise(
        model, clean, iso, camera, seeds=rng.integers(2**31, size=(count, 2))
    ).numpy()
    nf.write_captures(
        path, clean + noise, clean, iso, np.array(CAMERAS)[camera], quantization_step=STEP
    )
    return nf.read_captures(path)


def fitted(architecture, captures, steps=STEPS):
    """A flow of codes, fitted to captures from its own start."""
    model = nf.StoredNoise(nf.NoiseFlow(architecture, CAMERAS, seed=0), STEP)
    start_at_pixelwise_fit(model, captures)
    trainer = nf.LikelihoodTrainer(model)
    rate = tf_keras.optimizers.schedules.CosineDecay(3e-2, steps)
    trainer.compile(tf_keras.optimizers.Adam(rate))
    dataset = training_dataset(
        captures.dequantised(False), cameras=CAMERAS, batch_size=BATCH, seed=0
    )
    trainer.fit(dataset, steps_per_epoch=steps, verbose=0)
    return model


def loss_of(model, truth, captures):
    """By how much a model's NLL is above that of the truth on other captures, nats/dim."""
    return np.mean(
        negative_log_likelihood(model, captures) - negative_log_likelihood(truth, captures)
    )


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Of an architecture: the truth, captures to train on, and others."""
    folder = tmp_path_factory.mktemp("recover")

    def case(architecture, clean_range=ALL, count=600):
        truth = true_flow(architecture)
        paths = [folder / f"{architecture}-{part}.h5" for part in ("train", "test")]
        captures = [
            write(path, truth, clean_range, count, seed)
            for seed, (path, count) in enumerate(zip(paths, (count, 200), strict=True))
        ]
        return truth, *captures

    return case


@pytest.mark.slow
def test_row_noise_is_found_to_3_percent(cases):
    truth, train, test = cases("L-R", GREY)
    model = fitted("L-R", train)
    for camera in range(2):
        tau = [
            np.exp(0.5 * its.unstored.layers["row_noise"].log_variance(
                iso=np.float32(ISOS), camera=camera
            ))
            for its in (model, truth)
        ]  # fmt: skip
        # 9600 rows of 32 pixels of each camera tell its amplitude to 1 %.
        np.testing.assert_allclose(tau[0], tau[1], rtol=0.03)
    assert loss_of(model, truth, test) < 5e-4


def moments(model, clean, iso, camera):
    """Skewness and excess kurtosis of the noise before it is stored, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights /= weights.sum()
    image = np.full((1, len(nodes), 1, 4), clean, np.float32)
    bijector = model.unstored(image, iso=iso, camera=camera).bijector
    latent = np.broadcast_to(nodes.reshape(1, -1, 1, 1), image.shape).astype(np.float32)
    values = np.float64(bijector.forward(tf.constant(latent))[0, :, 0, 0])
    values -= np.sum(weights * values)
    second, third, fourth = (np.sum(weights * values**k) for k in (2, 3, 4))
    return third / second**1.5, fourth / second**2 - 3


@pytest.mark.slow
# The index of tails is told by the few values far out: of 600 captures to 12 % of the kurtosis.
@pytest.mark.parametrize(
    ("architecture", "count", "steps"), [("L-T", 600, STEPS), ("L-P", 1800, 700)]
)
def test_skew_and_tails_are_found_to_5_percent(cases, architecture, count, steps):
    truth, train, test = cases(architecture, count=count)
    model = fitted(architecture, train, steps)
    # Where photons skew the noise most, at an electron's share of the read noise, and in the dark.
    for camera, clean in ((1, 0.004), (1, 0.0), (0, 0.0)):
        for iso in ISOS:
            found, expected = (
                moments(its, clean * iso / 100, iso, camera) for its in (model, truth)
            )
            if clean:
                assert expected[0] > 0.2
                np.testing.assert_allclose(found[0], expected[0], rtol=0.05)
            else:
                assert expected[1] > 1.5
            np.testing.assert_allclose(found[1], expected[1], rtol=0.05)
    assert loss_of(model, truth, test) < 5e-4


@pytest.mark.slow
def test_without_rows_tails_and_skew_the_layers_cost_nothing(cases):
    truth, train, test = cases("L")
    for architecture in ("L-R", "L-T", "L-R-P"):
        assert loss_of(fitted(architecture, train), truth, test) < 5e-4, architecture
