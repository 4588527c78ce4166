"""Files that are wrong: at random positions whatever they are, and in the structure of each kind.

Every function changes a file in place by what a generator draws. `OUTSIDE` in the structures' texts
is a folder beside that of the file, which no reader may open.
"""

from __future__ import annotations

import json
import pathlib
import pickle
import zipfile

import h5py
import numpy as np

# Where sizes, offsets and counts go wrong.
INTEGERS = (0, 1, 2, 3, 127, 255, 256, 65535, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
NUMBERS = (0, -1, 1, 0.5, 1e-300, 1e308, -1e308, 2**31, 2**63, 2**64, 10**400)
TEXTS = ("", "a", "é", "x" * 100_000, "../x", "/etc/passwd", "\0", "S-G", "nan", "1e999", "\ud7ff")


def of_bytes(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Bits and bytes changed, runs of them put in, taken out or made equal, sizes overwritten."""
    content = bytearray(path.read_bytes())
    for _ in range(generator.choice([1, 1, 2, 4, 16])):
        if not content:
            break
        at = _position(content, generator)
        kind = generator.integers(8)
        if kind <= 2:
            content[at] ^= 1 << int(generator.integers(8))
        elif kind == 3:
            content[at] = int(generator.integers(256))
        elif kind == 4:
            size = int(generator.choice([1, 2, 4, 8]))
            value = int(generator.choice(np.array(INTEGERS, np.uint64))) % 2 ** (8 * size)
            value = value.to_bytes(size, str(generator.choice(["little", "big"])))
            content[at : at + size] = value
        elif kind == 5:
            del content[at : at + int(generator.integers(1, 64))]
        elif kind == 6:
            content[at:at] = generator.bytes(int(generator.integers(1, 64)))
        else:
            size = int(generator.integers(1, 256))
            content[at : at + size] = bytes([int(generator.integers(256))]) * size
    if generator.integers(10) == 0:
        del content[int(generator.integers(len(content) + 1)) :]
    path.write_bytes(bytes(content))


def _position(content: bytearray, generator: np.random.Generator) -> int:
    """Anywhere, and as often at the beginning and at the end, where formats say what they hold."""
    size = len(content)
    kind = generator.integers(3)
    if kind == 0:
        return int(generator.integers(size))
    near = int(generator.integers(min(size, 512)))
    return near if kind == 1 else size - 1 - near


def hdf5(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Data sets, attributes and links of other sizes, types and places."""
    with h5py.File(path, "r+") as file:
        names = [name for name in file if isinstance(file[name], h5py.Dataset)]
        name = str(generator.choice(names))
        changes = (_retype, _reshape, _relink, _bomb, _attribute, _attribute, _crowd)
        changes[generator.integers(len(changes))](file, name, generator)


def _retype(file, name, generator) -> None:
    values = file[name][()]
    shape = values.shape
    kinds = (
        *("int8", "uint64", "float16", "float64", "complex128", "bool", "S3", "S100000"),
        h5py.string_dtype(),
        h5py.vlen_dtype(np.float32),
        h5py.ref_dtype,
        h5py.enum_dtype({"A": 0, "B": 1}),
        np.dtype([("a", "f4"), ("b", "i2")]),
        np.dtype("V7"),
        np.dtype((np.float32, (3,))),
        np.dtype(">f8"),
    )
    dtype = kinds[generator.integers(len(kinds))]
    attributes = dict(file[name].attrs)
    del file[name]
    data = None
    if (
        np.dtype(dtype).kind in "iufcb"
        and values.dtype.kind in "iuf"
        and np.dtype(dtype).shape == ()
    ):
        with np.errstate(all="ignore"):
            data = values.astype(dtype)
    file.create_dataset(name, shape=None if data is not None else shape, dtype=dtype, data=data)
    file[name].attrs.update(attributes)


def _reshape(file, name, generator) -> None:
    values = file[name][()]
    kind = generator.integers(7)
    del file[name]
    if kind == 0:
        file[name] = values[:-1]
    elif kind == 1:
        file[name] = values[..., None]
    elif kind == 2:
        file[name] = values.ravel()
    elif kind == 3:
        file.create_dataset(
            name, shape=(0, *values.shape[1:]), dtype=values.dtype, maxshape=(None,) * values.ndim
        )
    elif kind == 4:
        file[name] = h5py.Empty(values.dtype if values.dtype.kind != "O" else np.float32)
    else:
        # Of a size that nothing is stored of.
        dtype = h5py.string_dtype() if values.dtype.kind == "O" else values.dtype
        count = int(generator.choice([10**5, 10**8, 10**10]))
        shape = (count, *values.shape[1:])
        if generator.integers(2) and values.ndim > 1:
            shape = (len(values), count // 100, count // 100, *values.shape[3:])[: values.ndim]
        chunks = tuple(min(size, 64) for size in shape)
        file.create_dataset(name, shape=shape, dtype=dtype, chunks=chunks)


def _relink(file, name, generator) -> None:
    shape, dtype = file[name].shape, file[name].dtype
    outside = str(pathlib.Path(file.filename).parents[1] / "outside")
    kind = generator.integers(8)
    del file[name]
    if kind == 0:
        file[name] = h5py.SoftLink("/nowhere")
    elif kind == 1:
        file[name] = h5py.SoftLink(f"/{name}")
    elif kind == 2:
        file[name] = h5py.ExternalLink(f"{outside}/file.h5", name)
    elif kind == 3:
        file["elsewhere"] = h5py.ExternalLink(f"{outside}/file.h5", "/")
        file[name] = h5py.SoftLink(f"/elsewhere/{name}")
    elif kind == 4 and dtype.kind in "iuf":
        file.create_dataset(name, shape, dtype, external=[(f"{outside}/bytes", 0, 2**40)])
    elif kind == 5 and dtype.kind in "iuf":
        layout = h5py.VirtualLayout(shape, dtype)
        layout[...] = h5py.VirtualSource(f"{outside}/file.h5", name, shape)
        file.create_virtual_dataset(name, layout)
    elif kind == 6:
        file.create_group(name)


def _bomb(file, name, generator) -> None:
    """Values that take little space where they are stored and much where they are read."""
    shape, dtype = file[name].shape, file[name].dtype
    del file[name]
    if dtype.kind in "OS":
        file[name] = ["x" * 200_000] * shape[0]
        return
    count = int(generator.choice([8, 512]))
    large = (shape[0], *(size * count for size in shape[1:3]), *shape[3:])[: len(shape)]
    # One chunk of all, which is read as a whole.
    chunks = large if len(large) > 1 else (2**24,)
    file.create_dataset(
        name, large, dtype, chunks=chunks, maxshape=(None,) * len(large), compression="gzip"
    )
    file[name][:1] = 0


def _attribute(file, name, generator) -> None:
    owner = file if generator.integers(4) else file[name]
    names = list(file.attrs) or ["format_version"]
    key = str(generator.choice(names))
    values = (
        *(np.nan, np.inf, -1, 0, 2**40, "text", "é" * 10_000, b"\xff\xfe", True, 1 + 1j),
        np.zeros(5),
        np.zeros((2, 2)),
        np.array(["a", "b"], object),
        h5py.Empty("f8"),
        np.array([(1.0, 2)], [("a", "f8"), ("b", "i4")]),
        file.ref,
    )
    kind = generator.integers(len(values) + 1)
    if kind == len(values):
        owner.attrs.pop(key, None)
    else:
        value = values[kind]
        is_text = getattr(value, "dtype", None) == np.dtype(object)
        owner.attrs.create(key, value, dtype=h5py.string_dtype() if is_text else None)


def _crowd(file, name, generator) -> None:
    """More than a reader asks for."""
    if generator.integers(2):
        for number in range(300):
            file.create_group(f"group {number}")
        return
    group = file
    for _ in range(200):
        group = group.create_group("g")
    group["self"] = file


def as_json(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Values and names of other types and sizes anywhere in a JSON file."""
    values = json.loads(path.read_text())
    kind = generator.integers(12)
    if kind == 0:
        path.write_text("[" * 100_000)
        return
    if kind == 1:
        path.write_bytes(path.read_bytes().replace(b'"', b"\xff", 1))
        return
    places = list(_places(values))
    owner, key = places[generator.integers(len(places))]
    new = _value(generator)
    if generator.integers(4) == 0:
        del owner[key]
        if isinstance(owner, dict):
            owner[str(generator.choice(["other", "dtype", key + "s"]))] = new
    else:
        owner[key] = new
    path.write_text(json.dumps(values))


def _places(values):
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in list(items):
        yield values, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _value(generator: np.random.Generator):
    values = (
        *NUMBERS, *TEXTS, None, True, False, [], {}, [0], [None], [[1e9]], {"a": 1}, float("nan"),
        float("inf"), "S-" + "Ax99-" * 500 + "G", ["Ax99"] * 1000, list(range(10_000)),
        ["x" * 100] * 1000, "../outside", "checkpoints-2", "float16", "complex64", "resource",
        "L-R-P", [[[[0.0]]]], [-1, -2], 1.5, 5000, 10**6, 10**9,
    )  # fmt: skip
    return values[generator.integers(len(values))]


def npz(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Members of other types and shapes, headers that lie, pickled objects, bombs."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    name = str(generator.choice(list(arrays)))
    kind = generator.integers(5)
    if kind == 0:
        del arrays[name]
        np.savez(path, **arrays)
    elif kind == 1:
        np.savez(path, **arrays | {name: _array(arrays[name], path, generator)})
    elif kind == 2:
        # Such a frame is a frame: it is no bomb.
        name = str(generator.choice([other for other in arrays if other != "raw"]))
        np.savez_compressed(path, **arrays | {name: np.zeros([4096, 4096], np.uint16)})
    else:
        np.savez(path, **arrays)
        with zipfile.ZipFile(path) as file:
            members = {info.filename: file.read(info) for info in file.infolist()}
        key = f"{name}.npy"
        members[key] = _with_header(members[key], generator)
        if kind == 4:
            members["../outside.npy"] = members[key]
        with zipfile.ZipFile(path, "w") as file:
            for member, content in members.items():
                file.writestr(member, content)


def npy(path: pathlib.Path, generator: np.random.Generator) -> None:
    """As for members of an .npz."""
    if generator.integers(2):
        np.save(path, _array(np.load(path, allow_pickle=False), path, generator), allow_pickle=True)
    else:
        path.write_bytes(_with_header(path.read_bytes(), generator))


class _Executed:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return (open, (self._path, "w"))


def _array(values: np.ndarray, path: pathlib.Path, generator) -> np.ndarray:
    executed = _Executed(str(path.parents[1] / "outside" / "executed"))
    pickle.dumps(executed)
    arrays = (
        np.array([executed], object),
        np.array(values, object),
        np.full(values.shape, "é"),
        np.zeros(values.shape, np.complex64),
        np.zeros(0),
        np.zeros([3, 3, 3, 3]),
        np.full(np.shape(values), np.nan),
        -np.ones(np.shape(values)),
        np.array([("a", 1)], [("x", "U3"), ("y", "i4")]),
        np.array("RGGBx" * 1000),
        np.array(10**18),
        np.datetime64("2020-01-01"),
    )
    return arrays[generator.integers(len(arrays))]


def _with_header(content: bytes, generator) -> bytes:
    """A header of the same length that claims something else."""
    headers = (
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (200000, 200000), }",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (30000, 30000), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<u2', 'fortran_order': True, 'shape': (-1, 5), }",
        "{'descr': [('a', '<u2')] * 9, 'fortran_order': 1, 'shape': 7, }",
        "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (10000000000,), }",
        "__import__('os').system('true')",
        "(" * 100,
    )
    start = content.index(b"{")
    end = content.index(b"\n", start)
    header = headers[generator.integers(len(headers))].encode()
    return content[:start] + header[: end - start].ljust(end - start) + content[end:]


def tiff(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Entries of a directory of a TIFF or DNG with other codes, types, counts and values."""
    content = bytearray(path.read_bytes())
    order = "little" if content[:2] == b"II" else "big"
    at = int.from_bytes(content[4:8], order)
    count = int.from_bytes(content[at : at + 2], order)
    for _ in range(generator.integers(1, 3)):
        entry = at + 2 + 12 * int(generator.integers(count))
        start, size = ((0, 2), (2, 2), (4, 4), (8, 4), (8, 4), (8, 2))[generator.integers(6)]
        value = int(generator.choice(np.array(INTEGERS, np.uint64))) % 2 ** (8 * size)
        if start == 2:
            value = int(generator.integers(20))
        if start == 8 and generator.integers(3) == 0:
            value = (at, len(content) - 1, entry)[generator.integers(3)] % 2 ** (8 * size)
        content[entry + start : entry + start + size] = value.to_bytes(size, order)
    path.write_bytes(bytes(content))


def table(path: pathlib.Path, generator: np.random.Generator) -> None:
    """Cells and lines of a CSV file."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    kind = generator.integers(4)
    row = rows[generator.integers(len(rows))]
    if kind == 0:
        row.append("1")
    elif kind == 1:
        rows.append(rows[0])
    else:
        cells = (
            "",
            "nan",
            "-1",
            "1e999",
            "0x10",
            '"',
            "a\0b",
            "x" * 200_000,
            "１",
            "1_0",
            "é",
            "∞",
        )
        row[generator.integers(len(row))] = str(cells[generator.integers(len(cells))])
    path.write_text("\n".join(",".join(cells) for cells in rows))


def checkpoint_state(path: pathlib.Path, generator: np.random.Generator) -> None:
    """The text that names a checkpoint names others."""
    outside = path.parents[3] / "outside"
    found = path.read_text().split('"')[1]
    names = (
        *(
            str(outside / found),
            f"../../../outside/{found}",
            f"../{found}",
            "",
            ".",
            "..",
            "/",
            "\0",
        ),
        *(found + "9", "x" * 5000, "file.h5", found + "/", f"./{found}", "gs://bucket/x", "\\377"),
    )
    name = names[generator.integers(len(names))]
    texts = (
        f'model_checkpoint_path: "{name}"\n',
        f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{found}"\n',
        f'all_model_checkpoint_paths: "{found}"\n',
        f"model_checkpoint_path: {name}\n",
        "",
        "{" * 5000,
    )
    path.write_text(texts[generator.choice(len(texts), p=[0.5, 0.3, 0.05, 0.05, 0.05, 0.05])])
