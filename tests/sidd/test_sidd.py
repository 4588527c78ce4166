"""SIDD: what was written comes back pixel by pixel, and what is wrong is named."""

import contextlib
import errno
import functools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.stats

import tfp_noiseflow as nf
from tests.sidd import sidd_form
from tfp_noiseflow import sidd
from tfp_noiseflow.captures.capture_file import CHUNK_BYTES
from tfp_noiseflow.evaluation import negative_log_likelihood
from tfp_noiseflow.sidd.images import STORAGES, Patches
from tfp_noiseflow.sidd.layout import SPLITS, SiddImage
from tfp_noiseflow.sidd.metadata import read_metadata

# One process starts faster than two; a test of its own has two.
import_sidd = functools.partial(sidd.import_sidd, processes=1)

# Two columns and one row of tiles of 16 packed pixels fit into 70 x 102 mosaic pixels: 2 x 3.
SMALL = Patches(patch_size=16)

ROOT = pathlib.Path(__file__).resolve().parents[2]

IMAGE = SiddImage(4, "001", "S6", 100, 10, "", "", "")


def written_files(folder, name):
    with h5py.File(folder / f"{name}.h5") as file:
        return {key: file[key][()] for key in file}


@pytest.mark.parametrize("cfa", sidd_form.POSITIONS)
@pytest.mark.parametrize("is_full_layout", [False, True])
def test_every_pixel_is_where_the_cfa_puts_it(tmp_path, cfa, is_full_layout):
    written = sidd_form.write_instance(
        tmp_path / "sidd", 4, camera="GP", iso=400, cfa=cfa, is_full_layout=is_full_layout
    )
    patches = Patches(patch_size=16, storage="float32")
    import_sidd(tmp_path / "sidd", tmp_path / "out", splits={"train": (4,)}, patches=patches)
    found = written_files(tmp_path / "out", "train")
    assert found["noisy"].shape == (12, 16, 16, 4)
    assert set(found["cfa"]) == {cfa.encode()}
    for image, (noisy, clean) in enumerate((w.noisy, w.clean) for w in written.values()):
        for tile in range(6):
            # Tiles go row by row of the stored array: down the image first, 2 in a column.
            where = (cfa, tile // 2, tile % 2, 16)
            capture = 6 * image + tile
            np.testing.assert_array_equal(
                found["noisy"][capture], sidd_form.expected_patch(noisy, *where)
            )
            np.testing.assert_array_equal(
                found["clean"][capture], sidd_form.expected_patch(clean, *where)
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sixteen_bit_codes_are_the_values_to_half_a_step(tmp_path, dtype):
    sidd_form.write_instance(tmp_path / "sidd", 4, camera="S6", iso=100, dtype=dtype)
    blocks = {}
    for storage in STORAGES:
        patches = Patches(patch_size=16, storage=storage)
        import_sidd(tmp_path / "sidd", tmp_path / storage, splits={"train": (4,)}, patches=patches)
        with h5py.File(tmp_path / storage / "train.h5") as file:
            levels = STORAGES[storage]
            assert file["noisy"].dtype == file["clean"].dtype == levels.dtype
            assert set(file["quantization_step"]) == {levels.noisy_step}
            assert set(file["white_level"]) == {levels.white_level}
            blocks[storage] = [file[name][()] / levels.white_level for name in ("noisy", "clean")]
    noise = {storage: noisy - clean for storage, (noisy, clean) in blocks.items()}
    # The smallest standard deviation of noise: the floor of beta2 at a black pixel.
    assert np.abs(noise["uint16"] - noise["float32"]).max() < np.sqrt(1e-6) / 50


def test_conditions_come_from_the_metadata(tmp_path):
    instances = (*SPLITS["train"][:3], *SPLITS["train"][-2:])  # 4, 11, 13, 196, 197
    sidd_form.write_tree(tmp_path / "sidd" / "Data", instances)
    record = import_sidd(
        tmp_path / "sidd", tmp_path / "out", splits={"train": SPLITS["train"]}, patches=SMALL
    )
    captures = nf.read_captures(tmp_path / "out" / "train.h5")
    assert captures.cameras == ("G4", "GP", "IP", "N6", "S6")
    for camera, cfa in sidd_form.CFAS.items():
        is_of_camera = captures.camera == camera
        assert set(captures.cfa[is_of_camera]) == {cfa}
        beta1, beta2 = sidd_form.NLFS[camera]
        factor = captures.iso[is_of_camera] / 100
        np.testing.assert_allclose(captures.nlf[is_of_camera, 0], beta1 * factor)
        expected = beta2 * factor**2 if beta2 else np.full(len(factor), 1e-6)
        np.testing.assert_allclose(captures.nlf[is_of_camera, 1], expected)
    summary = record["files"]["train"]
    # Two images of the camera that reports a beta2 of 0.
    assert summary["floored_nlf"] == 2
    assert summary["captures"] == len(captures) == 60
    assert summary["missing_instances"] == list(SPLITS["train"][3:-2])
    # Six patches of each of an instance's two images.
    assert captures.scene.tolist() == ["001"] * 36 + ["010"] * 24
    assert "SIDD" in captures.origin and "MIT" in captures.licence


def test_the_real_metadata_file_is_read(shared_data):
    found = read_metadata(shared_data / "sidd_metadata" / "0001_METADATA_RAW_010.MAT")
    assert (found.make, found.iso, found.cfa) == ("samsung", 100, "GRBG")
    assert found.nlf == (pytest.approx(0.00047946, rel=1e-4), 1e-6)
    assert found.is_floored
    assert found.codes == 1023


def test_files_of_the_tests_have_the_structure_of_the_real_one(shared_data, tmp_path):
    path = tmp_path / "metadata.MAT"
    sidd_form.write_metadata(path, sidd_form.metadata_struct("S6", 100, (4.79e-4, 0.0)))
    ours = scipy.io.loadmat(path)["metadata"]
    real = scipy.io.loadmat(shared_data / "sidd_metadata" / "0001_METADATA_RAW_010.MAT")["metadata"]
    assert ours.shape == real.shape and ours.dtype == real.dtype
    for name in real.dtype.names:
        a, b = ours[0, 0][name], real[0, 0][name]
        assert (a.dtype.kind, a.ndim) == (b.dtype.kind, b.ndim), name
        assert a.dtype.kind == "U" or a.shape == b.shape, name
    a, b = (struct[0, 0]["UnknownTags"] for struct in (ours, real))
    assert a.shape == b.shape and a.dtype == b.dtype
    for row, other in zip(a[:, 0], b[:, 0], strict=True):
        assert row["ID"] == other["ID"] and row["Value"].shape == other["Value"].shape


TWO_CAMERAS = {"IP": 4095 - 528, "GP": 1023 - 64}  # From black to white, of 12 and 10 bits.


@pytest.fixture(scope="module")
def two_cameras(tmp_path_factory):
    """A tree of two cameras of codes, and what was written by image name."""
    root = tmp_path_factory.mktemp("codes")
    written = {}
    for instance, camera in zip((4, 11), TWO_CAMERAS, strict=True):
        written |= sidd_form.write_instance(
            root, instance, camera=camera, iso=400, has_codes=True, shape=(128, 96)
        )
    return root, written


@pytest.mark.parametrize("storage", STORAGES)
def test_each_camera_keeps_its_codes(two_cameras, tmp_path, storage):
    root, written = two_cameras
    patches = Patches(16, storage=storage)
    record = import_sidd(root, tmp_path / "out", splits={"train": (4, 11)}, patches=patches)
    assert record["files"]["train"]["unknown_codes"] == 0
    path = tmp_path / "out" / "train.h5"
    captures = nf.read_captures(path, dequantises=False)
    assert captures.code_steps() == {c: pytest.approx(1 / n) for c, n in TWO_CAMERAS.items()}
    (block,) = captures.blocks()
    assert (block.noise + block.clean == 0).any(), "some pixels are black, some were NaN"
    for image, was in enumerate(written.values()):
        codes = TWO_CAMERAS[was.camera]
        # 4 x 3 tiles of an image.
        for tile in range(12):
            where = (was.cfa, tile // 4, tile % 4, 16)
            capture = 12 * image + tile
            clean = block.clean[capture]
            # The clean image between the codes is as fine as 16 bits have room for, half a step.
            finest = 0.51 / (codes * (65535 // codes)) if storage == "uint16" else 1e-7
            np.testing.assert_allclose(
                clean, sidd_form.expected_patch(was.clean, *where), rtol=0, atol=finest
            )
            # Exactly the codes, NaN and what is below black as black.
            found = (block.noise[capture].astype(np.float64) + clean) * codes
            expected = np.round(sidd_form.expected_patch(was.noisy, *where) * codes)
            # A float32 near 1 is right to 6e-8, of 3567 codes 2e-4.
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_the_likelihood_of_codes_of_two_cameras_is_that_of_their_bins(two_cameras, tmp_path):
    root, _ = two_cameras
    import_sidd(root, tmp_path, splits={"train": (4, 11)}, patches=SMALL)
    captures = nf.read_captures(tmp_path / "train.h5")
    steps = captures.code_steps()
    nlf = nf.CameraNLF.from_reported(captures)
    model = nf.StoredNoise(nlf, steps)
    model.check_steps(captures)
    found = negative_log_likelihood(model, captures)
    stored = captures.dequantised(False)
    for capture in (0, 24):  # One of either camera.
        block = stored.read(capture, capture + 1)
        step = steps[block.camera[0]]
        clean = block.clean[0].astype(np.float64)
        noisy = np.round((clean + block.noise[0]) / step) * step
        beta1, beta2 = captures.nlf[capture]
        deviation = np.sqrt(beta1 * clean + beta2)
        upper = np.where(noisy > 1 - step / 2, np.inf, noisy + step / 2 - clean) / deviation
        lower = np.where(noisy < step / 2, -np.inf, noisy - step / 2 - clean) / deviation
        assert np.isinf(lower).any(), "some pixels are black"
        # Of the side where both are small.
        sign = np.where(lower > 0, -1, 1)
        ends = np.sort([sign * lower, sign * upper], axis=0)
        probability = scipy.stats.norm.cdf(ends[1]) - scipy.stats.norm.cdf(ends[0])
        expected = -np.mean(np.log(probability)) + np.log(step)
        assert found[capture] == pytest.approx(expected, abs=1e-4), "float32's log-probabilities"
    # The paper's figure, of values that count as continuous, stays beside it.
    entries = nf.evaluate(model, captures, baselines={"continuous": nlf})["models"]
    assert entries["noise_flow"]["nll"] == pytest.approx(found.mean(), abs=1e-6)
    values = negative_log_likelihood(nlf, _as_continuous(root, tmp_path))
    assert entries["continuous"]["nll_paper"] == pytest.approx(values.mean(), abs=2e-4)
    assert entries["noise_flow"]["nll_paper"] is None


def _as_continuous(root, tmp_path):
    """The same captures, imported as the paper takes them."""
    patches = Patches(16, storage="float32", steps="storage")
    import_sidd(root, tmp_path / "continuous", splits={"train": (4, 11)}, patches=patches)
    return nf.read_captures(tmp_path / "continuous" / "train.h5")


def test_values_that_are_no_multiples_are_kept_as_the_storage_has_them(tmp_path):
    # Fewer pixels than 1 in 1000 may be off: 3 of 8192 are, then 30.
    for defects in (3, 30):
        root = tmp_path / f"sidd-{defects}"
        written = sidd_form.write_instance(
            root, 4, camera="S6", iso=100, has_codes=True, shape=(64, 128), numbers=(10,)
        )
        (name, was), *_ = written.items()
        noisy = was.noisy.copy()
        noisy.ravel()[np.arange(defects) * 250] = 100.4 / 1023
        sidd_form.write_mat73(
            root / sidd_form.folder_name(4, "S6", 100) / f"{name[:4]}_NOISY_RAW_010.MAT", noisy
        )
        import_sidd(root, root / "out", splits={"train": (4,)}, image_numbers=(10,), patches=SMALL)
        captures = nf.read_captures(root / "out" / "train.h5")
        step = 1 / 1023 if defects == 3 else 1 / 65535
        assert captures.code_steps() == {"S6": pytest.approx(step)}
        model = nf.StoredNoise(nf.CameraNLF.from_reported(captures), captures.code_steps())
        assert np.isfinite(negative_log_likelihood(model, captures)).all()


def test_steps_of_the_storage_are_the_papers_continuous_values(two_cameras, tmp_path):
    root, _ = two_cameras
    patches = Patches(16, storage="float32", steps="storage")
    import_sidd(root, tmp_path, splits={"train": (4, 11)}, patches=patches)
    assert set(nf.read_captures(tmp_path / "train.h5").quantization_step) == {0.0}
    with pytest.raises(ValueError, match="steps: expected camera, found storage"):
        import_sidd(
            root, tmp_path, splits={"train": (4, 11)}, patches=Patches(16, storage="float32")
        )


@pytest.mark.parametrize(
    ("levels", "codes"),
    [
        ({"WhiteLevel": np.uint16(4095), "BlackLevel": np.array([[256, 256, 256, 256]])}, 3839),
        ({"WhiteLevel": np.array([[1023, 1023, 1023]]), "BlackLevel": np.uint8(0)}, 1023),
        ({"WhiteLevel": np.uint16(1023), "BlackLevel": np.array([[64, 65, 64, 64]])}, None),
        ({"WhiteLevel": np.uint16(1023), "BlackLevel": np.array([[63.75] * 4])}, None),
        ({"WhiteLevel": np.uint16(64), "BlackLevel": np.array([[64] * 4])}, None),
        ({"WhiteLevel": np.uint32(100000), "BlackLevel": np.uint8(0)}, None),
        ({"WhiteLevel": "1023", "BlackLevel": np.uint8(0)}, None),
        ({"WhiteLevel": np.zeros((1, 0)), "BlackLevel": np.uint8(0)}, None),
        ({"WhiteLevel": None}, None),
    ],
)
def test_codes_are_white_minus_black_where_that_is_one_whole_number(tmp_path, levels, codes):
    path = tmp_path / "metadata.MAT"
    fields = sidd_form.metadata_struct("S6", 100, (1e-3, 1e-5)) | levels
    sidd_form.write_metadata(path, {n: v for n, v in fields.items() if v is not None})
    assert read_metadata(path).codes == codes


def test_noise_level_function_is_the_mean_over_the_pixels_of_a_block(tmp_path):
    path = tmp_path / "metadata.MAT"
    fields = sidd_form.metadata_struct("S6", 100, (1e-3, 1e-5))
    profile = fields["UnknownTags"][7, 0]["Value"]
    profile[:] = [[1e-3, 0.0, 2e-3, 4e-6, 5e-3, 7e-6]]
    sidd_form.write_metadata(path, fields)
    found = read_metadata(path)
    assert found.is_floored
    np.testing.assert_allclose(found.nlf, [(1 + 2 * 2 + 5) * 1e-3 / 4, (1 + 2 * 4 + 7) * 1e-6 / 4])


def test_grid_of_the_paper_is_the_first_2898_tiles_of_the_stored_array():
    corners = Patches().corners((5328, 3000), IMAGE)  # A Galaxy S6: 83 x 46 tiles.
    assert len(corners) == 2898 == 63 * 46
    assert corners[:2].tolist() == [[0, 0], [0, 64]]
    assert corners[45:47].tolist() == [[0, 45 * 64], [64, 0]]
    assert corners[-1].tolist() == [62 * 64, 45 * 64]
    assert len(Patches().corners((1000, 1000), IMAGE)) == 15 * 15
    assert len(Patches(patch_size=64).corners((5328, 3000), IMAGE)) == 41 * 23


def test_random_positions_are_even_anywhere_and_of_the_seed():
    patches = Patches(patch_size=16, patches_per_image=4000, sampling="random")
    corners = patches.corners((102, 71), IMAGE)
    assert corners.shape == (4000, 2)
    assert not (corners % 2).any()
    assert corners.min(axis=0).tolist() == [0, 0]
    # The last patch of 32 mosaic pixels begins at 70 of 102, and at 38 of 71.
    assert corners.max(axis=0).tolist() == [70, 38]
    np.testing.assert_array_equal(corners, patches.corners((102, 71), IMAGE))
    other = Patches(patch_size=16, patches_per_image=4000, sampling="random", seed=1)
    assert (corners != other.corners((102, 71), IMAGE)).any()


def test_random_patches_are_patches_of_the_image(tmp_path):
    (written, _) = sidd_form.write_instance(tmp_path / "sidd", 4, camera="N6", iso=100).values()
    patches = Patches(16, patches_per_image=9, sampling="random", storage="float32")
    import_sidd(tmp_path / "sidd", tmp_path / "out", splits={"train": (4,)}, patches=patches)
    clean = written_files(tmp_path / "out", "train")["clean"]
    assert len(clean) == 18
    corners = patches.corners((102, 70), IMAGE)
    assert len(np.unique(corners, axis=0)) > 1
    for capture, (x, y) in enumerate(corners):
        mosaic = written.clean[y : y + 32, x : x + 32]
        np.testing.assert_array_equal(
            clean[capture], sidd_form.expected_patch(mosaic, "BGGR", 0, 0, 16)
        )


def test_the_paper_split_has_its_number_of_patches_in_under_6_gb():
    patches = Patches()
    counts = {name: 2 * 2898 * len(instances) for name, instances in SPLITS.items()}
    assert counts == {"train": 324576, "test": 127512}
    assert not set(SPLITS["train"]) & set(SPLITS["test"])
    assert counts["train"] * patches.bytes_per_patch < 6e9


def test_patches_of_the_paper_take_under_6_gb_on_the_disk(tmp_path):
    sidd_form.write_instance(tmp_path / "sidd", 4, camera="S6", iso=100, shape=(128, 192))
    # Whole chunks, as nearly all of a large file are.
    patches = Patches(patches_per_image=512, sampling="random")
    import_sidd(tmp_path / "sidd", tmp_path / "out", splits={"train": (4,)}, patches=patches)
    path = tmp_path / "out" / "train.h5"
    with h5py.File(path) as file:
        assert file["noisy"].dtype == np.uint16 and file["noisy"].shape == (1024, 32, 32, 4)
        assert not file["noisy"].compression
    assert path.stat().st_size / 1024 * 324576 < 6e9


def test_size_is_known_before_pixels_are_read(tmp_path):
    sidd_form.write_instance(tmp_path / "sidd", 4, camera="N6", iso=100)
    plans = []
    import_sidd(
        tmp_path / "sidd",
        tmp_path / "out",
        splits={"train": (4,)},
        patches=SMALL,
        on_plan=plans.append,
    )
    found = written_files(tmp_path / "out", "train")
    assert plans[0].patches == len(found["noisy"])
    assert plans[0].bytes == found["noisy"].nbytes + found["clean"].nbytes


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Ten instances."""
    root = tmp_path_factory.mktemp("tree")
    sidd_form.write_tree(root, (*SPLITS["train"][:7], *SPLITS["test"][:3]))
    return root


def files_of(folder):
    return {name: written_files(folder, name) for name in SPLITS}


def assert_equal_files(files, others):
    for split, arrays in files.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, others[split][name])


@pytest.fixture(scope="module")
def imported(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    import_sidd(tree, folder, patches=SMALL)
    return folder


def test_only_the_files_and_the_record_remain(imported):
    assert sorted(os.listdir(imported)) == ["import.json", "test.h5", "train.h5"]


@pytest.mark.slow  # Each process imports TensorFlow.
def test_processes_write_the_same(tree, imported, tmp_path):
    import_sidd(tree, tmp_path / "out", patches=SMALL, processes=2)
    assert_equal_files(files_of(imported), files_of(tmp_path / "out"))


class Stopped(Exception):
    pass


def test_a_stopped_import_goes_on_with_what_is_missing(tree, imported, tmp_path):
    def stop(split, done, total):
        if (split, done) == ("test", 2):
            raise Stopped

    with pytest.raises(Stopped):
        import_sidd(tree, tmp_path, patches=SMALL, on_progress=stop)
    assert sorted(os.listdir(tmp_path)) == ["import.json", "parts", "train.h5"]
    (tmp_path / "test.h5.0.partial").write_text("left by a kill")
    seen, joined = [], []
    import_sidd(
        tree,
        tmp_path,
        patches=SMALL,
        on_progress=lambda *s: seen.append(s),
        on_joined=lambda *s: joined.append(s),
    )
    assert seen == [("test", done, 4) for done in (1, 2, 3, 4)]
    assert joined == [("test", done, 6) for done in range(7)]
    assert_equal_files(files_of(imported), files_of(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["import.json", "test.h5", "train.h5"]
    # And a complete one is left alone.
    import_sidd(tree / "gone", tmp_path, patches=SMALL)


# The last sight of an import that dies with its processes: killed are all of its process group.
KILLED = """
import os, signal, sys
from tfp_noiseflow.sidd.images import Patches
from tfp_noiseflow.sidd.import_sidd import import_sidd

root, out, event, split, number = sys.argv[1:]

def die(*progress):
    if progress[:2] == (split, int(number)):
        os.killpg(0, signal.SIGKILL)

import_sidd(root, out, patches=Patches(16), processes=2, **{event: die})
"""


@pytest.mark.slow  # Each starts Python and the server of its processes anew: 20 s.
@pytest.mark.parametrize(
    ("event", "split", "number", "files"),
    [
        ("on_progress", "train", 3, set()),
        ("on_joined", "test", 5, {"train.h5"}),
    ],
)
def test_an_import_of_two_processes_that_was_killed_goes_on(
    tree, imported, tmp_path, event, split, number, files
):
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, tree, out, event, split, str(number)]
    # Waits for the workers too, which hold the pipes.
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, start_new_session=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {path.name for path in out.glob("*.h5")} == files
    begun = {path.stem for path in (out / "parts" / split).glob("*.h5")}
    assert len(begun) >= min(number, 6)
    seen = []
    import_sidd(tree, out, patches=SMALL, on_progress=lambda *s: seen.append(s))
    # What was whole is not done again.
    images = {"train": 14, "test": 6}[split]
    assert [s for s in seen if s[0] == split] == [
        (split, done, images - len(begun)) for done in range(1, images - len(begun) + 1)
    ]
    assert_equal_files(files_of(imported), files_of(out))
    assert sorted(os.listdir(out)) == ["import.json", "test.h5", "train.h5"]


def test_a_folder_of_another_import_is_refused(tree, imported):
    with pytest.raises(ValueError, match="patch_size: expected 8, found 16"):
        import_sidd(tree, imported, patches=Patches(patch_size=8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"settings": {"splits"', "is not JSON; it is damaged"),
        (b"\xff\xfe", "is not JSON; it is damaged"),
        ("[]", "'settings', .*found list"),
        ('{"name": "of another program"}', r"'settings', .*found \['name'\]"),
        ('{"settings": {}, "fingerprints": {}, "files": []}', "'settings', .*found"),
        ('{"settings": {}, "fingerprints": {}, "files": {"train": {}}}', "'captures', .*found {}"),
    ],
)
def test_an_import_json_of_another_kind_is_named(tree, tmp_path, content, message):
    path = tmp_path / "import.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"{path}: expected the record of an import .*{message}"):
        import_sidd(tree, tmp_path, patches=SMALL)
    assert os.listdir(tmp_path) == ["import.json"]


@pytest.fixture(scope="module")
def other_tree(tree, tmp_path_factory):
    """The instances of the tree, two of them with other pixels: of training and of test."""
    root = tmp_path_factory.mktemp("other") / "tree"
    shutil.copytree(tree, root)
    for instance in (SPLITS["train"][0], SPLITS["test"][0]):
        (path,) = root.glob(f"{instance:04d}_*/*_NOISY_RAW_010.MAT")
        sidd_form.write_mat73(path, np.full((70, 102), 0.5, np.float32))
    return root


@pytest.mark.parametrize("stop_at", [("train", 1), ("test", 1), None])
def test_files_of_another_tree_are_not_joined_to_those_imported(
    tree, other_tree, imported, tmp_path, stop_at
):
    def stop(*progress):
        if progress[:2] == stop_at:
            raise Stopped

    out = tmp_path / "out"
    with pytest.raises(Stopped) if stop_at else contextlib.nullcontext():
        import_sidd(tree, out, patches=SMALL, on_progress=stop)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(
        ValueError, match=r"holds an import of other files.*\n0004_010: expected .*, found "
    ) as error:
        import_sidd(other_tree, out, patches=SMALL)
    # The test image that differs was imported too where that came so far.
    assert ("0054_010" in str(error.value)) == (stop_at != ("train", 1))
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    # A tree that was moved is the same tree.
    shutil.copytree(tree, tmp_path / "moved", copy_function=shutil.copyfile)
    import_sidd(tmp_path / "moved", out, patches=SMALL)
    assert_equal_files(files_of(imported), files_of(out))


def test_parts_that_no_record_tells_of_are_refused(tree, tmp_path):
    def stop(*_):
        raise Stopped

    with pytest.raises(Stopped):
        import_sidd(tree, tmp_path, patches=SMALL, on_progress=stop)
    (tmp_path / "import.json").unlink()
    with pytest.raises(ValueError, match=r"0004_010: expected the fingerprint None, found "):
        import_sidd(tree, tmp_path, patches=SMALL)


def test_images_at_other_isos_are_left_out_and_counted(tree, tmp_path):
    record = import_sidd(tree, tmp_path, patches=SMALL, iso_levels=(100, 400))
    captures = nf.read_captures(tmp_path / "train.h5")
    assert captures.iso_levels == (100, 400)
    assert record["files"]["train"]["images"] + record["files"]["train"]["other_isos"] == 14


def test_compressed_files_hold_the_same(tree, imported, tmp_path):
    import_sidd(tree, tmp_path, patches=SMALL, compression="gzip")
    assert_equal_files(files_of(imported), files_of(tmp_path))
    sizes = [(folder / "train.h5").stat().st_size for folder in (tmp_path, imported)]
    assert sizes[0] < sizes[1]


def metadata_of(**changes):
    """A change that writes the metadata of an S6 at ISO 100 anew, with some fields changed."""

    def change(folder):
        fields = sidd_form.metadata_struct("S6", 100, (4.8e-4, 0.0)) | changes
        sidd_form.write_metadata(
            folder / "0004_METADATA_RAW_010.MAT",
            {name: value for name, value in fields.items() if value is not None},
        )

    return change


def tags(change):
    fields = sidd_form.metadata_struct("S6", 100, (4.8e-4, 0.0))
    return metadata_of(UnknownTags=change(fields["UnknownTags"]))


def profile(values):
    def change(array):
        array[7, 0]["Value"][:] = [values]
        return array

    return tags(change)


def tag(position, **changes):
    """A change of a tag's fields: 1 is the CFA pattern, 7 the NoiseProfile."""

    def change(array):
        for name, value in changes.items():
            array[position, 0][name] = value
        return array

    return tags(change)


def of_unknown_class(folder):
    path = folder / "0004_METADATA_RAW_010.MAT"
    # SciPy raises an UnboundLocalError. Behind a compression it would find the damage earlier.
    scipy.io.savemat(path, {"metadata": sidd_form.metadata_struct("S6", 100, (4.8e-4, 0.0))})
    content = bytearray(path.read_bytes())
    content[144] = 255
    path.write_bytes(bytes(content))


def truncated(file, keep):
    def change(folder):
        path = folder / file
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])

    return change


def image(kind, array):
    return lambda folder: sidd_form.write_mat73(folder / f"0004_{kind}_RAW_010.MAT", array)


def renamed(name):
    return lambda folder: folder.rename(folder.parent / name)


def damaged_type(folder):
    path = folder / "0004_NOISY_RAW_010.MAT"
    # Position and size of exponent and mantissa, and the exponent's bias, of a 32-bit float.
    layout, other = b"\x17\x08\x00\x17\x7f\x00\x00\x00", b"\x17\x08\x00\x17\x7f\xff\x00\x00"
    content = path.read_bytes()
    assert content.count(layout) == 1
    path.write_bytes(content.replace(layout, other))


def damaged_pixels(folder):
    path = folder / "0004_NOISY_RAW_010.MAT"
    with h5py.File(path) as file:
        chunk = file["x"].id.get_chunk_info(0)
        # HDF5 counts from behind MATLAB's header.
        start, size = chunk.byte_offset + file.userblock_size, chunk.size
    content = bytearray(path.read_bytes())
    content[start : start + size] = bytes(size)
    path.write_bytes(bytes(content))


BAD = {
    "no metadata": (
        lambda folder: (folder / "0004_METADATA_RAW_010.MAT").unlink(),
        r"0004_METADATA_RAW_010.MAT: expected the image's metadata",
    ),
    "no noisy image": (
        lambda folder: (folder / "0004_NOISY_RAW_010.MAT").unlink(),
        r"0004_NOISY_RAW_010.MAT: no such file",
    ),
    "no ground truth": (
        lambda folder: (folder / "0004_GT_RAW_010.MAT").unlink(),
        r"0004_GT_RAW_010.MAT: no such file",
    ),
    "no files": (
        lambda folder: [path.unlink() for path in folder.iterdir()],
        r"0004_METADATA_RAW_010.MAT: expected the image's metadata",
    ),
    "no NoiseProfile": (tags(lambda array: array[:7]), r"METADATA.*tag 51041 \(NoiseProfile\)"),
    "no CFA": (tags(lambda array: array[2:]), r"METADATA.*tag 33422 \(CFA pattern\)"),
    "a CFA that is none": (
        tag(1, Value=np.array([[0, 1, 1, 1]], np.uint8)),
        r"METADATA.*RGGB.*received \[0, 1, 1, 1\]",
    ),
    "beta1 of 0": (profile([0.0, 1e-6] * 3), r"METADATA.*expected beta1 > 0.*received \[0.0"),
    "beta1 below 0": (profile([1e-3, 0, 1e-3, 0, -1e-3, 0]), r"expected beta1 > 0.*-0.001"),
    "NoiseProfile of NaN": (profile([np.nan, 0.0] * 3), r"NoiseProfile .*nan"),
    "a CFA of negative codes": (tag(1, Value=np.array([[-1, 1, 1, 0]])), r"\[-1, 1, 1, 0\]"),
    "a CFA of text": (tag(1, Value="BGGR"), r"METADATA.*numbers in CFA pattern.*'BGGR'"),
    "a NoiseProfile of structs": (tag(7, Value={"a": 1.0}), r"METADATA.*numbers in NoiseProfile"),
    "a complex NoiseProfile": (tag(7, Value=[[1e-3, 1e-6j]]), r"METADATA.*numbers in NoiseProfile"),
    "a struct as a tag's ID": (tag(7, ID={"a": 1.0}), r"METADATA.*tag 51041 \(NoiseProfile\)"),
    "text as a tag's ID": (tag(7, ID="NoiseProfile"), r"METADATA.*tag 51041 \(NoiseProfile\)"),
    "an infinite ID": (tag(7, ID=np.inf), r"METADATA.*tag 51041 \(NoiseProfile\)"),
    "a struct as ISO": (
        metadata_of(ISOSpeedRatings={"a": 1.0}),
        r"METADATA.*expected numbers in ISOSpeedRatings",
    ),
    "text as ISO": (metadata_of(ISOSpeedRatings="100"), r"METADATA.*numbers in ISOSpeedRatings"),
    "a struct as Make": (
        metadata_of(Make={"a": 1.0}),
        r"METADATA.*expected text in Make, received \[\(array",
    ),
    "a number as Make": (metadata_of(Make=6.0), r"METADATA.*expected text in Make, received \[6"),
    "metadata of an unknown class": (of_unknown_class, r"METADATA.*expected a MATLAB 5 file"),
    "no ISO": (metadata_of(ISOSpeedRatings=None), r"METADATA.*expected a field ISOSpeedRatings"),
    "no Make": (metadata_of(Make=""), r"METADATA.*expected a field Make"),
    "another ISO": (metadata_of(ISOSpeedRatings=np.uint16(800)), r"ISO 100 .*received 800"),
    "another camera": (metadata_of(Make="LGE"), r"'samsung' of camera S6 .*received 'LGE'"),
    "another struct": (
        lambda folder: scipy.io.savemat(folder / "0004_METADATA_RAW_010.MAT", {"other": 1.0}),
        r"expected a struct 'metadata', the file holds \['other'\]",
    ),
    "truncated metadata": (truncated("0004_METADATA_RAW_010.MAT", 0.6), r"METADATA.*truncated"),
    "empty metadata": (truncated("0004_METADATA_RAW_010.MAT", 0), r"METADATA.*truncated"),
    "truncated noisy image": (truncated("0004_NOISY_RAW_010.MAT", 0.5), r"NOISY.*truncated"),
    "truncated ground truth": (truncated("0004_GT_RAW_010.MAT", 0.9), r"GT.*truncated"),
    "damaged type": (damaged_type, r"NOISY.*expected a MATLAB 7.3 file.*cannot be read"),
    "damaged pixels": (damaged_pixels, r"NOISY.*expected a MATLAB 7.3 file.*cannot be read"),
    "another size": (
        image("GT", np.zeros((70, 100), np.float32)),
        r"GT.*height and width \[70, 102\], received \[70, 100\]",
    ),
    "a small image": (
        lambda folder: (
            image("GT", np.zeros((30, 90)))(folder),
            image("NOISY", np.zeros((30, 90)))(folder),
        ),
        r"NOISY.*at least 32 x 32 pixels .*received \[30, 90\]",
    ),
    "codes": (image("NOISY", np.ones((70, 102), np.uint16)), r"NOISY.*floating point.*uint16"),
    "not normalised": (image("NOISY", np.full((70, 102), 800.0)), r"NOISY.*in \[0, 1\].*800"),
    "no pixels but NaN": (
        image("NOISY", np.full((70, 102), np.nan)),
        r"NOISY.*in \[0, 1\], received 6720 NaN among 6720 pixels",
    ),
    "mostly NaN": (
        image("GT", np.where(np.arange(102) < 60, np.nan, np.full((70, 102), 0.5))),
        r"GT.*in \[0, 1\], received 4200 NaN among 6720 pixels",
    ),
    "infinite pixels": (
        image("NOISY", np.where(np.arange(102) == 60, np.inf, np.full((70, 102), 0.5))),
        r"NOISY.*in \[0, 1\], 70 of its pixels are infinite",
    ),
    "pixels of minus infinity": (
        image("GT", np.where(np.arange(102) == 60, -np.inf, np.full((70, 102), 0.5))),
        r"GT.*in \[0, 1\], 70 of its pixels are infinite",
    ),
    "unknown camera": (
        renamed("0004_001_S7_00100_00060_3200_L"),
        r"expected a camera among \['IP', 'GP', 'S6', 'N6', 'G4'\], received 'S7'",
    ),
    "a name of another form": (renamed("0004_001_S6_100"), r"expected a folder's name such as"),
    "a name of ISO 0": (
        renamed("0004_001_S6_00000_00060_3200_L"),
        r"expected a positive ISO in the folder's name .*received 00000",
    ),
    "a name that says another ISO": (
        renamed("0004_001_S6_00400_00060_3200_L"),
        r"ISO 400 that the folder's name says, received 100",
    ),
    "a name that says another camera": (
        renamed("0004_001_IP_00100_00060_3200_L"),
        r"Make 'Apple' of camera IP that the folder's name says, received 'samsung'",
    ),
}


@pytest.fixture(scope="module")
def small_tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("small_tree")
    for instance in (4, 11):
        sidd_form.write_instance(root, instance, camera="S6", iso=100)
    return root


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_and_stops_the_import_or_is_skipped(small_tree, tmp_path, case):
    change, message = BAD[case]
    root = tmp_path / "sidd"
    shutil.copytree(small_tree, root)
    change(root / sidd_form.folder_name(4, "S6", 100))
    options = {"splits": {"train": (4, 11)}, "patches": SMALL}
    with pytest.raises(ValueError, match=rf"(?s)cannot be read.*{message}"):
        import_sidd(root, tmp_path / "stopped", **options)
    assert not list((tmp_path / "stopped").glob("*.h5"))
    record = import_sidd(root, tmp_path / "skipped", **options, skip_bad=True)
    summary = record["files"]["train"]
    assert json.loads((tmp_path / "skipped" / "import.json").read_text()) == record
    assert summary["bad"]
    assert summary["captures"] == 6 * summary["images"]
    # The other instance is whole.
    captures = nf.read_captures(tmp_path / "skipped" / "train.h5")
    assert len(captures) == summary["captures"] >= 12


@pytest.mark.parametrize("kind", ["METADATA", "NOISY", "GT"])
@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "denied"), OSError(errno.EIO, "")])
def test_a_file_that_the_system_does_not_give_is_no_bad_file(
    small_tree, tmp_path, monkeypatch, kind, error
):
    def refuses(function):
        def wrapper(file, *args, **options):
            if f"_{kind}_" in str(getattr(file, "name", file)):
                raise error
            return function(file, *args, **options)

        return wrapper

    monkeypatch.setattr(h5py, "File", refuses(h5py.File))
    monkeypatch.setattr(scipy.io, "loadmat", refuses(scipy.io.loadmat))
    with pytest.raises(type(error)) as raised:
        import_sidd(small_tree, tmp_path, splits={"train": (4, 11)}, patches=SMALL, skip_bad=True)
    assert raised.value.errno == error.errno
    assert not list(tmp_path.glob("*.h5"))


