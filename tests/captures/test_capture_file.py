"""Capture files: what is written comes back, and what is wrong is named."""

import gc

import h5py
import numpy as np
import pytest

import tfp_noiseflow as nf


def captures(count=5, shape=(6, 8, 4), seed=0):
    generator = np.random.default_rng(seed)
    return {
        "noisy": generator.integers(64, 1023, (count, *shape), dtype=np.uint16),
        "clean": generator.uniform(64, 1023, (count, *shape)).astype(np.float32),
        "iso": np.resize([100.0, 800.0], count),
        "camera": list(np.resize(["Pixel", "Nexus 6é"], count)),
        "black_level": 64,
        "white_level": 1023,
        "quantization_step": 1,
    }


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def replace(file, name, values):
    del file[name]
    file[name] = values


def test_what_is_written_comes_back_as_fractions_of_full_scale(tmp_path):
    path = tmp_path / "captures.h5"
    given = captures() | {"quantization_step": 0, "origin": "a", "licence": "b", "description": "c"}
    nf.write_captures(path, **given, nlf=np.ones((5, 2)), scene=list("abcde"))
    read = nf.read_captures(path)
    (block,) = read.blocks()
    clean = (given["clean"] - 64) / 959
    np.testing.assert_allclose(block.clean, clean, atol=1e-7)
    np.testing.assert_allclose(block.noise, (given["noisy"] - 64.0) / 959 - clean, atol=3e-7)
    np.testing.assert_array_equal(block.iso, given["iso"])
    assert list(block.camera) == given["camera"]
    assert read.cameras == ("Nexus 6é", "Pixel")
    assert read.iso_levels == (100.0, 800.0)
    assert (read.origin, read.licence, read.description) == ("a", "b", "c")
    assert list(read.scene) == list("abcde")
    assert read.nlf.shape == (5, 2)
    assert read.nlf_true is None
    assert len(read) == 5
    assert "Pixel" in repr(read)


def test_levels_per_capture_override_the_attributes(tmp_path):
    path = tmp_path / "captures.h5"
    given = captures() | {"black_level": [0, 1, 2, 3, 4], "quantization_step": [0] * 5}
    nf.write_captures(path, **given)
    (block,) = nf.read_captures(path).blocks()
    black = np.arange(5)[:, None, None, None]
    np.testing.assert_allclose(block.clean, (given["clean"] - black) / (1023 - black), atol=1e-6)


def test_noisy_codes_are_dequantised_uniformly_and_clean_ones_never(tmp_path):
    path = tmp_path / "captures.h5"
    given = captures(count=20)
    nf.write_captures(path, **given)
    (block,) = nf.read_captures(path).blocks()
    clean = (given["clean"] - 64) / 959
    np.testing.assert_allclose(block.clean, clean, atol=1e-7)
    added = 959 * (block.noise + block.clean) + 64 - given["noisy"]
    # float32 of values up to 1023: errors of 1e-4 of a code.
    assert -0.5001 < added.min() < -0.499
    assert 0.499 < added.max() < 0.5001
    # 3840 values: five standard errors of the mean and of the variance.
    assert abs(added.mean()) < 5 * np.sqrt(1 / 12 / added.size)
    assert abs(added.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / added.size)


def test_dequantisation_depends_on_seed_and_position_alone(tmp_path):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures(count=7))
    read = nf.read_captures(path)

    def noise(size, seed):
        return np.concatenate([block.noise for block in read.blocks(size, seed=seed)])

    np.testing.assert_array_equal(noise(7, 3), noise(2, 3))
    np.testing.assert_array_equal(noise(7, 3)[4:6], read.read(4, 6, seed=3).noise)
    assert np.mean(noise(7, 3) != noise(7, 4)) > 0.99


def test_second_noisy_image_has_draws_of_its_own(tmp_path):
    path = tmp_path / "captures.h5"
    given = captures()
    nf.write_captures(path, **given, noisy_repeat=given["noisy"])
    (block,) = nf.read_captures(path).blocks()
    assert np.mean(block.noise != block.noise_repeat) > 0.99


def test_blocks_appended_one_by_one_are_the_file_written_at_once(tmp_path):
    given = captures(count=9)
    levels = {k: given.pop(k) for k in ("black_level", "white_level", "quantization_step")}
    nf.write_captures(tmp_path / "whole.h5", **given, **levels)
    with nf.CaptureWriter(tmp_path / "parts.h5", **levels) as writer:
        for start in range(0, 9, 4):
            writer.append(**{name: values[start : start + 4] for name, values in given.items()})
    whole, parts = nf.read_captures(tmp_path / "whole.h5"), nf.read_captures(tmp_path / "parts.h5")
    np.testing.assert_array_equal(next(whole.blocks()).noise, next(parts.blocks()).noise)
    assert list(whole.camera) == list(parts.camera)


