"""Splitting captures by scene: every capture once, and no scene twice."""

import numpy as np
import pytest

from tfp_noiseflow.captures.capture_file import read_captures, write_captures
from tfp_noiseflow.captures.split import split_by_scene

SCENES = ("attic", "beach", "cave", "desert", "estuary")


@pytest.fixture
def captures(tmp_path):
    rng = np.random.default_rng(0)
    count = 600
    image = rng.uniform(0.1, 0.9, (count, 4, 4, 4)).astype(np.float32)
    write_captures(
        tmp_path / "all.h5",
        noisy=image + 0.01,
        clean=image,
        iso=np.arange(1, count + 1),
        camera=rng.choice(["a", "b"], count),
        scene=rng.choice(SCENES, count),
    )
    return read_captures(tmp_path / "all.h5")


def test_every_capture_is_in_one_split_and_no_scene_in_two(captures):
    parts = split_by_scene(captures, (0.6, 0.2, 0.2))
    isos = np.concatenate([part.iso for part in parts])  # They tell captures apart.
    assert sorted(isos.tolist()) == captures.iso.tolist()
    scenes = [set(part.scene.tolist()) for part in parts]
    assert set.union(*scenes) == set(SCENES) and sum(map(len, scenes)) == len(SCENES)
    assert len(parts[0]) > max(len(part) for part in parts[1:])
    block = parts[1].read(0, 3)
    rows = parts[1].iso[:3].astype(int) - 1
    np.testing.assert_array_equal(block.clean, [captures.read(r, r + 1).clean[0] for r in rows])


def test_the_same_seed_splits_the_same_and_every_split_gets_a_scene(captures):
    first, second = (split_by_scene(captures, (0.2,) * 5, seed=3) for _ in range(2))
    assert [set(p.scene) for p in first] == [set(p.scene) for p in second]
    assert all(len(set(part.scene)) == 1 for part in first)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (0.1,) * 10])
def test_shares_and_numbers_of_scenes_that_do_not_fit_are_refused(captures, shares):
    with pytest.raises(ValueError, match="expected"):
        split_by_scene(captures, shares)


def test_captures_without_scenes_are_refused(tmp_path):
    image = np.full((3, 2, 2, 4), 0.5)
    write_captures(tmp_path / "f.h5", image + 0.01, image, iso=100, camera="a")
    with pytest.raises(ValueError, match="scene"):
        split_by_scene(read_captures(tmp_path / "f.h5"), (0.5, 0.5))