def test_a_folder_in_the_place_of_a_file_stops_the_import(small_tree, tmp_path):
    root = tmp_path / "sidd"
    shutil.copytree(small_tree, root)
    path = root / sidd_form.folder_name(4, "S6", 100) / "0004_METADATA_RAW_010.MAT"
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError, match=r"0004_METADATA_RAW_010\.MAT"):
        import_sidd(root, tmp_path / "out", splits={"train": (4,)}, patches=SMALL, skip_bad=True)


def test_an_error_tells_how_bad_files_are_left_out(small_tree, tmp_path):
    root = tmp_path / "sidd"
    shutil.copytree(small_tree, root)
    (root / sidd_form.folder_name(4, "S6", 100) / "0004_METADATA_RAW_010.MAT").unlink()
    with pytest.raises(ValueError, match=r"\(skip_bad=True, or --on_bad_file=skip, leaves"):
        import_sidd(root, tmp_path / "out", splits={"train": (4, 11)}, patches=SMALL)


def repaired(small_tree, root):
    shutil.rmtree(root)
    shutil.copytree(small_tree, root)


# One that its metadata tell, one that its name does, one that only reading its pixels does.
@pytest.mark.parametrize(
    "case", ["no ISO", "a name of another form", "damaged pixels", "truncated ground truth"]
)
@pytest.mark.parametrize("skip_bad", [False, True])
def test_images_that_were_left_out_are_added_once_they_can_be_read(
    small_tree, tmp_path, case, skip_bad
):
    root, out = tmp_path / "sidd", tmp_path / "out"
    shutil.copytree(small_tree, root)
    change, message = BAD[case]
    change(root / sidd_form.folder_name(4, "S6", 100))
    options = {"splits": {"train": (4, 11)}, "patches": SMALL}
    left_out = import_sidd(root, out, **options, skip_bad=True)
    assert left_out["files"]["train"]["bad"]
    if skip_bad:
        # As long as nothing is repaired, nothing is done.
        before = (out / "train.h5").stat().st_mtime_ns
        assert import_sidd(root, out, **options, skip_bad=True) == left_out
        assert (out / "train.h5").stat().st_mtime_ns == before
    else:
        with pytest.raises(ValueError, match=rf"(?s)cannot be read.*{message}"):
            import_sidd(root, out, **options)
    repaired(small_tree, root)
    record = import_sidd(root, out, **options, skip_bad=skip_bad)
    assert record["files"]["train"]["bad"] == {}
    assert json.loads((out / "import.json").read_text()) == record
    assert len(nf.read_captures(out / "train.h5")) == record["files"]["train"]["captures"] == 24


