import numpy as np
import pytest
import tensorflow as tf

from tfp_noiseflow.imaging import (
    CameraColors,
    apply_exposure,
    draw_camera_colors,
    invert_tone_curve,
    linear_srgb_to_camera,
    mosaic_rggb,
    srgb_to_linear,
    unprocess,
)

VALUES = np.linspace(0.0, 1.0, 257)


def neutral_colors(red_gain=2.0, blue_gain=1.6):
    return CameraColors(np.eye(3)[None], np.array([red_gain]), np.array([blue_gain]))


def test_tone_curve_is_the_inverse_of_smoothstep():
    x = invert_tone_curve(VALUES)
    # The slope of the inverse is infinite at both ends: an error of 1e-16 becomes one of 1e-8.
    np.testing.assert_allclose(3 * x**2 - 2 * x**3, VALUES, atol=1e-12)


def test_srgb_to_linear_is_the_inverse_of_the_standards_curve():
    linear = srgb_to_linear(VALUES)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    # The standard's two pieces meet only to 1e-7.
    np.testing.assert_allclose(encoded, VALUES, atol=1e-6)


def test_drawn_colors_keep_neutral_neutral_and_stay_in_the_published_ranges():
    colors = draw_camera_colors(500, np.random.default_rng(0))
    np.testing.assert_allclose(colors.srgb_to_camera.sum(axis=2), 1.0, atol=1e-12)
    assert colors.red_gain.min() >= 1.9 and colors.red_gain.max() <= 2.4
    assert colors.blue_gain.min() >= 1.5 and colors.blue_gain.max() <= 1.9
    assert colors.srgb_to_camera.std(axis=0).max() > 0.01, "expected the matrices to differ"


def test_the_color_matrix_is_applied_to_column_vectors():
    matrix = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.0, 0.4, 0.6]])
    pixel = np.array([0.9, 0.2, 0.4])
    result = linear_srgb_to_camera(pixel.reshape(1, 1, 1, 3), matrix[None])
    np.testing.assert_allclose(result[0, 0, 0], matrix @ pixel, rtol=1e-12)


def test_a_gray_photograph_becomes_a_mosaic_in_the_ratio_of_the_gains():
    colors = neutral_colors(red_gain=2.0, blue_gain=1.6)
    mosaic = unprocess(np.full((1, 4, 6, 3), 0.5), colors, exposure=0.7)[0]
    green = 0.7 * srgb_to_linear(invert_tone_curve(0.5))
    np.testing.assert_allclose(mosaic[0::2, 0::2], green / 2.0, rtol=1e-12)
    np.testing.assert_allclose(mosaic[0::2, 1::2], green, rtol=1e-12)
    np.testing.assert_allclose(mosaic[1::2, 0::2], green, rtol=1e-12)
    np.testing.assert_allclose(mosaic[1::2, 1::2], green / 1.6, rtol=1e-12)


def test_saturated_white_stays_saturated_in_every_color():
    mosaic = unprocess(np.ones((1, 2, 2, 3)), neutral_colors(), exposure=0.2)
    np.testing.assert_allclose(mosaic, 1.0, rtol=1e-12)


def test_brighter_pixels_never_become_darker_towards_saturation():
    gray = np.linspace(0.0, 1.0, 400)
    ramp = np.repeat(gray[None, None, :, None], 3, axis=-1)
    raw = apply_exposure(ramp, neutral_colors(), 0.5)
    assert np.all(np.diff(raw, axis=2) > 0)


def test_nothing_leaves_the_unit_interval():
    rng = np.random.default_rng(1)
    corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).T
    photograph = np.concatenate([rng.random((24, 3)), corners]).reshape(1, 4, 8, 3)
    photographs = np.repeat(photograph, 50, axis=0)
    colors = draw_camera_colors(50, rng)
    mosaics = unprocess(photographs, colors, exposure=rng.uniform(0.05, 3.0, 50))
    assert mosaics.shape == (50, 4, 8)
    assert mosaics.min() >= 0.0 and mosaics.max() <= 1.0


def test_the_mosaic_samples_rggb():
    rgb = np.arange(4 * 4 * 3).reshape(4, 4, 3)
    mosaic = mosaic_rggb(rgb)
    assert mosaic[0, 0] == rgb[0, 0, 0] and mosaic[2, 2] == rgb[2, 2, 0]
    assert mosaic[0, 1] == rgb[0, 1, 1] and mosaic[1, 0] == rgb[1, 0, 1]
    assert mosaic[1, 1] == rgb[1, 1, 2] and mosaic[3, 1] == rgb[3, 1, 2]


def test_unprocessing_in_a_graph_of_dynamic_size():
    colors = neutral_colors()
    photograph = np.random.default_rng(0).random((1, 6, 8, 3)).astype(np.float32)
    graph = tf.function(
        lambda srgb: unprocess(srgb, colors),
        input_signature=[tf.TensorSpec([1, None, None, 3])],
    )
    np.testing.assert_allclose(graph(photograph), unprocess(photograph, colors), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4, 3), (4, 3, 3), (4, 4, 1)])
def test_an_image_without_a_mosaic_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match=rf"received shape \[{shape[0]}, {shape[1]}, {shape[2]}\]"):
        mosaic_rggb(np.zeros(shape))


def test_bad_photographs_and_exposures_are_refused():
    with pytest.raises(ValueError, match=r"\[n, H, W, 3\], received shape \[4, 4, 3\]"):
        unprocess(np.zeros((4, 4, 3)), neutral_colors())
    with pytest.raises(ValueError, match=r"positive exposures, received -1"):
        unprocess(np.zeros((1, 4, 4, 3)), neutral_colors(), exposure=-1)
