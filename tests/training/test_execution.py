"""How a training runs changes nothing of what it trains."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.training.codes import CAMERAS, ISOS, write_codes
from tfp_noiseflow.training.execution import Execution
from tfp_noiseflow.training.shown_progress import ShownProgress

SCHEDULE = nf.Schedule(epochs=2, batch_size=20)
STEP = 1 / 255


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    path = tmp_path_factory.mktemp("codes") / "captures.h5"
    write_codes(path, 100)
    return nf.read_captures(path)


def trained(captures, folder, model=None, schedule=SCHEDULE, **execution):
    """History and variables of a flow that is trained."""
    if model is None:
        model = nf.NoiseFlow("S-Ax1-G-CAM", CAMERAS, ISOS, seed=0)
    nf.train_noise_model(
        model, captures, captures, folder, schedule, execution=Execution(**execution), verbose=0
    )
    history = (folder / "history.csv").read_text()
    return history, [variable.numpy() for variable in model.variables]


# Without a GPU the device is the host: the same again.
@pytest.mark.parametrize("cache", ["memory", pytest.param("device", marks=pytest.mark.slow)])
def test_captures_in_memory_train_the_same_to_the_bit(captures, tmp_path, cache):
    # 50 steps.
    schedule = nf.Schedule(epochs=10, batch_size=20)
    streamed = trained(captures, tmp_path / "none", schedule=schedule)
    history, variables = trained(captures, tmp_path / cache, schedule=schedule, cache=cache)
    assert history == streamed[0]
    for value, expected in zip(variables, streamed[1], strict=True):
        np.testing.assert_array_equal(value, expected)


def test_several_steps_in_one_call_train_the_same(captures, tmp_path):
    model = nf.StoredNoise(nf.NoiseFlow("L-R-P", CAMERAS, seed=0), STEP)
    expected = trained(captures, tmp_path / "one", model)
    model = nf.StoredNoise(nf.NoiseFlow("L-R-P", CAMERAS, seed=0), STEP)
    # 5 steps an epoch: executions of 4 and of 1.
    found = trained(captures, tmp_path / "four", model, cache="memory", steps_per_execution=4)
    for value, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-6, atol=1e-7)


def test_no_step_waits_for_its_numbers(captures, tmp_path, monkeypatch):
    """Keras brings them to the host after every step unless all callbacks do without."""
    received = []

    def looks(self, batch, logs=None):
        received.append(logs["loss"])

    monkeypatch.setattr(ShownProgress, "on_train_batch_end", looks)
    trained(captures, tmp_path)
    assert len(received) == 10
    assert all(tf.is_tensor(loss) for loss in received)


@pytest.mark.slow  # XLA compiles the step of a flow for half a minute.
def test_compiled_by_xla_it_trains_the_same_but_for_rounding(captures, tmp_path):
    expected = trained(captures, tmp_path / "graph")
    found = trained(captures, tmp_path / "xla", cache="memory", jit_compile=True)
    for value, other in zip(found[1], expected[1], strict=True):
        # Ten steps of Adam, in which a rounding of a gradient that is nearly 0 changes its sign.
        np.testing.assert_allclose(value, other, atol=2e-3)


def test_executions_of_no_step_are_refused():
    with pytest.raises(ValueError, match="expected steps_per_execution >= 1, received 0"):
        Execution(steps_per_execution=0)
    with pytest.raises(ValueError, match="expected a cache among"):
        Execution(cache="disk")


def test_under_xla_unknown_conditions_give_nan():
    """XLA drops assertions: what would be an error of a graph must not be a number."""
    model = nf.NoiseFlow("S-G-CAM", CAMERAS, ISOS, seed=0)
    clean = np.full((3, 4, 4, 4), 0.3, np.float32)
    given = {"iso": np.array([100, 150, 400], np.float32), "camera": np.array([0, 1, 7], np.int32)}

    @tf.function(jit_compile=True)
    def compiled(clean, given):
        distribution = model(clean, **given)
        return distribution.log_prob(tf.zeros_like(clean)), distribution.sample(seed=(0, 1))

    log_prob, sample = compiled(clean, given)
    np.testing.assert_array_equal(np.isnan(log_prob), [False, True, True])
    np.testing.assert_array_equal(np.isnan(sample).all(axis=(1, 2, 3)), [False, True, True])
    assert np.isfinite(sample[0]).all()