def test_a_file_that_left_images_out_is_not_written_again_from_a_tree_that_lacks_others(
    small_tree, tmp_path
):
    root, out = tmp_path / "sidd", tmp_path / "out"
    shutil.copytree(small_tree, root)
    metadata_of(ISOSpeedRatings=None)(root / sidd_form.folder_name(4, "S6", 100))
    options = {"splits": {"train": (4, 11)}, "patches": SMALL}
    left_out = import_sidd(root, out, **options, skip_bad=True)
    repaired(small_tree, root)
    shutil.rmtree(root / sidd_form.folder_name(11, "S6", 100))
    assert import_sidd(root, out, **options, skip_bad=True) == left_out
    with pytest.raises(ValueError, match=r"train.h5 left out images .*lacks:\n0011_010\n0011_011$"):
        import_sidd(root, out, **options)
    shutil.rmtree(root)
    assert import_sidd(root, out, **options, skip_bad=True) == left_out
    with pytest.raises(FileNotFoundError, match="sidd: no such folder"):
        import_sidd(root, out, **options)
    assert len(nf.read_captures(out / "train.h5")) == 18


def test_a_tree_of_bad_files_alone_is_refused_even_when_they_are_skipped(small_tree, tmp_path):
    root = tmp_path / "sidd"
    shutil.copytree(small_tree, root)
    for folder in root.iterdir():
        for path in folder.glob("*NOISY*"):
            path.unlink()
    with pytest.raises(ValueError, match=r"expected images of the split 'train'.*4 are damaged"):
        import_sidd(root, tmp_path / "out", splits={"train": (4, 11)}, skip_bad=True)
    assert not list((tmp_path / "out").glob("*.h5"))


