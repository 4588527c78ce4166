"""A source of a user's own: one class, imported as SIDD is."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.captures import SourceImage, SplitPlan, fingerprint_of, import_captures

ROOT = pathlib.Path(__file__).resolve().parents[2]

ISO = 400
SHAPE = (8, 12, 4)


# As a user writes it.
@dataclass(frozen=True)
class NpyPairs:
    """Folders train/ and test/ of `<name>_noisy.npy` and `<name>_clean.npy`, [H, W, 4] in 0..1023.

    Attributes:
      path: the folder of both. camera, iso: of all pairs.
    """

    path: str
    camera: str
    iso: float
    splits = ("train", "test")
    summary_keys = ()

    @property
    def settings(self):
        return {"camera": self.camera, "iso": self.iso}

    def plans(self):
        return [self._plan(split) for split in self.splits]

    def _plan(self, split):
        plan = SplitPlan(split, [])
        for noisy in sorted(pathlib.Path(self.path, split).glob("*_noisy.npy")):
            name = f"{split}_{noisy.name.removesuffix('_noisy.npy')}"
            paths = (noisy, noisy.with_name(noisy.name.replace("_noisy", "_clean")))
            try:
                # Neither is read here: the header has shape and type.
                size = sum(np.load(path, mmap_mode="r").nbytes for path in paths)
                image = SourceImage(name, fingerprint_of(name, paths), 1, size, content=paths)
                plan.images.append(image)
            except (FileNotFoundError, ValueError) as error:
                plan.bad[name] = f"{noisy}: {error}"
        return plan

    def read(self, image):
        noisy, clean = (np.load(path)[None] for path in image.content)
        if noisy.max() > 1023:
            raise ValueError(f"{image.content[0]}: expected codes up to 1023, received more.")
        return {"noisy": noisy, "clean": clean, "iso": [self.iso], "camera": [self.camera]}

    def writer_options(self, split, images):
        return {
            "origin": "a camera of mine",
            "description": f"{split}, {images} pairs",
            "licence": "mine",
            "white_level": 1023,
            "quantization_step": 1,
        }


def write_pairs(folder, counts):
    """Pairs of noise that goes by the pair's number."""
    for split, count in counts.items():
        (folder / split).mkdir(parents=True)
        for number in range(count):
            generator = np.random.default_rng([len(split), number])
            clean = generator.integers(100, 900, SHAPE, np.uint16)
            noisy = (clean + generator.integers(-9, 10, SHAPE)).astype(np.uint16)
            np.save(folder / split / f"{number:02d}_noisy.npy", noisy)
            np.save(folder / split / f"{number:02d}_clean.npy", clean)


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "pairs", {"train": 7, "test": 3})
    return NpyPairs(str(tmp_path / "pairs"), "Mine", ISO)


def assert_holds_all(source, folder):
    """The files are the pairs, in order, as they were written."""
    for split in source.splits:
        clean_files = sorted(pathlib.Path(source.path, split).glob("*_clean.npy"))
        with nf.read_captures(folder / f"{split}.h5", dequantises=False) as captures:
            assert captures.cameras == (source.camera,) and captures.iso_levels == (source.iso,)
            block = captures.read(0, len(captures))
        assert len(block) == len(clean_files)
        for clean, noise, path in zip(block.clean, block.noise, clean_files, strict=True):
            expected = np.load(path).astype(np.float32) / 1023
            noisy = np.load(str(path).replace("_clean", "_noisy")).astype(np.float32) / 1023
            # float32 rounds values up to 1.
            np.testing.assert_allclose(clean, expected, atol=1e-6)
            np.testing.assert_allclose(noise, noisy - expected, atol=1e-6)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_folder_of_pairs_becomes_a_capture_file_of_each_split(pairs, tmp_path, processes):
    plans, seen = [], []
    record = import_captures(
        pairs,
        tmp_path / "out",
        processes=processes,
        on_plan=plans.append,
        on_progress=lambda *progress: seen.append(progress),
    )
    assert_holds_all(pairs, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["import.json", "test.h5", "train.h5"]
    assert json.loads((tmp_path / "out" / "import.json").read_text()) == record
    assert record["settings"] == {"camera": "Mine", "iso": ISO}
    assert record["files"]["test"] == {"captures": 3, "images": 3, "bad": {}}
    # Two images of two bytes a value.
    assert [plan.bytes for plan in plans] == [7 * 4 * np.prod(SHAPE), 3 * 4 * np.prod(SHAPE)]
    assert seen == [("train", n, 7) for n in range(1, 8)] + [("test", n, 3) for n in range(1, 4)]
    captures = nf.read_captures(tmp_path / "out" / "train.h5")
    assert (captures.origin, captures.licence) == ("a camera of mine", "mine")
    assert captures.description == "train, 7 pairs"
    assert set(captures.white_level) == {1023} and set(captures.quantization_step) == {1}


def test_a_complete_import_is_left_alone_also_where_its_source_is_gone(pairs, tmp_path):
    record = import_captures(pairs, tmp_path / "out", processes=1)
    before = (tmp_path / "out" / "train.h5").stat().st_mtime_ns
    assert import_captures(pairs, tmp_path / "out", processes=1) == record
    shutil.rmtree(pairs.path)
    assert import_captures(pairs, tmp_path / "out", processes=1) == record
    assert (tmp_path / "out" / "train.h5").stat().st_mtime_ns == before


class Stopped(Exception):
    pass


def test_a_stopped_import_goes_on_with_the_pairs_that_are_missing(pairs, tmp_path):
    def stop(split, done, total):
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        import_captures(pairs, tmp_path / "out", processes=1, on_progress=stop)
    seen = []
    import_captures(
        pairs, tmp_path / "out", processes=1, on_progress=lambda *progress: seen.append(progress)
    )
    assert seen[:3] == [("train", n, 3) for n in (1, 2, 3)]
    assert_holds_all(pairs, tmp_path / "out")


# Ends with all of its processes.
KILLED = """
import os, signal, sys
from tests.captures.test_import_captures import ISO, NpyPairs
from tfp_noiseflow.captures import import_captures

def die(split, done, total):
    if done == 4:
        os.killpg(0, signal.SIGKILL)

import_captures(NpyPairs(sys.argv[1], "Mine", ISO), sys.argv[2], processes=2, on_progress=die)
"""


@pytest.mark.parametrize("is_gone", [False, True], ids=["source there", "source gone"])
def test_parts_that_a_kill_left_of_whole_splits_go(pairs, tmp_path, monkeypatch, is_gone):
    removed = []

    def killed(folder):
        removed.append(folder)
        if len(removed) == len(pairs.splits):
            os.remove(next(pathlib.Path(folder).iterdir()))  # The kill comes amid it.
            raise KeyboardInterrupt
        rmtree(folder)

    rmtree = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        import_captures(pairs, tmp_path / "out", processes=1)
    monkeypatch.undo()
    assert list((tmp_path / "out" / "parts").glob("*/*.h5"))
    if is_gone:
        shutil.rmtree(pairs.path)
    import_captures(pairs, tmp_path / "out", processes=1)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"train.h5", "test.h5", "import.json"}


