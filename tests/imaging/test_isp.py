"""Raw to sRGB and back: the steps are each other's inverses, differentiable, without artefacts."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_noiseflow.imaging import demosaic, draw_camera_colors, mosaic_rggb, process, unprocess
from tfp_noiseflow.imaging.inverse_isp import (
    apply_exposure,
    invert_tone_curve,
    linear_srgb_to_camera,
    srgb_to_linear,
)
from tfp_noiseflow.imaging.isp import (
    apply_tone_curve,
    balance,
    camera_to_linear_srgb,
    linear_to_srgb,
)
from tfp_noiseflow.imaging.picture import read_picture
from tfp_noiseflow.imaging.raw_frame import with_white_balance
from tfp_noiseflow.simulation.photographs import path_of

COLORS = draw_camera_colors(2, np.random.default_rng(0))


def smooth_image(height=48, width=64, seed=1):
    """[2, H, W, 3] in [0.1, 0.8]: a few waves of each colour, no detail near the pixel scale."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 64
    waves = [
        np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in generator.uniform(0, 0.7, (6, 3))
    ]
    image = np.reshape(waves, (2, 3, height, width)).transpose(0, 2, 3, 1)
    return 0.45 + 0.1 * image + 0.25 * image.mean(axis=-1, keepdims=True)


def test_each_step_is_the_inverse_of_its_inverse():
    image = smooth_image()
    np.testing.assert_allclose(apply_tone_curve(invert_tone_curve(image)), image, atol=1e-12)
    # The standard's two pieces meet only to 1e-7.
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(image)), image, atol=1e-6)
    camera = linear_srgb_to_camera(image, COLORS.srgb_to_camera)
    back = camera_to_linear_srgb(camera, COLORS.srgb_to_camera)
    np.testing.assert_allclose(back, image, atol=1e-12)
    # Below HIGHLIGHT_START, from where on apply_exposure bends.
    raw = apply_exposure(image, COLORS, [0.7, 0.3])
    balanced = balance(mosaic_rggb(raw), COLORS, [0.7, 0.3])
    np.testing.assert_allclose(balanced, mosaic_rggb(image), rtol=1e-12)


@pytest.mark.parametrize("exposure", [1.0, 0.2])
def test_round_trip_of_a_smooth_image(exposure):
    image = smooth_image()
    back = process(unprocess(image, COLORS, exposure), COLORS, exposure).numpy()
    # What remains is demosaicking: less than a code of 8 bits but at the border, where half of
    # what is interpolated is the reflected image.
    assert np.abs(back - image).mean() < 0.25 / 255
    assert np.abs(back - image)[:, 4:-4, 4:-4].max() < 1 / 255


# Measured when this was written: chelsea 39.9 dB, astronaut 36.4, coffee 32.8. Half of the colours
# of a pixel are interpolated: there is detail that no camera would get back.
@pytest.mark.parametrize(("scene", "psnr"), [("chelsea", 39), ("astronaut", 35), ("coffee", 32)])
@pytest.mark.parametrize("exposure", [1.0, 0.5])
def test_round_trip_of_photographs(scene, psnr, exposure):
    image = photograph(scene)
    raw = unprocess(image[None], one_frame(), exposure)
    back = process(raw, one_frame(), exposure)[0].numpy()
    assert -10 * np.log10(np.mean((back - image) ** 2)) > psnr
    # No colour cast: the mean of each colour is that of the photograph to half a code of 8 bits.
    np.testing.assert_allclose(back.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=0.5 / 255)