@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_compressed_files_read_the_same(tmp_path, compression):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures(), compression=compression)
    with h5py.File(path) as file:
        assert file["noisy"].compression == compression
    plain = tmp_path / "plain.h5"
    nf.write_captures(plain, **captures())
    np.testing.assert_array_equal(
        next(nf.read_captures(path).blocks()).noise, next(nf.read_captures(plain).blocks()).noise
    )


def test_crash_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures(count=2))
    given = {k: v for k, v in captures().items() if not k.endswith(("level", "step"))}

    class Crash(Exception):
        pass

    with pytest.raises(Crash), nf.CaptureWriter(path) as writer:
        writer.append(**given)
        raise Crash
    assert len(nf.read_captures(path)) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["captures.h5"]


def test_file_with_no_captures_is_not_written(tmp_path):
    with (
        pytest.raises(ValueError, match="at least one capture"),
        nf.CaptureWriter(tmp_path / "captures.h5"),
    ):
        pass
    assert not list(tmp_path.iterdir())


WRITE_ERRORS = [
    ({"clean": np.zeros((5, 6, 8, 1))}, r"'clean' of shape \[5, 6, 8, 4\].*\[5, 6, 8, 1\]"),
    ({"iso": [100.0] * 4}, r"'iso' of shape \[5\]"),
    ({"camera": ["a"] * 6}, r"'camera' of shape \[5\]"),
    ({"noisy": np.zeros((5, 6, 8))}, r"'noisy' of shape \[N, H, W, C\]"),
    ({"iso": [100, 100, 0, 100, 100]}, "positive ISOs.*0.*capture 2"),
    ({"iso": [100, -5, 0, 100, 100]}, "positive ISOs.*-5.*capture 1"),
    ({"iso": [np.nan] * 5}, "positive ISOs"),
    ({"white_level": 64}, "white_level > black_level.*64"),
    ({"white_level": [1023, 1023, 3, 1023, 1023]}, "white_level > black_level.*capture 2"),
    ({"black_level": -np.inf}, "finite white_level > black_level.*-inf"),
    ({"black_level": [64, 64, np.nan, 64, 64]}, "finite white_level > black_level.*capture 2"),
    ({"quantization_step": -1}, "quantization_step >= 0"),
    ({"quantization_step": np.nan}, "finite quantization_step >= 0, received nan"),
    ({"quantization_step": np.inf}, "finite quantization_step >= 0, received inf"),
    ({"camera": ["a", "b", "", "d", "e"]}, "camera names"),
    ({"exposure": [1] * 5}, r"received \['exposure'\]"),
    ({"nlf": np.ones(5)}, r"'nlf' of shape \[5, 2\]"),
    ({"iso": ["x"] * 5}, "numbers for 'iso'"),
]


@pytest.mark.parametrize(("bad", "message"), WRITE_ERRORS)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        nf.write_captures(tmp_path / "captures.h5", **{**captures(), **bad})
    assert not list(tmp_path.iterdir())


READ_ERRORS = [
    (lambda file: file.pop("clean"), r"missing \['clean'\]"),
    (lambda file: (file.pop("iso"), file.pop("camera")), r"missing \['iso', 'camera'\]"),
    (lambda file: replace(file, "iso", np.ones(4)), r"'iso' of shape \[5\].*\[4\]"),
    (lambda file: replace(file, "clean", np.ones((5, 6, 8, 1))), "'clean' of shape"),
    (lambda file: file.attrs.update(white_level=10.0), "white_level > black_level.*10"),
    (lambda file: file.attrs.update(format_version=99), "format_version 1 or lower, received .*99"),
    (lambda file: replace(file, "iso", [100, 100, -1, 100, 100]), "positive ISOs.*capture 2"),
    (lambda file: (file.pop("noisy"), file.create_group("noisy")), "'noisy' to be a data set"),
    (lambda file: replace(file, "iso", [b"a"] * 5), "numbers in data set 'iso'"),
    (lambda file: replace(file, "camera", np.ones(5)), "text in data set 'camera'"),
    (lambda file: replace(file, "iso", np.ones(5) + 1j), "numbers in data set 'iso'"),
    (lambda file: file.attrs.update(black_level=np.ones(4)), "one number in attribute 'black_lev"),
    (lambda file: file.attrs.update(format_version="1.0"), "format_version 1"),
    (lambda file: file.attrs.update(white_level=np.inf), "finite white_level"),
    (lambda file: file.attrs.update(black_level=-np.inf), "finite white_level > black_level"),
    (lambda file: replace(file, "camera", [b"\xff"] * 5), "UTF-8 in 'camera'"),
]