@pytest.mark.slow  # Starts Python and the server of its processes anew: 20 s.
def test_an_import_of_two_processes_that_was_killed_goes_on(pairs, tmp_path):
    command = [sys.executable, "-c", KILLED, pairs.path, tmp_path / "out"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, start_new_session=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    begun = list((tmp_path / "out" / "parts" / "train").glob("*.h5"))
    assert len(begun) >= 4
    seen = []
    import_captures(
        pairs, tmp_path / "out", processes=2, on_progress=lambda *progress: seen.append(progress)
    )
    assert [total for split, _, total in seen if split == "train"] == [7 - len(begun)] * (
        7 - len(begun)
    )
    assert_holds_all(pairs, tmp_path / "out")


def truncated(path):
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncated, "02_noisy.npy: mmap length is greater"),
        (lambda path: path.with_name("02_clean.npy").unlink(), "02_noisy.npy: .*02_clean.npy"),
        # Only its pixels tell.
        (lambda path: np.save(path, np.full(SHAPE, 2000, np.uint16)), "02_noisy.npy: .*up to 1023"),
    ],
)
def test_a_damaged_pair_is_refused_or_left_out_and_named(pairs, tmp_path, damage, message):
    damage(pathlib.Path(pairs.path, "train", "02_noisy.npy"))
    with pytest.raises(
        ValueError, match=rf"1 images cannot be read \(skip_bad=True leaves .*\n.*{message}"
    ):
        import_captures(pairs, tmp_path / "out", processes=1)
    assert not list((tmp_path / "out").glob("*.h5"))
    record = import_captures(pairs, tmp_path / "out", processes=1, skip_bad=True)
    assert list(record["files"]["train"]["bad"]) == ["train_02"]
    assert len(nf.read_captures(tmp_path / "out" / "train.h5")) == 6


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"iso": 800}, "other settings .iso: expected 800, found 400"),
        ({"settings": {"camera": "Mine"}}, "other settings .iso: expected None, found 400"),
    ],
)
def test_an_import_with_other_settings_is_refused(pairs, tmp_path, other, message):
    import_captures(pairs, tmp_path / "out", processes=1)

    class Changed(NpyPairs):
        settings = other.get("settings", NpyPairs.settings)

    with pytest.raises(ValueError, match=message):
        import_captures(
            Changed(pairs.path, "Mine", other.get("iso", ISO)), tmp_path / "out", processes=1
        )


def test_pairs_that_were_replaced_are_no_part_of_an_import_that_goes_on(pairs, tmp_path):
    import_captures(pairs, tmp_path / "out", processes=1)
    np.save(pathlib.Path(pairs.path, "test", "01_noisy.npy"), np.zeros(SHAPE, np.uint16))
    with pytest.raises(ValueError, match=r"import of other files.*\ntest_01: expected "):
        import_captures(pairs, tmp_path / "out", processes=1)


def test_a_split_without_images_is_refused(pairs, tmp_path):
    shutil.rmtree(pathlib.Path(pairs.path, "test"))
    with pytest.raises(ValueError, match="pairs: expected images of the split 'test', found none"):
        import_captures(pairs, tmp_path / "out", processes=1)
    assert not (tmp_path / "out").exists()


def test_a_source_that_names_an_image_twice_is_refused(pairs, tmp_path):
    class TwicePairs(NpyPairs):
        def plans(self):
            train, test = super().plans()
            return [train, SplitPlan("test", [*test.images, train.images[0]])]

    with pytest.raises(ValueError, match="one split, once; received 'train_00' in 'train' and in"):
        import_captures(TwicePairs(pairs.path, "Mine", ISO), tmp_path / "out", processes=1)
    assert not (tmp_path / "out").exists()


def test_a_source_that_plans_other_splits_than_it_names_is_refused(pairs, tmp_path):
    class OnePlan(NpyPairs):
        def plans(self):
            return super().plans()[:1]

    with pytest.raises(ValueError, match=r"\['train', 'test'\], received \['train'\]"):
        import_captures(OnePlan(pairs.path, "Mine", ISO), tmp_path / "out", processes=1)
