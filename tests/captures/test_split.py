"""Splitting captures by scene: every capture once, and no scene twice."""

import numpy as np
import pytest

from tfp_noiseflow.captures.capture_file import read_captures, write_captures
from tfp_noiseflow.captures.split import split_at_random, split_by_scene, split_captures

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


def without_scenes(path, count, scene=None, iso=(100, 400, 800)):
    image = np.arange(count, dtype=np.float32)[:, None, None, None] / count + np.zeros((2, 2, 4))
    write_captures(
        path,
        image + 0.01,
        image,
        iso=np.resize(iso, count),
        camera=np.resize(["a", "b"], count).tolist(),
        **({} if scene is None else {"scene": [scene] * count}),
    )
    return read_captures(path)


@pytest.mark.parametrize("scene", [None, "attic"])
def test_captures_of_too_few_scenes_are_split_at_random(tmp_path, scene):
    captures = without_scenes(tmp_path / "f.h5", 50, scene)
    parts, how = split_captures(captures, (0.7, 0.1, 0.2), seed=3)
    assert how.startswith("at random") and ("no scenes" in how) == (scene is None)
    assert [len(part) for part in parts] == [35, 5, 10]
    # Clean images tell captures apart.
    found = np.concatenate([part.read(0, len(part)).clean[:, 0, 0, 0] for part in parts])
    np.testing.assert_array_equal(np.sort(found), captures.read(0, 50).clean[:, 0, 0, 0])
    again, _ = split_captures(captures, (0.7, 0.1, 0.2), seed=3)
    for part, same in zip(parts, again, strict=True):
        np.testing.assert_array_equal(part.read(0, 5).clean, same.read(0, 5).clean)
    other, _ = split_captures(captures, (0.7, 0.1, 0.2), seed=4)
    assert (parts[0].read(0, 35).clean != other[0].read(0, 35).clean).any()


def test_captures_of_enough_scenes_are_split_by_them(captures):
    parts, how = split_captures(captures, (0.6, 0.2, 0.2), seed=3)
    assert how == "by scene"
    expected = split_by_scene(captures, (0.6, 0.2, 0.2), seed=3)
    assert [set(part.scene) for part in parts] == [set(part.scene) for part in expected]


def test_the_first_random_split_knows_every_camera_and_iso(tmp_path):
    captures = without_scenes(tmp_path / "f.h5", 12)
    for seed in range(20):
        first = split_at_random(captures, (0.6, 0.2, 0.2), seed=seed)[0]
        assert len(set(zip(first.camera, first.iso.tolist(), strict=True))) == 6


def test_fewer_captures_than_random_splits_are_refused(tmp_path):
    assert [
        len(p) for p in split_at_random(without_scenes(tmp_path / "3.h5", 3), (0.9, 0.05, 0.05))
    ]
    with pytest.raises(ValueError, match=r"at least 3 captures to split, received 2"):
        split_at_random(without_scenes(tmp_path / "2.h5", 2), (0.7, 0.1, 0.2))


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2)])
def test_shares_that_do_not_add_up_are_refused_of_random_splits_too(captures, shares):
    with pytest.raises(ValueError, match="expected positive shares"):
        split_at_random(captures, shares)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (0.1,) * 10])
def test_shares_and_numbers_of_scenes_that_do_not_fit_are_refused(captures, shares):
    with pytest.raises(ValueError, match="expected"):
        split_by_scene(captures, shares)


def test_captures_without_scenes_are_refused(tmp_path):
    image = np.full((3, 2, 2, 4), 0.5)
    write_captures(tmp_path / "f.h5", image + 0.01, image, iso=100, camera="a")
    with pytest.raises(ValueError, match="scene"):
        split_by_scene(read_captures(tmp_path / "f.h5"), (0.5, 0.5))