def test_an_empty_folder_and_none_are_refused(tmp_path):
    (tmp_path / "empty" / "Data").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"folders such as 0001_001_S6_00100_00060_3200_L.*none"):
        import_sidd(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="missing: no such folder"):
        import_sidd(tmp_path / "missing", tmp_path / "out")


def test_a_split_without_instances_in_the_tree_is_refused(small_tree, tmp_path):
    with pytest.raises(ValueError, match=r"images of the split 'test'.*found none"):
        import_sidd(small_tree, tmp_path, patches=SMALL)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (
            {"train": (4,), "validation": (11, 13), "test": (13,)},
            "13 in 'validation' and in 'test'",
        ),
        ({"train": (4, 11, 4)}, "4 in 'train' and in 'train'"),
    ],
)
def test_an_instance_in_two_splits_is_refused(small_tree, tmp_path, splits, message):
    with pytest.raises(ValueError, match=f"each instance in one split.*{message}"):
        import_sidd(small_tree, tmp_path / "out", splits=splits, patches=SMALL)
    assert not (tmp_path / "out").exists()


def test_an_instance_that_is_there_twice_is_refused(small_tree, tmp_path):
    root = tmp_path / "sidd"
    shutil.copytree(small_tree, root)
    (root / sidd_form.folder_name(4, "IP", 100)).mkdir()
    with pytest.raises(ValueError, match=r"one folder an instance, received .*0004_001_IP"):
        import_sidd(root, tmp_path / "out")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"patch_size": 0}, "patch_size >= 1, received 0"),
        ({"patches_per_image": 0}, "patches_per_image >= 1, received 0"),
        ({"sampling": "dense"}, r"sampling among \['grid', 'random'\], received 'dense'"),
        ({"storage": "float16"}, r"storage among \['uint16', 'float32'\], received 'float16'"),
        ({"steps": "none"}, r"steps among \['camera', 'storage'\], received 'none'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        Patches(**bad)


def test_a_disk_that_is_too_small_is_refused_before_pixels_are_read(tree, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    # The training split is 14 images of 6 patches; its parts and the file both need 0.00069 GB.
    size = 14 * 6 * SMALL.bytes_per_patch
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 2 * size - 1))
    with pytest.raises(OSError, match=r"expected 0.001 GB of free disk .*received 0.001 GB"):
        import_sidd(tree, tmp_path, patches=SMALL)
    assert not os.listdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 2 * size))
    import_sidd(tree, tmp_path, patches=SMALL)


