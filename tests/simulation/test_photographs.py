import itertools

import numpy as np
import pytest

from tfp_noiseflow.simulation.photographs import (
    PHOTOGRAPHS,
    SPLITS,
    clean_patches,
    linear_photograph,
    scenes,
)


@pytest.fixture(scope="module")
def patches():
    """split -> (clean, scene): 800 patches each."""
    return {split: clean_patches(split, 800, patch_size=16, seed=0) for split in SPLITS}


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda photograph: photograph.scene)
def test_every_photograph_is_shipped_and_becomes_linear_light(photograph):
    linear = linear_photograph(photograph)
    assert linear.dtype == np.float32 and linear.ndim == 3 and linear.shape[2] == 3
    assert min(linear.shape[:2]) >= 128, "expected room for patches of 64 packed pixels"
    assert linear.min() >= 0.0 and linear.max() <= 1.0 and linear.std() > 0.02
    assert photograph.licence


def test_splits_share_no_scene_and_no_file():
    for first, second in itertools.combinations(SPLITS, 2):
        assert not set(scenes(first)) & set(scenes(second))
    files = [photograph.file for photograph in PHOTOGRAPHS]
    assert len(files) == len(set(files))


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_color_photographs_and_a_gray_one(split):
    spreads = [
        np.ptp(linear_photograph(photograph), axis=2).mean()
        for photograph in PHOTOGRAPHS
        if photograph.split == split
    ]
    assert sum(spread > 0.03 for spread in spreads) >= 2
    assert sum(spread == 0.0 for spread in spreads) >= 1


@pytest.mark.parametrize("split", SPLITS)
def test_pooled_clean_values_look_like_sidd(split, patches):
    clean, _ = patches[split]
    assert clean.dtype == np.float32 and clean.shape == (800, 16, 16, 4)
    assert clean.min() >= 0.0 and clean.max() <= 1.0
    # SIDD: mean 0.065, standard deviation 0.083. A split has three to six photographs and 800
    # patches whose exposures spread by a factor of two: the mean is good to some 0.004.
    assert abs(clean.mean() - 0.065) < 0.015
    assert abs(clean.std() - 0.083) < 0.02
    assert (clean >= 1.0).mean() < 0.005, "expected few saturated pixels"


@pytest.mark.parametrize("split", SPLITS)
def test_all_scenes_of_the_split_and_no_other_appear(split, patches):
    _, scene = patches[split]
    assert set(scene) == set(scenes(split))


def test_ramps_reach_both_ends(patches):
    clean, scene = patches["train"]
    is_linear = np.array([name.startswith("linear ramps") for name in scene])
    ramps = clean[is_linear]
    assert ramps.min() == 0.0 and ramps.max() == 1.0
    is_ramp = is_linear | np.array([name.startswith("logarithmic ramps") for name in scene])
    # A share of 1/8 of 800 has a standard deviation of 0.012.
    assert abs(is_ramp.mean() - 0.125) < 0.05


def test_the_cfa_phase_survives_flips_and_turns(patches):
    clean, scene = patches["test"]
    # Gravel is neutral: red and blue over green are the inverse white balance gains, whatever
    # the orientation. A wrong phase would give 1 in some of the patches. The texture moves the
    # ratio of a patch's means by some per cent, as each colour sees other pixels.
    red, green_r, green_b, blue = clean[scene == "gravel"].mean(axis=(1, 2)).T
    green = (green_r + green_b) / 2
    assert np.all((red / green > 0.9 / 2.4) & (red / green < 1.1 / 1.9))
    assert np.all((blue / green > 0.9 / 1.9) & (blue / green < 1.1 / 1.5))


def test_the_same_seed_gives_the_same_patches_and_another_does_not():
    first, scene = clean_patches("test", 20, patch_size=8, seed=5)
    again, scene_again = clean_patches("test", 20, patch_size=8, seed=5)
    other, _ = clean_patches("test", 20, patch_size=8, seed=6)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(scene, scene_again)
    assert not np.array_equal(first, other)


def test_bad_arguments_are_refused_with_what_was_received():
    with pytest.raises(ValueError, match=r"'train', 'validation', 'test'.*received 'tset'"):
        clean_patches("tset", 1)
    with pytest.raises(ValueError, match=r"at most 75 packed pixels.*received 76"):
        clean_patches("test", 1, patch_size=76)
    with pytest.raises(ValueError, match="received number 0"):
        clean_patches("test", 0)
