"""The training stream: every capture once an epoch, shuffled, reproducible, in bounded memory."""

import itertools
import tracemalloc

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.captures import epoch_order
from tfp_noiseflow.captures.epoch_order import epoch_steps


@pytest.fixture
def numbered(tmp_path):
    """700 captures whose clean images hold their own number."""
    count = 700
    clean = np.broadcast_to(np.arange(count)[:, None, None, None], (count, 2, 2, 4))
    path = tmp_path / "captures.h5"
    nf.write_captures(
        path,
        noisy=clean.astype(np.uint16),
        clean=clean.astype(np.float32),
        iso=np.resize([100, 200], count),
        camera=np.resize(["b", "a"], count),
        white_level=1000,
        quantization_step=1,
    )
    return nf.read_captures(path)


def stream(captures, steps, **arguments):
    arguments = {"cameras": ("a", "b"), "batch_size": 50, **arguments}
    dataset = nf.training_dataset(captures, **arguments)
    return list(itertools.islice(dataset.as_numpy_iterator(), steps))


def numbers(batches):
    return np.concatenate([np.rint(1000 * batch["clean"][:, 0, 0, 0]) for batch in batches])


def test_every_capture_comes_once_an_epoch_in_another_order_each(numbered):
    batches = stream(numbered, 28)
    first, second = numbers(batches[:14]), numbers(batches[14:])
    assert sorted(first) == list(range(700))
    assert sorted(second) == list(range(700))
    assert np.any(first != second)
    # Neighbours in the file are not neighbours in the stream: |difference| is 233 on average.
    assert np.abs(np.diff(first)).mean() > 150


def test_conditions_go_with_their_images(numbered):
    for batch in stream(numbered, 3):
        number = np.rint(1000 * batch["clean"][:, 0, 0, 0]).astype(int)
        np.testing.assert_array_equal(batch["iso"], np.where(number % 2, 200, 100))
        np.testing.assert_array_equal(batch["camera"], np.where(number % 2, 0, 1))
        assert np.abs(batch["noise"]).max() <= 0.5001 / 1000


def test_without_names_every_camera_index_is_0(numbered):
    (validation,) = nf.validation_dataset(numbered, cameras=None, batch_size=700)
    for batch in (*stream(numbered, 1, cameras=None), validation):
        assert not np.any(batch["camera"])


def test_stream_begun_at_a_later_epoch_is_the_rest_of_the_stream(numbered):
    rest = stream(numbered, 28)[14:]
    for batch, expected in zip(stream(numbered, 14, first_epoch=1), rest, strict=True):
        for name, values in expected.items():
            np.testing.assert_array_equal(batch[name], values)


def test_seed_changes_order_and_dequantisation(numbered):
    (a,), (b,), (again,) = (stream(numbered, 1, seed=seed) for seed in (0, 1, 0))
    np.testing.assert_array_equal(a["noise"], again["noise"])
    assert np.any(numbers([a]) != numbers([b]))
    one, other = (stream(numbered, 14, seed=seed) for seed in (0, 1))
    order_one, order_other = np.argsort(numbers(one)), np.argsort(numbers(other))
    noise_one = np.concatenate([x["noise"] for x in one])[order_one]
    noise_other = np.concatenate([x["noise"] for x in other])[order_other]
    assert np.mean(noise_one != noise_other) > 0.99


def test_dequantisation_is_drawn_anew_each_epoch(numbered):
    batches = stream(numbered, 28)
    first = np.concatenate([x["noise"] for x in batches[:14]])[np.argsort(numbers(batches[:14]))]
    second = np.concatenate([x["noise"] for x in batches[14:]])[np.argsort(numbers(batches[14:]))]
    assert np.mean(first != second) > 0.99


def test_pools_smaller_than_the_file_lose_and_repeat_nothing(numbered, monkeypatch):
    monkeypatch.setattr(epoch_order, "BLOCK_BYTES", 32 * 128)  # 32 captures of 128 bytes.
    monkeypatch.setattr(epoch_order, "POOL_BYTES", 96 * 128)
    assert sorted(numbers(stream(numbered, 14))) == list(range(700))


def test_batches_larger_than_the_file_are_the_file(numbered):
    assert epoch_steps(numbered, 1000) == 1
    (batch,) = stream(numbered, 1, batch_size=1000)
    assert len(batch["iso"]) == 700
    with pytest.raises(ValueError, match="batch_size >= 1, received 0"):
        epoch_steps(numbered, 0)


def test_validation_reads_all_in_order_with_a_fixed_draw(numbered):
    dataset = nf.validation_dataset(numbered, cameras=("a", "b"), batch_size=300)
    batches, again = list(dataset.as_numpy_iterator()), list(dataset.as_numpy_iterator())
    np.testing.assert_array_equal(numbers(batches), np.arange(700))
    np.testing.assert_array_equal(batches[0]["noise"], again[0]["noise"])
    assert [len(batch["iso"]) for batch in batches] == [300, 300, 100]


def test_unknown_camera_is_an_error_at_once(numbered):
    with pytest.raises(ValueError, match=r"\['a'\].*received captures of \['a', 'b'\]"):
        nf.training_dataset(numbered, cameras=("a",), batch_size=10)


@pytest.mark.parametrize("size", [32, 256])
def test_memory_is_bounded_by_the_pool_not_by_the_file(tmp_path, size, monkeypatch):
    path = tmp_path / "large.h5"
    count = 4096 * 32 * 32 // size**2
    with nf.CaptureWriter(path) as writer:
        for start in range(0, count, count // 8):
            block = np.full((count // 8, size, size, 4), start / count, np.float32)
            writer.append(
                noisy=block, clean=block, iso=[100] * len(block), camera=["a"] * len(block)
            )
    captures = nf.read_captures(path)  # 134 MB as float32 pairs.
    monkeypatch.setattr(epoch_order, "POOL_BYTES", 16 << 20)
    tracemalloc.start()
    batch_size = 16 if size == 32 else 4
    seen = sum(len(batch) for batch in epoch_order.epoch_batches(captures, batch_size, 0, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == count
    # The pool, the blocks it is joined from, its copy at an epoch's end, and some batches.
    assert peak < 70e6
