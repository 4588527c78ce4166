"""Requests for a served noise model of tests/registry.py's cameras and ISOs, good and bad."""

from __future__ import annotations

import numpy as np

from tests.registry import CAMERAS, ISO_LEVELS

# The signatures that take conditions; `describe` takes none.
SIGNATURES = ("serving_default", "sample_noise", "log_prob")


def good(signature: str, rows: int = 3, height: int = 8, width: int = 8, seed: int = 0) -> dict:
    """A request of mixed cameras and ISOs."""
    if signature == "describe":
        return {"dummy": np.zeros(rows, np.float32)}
    generator = np.random.default_rng(seed)
    shape = (rows, height, width, 4)
    request = {
        "clean": generator.uniform(-0.05, 1, shape).astype(np.float32),
        "iso": generator.choice(ISO_LEVELS, rows).astype(np.float32),
        "camera": generator.choice(np.array(CAMERAS, object), rows),
    }
    if signature == "log_prob":
        return {"noise": generator.normal(0, 0.05, shape).astype(np.float32), **request}
    draws = {"seed": generator.integers(-9, 9, (rows, 2)).astype(np.int32)}
    draws["temperature"] = generator.uniform(0.5, 1, rows).astype(np.float32)
    return {**request, **draws}


def malformed(signature: str) -> list[tuple[str, dict, tuple[str, ...]]]:
    """(what is wrong, request, all that the error says) of every kind.

    Of a wrong value that is its row, first, then the value and what is known or expected.
    """
    request = good(signature)
    images = [name for name in ("clean", "noise") if name in request]
    cases = []

    def case(wrong: str, *error: str, **changed):
        cases.append((wrong, {**request, **changed}, error))

    def in_row(row: int, name: str, value) -> np.ndarray:
        changed = request[name].copy()
        changed[(row, 3, 3, 2) if name in images else row] = value
        return changed

    # Texts are shown without control characters, as valid UTF-8, and cut after 64 characters.
    texts = {
        "": "",
        "alpha": "alpha",
        " Alpha": " Alpha",
        "Zeta\n" * 100_000: "Zeta\ufffd" * 12 + "Zeta",
        b"\xff\x00\xfe": "\ufffd" * 3,
        "雑音" * 99: "雑音" * 32,
    }
    values = {
        "iso": (np.nan, np.inf, 0, -100, 150, 1e38, 1e-30),
        "camera": texts,
        "clean": (np.nan, np.inf, -np.inf, 1.5, 65535),
        "noise": (np.nan, np.inf, -np.inf, 1e30),
        "temperature": (np.nan, np.inf, -1, 3e38),
    }
    known = {
        "iso": "; known: 100, 400, 1600]",
        "camera": "; known: Alpha, Beta, Gamma]",
        "clean": "NaN, infinite or above 1.001 of full scale",
    }
    for name, of_name in values.items():
        for row, value in enumerate(of_name):
            if name in request:
                row %= 3
                # TensorFlow escapes the quotation marks of what an assertion shows.
                shown = f"\\'{texts[value]}\\'" if name == "camera" else f"{value:g}"
                case(
                    f"{name} {value!r:.20} in row {row}",
                    f"row {row}: expected ",
                    f", received {shown}",
                    known.get(name, "finite"),
                    **{name: in_row(row, name, value)},
                )

    for name, value in request.items():
        case(f"{name} of rank + 1", "compatible", **{name: value[..., np.newaxis]})
        case(f"{name} of rank - 1", "compatible", **{name: value[0]})
        case(f"{name} a scalar", "compatible", **{name: value.flat[0]})
        for rows in (1, 2, 4) if len(request) > 1 else ():
            changed = np.resize(value, (rows, *value.shape[1:]))
            case(f"{name} of {rows} rows", "same number of rows", **{name: changed})
        for dtype in (np.float64, np.int64, np.uint8, np.float16, bool):
            changed = np.zeros(value.shape, dtype)
            case(f"{name} as {np.dtype(dtype)}", "", **{name: changed})
        if name != "camera":
            case(f"{name} as text", "", **{name: np.full(value.shape, "1", object)})
    case("no rows", "at least 1", **{name: value[:0] for name, value in request.items()})
    for axis, what in ((1, "height"), (2, "width"), (3, "channels")):
        for size in (0, 3):
            if not images:
                continue
            shape = list(request["clean"].shape)
            shape[axis] = size
            wrong = {name: np.full(shape, 0.5, np.float32) for name in images}
            if size == 0 or axis == 3:
                case(f"{what} {size}", "", **wrong)
            elif len(images) == 2:
                case(f"{what} {size} of noise alone", "same height", noise=wrong["noise"])
    return cases
