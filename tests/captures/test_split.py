"""Splitting a capture file by scene copies every capture once."""

import h5py
import numpy as np
import pytest

from tfp_noiseflow.captures.capture_file import read_captures, write_captures
from tfp_noiseflow.captures.split import split_by_scene

SCENES = ("attic", "beach", "cave", "desert", "estuary")


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    count = 600
    write_captures(
        tmp_path / "all.h5",
        noisy=rng.integers(60, 1000, (count, 4, 4, 4)).astype(np.uint16),
        clean=rng.uniform(64, 1000, (count, 4, 4, 4)).astype(np.float32),
        iso=np.arange(1, count + 1),
        camera=rng.choice(["a", "b"], count),
        scene=rng.choice(SCENES, count),
        black_level=np.arange(count) / count,
        white_level=1023,
        quantization_step=1,
        origin="here",
        licence="none",
    )
    return tmp_path / "all.h5"


def test_every_capture_goes_unchanged_to_one_file_and_no_scene_to_two(path, tmp_path):
    outputs = {tmp_path / "out" / f"{name}.h5": share for name, share in
               (("train", 0.6), ("validation", 0.2), ("test", 0.2))}  # fmt: skip
    split_by_scene(path, outputs)
    whole = read_captures(path)
    parts = [read_captures(output) for output in outputs]
    assert sum(len(part) for part in parts) == len(whole)
    scenes = [set(part.scene.tolist()) for part in parts]
    assert set.union(*scenes) == set(SCENES) and sum(map(len, scenes)) == len(SCENES)
    assert len(parts[0]) > max(len(part) for part in parts[1:])
    with h5py.File(path) as source:
        for output, part in zip(outputs, parts, strict=True):
            assert (part.origin, part.licence) == ("here", "none")
            # The ISO tells which capture it was.
            rows = part.iso.astype(int) - 1
            with h5py.File(output) as copied:
                assert copied.attrs["white_level"] == 1023
                for name in source:
                    assert copied[name].dtype == source[name].dtype
                    np.testing.assert_array_equal(copied[name][:], source[name][:][rows])


def test_the_same_seed_splits_the_same_and_every_file_gets_a_scene(path, tmp_path):
    outputs = [{tmp_path / f"{run}-{k}.h5": 0.2 for k in range(5)} for run in range(2)]
    for output in outputs:
        split_by_scene(path, output, seed=3)
    for first, second in zip(*outputs, strict=True):
        assert read_captures(first).scene.tolist() == read_captures(second).scene.tolist()


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (0.1,) * 10])
def test_shares_and_numbers_of_scenes_that_do_not_fit_are_refused(path, tmp_path, shares):
    with pytest.raises(ValueError, match="expected"):
        split_by_scene(path, {tmp_path / f"{k}.h5": share for k, share in enumerate(shares)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.h5"]


def test_captures_without_scenes_are_refused(tmp_path):
    image = np.full((3, 2, 2, 4), 0.5)
    write_captures(tmp_path / "f.h5", image + 0.01, image, iso=100, camera="a")
    with pytest.raises(ValueError, match="scene"):
        split_by_scene(tmp_path / "f.h5", {tmp_path / "a.h5": 0.5, tmp_path / "b.h5": 0.5})