@pytest.mark.parametrize(("change", "message"), READ_ERRORS)
def test_damaged_files_are_refused_with_file_and_data_set_named(tmp_path, change, message):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())
    edit(path, change)
    with pytest.raises(ValueError, match=message) as error:
        nf.read_captures(path)
    assert str(path) in str(error.value)


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ValueError, match=r"captures\.h5.*truncated"):
        nf.read_captures(path)


def test_file_that_is_no_hdf5_and_no_file_are_refused(tmp_path):
    path = tmp_path / "captures.h5"
    path.write_text("no captures here")
    with pytest.raises(ValueError, match="expected a capture file"):
        nf.read_captures(path)
    with pytest.raises(FileNotFoundError, match=r"missing.h5"):
        nf.read_captures(tmp_path / "missing.h5")


def test_pixels_that_are_nan_are_counted_and_their_captures_named(tmp_path):
    path = tmp_path / "captures.h5"
    given = captures()
    given["clean"][1, 0, :2, 0] = np.nan
    given["clean"][4, 3, 3, 3] = np.inf
    nf.write_captures(path, **given)
    with pytest.raises(ValueError, match=r"'clean' holds 3 .* in 2 captures: \[1, 4\]"):
        list(nf.read_captures(path).blocks())


def test_names_as_bytes_are_decoded(tmp_path):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **(captures() | {"camera": np.array([b"Pixel"] * 5)}))
    assert nf.read_captures(path).cameras == ("Pixel",)
    nf.write_captures(path, **(captures() | {"camera": b"Pixel"}))
    assert nf.read_captures(path).cameras == ("Pixel",)


def test_block_of_a_wider_type_is_refused_not_clipped(tmp_path):
    given = {k: v for k, v in captures().items() if not k.endswith(("level", "step"))}
    with (
        pytest.raises(ValueError, match="dtype uint8, received uint16"),
        nf.CaptureWriter(tmp_path / "captures.h5", white_level=1023) as writer,
    ):
        writer.append(**(given | {"noisy": np.ones((5, 6, 8, 4), np.uint8)}))
        writer.append(**given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bounds", [(0, 99), (3, 2), (-1, 2)])
def test_reading_outside_the_file_is_refused(tmp_path, bounds):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())
    with pytest.raises(ValueError, match="expected captures among 0 to 5"):
        nf.read_captures(path).read(*bounds)


def test_a_selection_reads_its_rows_as_the_file_has_them(tmp_path):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures(count=40), nlf=np.arange(80.0).reshape(40, 2))
    read = nf.read_captures(path)
    whole = read.read(0, 40, seed=3)
    # Dense, so sparse that rows are picked one by one, and by a mask; and a selection of one.
    for rows in ([3, 4, 6], [0, 39], np.arange(40) % 7 == 2):
        selected = read.select(rows)
        numbers = np.arange(40)[np.asarray(rows)]
        block = selected.read(0, len(selected), seed=3)
        np.testing.assert_array_equal(block.noise, whole.noise[numbers])
        np.testing.assert_array_equal(block.clean, whole.clean[numbers])
        np.testing.assert_array_equal(block.index, np.arange(len(numbers)))
        assert list(block.camera) == list(whole.camera[numbers])
        np.testing.assert_array_equal(selected.nlf, read.nlf[numbers])
        again = selected.select([1])
        np.testing.assert_array_equal(again.read(0, 1, seed=3).noise[0], whole.noise[numbers[1]])
    assert read.select(read.camera == "Pixel").cameras == ("Pixel",)
    assert read.select(read.iso == 800).iso_levels == (800,)
    assert len(read) == 40 and read.cameras == ("Nexus 6é", "Pixel")


@pytest.mark.parametrize("rows", [[], [2, 1], [1, 1], [-1], [5], [0.5], [True], np.zeros(5, bool)])
def test_a_selection_of_no_rows_or_of_none_that_are_there_is_refused(tmp_path, rows):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())
    with pytest.raises(ValueError, match=r"rows of 5 captures, ascending, each once"):
        nf.read_captures(path).select(rows)


