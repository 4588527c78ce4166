"""Tables of beta1 and beta2 by ISO: read from CSV or JSON, written, fitted.

A CSV file has the columns iso, beta1, beta2; where there are several, camera and channel; and
note, source and licence. A JSON file is a list of rows, objects with the same names:

```
camera,iso,channel,beta1,beta2
Pixel,100,all,0.000228,0.000002
```

Where the ISO of a row is not known it is empty, or an analogue gain such as gain1.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.laws.camera_law import TERMS, CameraLaw, LawFit, check_fractions

NUMBERS = ("iso", "beta1", "beta2")
COLUMNS = ("camera", "iso", "channel", "beta1", "beta2", "note", "source", "licence")
FORMATS = (".csv", ".json")
ALL_CHANNELS = "all"
# Channels with these names are put in this order.
CHANNEL_ORDERS = (("R", "Gr", "Gb", "B"), ("R", "G", "B"))
GAIN = re.compile(r"gain\d+(\.\d+)?")


@dataclass(frozen=True, eq=False)
class CameraTable:
    """beta1 and beta2 of one camera.

    Attributes:
      camera: its name, or "".
      iso: [n] float64; NaN: not known.
      beta1, beta2: [n], or [n, C] of several channels; fractions of full scale.
      channels: their names; ("all",) where all have the same.
      origin: where the numbers come from.
    """

    camera: str
    iso: np.ndarray
    beta1: np.ndarray
    beta2: np.ndarray
    channels: tuple[str, ...] = (ALL_CHANNELS,)
    origin: str = ""

    def fit(self, *, terms: str = TERMS) -> LawFit:
        """The law that is nearest to the rows whose ISO is known (`CameraLaw.from_table`).

        Raises:
          ValueError: as `CameraLaw.from_table`; names the camera.
        """
        known = ~np.isnan(self.iso)
        try:
            return CameraLaw.from_table(
                self.iso[known],
                self.beta1[known],
                self.beta2[known],
                terms=terms,
                camera=self.camera,
                origin=self.origin,
            )
        except ValueError as error:
            raise ValueError(f"{self.camera or 'the table'}: {error}") from error


def read_camera_tables(path: str | os.PathLike) -> tuple[CameraTable, ...]:
    """Reads the tables of a file, one for each camera, in the order of the file.

    Args:
      path: .csv or .json.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another format, a column that is missing or not known, a value that is no number
        of its kind, channels that lack an ISO; names the file, the line and the column.
    """
    path = os.fspath(path)
    if not path.lower().endswith(FORMATS):
        raise ValueError(f"{path}: expected a file among {list(FORMATS)}.")
    rows_of = _csv_rows if path.lower().endswith(".csv") else _json_rows
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [_row(place, values) for place, values in rows_of(path, file)]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected a table, there is no such file.") from error
    except (csv.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected text of CSV or JSON, received {error}.") from error
    if not rows:
        raise ValueError(f"{path}: expected rows of {list(NUMBERS)}, received none.")
    cameras = dict.fromkeys(row["camera"] for row in rows)
    return tuple(
        _table(path, camera, [row for row in rows if row["camera"] == camera]) for camera in cameras
    )


def write_camera_tables(path: str | os.PathLike, tables: Sequence[CameraTable]) -> None:
    """Writes tables that `read_camera_tables` reads again, whole or not at all.

    Args:
      path: .csv or .json. tables: one for each camera; their origin becomes the source.
    """
    path = os.fspath(path)
    if not path.lower().endswith(FORMATS):
        raise ValueError(f"{path}: expected a file among {list(FORMATS)}.")
    rows = [row for table in tables for row in _rows_of(table)]
    if path.lower().endswith(".json"):
        write_json(path, rows)
        return
    text = io.StringIO(newline="")
    # Python below 3.13 does not quote a carriage return alone, which its reader ends a line at.
    is_quoted = any("\r" in value for row in rows for value in row.values() if type(value) is str)
    writer = csv.DictWriter(
        text,
        list(rows[0]) if rows else NUMBERS,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if is_quoted else csv.QUOTE_MINIMAL,
    )
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _csv_rows(path: str, file: TextIO) -> Iterator[tuple[str, dict]]:
    reader = csv.DictReader(file)
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    _check_columns(f"{path}, line 1", reader.fieldnames)
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise ValueError(
                f"{place}: expected {len(reader.fieldnames)} cells, received "
                f"{sum(isinstance(v, str) for v in row.values()) + len(row.get(None, ()))}."
            )
        yield place, row


def _json_rows(path: str, file: TextIO) -> Iterator[tuple[str, dict]]:
    try:
        rows = json.load(file)
    except RecursionError as error:
        raise ValueError(f"{path}: expected a list of rows, received {error}.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: expected a list of rows, objects with iso, beta1 and beta2.")
    for number, row in enumerate(rows, 1):
        place = f"{path}, row {number}"
        _check_columns(place, list(row))
        yield place, row


def _check_columns(place: str, names: Sequence[str]) -> None:
    missing = [name for name in NUMBERS if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        raise ValueError(
            f"{place}: expected the columns {list(NUMBERS)} and others once each among "
            f"{[name for name in COLUMNS if name not in NUMBERS]}, received {list(names)}."
        )


def _row(place: str, values: dict) -> dict:
    texts = {
        name: str(values.get(name) or "").strip()
        for name in ("camera", "channel", "source", "licence")
    }
    iso = _iso(f"{place}, column iso", values["iso"])
    beta1, beta2 = (_number(f"{place}, column {name}", values[name]) for name in ("beta1", "beta2"))
    if not beta1 > 0:
        raise ValueError(f"{place}, column beta1: expected a number above 0, received {beta1:g}.")
    try:
        check_fractions(beta1)
    except ValueError as error:
        raise ValueError(f"{place}, column beta1: {error}") from error
    texts["channel"] = texts["channel"] or ALL_CHANNELS
    return texts | {"place": place, "iso": iso, "beta1": beta1, "beta2": beta2}


def _iso(place: str, value: Any) -> float:
    if value is None or (isinstance(value, str) and GAIN.fullmatch(value.strip() or "gain1")):
        return np.nan
    iso = _number(place, value)
    if not iso > 0:
        raise ValueError(f"{place}: expected an ISO above 0, received {reprlib.repr(value)}.")
    return iso


def _number(place: str, value: Any) -> float:
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"{place}: expected a number, received {value!r}.")
    return number


def _table(path: str, camera: str, rows: list[dict]) -> CameraTable:
    by_channel: dict[str, list[dict]] = {}
    for row in rows:
        by_channel.setdefault(row["channel"], []).append(row)
    channels = tuple(by_channel)
    for order in CHANNEL_ORDERS:
        if set(order) == set(channels):
            channels = order
    first = by_channel[channels[0]]
    isos = [row["iso"] for row in first]
    for channel in channels:
        found = [row["iso"] for row in by_channel[channel]]
        if not np.array_equal(found, isos, equal_nan=True):
            raise ValueError(
                f"{by_channel[channel][0]['place']}, column channel: expected the channels "
                f"{list(channels)} of {camera!r} at the same ISOs in the same order, received "
                f"{found} for {channel!r} and {isos} for {channels[0]!r}."
            )
    betas = [
        np.array([[row[name] for row in by_channel[channel]] for channel in channels]).T
        for name in ("beta1", "beta2")
    ]
    if len(channels) == 1:
        betas = [beta[:, 0] for beta in betas]
    origins = dict.fromkeys(
        f"{row['source']} ({row['licence']})" if row["licence"] else row["source"] for row in rows
    )
    origin = "; ".join(filter(None, origins))
    beta1, beta2 = betas
    return CameraTable(camera, np.array(isos), beta1, beta2, channels, origin)


def _rows_of(table: CameraTable) -> Iterator[dict]:
    shape = (len(table.iso), len(table.channels))
    betas = np.reshape(table.beta1, shape), np.reshape(table.beta2, shape)
    for column, channel in enumerate(table.channels):
        for row, iso in enumerate(table.iso.tolist()):
            yield {
                "camera": table.camera,
                "iso": None if np.isnan(iso) else iso,
                "channel": channel,
                "beta1": float(betas[0][row, column]),
                "beta2": float(betas[1][row, column]),
                "source": table.origin,
            }
