"""What is written comes back: captures, fixed patterns, tables, for any shapes, types and texts."""

import numpy as np
from hypothesis import strategies as st

import tfp_noiseflow as nf
from tests.properties.cases import for_all, isos, names, seeds, sizes
from tfp_noiseflow.captures.bayer import CHANNEL_POSITIONS, pack_bayer, unpack_bayer
from tfp_noiseflow.captures.split import split_captures

PIXELS = ("uint8", "uint16", "int16", "int32", "float16", "float32", "float64")
cfas = st.sampled_from(sorted(CHANNEL_POSITIONS))


def captures_of(count, size, channels, dtypes, level, step, cameras, seed):
    """Values of a sensor of so many codes that each type can hold."""
    generator = np.random.default_rng(seed)
    shape = (count, *size, channels)
    values = {
        name: generator.integers(0, level + 1, shape).astype(dtype)
        for name, dtype in zip(("noisy", "clean"), dtypes, strict=True)
    }
    return values | {
        "iso": generator.choice([100.0, 800.0, 409600.0], count),
        "camera": list(generator.choice(np.array(cameras, object), count)),
        "scene": [f"scene {number}" for number in generator.integers(0, 3, count)],
        "black_level": 3.0,
        "white_level": float(level),
        "quantization_step": float(step),
    }


drawn_captures = {
    "count": st.integers(1, 7),
    "size": sizes,
    "channels": st.integers(1, 4),
    "dtypes": st.tuples(st.sampled_from(PIXELS), st.sampled_from(PIXELS)),
    "level": st.sampled_from((4, 127)),
    "step": st.sampled_from((0, 1)),
    "cameras": st.lists(names, min_size=1, max_size=3, unique=True),
    "seed": seeds,
}


@for_all(
    25,
    **drawn_captures,
    compression=st.sampled_from((None, "gzip", "lzf")),
    block=st.integers(1, 8),
)
def test_captures_come_back_as_fractions_of_full_scale(folder, compression, block, **drawn):
    given = captures_of(**drawn)
    nf.write_captures(folder / "captures.h5", **given, compression=compression)
    scale = given["white_level"] - given["black_level"]
    with nf.read_captures(folder / "captures.h5") as read:
        assert len(read) == drawn["count"] and read.image_shape == given["noisy"].shape[1:]
        assert list(read.camera) == given["camera"] and list(read.scene) == given["scene"]
        assert read.cameras == tuple(sorted(set(given["camera"])))
        np.testing.assert_array_equal(read.iso, given["iso"].astype(np.float32))
        (whole,) = read.blocks(8)
        stored = {name: given[name].astype(np.float64) for name in ("noisy", "clean")}
        clean = (stored["clean"] - 3) / scale
        # float32 of numbers up to 3 that three roundings made.
        np.testing.assert_allclose(whole.clean, clean, rtol=0, atol=2e-6)
        off = np.abs(scale * (whole.noise + clean) + 3 - stored["noisy"])
        assert off.max() <= drawn["step"] / 2 + 1e-4 * scale
        # Neither how captures are grouped nor which of them are selected changes a value.
        parts = list(read.blocks(block))
        np.testing.assert_array_equal(np.concatenate([p.noise for p in parts]), whole.noise)
        rows = np.flatnonzero(np.random.default_rng(drawn["seed"]).integers(0, 2, len(read)))
        if len(rows):
            selected = read.select(rows)
            np.testing.assert_array_equal(selected.read(0, len(rows)).noise, whole.noise[rows])


