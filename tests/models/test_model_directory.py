"""Model directories: what replaces a model leaves nothing of it, and no moment without one."""

import contextlib
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import moved
from tfp_noiseflow.models.model_directory import (
    checkpoint_manager,
    load_baselines,
    write_baselines,
)


class Kill(Exception):
    pass


def test_killed_while_it_replaces_a_model_leaves_the_one_or_the_other(tmp_path, monkeypatch):
    def kill_at(step):
        """Makes the call number `step` that changes the folder the end of the process."""
        calls = iter(range(100))

        def killed(function):
            def call(*args, **kwargs):
                if next(calls) == step:
                    raise Kill
                return function(*args, **kwargs)

            return call

        for owner, name in (
            (shutil, "rmtree"),
            (os, "remove"),
            (os, "replace"),
            (tf.train.CheckpointManager, "save"),
        ):
            patch.setattr(owner, name, killed(getattr(owner, name)))

    old = moved(nf.NoiseFlow("S-G", iso_levels=(100, 400), seed=0))
    new, seen = nf.GaussianNoise(0.1), []
    for step in range(100):
        folder = tmp_path / str(step)
        nf.save_model(old, folder, {"file": "old"})
        write_baselines(folder, {"gaussian": nf.GaussianNoise(0.2)})
        (folder / "history.csv").write_text("epoch\n1\n")
        with monkeypatch.context() as patch, contextlib.suppress(Kill):
            kill_at(step)
            nf.save_model(new, folder, {"file": "new"})
            seen.append("done")
        loaded = nf.load_model(folder)
        expected = old if isinstance(loaded, nf.NoiseFlow) else new
        for variable, saved in zip(loaded.variables, expected.variables, strict=True):
            np.testing.assert_array_equal(variable, saved)
        if expected is new:
            assert not load_baselines(folder) and not (folder / "history.csv").exists()
        seen.append(type(loaded).__name__)
        if "done" in seen:
            break
    assert set(seen) == {"NoiseFlow", "GaussianNoise", "done"} and step > 2
    # And back: each folder of checkpoints in turn.
    nf.save_model(old, folder, {})
    assert nf.load_model(folder).get_config() == old.get_config()
    assert {path.name for path in folder.iterdir()} == {"config.json", "checkpoints"}


def test_replaced_model_leaves_no_other_checkpoint_and_the_baselines_of_its_data(tmp_path):
    nf.save_model(nf.GaussianNoise(0.1), tmp_path, {"file": "one"})
    write_baselines(tmp_path, {"gaussian": nf.GaussianNoise(0.2)})
    for kind in ("last", "best_kl"):
        checkpoint = tf.train.Checkpoint(noise_model=nf.GaussianNoise(0.1))
        checkpoint_manager(tmp_path, kind, checkpoint).save()
    nf.save_model(nf.GaussianNoise(0.3), tmp_path, {"file": "one"})
    assert float(nf.load_model(tmp_path).sigma) == pytest.approx(0.3)
    assert set(load_baselines(tmp_path)) == {"gaussian"}
    for kind in ("last", "best_kl"):
        with pytest.raises(FileNotFoundError, match=kind):
            nf.load_model(tmp_path, kind=kind)
    nf.save_model(nf.GaussianNoise(0.3), tmp_path, {"file": "other"})
    assert not load_baselines(tmp_path)
