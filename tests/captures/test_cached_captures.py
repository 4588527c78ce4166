"""Captures in memory: the batches of the stream, bit for bit, by TensorFlow ops."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tfp_noiseflow.captures import cached_captures, philox
from tfp_noiseflow.captures.cached_captures import CachedCaptures, chosen_cache, stored_bytes

CAMERAS = ("a", "b")


@pytest.mark.parametrize("count", [1, 8, 13, 4096])
def test_numbers_are_those_of_numpys_philox(count):
    captures = np.array([0, 1, 77, 2**40, 2**63 - 1])
    key = np.array([3, 2**64 - 1], np.uint64)
    for image in (0, 2):
        found = philox.uniform(
            tf.constant(captures), tf.constant(key), tf.constant(np.uint64(image)), count
        )
        for numbers, capture in zip(found.numpy(), captures, strict=True):
            bits = np.random.Philox(key=key, counter=(0, 0, image, int(capture)))
            expected = np.random.Generator(bits).random(count, np.float32)
            np.testing.assert_array_equal(numbers, expected)


def write(path, dtype, step, count=230):
    """Captures of two cameras with levels of their own, in an integer or float dtype."""
    rng = np.random.default_rng(0)
    is_float = np.dtype(dtype).kind == "f"
    clean = rng.uniform(64, 250, (count, 6, 6, 4))
    noisy = clean + rng.normal(0, 5, clean.shape)
    nf.write_captures(
        path,
        noisy=noisy.astype(dtype) if is_float else np.rint(noisy).astype(dtype),
        clean=clean.astype(dtype) if is_float else np.rint(clean).astype(dtype),
        iso=rng.choice([100, 400], count),
        camera=rng.choice(CAMERAS, count),
        black_level=rng.choice([0.0, 16.0, 63.7], count),
        white_level=rng.choice([255.0, 254.3], count),
        quantization_step=step,
    )
    return nf.read_captures(path)


CASES = {
    "codes": (np.uint16, 1.0),
    "codes of 8 bits": (np.uint8, 1.0),
    "codes of 32 bits": (np.uint32, 0.5),
    "continuous": (np.float32, 0.0),
    "continuous of 64 bits": (np.float64, 0.0),
}


@pytest.mark.parametrize(
    ("case", "dequantises"), [*((case, True) for case in CASES), ("codes", False)]
)
def test_batches_are_those_of_the_stream(tmp_path, case, dequantises):
    captures = write(tmp_path / "captures.h5", *CASES[case]).dequantised(dequantises)
    for its, batch_size in ((captures, 50), (captures.select(np.arange(3, 230, 2)), 1000)):
        arguments = {"cameras": ("b", "a"), "batch_size": batch_size, "seed": 4, "first_epoch": 1}
        streams = [
            nf.training_dataset(its, cache=cache, **arguments).as_numpy_iterator()
            for cache in ("none", "memory")
        ]
        # More than an epoch.
        for streamed, cached in itertools.islice(zip(*streams, strict=True), 7):
            assert sorted(streamed) == sorted(cached)
            for name, values in streamed.items():
                np.testing.assert_array_equal(cached[name], values, err_msg=name)
                assert cached[name].dtype == values.dtype


def test_in_order_they_are_those_of_validation(tmp_path):
    captures = write(tmp_path / "captures.h5", np.uint16, 1.0)
    expected = nf.validation_dataset(captures, cameras=None, batch_size=100)
    cached = nf.validation_dataset(captures, cameras=None, batch_size=100, cache="memory")
    found = list(cached.as_numpy_iterator())
    assert [len(batch["iso"]) for batch in found] == [100, 100, 30]
    for batch, values in zip(found, expected.as_numpy_iterator(), strict=True):
        for name in values:
            np.testing.assert_array_equal(batch[name], values[name])


def test_what_is_kept_is_what_is_stored(tmp_path):
    captures = write(tmp_path / "captures.h5", np.uint16, 1.0)
    assert stored_bytes(captures) == 2 * 2 * 230 * 144
    cached = CachedCaptures(captures, cameras=CAMERAS)
    assert {image.dtype for image in cached._images.values()} == {tf.uint16}


def test_auto_goes_by_size_and_free_memory_and_says_so(tmp_path, monkeypatch):
    captures = write(tmp_path / "captures.h5", np.uint16, 1.0)
    size = stored_bytes(captures)
    monkeypatch.setattr(cached_captures, "free_device_memory", lambda: 0)
    for free, expected in ((4 * size, "memory"), (size, "none"), (None, "none")):
        monkeypatch.setattr(cached_captures, "available_memory", lambda free=free: free)
        cache, text = chosen_cache("auto", captures)
        assert cache == expected and "GB of captures" in text
    monkeypatch.setattr(cached_captures, "free_device_memory", lambda: 2 * size)
    assert chosen_cache("auto", captures)[0] == "device"
    assert chosen_cache("auto", captures, captures)[0] == "none"
    with pytest.raises(ValueError, match=r"expected a cache among .* received 'disk'"):
        chosen_cache("disk", captures)


def test_pixels_that_are_not_finite_and_unknown_cameras_are_refused(tmp_path):
    clean = np.full((20, 2, 2, 4), 0.5, np.float32)
    noisy = clean.copy()
    noisy[7, 0, 0, 0] = np.nan
    nf.write_captures(tmp_path / "bad.h5", noisy, clean, [100] * 20, ["a"] * 20)
    captures = nf.read_captures(tmp_path / "bad.h5")
    with pytest.raises(ValueError, match=r"bad.h5: expected finite pixels, .*captures: \[7\]"):
        CachedCaptures(captures, cameras=CAMERAS)
    with pytest.raises(ValueError, match="unknown"):
        CachedCaptures(captures, cameras=("b",))