@pytest.mark.parametrize("name", ["iso", "noisy"])
def test_a_damaged_file_that_is_mended_is_read_anew(tmp_path, name):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())
    whole = path.read_bytes()
    # A compressed chunk whose first byte is another.
    with h5py.File(path, "r+") as file:
        values = file[name][()]
        del file[name]
        file.create_dataset(name, data=values, compression="gzip")
        offset = file[name].id.get_chunk_info(0).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= 255
    path.write_bytes(damaged)
    # HDF5 gives what it has of a file that is open: nothing may hold it, not until a collection.
    gc.disable()
    try:
        with pytest.raises(ValueError, match=f"{name}' is damaged"):
            list(nf.read_captures(path).blocks())
        path.write_bytes(whole)
        assert len(list(nf.read_captures(path).blocks())) == 1
    finally:
        gc.enable()


def test_any_damage_is_read_to_the_end_or_refused_with_the_file_named(tmp_path):
    path, damaged = tmp_path / "captures.h5", tmp_path / "damaged.h5"
    given = captures(count=3, shape=(2, 4, 4))
    levels = ("black_level", "white_level", "quantization_step")
    # Small, so that most bytes are HDF5's own. No text of variable length: HDF5 itself crashes on
    # some damages of it, which no caller can catch.
    with h5py.File(path, "w") as file:
        file.attrs.update({"format_version": 1, **{name: given[name] for name in levels}})
        file.create_dataset("noisy", data=given["noisy"], chunks=(1, 2, 4, 4), compression="gzip")
        file["clean"] = given["clean"]
        file["iso"] = given["iso"]
        file["camera"] = np.array([name.encode() for name in given["camera"]])
    whole = np.fromfile(path, np.uint8)
    used = np.flatnonzero(whole)
    generator = np.random.default_rng(0)
    refused = 0
    for trial in range(200):
        content = whole.copy()
        if trial % 10 == 0:
            content = content[: generator.integers(len(content))]
        else:
            flipped = generator.choice(used, 2)
            content[flipped] ^= (1 << generator.integers(8, size=2)).astype(np.uint8)
        content.tofile(damaged)
        try:
            read = nf.read_captures(damaged)
            list(read.blocks())
            read.close()
        except ValueError as error:
            assert str(damaged) in str(error), f"trial {trial}: {error}"
            refused += 1
    assert 50 < refused < 200, "some damages show, and some are in pixels or in nothing"


@pytest.mark.parametrize("name", ["noisy", "iso", "nlf"])
def test_damaged_header_of_a_data_set_names_it(tmp_path, name):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures(), nlf=np.ones((5, 2)))
    with h5py.File(path) as file:
        start = h5py.h5o.get_info(file[name].id).addr
    content = bytearray(path.read_bytes())
    content[start : start + 16] = b"\xff" * 16
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=rf"captures\.h5: data set '{name}' is damaged"):
        nf.read_captures(path)


def test_damaged_attribute_is_named_and_not_taken_for_one_that_is_not_there(tmp_path, monkeypatch):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())

    def damaged(self, name):
        raise KeyError("unable to open attribute")

    monkeypatch.setattr(h5py.AttributeManager, "__getitem__", damaged)
    with pytest.raises(ValueError, match=r"captures\.h5: attribute 'format_version' is damaged"):
        nf.read_captures(path)


def test_captures_close_their_file_at_the_end_of_a_with_statement(tmp_path):
    path = tmp_path / "captures.h5"
    nf.write_captures(path, **captures())
    with nf.read_captures(path) as read:
        selected = read.select([0, 1])
        assert len(selected.read(0, 2)) == 2
    for closed in (read, selected):
        with pytest.raises(ValueError, match=r"captures\.h5: expected an open capture file"):
            closed.read(0, 2)


def test_a_folder_is_refused_with_the_names_of_its_capture_files(tmp_path):
    for name in ("train.h5", "test.hdf5"):
        nf.write_captures(tmp_path / name, **captures())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "notes.h5").write_text("no HDF5")
    (tmp_path / "parts").mkdir()
    with pytest.raises(
        ValueError, match=r"received a folder, which holds \['test\.hdf5', 'train\.h5'\]\."
    ):
        nf.read_captures(tmp_path)
    with pytest.raises(ValueError, match=r"parts: .*received a folder, which holds none\."):
        nf.read_captures(tmp_path / "parts")
