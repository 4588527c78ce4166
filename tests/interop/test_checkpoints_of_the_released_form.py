"""The importer on invented checkpoints: it needs neither the released weights nor their values."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.interop.synthetic_checkpoint import layer_names, variables, write_checkpoint
from tests.serving.conftest import Served
from tests.serving.graphs import check_ops
from tests.serving.requests import SIGNATURES, good
from tests.serving.rounding import assert_same
from tfp_noiseflow.interop.noise_strength import (
    noise_strength,
    noise_strength_markdown,
    read_noise_parameters,
    with_couplings_reversed,
)

ISO = 800  # the third of the released model
CAMERA = 3


def conv(x, kernel, bias, padding):
    return tf.nn.conv2d(x, kernel, 1, padding).numpy() + np.reshape(bias, -1)


def published_log_prob(values, names, x, clean):
    """[B]: the equations that the released code computes, read from it once more, in float64.

    Batch normalisation is applied as itself, and the matrices are put together by position.
    """
    values = {name: value.astype(np.float64) for name, value in values.items()}
    shared = {name.rsplit("/", 1)[1]: v for name, v in values.items() if "sdn_gain" in name}
    height, width = x.shape[1:3]
    log_det, template = np.zeros(len(x)), 0
    for name in names:
        kind, number = name.rsplit("_", 1)
        if kind == "sdn":
            factors = np.exp(shared["cam_params"][:, CAMERA])
            gamma = ISO * np.exp(shared["gain_params"][2] * factors[2])
            beta1, beta2 = (np.exp(shared[f"beta{i}"][0] * factors[i - 1]) for i in (1, 2))
            scale = np.sqrt(beta1 * clean / gamma + beta2)
            x, log_det = x / scale, log_det - np.log(scale).sum((1, 2, 3))
        elif kind == "gain":
            x = x / shared["gain_val"]
            log_det = log_det - x[0].size * np.log(shared["gain_val"][0])
        elif kind == "Conv2d_1x1":
            p, low, up, log_s, sign = (
                values[f"level0/bijector{number}/{name}/{part}_matpar_lu_conv2d_1x1_{number}_0"]
                for part in ("P", "L_vec", "U_vec", "log_S", "sign_S")
            )
            lower, upper = np.eye(4), np.diag(sign * np.exp(log_s))
            lower[3, :3], lower[2, :2], lower[1, 0] = low[[2, 1, 0]], low[[5, 4]], low[3]
            upper[0, 1:], upper[1, 2:], upper[2, 3] = up[[0, 1, 2]], up[[4, 5]], up[3]
            x = x @ (p @ lower @ upper)
            log_det = log_det + height * width * log_s.sum()
        else:
            scope = "model/real_nvp_conv_template" + (f"_{template}" if template else "")
            template += 1
            net = {k[len(scope) + 1 :]: v for k, v in values.items() if k.startswith(scope + "/")}
            h = x[..., :2]
            for layer, normalisation in (("l_1", "bn_nvp_conv_1"), ("l_2", "bn_nvp_conv_2")):
                h = conv(h, net[f"{layer}/W"], net[f"{layer}/b"], "SAME")
                mean, variance = net[f"{normalisation}/mean"], net[f"{normalisation}/var"]
                h = np.maximum((h - mean) / np.sqrt(variance + 1e-4), 0)
            frame = np.pad(np.zeros_like(h[..., :1]), [(0, 0), (1, 1), (1, 1), (0, 0)]) + 1
            frame[:, 1:-1, 1:-1] = 0
            h = np.concatenate([np.pad(h, [(0, 0), (1, 1), (1, 1), (0, 0)]), frame], axis=-1)
            h = conv(h, net["l_last/W"], net["l_last/b"], "VALID") * np.exp(3 * net["l_last/logs"])
            log_scale = values[f"level0/bijector{number}/rescaling_scale0"] * np.tanh(h[..., 2:])
            x = np.concatenate([x[..., :2], x[..., 2:] * np.exp(log_scale) + h[..., :2]], axis=-1)
            log_det = log_det + log_scale.sum((1, 2, 3))
    return log_det - 0.5 * np.square(x).sum((1, 2, 3)) - 0.5 * x[0].size * np.log(2 * np.pi)


@pytest.mark.parametrize(
    ("steps", "width", "architecture"),
    [((4, 4), 4, "N-Ax4-C-Ax4"), ((2, 1), 6, "N-Ax2-C-Ax1"), ((1,), 3, "N-Ax1")],
)
def test_checkpoint_of_another_width_and_number_of_steps_computes_its_equations(
    tmp_path, steps, width, architecture
):
    values, names = variables(steps, width), layer_names(steps)
    model = nf.load_released_checkpoint(
        write_checkpoint(tmp_path / "c", values, names), dtype=tf.float64
    )
    assert (model.architecture, model.hidden_channels) == (architecture, width)
    rng = np.random.default_rng(0)
    clean = rng.uniform(0, 1, (3, 8, 12, 4))
    noise = 0.02 * rng.standard_normal(clean.shape)
    log_prob = model(clean, iso=ISO, camera=CAMERA).log_prob(noise).numpy()
    expected = published_log_prob(values, names, noise, clean)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-10)  # float64 on both sides


def short_checkpoint(directory):
    """Of a flow of one step before the gain and one after it."""
    return write_checkpoint(directory, variables((1, 1)), layer_names((1, 1)))


def test_two_cameras_and_isos_in_one_batch_are_themselves(tmp_path):
    model = nf.load_released_checkpoint(short_checkpoint(tmp_path / "c"))
    rng = np.random.default_rng(1)
    clean = rng.uniform(0, 1, (2, 8, 8, 4)).astype(np.float32)
    noise = 0.02 * rng.standard_normal(clean.shape).astype(np.float32)
    both = model(clean, iso=[100.0, 3200.0], camera=["IP", "N6"]).log_prob(noise).numpy()
    alone = [
        model(clean[k : k + 1], iso=iso, camera=camera).log_prob(noise[k : k + 1]).numpy()[0]
        for k, (iso, camera) in enumerate([(100.0, "IP"), (3200.0, "N6")])
    ]
    np.testing.assert_allclose(both, alone, rtol=1e-6)  # sums in float32 of another batch size
    swapped = model(clean, iso=[100.0, 3200.0], camera=["N6", "IP"]).log_prob(noise).numpy()
    assert np.all(np.abs(swapped - both) > 1)


@pytest.mark.parametrize(
    "name",
    [
        "model/sdn_gain/cam_params",
        "level0/bijector3/Conv2d_1x1_3/log_S_matpar_lu_conv2d_1x1_3_0",
        "model/real_nvp_conv_template/l_1/W",
        "model/real_nvp_conv_template_7/l_last/logs",
        "level0/bijector8/rescaling_scale0",
    ],
)
def test_missing_and_misshapen_variables_are_named(tmp_path, name):
    values = variables()
    without = {k: v for k, v in values.items() if k != name}
    with pytest.raises(ValueError, match=f"{name}, there is none"):
        nf.load_released_checkpoint(write_checkpoint(tmp_path / "missing", without))
    misshapen = {**values, name: np.zeros([*values[name].shape, 2], np.float32)}
    with pytest.raises(ValueError, match=r"of shape \[.*\], received"):
        nf.load_released_checkpoint(write_checkpoint(tmp_path / "misshapen", misshapen))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["sdn_0", "glow_1"], "glow_1"),
        (["sdn_0", "unc_1"], r"\['sdn', 'unc'\]"),
        ([], "received ''"),
    ],
)
def test_list_of_layers_that_is_not_understood_is_named(tmp_path, names, found):
    directory = write_checkpoint(tmp_path / "c", variables(), names)
    with pytest.raises(ValueError, match=found):
        nf.load_released_checkpoint(directory)


def test_more_steps_than_the_checkpoint_has_names_the_missing_one(tmp_path):
    directory = write_checkpoint(tmp_path / "c", variables((2, 1)), layer_names((2, 2)))
    with pytest.raises(ValueError, match=r"Conv2d_1x1_5.*there is none"):
        nf.load_released_checkpoint(directory)


@pytest.mark.slow  # Traces a deep flow's training and export.
def test_import_can_be_trained_on_and_exported(tmp_path):
    model = nf.load_released_checkpoint(write_checkpoint(tmp_path / "c", variables()), cfa="GRBG")
    clean = np.full((2, 8, 8, 4), 0.2, np.float32)
    noise = 0.01 * np.random.default_rng(2).standard_normal(clean.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        log_prob = tf.reduce_sum(model(clean, iso=ISO, camera="S6").log_prob(noise))
    gradients = tape.gradient(log_prob, model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    exported = Served(model, nf.export_saved_model(model, tmp_path / "served"))
    check_ops(exported.path)
    signatures = tf.saved_model.load(exported.path).signatures
    for signature in SIGNATURES:
        request = good(signature)
        request["iso"] = np.float32([100, 800, 3200])
        request["camera"] = np.array(["IP", "S6", "G4"], object)
        answer = signatures[signature](**{k: tf.constant(v) for k, v in request.items()})
        for name, expected in exported.expected(signature, request).items():
            assert_same(answer[name], expected, f"{signature} {name}")
    told = signatures["describe"](dummy=tf.zeros(1))
    assert told["cameras"].numpy().tolist() == [[b"IP", b"GP", b"S6", b"N6", b"G4"]]
    assert told["architecture"].numpy().tolist() == [b"N-Ax4-C-Ax4"]
    assert told["licence"].numpy().tolist() == [b"CC BY-NC-SA 4.0"]
    assert b"released checkpoint" in told["origin"].numpy()[0]


def test_noise_strength_table(tmp_path):
    model = nf.load_released_checkpoint(short_checkpoint(tmp_path / "c"))
    path = tmp_path / "nlf.csv"
    path.write_text("cam_iso,beta1,beta2\nIP_00100,0.0004,0.00001\nG4_03200,0.01,0.0002\n")
    nlf = read_noise_parameters(path)
    clean = np.full((4, 8, 8, 4), 0.25, np.float32)
    rows = noise_strength(model, nlf, clean)
    assert [(r["camera"], r["iso"]) for r in rows[:6:5]] == [("IP", 100), ("GP", 100)]
    assert [r["camera_nlf"] is None for r in rows] == [False, *[True] * 23, False]
    assert rows[0]["camera_nlf"] == pytest.approx(np.sqrt(0.0004 * 0.25 + 0.00001), rel=1e-6)
    sd = model(clean, iso=3200.0, camera="G4").sample(500, seed=(9, 9)).numpy().std()
    # 1024 values a row: their standard deviation is known to 2 %.
    assert rows[-1]["sampled"] == pytest.approx(sd, rel=0.1)
    text = noise_strength_markdown(rows)
    assert f"| G4 | 3200 | {rows[-1]['camera_nlf']:.5f} | {rows[-1]['sampled']:.5f} |" in text
    assert "not known" in text


def test_reversing_couplings_twice_gives_the_flow_again(tmp_path):
    model = nf.load_released_checkpoint(short_checkpoint(tmp_path / "c"))
    clean = np.full((1, 8, 8, 4), 0.2, np.float32)
    noise = 0.01 * np.random.default_rng(3).standard_normal(clean.shape).astype(np.float32)

    def log_prob(flow):
        return flow(clean, iso=ISO, camera="S6").log_prob(noise).numpy()[0]

    reversed_once = with_couplings_reversed(model)
    assert abs(log_prob(reversed_once) - log_prob(model)) > 1
    assert log_prob(with_couplings_reversed(reversed_once)) == log_prob(model)


@pytest.mark.parametrize("text", ["camera,iso\n", "cam_iso,beta1,beta2\nGP100,1,2\n"])
def test_noise_parameters_that_are_not_understood_are_named(tmp_path, text):
    path = tmp_path / "nlf.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"nlf\.csv: expected"):
        read_noise_parameters(path)
