"""Slices of a distribution's batch, with their conditions."""

import numpy as np
import pytest
import tensorflow as tf

from tests.registry import MODELS, conditions, images, moved
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.models import NoiseDistribution

# Models whose noise depends on all conditions, on the clean image's place, and on none.
NAMES = ("S-G-CAM", "S-Ax1-G of another arrangement", "camera NLF", "Gaussian")
every_model = pytest.mark.parametrize("name", NAMES)
SHAPE = (4, 4, 4)

SLICES = [
    0,
    -1,
    slice(1, 3),
    slice(None, None, 2),
    (Ellipsis, tf.newaxis),
    (tf.newaxis, Ellipsis),
    (slice(None), tf.newaxis),
    (Ellipsis, slice(1, 3)),
]


def case(name, batch_shape=(4,)):
    model = moved(MODELS[name][0](tf.float64), by=0.1)
    noise = tf.constant(images((*batch_shape, *SHAPE), scale=0.02))
    return model, noise, conditions(batch_shape, SHAPE)


def sliced(array, item):
    """NumPy's slice of the batch of images."""
    item = item if isinstance(item, tuple) else (item,)
    if Ellipsis not in item:
        item = (*item, Ellipsis)
    ndims = len(array.shape) - len(SHAPE)
    taken = sum(part is not tf.newaxis and part is not Ellipsis for part in item)
    of_ellipsis = [slice(None)] * (ndims - taken)
    place = item.index(Ellipsis)
    return np.asarray(array)[(*item[:place], *of_ellipsis, *item[place + 1 :])]


@every_model
@pytest.mark.parametrize("item", SLICES, ids=str)
def test_a_slice_is_the_rows_of_the_whole(name, item):
    model, noise, given = case(name)
    whole = model(**given)
    part = whole[item]
    # What a slice has to give, of numbers of the batch shape.
    expected = np.asarray(whole.log_prob(noise))[item]
    assert part.batch_shape == expected.shape
    assert part.event_shape == SHAPE
    np.testing.assert_allclose(part.log_prob(sliced(noise, item)), expected, rtol=1e-12)
    latent = images(noise.shape)
    np.testing.assert_allclose(
        part.bijector.forward(sliced(latent, item)),
        sliced(whole.bijector.forward(latent), item),
        rtol=1e-11,
        atol=1e-15,
    )


@every_model
def test_a_slice_samples_what_the_rows_conditions_give(name):
    model, _, given = case(name)
    rows = {key: value[1:3] for key, value in given.items()}
    expected = model(**rows).sample(5, seed=(0, 1))
    np.testing.assert_allclose(model(**given)[1:3].sample(5, seed=(0, 1)), expected, rtol=1e-12)


@every_model
def test_scalar_conditions_are_shared_by_all_slices(name):
    model, noise, given = case(name)
    given = {**given, "iso": 400.0, "camera": 1}
    whole = model(**given)
    for row in range(4):
        np.testing.assert_allclose(
            whole[row].log_prob(noise[row]), whole.log_prob(noise)[row], rtol=1e-12
        )


@every_model
def test_several_batch_dimensions_are_sliced_from_either_end(name):
    model, noise, given = case(name, (2, 3))
    whole = model(**given)
    for item in (1, (1, 2), (Ellipsis, 0), (slice(None), slice(1, None)), (1, tf.newaxis)):
        expected = np.asarray(whole.log_prob(noise))[item]
        part = whole[item]
        assert part.batch_shape == expected.shape
        np.testing.assert_allclose(part.log_prob(sliced(noise, item)), expected, rtol=1e-12)


def test_a_slice_of_a_slice_follows_the_variables():
    model, noise, given = case("S-Ax1-G-Ax1-CAM")
    part = model(**given)[1:][1]
    moved(model, seed=1, by=0.1)
    expected = model(**given).log_prob(noise)[2]
    np.testing.assert_allclose(part.log_prob(noise[2]), expected, rtol=1e-12)


def test_a_graph_slices_a_batch_whose_size_it_does_not_know():
    model, noise, given = case("camera NLF")

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 4], tf.float64)])
    def graph(clean):
        part = model(clean, iso=400.0, camera=1)[1:3]
        return part.log_prob(noise[1:3]), part.batch_shape_tensor()

    log_prob, batch_shape = graph(given["clean"])
    whole = model(given["clean"], iso=400.0, camera=1)
    np.testing.assert_allclose(log_prob, whole.log_prob(noise)[1:3], rtol=1e-12)
    np.testing.assert_array_equal(batch_shape, [2])


@every_model
def test_more_slices_than_batch_dimensions_are_refused(name):
    model, _, given = case(name)
    with pytest.raises((IndexError, ValueError, tf.errors.InvalidArgumentError)):
        model(**given)[0, 0]


def test_parameters_with_a_batch_of_their_own_are_not_sliced_and_the_error_says_what_to_do():
    log_beta1 = tf.zeros([5, 1], tf.float64)
    layer = nb.SignalDependent(log_beta1=log_beta1, dtype=tf.float64)
    distribution = NoiseDistribution(layer, {"clean": np.full((3, *SHAPE), 0.5)})
    with pytest.raises(NotImplementedError, match="slice the parameters and the conditions"):
        distribution[0]