@for_all(1, **drawn_captures | {"count": st.integers(3, 9)}, batch_size=st.integers(1, 5))
def test_an_epoch_has_each_capture_once_at_most_and_is_the_same_again(folder, batch_size, **drawn):
    nf.write_captures(folder / "epochs.h5", **captures_of(**drawn))
    with nf.read_captures(folder / "epochs.h5") as read:
        options = {"cameras": read.cameras, "batch_size": batch_size, "seed": drawn["seed"]}
        steps = max(1, len(read) // batch_size)
        stream = nf.training_dataset(read, **options).take(2 * steps).as_numpy_iterator()
        batches = list(stream)
        clean = [image.tobytes() for batch in batches[:steps] for image in batch["clean"]]
        own = [image.tobytes() for image in read.read(0, len(read)).clean]
        assert all(clean.count(image) <= own.count(image) for image in clean)
        resumed = nf.training_dataset(read, **options, first_epoch=1).take(steps)
        for batch, again in zip(batches[steps:], resumed.as_numpy_iterator(), strict=True):
            for name, values in batch.items():
                np.testing.assert_array_equal(values, again[name])
        validation = list(nf.validation_dataset(read, **options).as_numpy_iterator())
        np.testing.assert_array_equal(
            np.concatenate([batch["noise"] for batch in validation]),
            read.read(0, len(read), seed=drawn["seed"]).noise,
        )


@for_all(5, **drawn_captures | {"count": st.integers(2, 9)}, share=st.floats(0.1, 0.9))
def test_splits_have_each_capture_once(folder, share, **drawn):
    nf.write_captures(folder / "splits.h5", **captures_of(**drawn))
    with nf.read_captures(folder / "splits.h5") as read:
        splits, how = split_captures(read, (share, 1 - share), seed=drawn["seed"])
        rows = np.concatenate([split._rows for split in splits])
        np.testing.assert_array_equal(np.sort(rows), np.arange(len(read)))
        scenes = [set(split.scene) for split in splits]
        assert how.startswith("at random") or not scenes[0] & scenes[1]


@for_all(
    15,
    size=sizes,
    levels=st.lists(isos.map(np.float32).map(float), min_size=1, max_size=3, unique=True),
    hot=st.integers(0, 4),
    cfa=st.one_of(st.just(""), cfas),
    camera=names,
    origin=names,
    seed=seeds,
)
def test_fixed_patterns_come_back(folder, size, levels, hot, cfa, camera, origin, seed):
    generator = np.random.default_rng(seed)
    height, width = 2 * size[0], 2 * size[1]
    places = generator.permutation(height * width)[:hot]
    written = nf.FixedPattern(
        camera=camera,
        cfa=cfa,
        iso_levels=levels,
        dark_shading=generator.normal(0, 1e-3, (len(levels), height, width)),
        hot_pixels=np.stack(np.unravel_index(places, (height, width)), axis=1),
        hot_values=generator.uniform(0, 1, (len(levels), len(places))),
        origin=origin,
    )
    nf.write_fixed_pattern(folder / "pattern.h5", written)
    read = nf.read_fixed_pattern(folder / "pattern.h5")
    assert (read.camera, read.cfa, read.origin) == (camera, cfa, origin)
    for iso in levels:
        np.testing.assert_array_equal(read.mosaic(iso), written.mosaic(iso))
        if cfa:
            packed = read.image(iso, (*size, 4))
            np.testing.assert_array_equal(unpack_bayer(packed, cfa), read.mosaic(iso))


@for_all(
    50,
    size=sizes,
    batch=st.lists(st.integers(0, 3), max_size=2),
    cfa=cfas,
    dtype=st.sampled_from(PIXELS),
    seed=seeds,
)
def test_packing_moves_every_pixel_and_back(size, batch, cfa, dtype, seed):
    shape = (*batch, 2 * size[0], 2 * size[1])
    mosaic = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    packed = pack_bayer(mosaic, cfa)
    assert packed.shape == (*batch, *size, 4) and packed.dtype == mosaic.dtype
    np.testing.assert_array_equal(unpack_bayer(packed, cfa), mosaic)
    # A mosaic that begins one column later has another CFA and the same colours.
    shifted = "".join(cfa[place] for place in (1, 0, 3, 2))
    swapped = mosaic.reshape(*shape[:-1], size[1], 2)[..., ::-1].reshape(shape)
    np.testing.assert_array_equal(pack_bayer(swapped, shifted)[..., [0, 3]], packed[..., [0, 3]])


# Cells of a table have no blanks at their ends.
texts = names.map(str.strip).filter(bool)


@for_all(
    30,
    camera=texts,
    origin=texts,
    levels=st.lists(st.floats(25, 409600), min_size=3, max_size=6, unique=True),
    channels=st.sampled_from(((), ("R", "G", "B"), ("R", "Gr", "Gb", "B"))),
    extension=st.sampled_from((".csv", ".json")),
    seed=seeds,
)
def test_tables_come_back(folder, camera, origin, levels, channels, extension, seed):
    shape = (len(levels), *[len(channels)] * bool(channels))
    betas = np.random.default_rng(seed).uniform(1e-12, 1, (2, *shape))
    table = nf.CameraTable(camera, np.array(levels), *betas, channels or ("all",), origin)
    path = folder / f"table{extension}"
    nf.write_camera_tables(path, [table])
    (read,) = nf.read_camera_tables(path)
    assert (read.camera, read.origin, read.channels) == (camera, origin, table.channels)
    for name in ("iso", "beta1", "beta2"):
        np.testing.assert_array_equal(getattr(read, name), getattr(table, name))
