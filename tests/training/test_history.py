"""history.csv of a training that goes on is that of one that was not stopped."""

import types

import tensorflow as tf

from tfp_noiseflow.models.model_directory import read_history
from tfp_noiseflow.training.history import History


class _Trainer:
    """What a History reads of the model that it is called for."""

    def __init__(self, epoch):
        self.optimizer = types.SimpleNamespace(
            iterations=tf.constant(10 * (epoch + 1)), learning_rate=tf.constant(0.1 / (epoch + 1))
        )
        self.noise_model = types.SimpleNamespace(physical_parameters=lambda: {"beta1": 1e-4 / 3})


def _write(folder, first_epoch, epochs):
    history = History(folder, first_epoch)
    for epoch in range(first_epoch, epochs):
        history.set_model(_Trainer(epoch))
        history.on_epoch_end(epoch, {"loss": -3.5 / (epoch + 1), "val_loss": -1 / 3})


def test_rows_that_were_there_are_written_again_to_the_byte(tmp_path):
    _write(tmp_path / "whole", 0, 4)
    # Killed after its third row was written and before that epoch's checkpoint.
    _write(tmp_path / "resumed", 0, 3)
    _write(tmp_path / "resumed", 2, 4)
    found, expected = ((tmp_path / name / "history.csv") for name in ("resumed", "whole"))
    assert found.read_bytes() == expected.read_bytes()
    assert [row["epoch"] for row in read_history(tmp_path / "resumed")] == [0, 1, 2, 3]