@contextlib.contextmanager
def full_disk(limit):
    """No file grows beyond a size: as HDF5 sees it a full disk, a write that fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# HDF5's library would crash this process when it ends, had it seen the fault.
@pytest.mark.parametrize("fails_at", ["part", "joined file"])
def test_a_full_disk_leaves_no_capture_file_that_looks_whole(small_tree, tmp_path, fails_at):
    # So many that the file is several chunks of 1 MiB and a part is one: the file is the larger.
    patches = Patches(16, patches_per_image=400, sampling="random")
    options = {"splits": {"train": (4, 11)}, "patches": patches}
    import_sidd(small_tree, tmp_path / "whole", **options)
    whole = (tmp_path / "whole" / "train.h5").stat().st_size
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.h5").write_text("an older file")
    with (
        full_disk(whole // 6 if fails_at == "part" else whole - 1),
        pytest.raises(OSError, match=r"cannot be written whole \(File too large\): .*h5") as error,
    ):
        import_sidd(small_tree, out, **options)
    assert error.value.errno == errno.EFBIG
    left = {path.name for path in out.rglob("*") if path.is_file()}
    parts = {"0004_010.h5", "0004_011.h5", "0011_010.h5", "0011_011.h5"}
    assert left == {"import.json", "train.h5"} | (parts if fails_at == "joined file" else set())
    assert (out / "train.h5").read_text() == "an older file"
    # With room again it goes on.
    import_sidd(small_tree, out, **options)
    assert len(nf.read_captures(out / "train.h5")) == 1600


# Processes have the limit of the server that forks them, so that this needs an import of its own.
FULL_DISK_IN_PROCESSES = """
import resource, sys
from tfp_noiseflow.sidd.images import Patches
from tfp_noiseflow.sidd.import_sidd import import_sidd

