"""What the layers of one call share is evaluated once, and anew in the next call."""

import threading

import numpy as np
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, LAWS, images
from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.composition.one_call import evaluated_once, one_call

STEP = 1 / 255
CLEAN = np.random.default_rng(0).uniform(0, 1, (2, 4, 8, 4))


def counted(monkeypatch):
    """How often a noise level function is evaluated."""
    calls, run = [], nb.SignalDependent._pixel_noise
    monkeypatch.setattr(nb.SignalDependent, "_pixel_noise", lambda *a: calls.append(1) or run(*a))
    return calls


def test_l_r_and_t_share_one_evaluation(monkeypatch):
    flow = nf.NoiseFlow("L-R-P", CAMERAS, laws=LAWS, dtype=tf.float64)
    noise = tf.constant(images(CLEAN.shape, scale=0.02))
    distribution = flow(CLEAN, iso=400, camera=0)
    calls = counted(monkeypatch)
    distribution.log_prob(noise)
    assert len(calls) == 1
    distribution.bijector.forward(noise)
    assert len(calls) == 2
    stored = nf.StoredNoise(flow, STEP)(CLEAN, iso=400, camera=0)
    codes = stored.stored(noise)
    stored.log_prob(codes)
    assert len(calls) == 3, "bins, draws and density of one bound"


def test_the_next_call_sees_a_change_of_a_variable():
    flow = nf.NoiseFlow("L-R-P", CAMERAS, laws=LAWS, dtype=tf.float64)
    noise = tf.constant(images(CLEAN.shape, scale=0.02))
    distribution = flow(CLEAN, iso=400, camera=0)
    before = distribution.log_prob(noise)
    flow.layers["signal_dependent"].log_beta2.log_coefficients.assign_add(
        tf.ones([3, 3], tf.float64)
    )
    after = distribution.log_prob(noise)
    assert np.all(before != after)
    np.testing.assert_array_equal(after, flow(CLEAN, iso=400, camera=0).log_prob(noise))


def test_branches_of_a_graph_have_their_own():
    owner, x = object(), tf.constant(3.0)

    @tf.function(autograph=False)
    def graph(is_left):
        def square():
            return evaluated_once(owner, (x,), lambda: tf.square(x))

        with one_call():
            return tf.cond(is_left, square, lambda: square() + 1) + square()

    assert graph(tf.constant(True)) == 18 and graph(tf.constant(False)) == 19


def test_other_inputs_owners_and_threads_have_their_own():
    count = []

    def number():
        count.append(1)
        return len(count)

    owner, x, y = object(), object(), object()
    assert [evaluated_once(owner, (x,), number) for _ in range(2)] == [1, 2], "no call, no memory"
    with one_call():
        first = evaluated_once(owner, (x,), number)
        with one_call():
            assert evaluated_once(owner, (x,), number) == first, "a part of the outer call"
        assert evaluated_once(owner, (x,), number) == first
        assert evaluated_once(owner, (y,), number) != first
        assert evaluated_once(object(), (x,), number) != first
        found = []
        thread = threading.Thread(target=lambda: found.append(evaluated_once(owner, (x,), number)))
        thread.start()
        thread.join()
        assert found[0] != first


def test_an_error_within_a_call_ends_it():
    try:
        with one_call():
            raise KeyError
    except KeyError:
        pass
    count = []
    for _ in range(2):
        evaluated_once(count, (), lambda: count.append(1))
    assert len(count) == 2