def photograph(scene):
    image = read_picture(path_of(scene))
    height, width = (side // 2 * 2 for side in image.shape[:2])
    return image[:height, :width]


def one_frame():
    return draw_camera_colors(1, np.random.default_rng(3))


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_measured_colors_stay_and_flat_color_is_exact(cfa):
    generator = np.random.default_rng(0)
    mosaic = generator.uniform(size=(1, 20, 24))
    rgb = demosaic(mosaic, cfa).numpy()[0]
    for k, color in enumerate(cfa):
        rows, columns = slice(k // 2, None, 2), slice(k % 2, None, 2)
        measured = rgb[rows, columns, "RGB".index(color)]
        np.testing.assert_allclose(measured, mosaic[0, rows, columns], atol=1e-12)
    flat = np.empty((1, 20, 24))
    for k, color in enumerate(cfa):
        flat[:, k // 2 :: 2, k % 2 :: 2] = (0.5, 0.3, 0.1)["RGB".index(color)]
    np.testing.assert_allclose(
        demosaic(flat, cfa), np.broadcast_to([0.5, 0.3, 0.1], (1, 20, 24, 3)), atol=1e-9
    )


@pytest.mark.parametrize("axis", [1, 2])
def test_a_border_does_not_see_the_opposite_one(axis):
    generator = np.random.default_rng(0)
    mosaic = generator.uniform(size=(1, 40, 40))
    other = np.moveaxis(mosaic.copy(), axis, 0)
    other[28:] = generator.uniform(size=other[28:].shape)
    other = np.moveaxis(other, 0, axis)
    difference = np.moveaxis(np.abs(demosaic(mosaic) - demosaic(other)), axis, 0)
    # The filters reach 11 pixels.
    assert difference[:17].max() == 0 and difference[17:28].max() > 0
    smallest = demosaic(generator.uniform(size=(1, 10, 10)))
    assert np.isfinite(smallest).all()


@pytest.mark.parametrize("angle", [0, 90, 30])
def test_an_edge_keeps_its_color_and_has_no_zipper(angle):
    y, x = np.mgrid[:40, :40] - 19.5
    across = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    # An edge as a lens makes it: some two pixels wide. Neutral, so any colour is false.
    grey = 0.2 + 0.6 / (1 + np.exp(-across / 0.7))
    rgb = demosaic(mosaic_rggb(np.repeat(grey[None, :, :, None], 3, axis=-1))).numpy()[0]
    false_color = np.abs(rgb - rgb.mean(axis=-1, keepdims=True)).max()
    # Bilinear interpolation makes false colours of 0.08 here.
    assert false_color < 0.012
    if angle == 0:
        assert np.ptp(rgb[10:30], axis=0).max() < 1e-3, "rows of a vertical edge differ: a zipper"


def test_demosaicking_beats_bilinear_on_a_photograph():
    image = photograph("astronaut")[None]
    mosaic = mosaic_rggb(image)
    kernel = {"R": [[1, 2, 1], [2, 4, 2], [1, 2, 1]], "G": [[0, 1, 0], [1, 4, 1], [0, 1, 0]]}
    planes = []
    for channel, name in enumerate("RGR"):
        mask = np.zeros_like(mosaic)
        for k, color in enumerate("RGGB"):
            if color == "RGB"[channel]:
                mask[:, k // 2 :: 2, k % 2 :: 2] = 1
        weights = tf.constant(kernel[name], tf.float32)[..., None, None] / 4
        planes.append(tf.nn.conv2d((mosaic * mask)[..., None], weights, 1, "SAME")[..., 0])
    bilinear = np.stack(planes, axis=-1)

    def psnr(result):
        inside = (np.asarray(result) - image)[:, 4:-4, 4:-4]
        return -10 * np.log10(np.mean(inside**2))

    assert psnr(demosaic(mosaic)) > psnr(bilinear) + 4


def test_tensors_get_what_arrays_get():
    image = smooth_image().astype(np.float32)
    array = unprocess(image, COLORS, 0.4)
    tensor = unprocess(tf.constant(image), COLORS, 0.4)
    assert tf.is_tensor(tensor) and isinstance(array, np.ndarray)
    np.testing.assert_allclose(tensor, array, atol=1e-6)  # float32


def test_gradients_are_those_of_finite_differences():
    image = smooth_image(12, 12)

    def round_trip(values):
        return tf.reduce_sum(process(unprocess(values, COLORS, 0.5), COLORS, 0.5) * weights)

    weights = np.random.default_rng(2).standard_normal(image.shape)
    direction = np.random.default_rng(3).standard_normal(image.shape)
    values = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = round_trip(values)
    slope = np.sum(tape.gradient(total, values) * direction)
    step = 1e-6
    difference = round_trip(values + step * direction) - round_trip(values - step * direction)
    assert slope == pytest.approx(float(difference) / (2 * step), rel=1e-5)


def test_gradients_are_finite_at_black_and_white():
    image = np.zeros((1, 12, 12, 3), np.float32)
    image[:, :, 6:] = 1
    values = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(values)
        raw = unprocess(values, one_frame(), 1.0)
        picture = process(raw, one_frame(), 1.0)
    gradient = tape.gradient(picture, values).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    np.testing.assert_allclose(picture, image, atol=1e-5)


def test_saturated_pixels_become_white_and_noise_below_black_black():
    mosaic = np.ones((1, 12, 12), np.float32)
    np.testing.assert_allclose(process(mosaic, one_frame(), 0.5), 1, atol=1e-6)
    np.testing.assert_allclose(process(-0.1 * mosaic, one_frame(), 0.5), 0, atol=1e-6)


@pytest.mark.parametrize(("exposure", "gains"), [(1.6, (2.0, 1.5)), (0.9, (0.8, 1.5))])
def test_saturated_pixels_are_neutral_at_any_exposure(exposure, gains):
    colors = with_white_balance(one_frame(), *gains)
    picture = process(np.ones((1, 12, 12), np.float32), colors, exposure).numpy()
    assert np.ptp(picture, axis=-1).max() < 1e-4
    # The sensor's range is used: of the least amplified colour all of it.
    linear = min(1, *gains) / exposure
    np.testing.assert_allclose(picture, apply_tone_curve(linear_to_srgb(linear)), atol=1e-4)


def test_graph_with_dynamic_size():
    graph = tf.function(
        lambda mosaic: process(mosaic, one_frame(), 0.5, "GRBG"),
        input_signature=[tf.TensorSpec([None, None, None])],
    )
    mosaic = np.random.default_rng(0).uniform(size=(1, 14, 18)).astype(np.float32)
    np.testing.assert_allclose(graph(mosaic), process(mosaic, one_frame(), 0.5, "GRBG"), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "cfa", "exposure", "message"),
    [
        ((1, 11, 12), "RGGB", 1, "H and W even"),
        ((1, 8, 12), "RGGB", 1, "at least 10"),
        ((12, 12), "RGGB", 1, r"\[n, H, W\]"),
        ((1, 12, 12), "RGBG", 1, "a CFA among"),
        ((1, 12, 12), "RGGB", 0, "positive exposures"),
    ],
)
def test_wrong_frames_are_refused(shape, cfa, exposure, message):
    with pytest.raises(ValueError, match=message):
        process(np.zeros(shape, np.float32), one_frame(), exposure, cfa)