root, out, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
import_sidd(root, out, splits={"train": (4, 11)}, patches=Patches(16), processes=2)
"""


@pytest.mark.slow  # Starts Python and the server of its processes anew.
def test_a_full_disk_leaves_no_capture_file_that_looks_whole_with_two_processes(tmp_path):
    root, out = tmp_path / "sidd", tmp_path / "out"
    # Parts of a chunk for each of two images, 1 MiB, fit on the disk, those of two chunks do not.
    sidd_form.write_instance(root, 4, camera="S6", iso=100, shape=(192, 192))
    sidd_form.write_instance(root, 11, camera="S6", iso=100, shape=(832, 832))
    options = {"splits": {"train": (4, 11)}, "patches": SMALL}
    import_sidd(root, tmp_path / "whole", **options)
    limit = str(4 * CHUNK_BYTES)
    command = [sys.executable, "-c", FULL_DISK_IN_PROCESSES, root, out, limit]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert re.search(r"OSError: .*cannot be written whole \(File too large\).*0011", done.stderr)
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert left - {f"parts/train/0004_{number}.h5" for number in ("010", "011")} == {"import.json"}
    for part in out.glob("parts/train/*"):
        assert len(nf.read_captures(part)) == 36
    # With room again it goes on.
    import_sidd(root, out, **options)
    assert_equal_files(
        {"train": written_files(out, "train")},
        {"train": written_files(tmp_path / "whole", "train")},
    )
