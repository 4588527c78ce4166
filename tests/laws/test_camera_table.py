"""Tables of cameras: what is written is read again, and what is wrong is named."""

import json

import numpy as np
import pytest

from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.camera_table import CameraTable, read_camera_tables, write_camera_tables

ISOS = np.array([100.0, 200, 400, 800])
LAW = CameraLaw((2e-4, 1e-5), (1e-7, 2e-8, 1e-6))
BY_CHANNEL = CameraLaw(([2e-4, 3e-4, 4e-4], 1e-5), (1e-7, 2e-8, [1e-6, 2e-6, 3e-6]))
TABLES = (
    CameraTable("Pixel", ISOS, *LAW(ISOS), origin="a data set, MIT"),
    CameraTable("Ünit 3, left", ISOS[::-1], *BY_CHANNEL(ISOS[::-1]), ("R", "G", "B")),
    CameraTable("no ISO", np.array([np.nan, np.nan]), np.array([1e-4, 2e-4]), np.zeros(2)),
)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.camera, one.channels, one.origin) == (
            other.camera,
            other.channels,
            other.origin,
        )
        for name in ("iso", "beta1", "beta2"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("name", ["t.csv", "t.json", "T.CSV"])
def test_what_is_written_is_read_again_to_the_last_bit(tmp_path, name):
    write_camera_tables(tmp_path / name, TABLES)
    assert_same(read_camera_tables(tmp_path / name), TABLES)


def written(tmp_path, text, name="t.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_texts_with_line_breaks_are_read_again(tmp_path):
    tables = (CameraTable("a\rb", ISOS, *LAW(ISOS), origin='c\r\n"d"'),)
    for name in ("t.csv", "t.json"):
        write_camera_tables(tmp_path / name, tables)
        assert_same(read_camera_tables(tmp_path / name), tables)


def test_three_columns_are_enough(tmp_path):
    # With the mark that spreadsheets put before UTF-8, and spaces in the header.
    path = written(tmp_path, "\ufeffiso, beta1,beta2\n100,1e-4,1e-6\n\n200,2e-4,2e-6\n")
    (table,) = read_camera_tables(path)
    assert (table.camera, table.channels, table.origin) == ("", ("all",), "")
    np.testing.assert_array_equal(table.iso, [100, 200])
    np.testing.assert_array_equal(table.beta2, [1e-6, 2e-6])


def test_packed_channels_are_put_in_the_packed_order(tmp_path):
    rows = [f"100,{name},{k + 1}e-4,1e-6" for k, name in enumerate(["B", "Gb", "Gr", "R"])]
    (table,) = read_camera_tables(written(tmp_path, "\n".join(["iso,channel,beta1,beta2", *rows])))
    assert table.channels == ("R", "Gr", "Gb", "B")
    np.testing.assert_array_equal(table.beta1, [[4e-4, 3e-4, 2e-4, 1e-4]])


def test_rows_without_an_iso_are_read_and_not_fitted(tmp_path):
    text = "iso,beta1,beta2\n,5e-2,1e-6\ngain1,5e-2,1e-6\n"
    rows = zip(ISOS, *LAW(ISOS), strict=True)
    path = written(tmp_path, text + "".join(f"{i},{float(a)!r},{float(b)!r}\n" for i, a, b in rows))
    (table,) = read_camera_tables(path)
    assert np.isnan(table.iso).tolist() == [True, True, False, False, False, False]
    np.testing.assert_allclose(table.fit().law(640)[0], LAW(640)[0], rtol=1e-6)


def test_a_table_is_fitted_by_channel_with_its_camera_and_origin():
    fit = TABLES[1].fit()
    # See the fit's own tests for what is left.
    np.testing.assert_allclose(fit.law(640)[1], BY_CHANNEL(640)[1], rtol=1e-6)
    assert fit.law.camera == "Ünit 3, left"
    assert TABLES[0].fit().law.origin == "a data set, MIT"
    with pytest.raises(ValueError, match=r"no ISO: .*received 0"):
        TABLES[2].fit()


HEADER = "camera,iso,channel,beta1,beta2\n"
WRONG = {
    "a missing column": ("camera,iso,beta1\n", r"t\.csv, line 1: expected the columns"),
    "an unknown column": ("iso,chanel,beta1,beta2\n", r"line 1: .*'chanel'"),
    "a column twice": ("iso,beta1,beta1,beta2\n", "line 1: .*once each"),
    "nothing": ("", "line 1: expected the columns"),
    "no row": (HEADER, "expected rows"),
    "a text for a number": (HEADER + "a,100,all,x,0\n", r"line 2, column beta1: .*'x'"),
    "an ISO of 0": (HEADER + "\na,0,all,1e-4,0\n", r"line 3, column iso: .*above 0, received '0'"),
    "an ISO of NaN": (HEADER + "a,nan,all,1e-4,0\n", r"line 2, column iso: .*'nan'"),
    "a negative beta1": (HEADER + "a,100,all,-1e-4,0\n", r"line 2, column beta1: .*above 0"),
    "an infinite beta2": (HEADER + "a,100,all,1e-4,inf\n", r"line 2, column beta2: .*'inf'"),
    "digital numbers": (HEADER + "a,100,all,3.5,20\n", r"line 2, column beta1: .*Digital numbers"),
    "a short line": (HEADER + "a,100,all\n", r"line 2: expected 5 cells, received 3"),
    "a long line": (HEADER + "a,100,all,1e-4,0,1,2\n", r"line 2: expected 5 cells, received 7"),
    "a channel that lacks an ISO": (
        HEADER + "a,100,R,1e-4,0\na,200,R,1e-4,0\na,100,B,1e-4,0\n",
        r"line 4, column channel: .*\[100.0\] for 'B'",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_csv_file_is_refused_with_line_and_column(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_camera_tables(written(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"iso": 100', r"t\.json: expected text of CSV or JSON"),
        ({"iso": [100]}, "expected a list of rows"),
        ([{"iso": 100, "beta1": 1e-4}], "row 1: expected the columns"),
        ([{"iso": True, "beta1": 1e-4, "beta2": 0}], "row 1, column iso: .*True"),
        ([{"iso": 100, "beta1": 1e-4, "beta2": None}], "row 1, column beta2: .*None"),
    ],
)
def test_a_wrong_json_file_is_refused_with_row_and_name(tmp_path, content, message):
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ValueError, match=message):
        read_camera_tables(written(tmp_path, text, "t.json"))


def test_other_files_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"t\.txt: expected a file among"):
        read_camera_tables(tmp_path / "t.txt")
    with pytest.raises(ValueError, match=r"t\.txt: expected a file among"):
        write_camera_tables(tmp_path / "t.txt", TABLES)
    with pytest.raises(FileNotFoundError, match=r"t\.csv: expected a table"):
        read_camera_tables(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"t\.csv: expected text"):
        read_camera_tables(tmp_path / "t.csv")


def test_a_table_of_real_cameras_is_read(shared_data):
    tables = {
        table.camera: table
        for table in read_camera_tables(shared_data / "noise_parameters" / "real_nlf_table.csv")
    }
    assert len(tables) > 50
    assert tables["Samsung S20 FE"].beta1.shape == (6, 4)
    assert "CC BY-NC-SA 4.0" in tables["SIDD Google Pixel"].origin
    assert np.isnan(tables["DND SonyA7R"].iso).all()
    law = tables["SIDD Google Pixel"].fit().law
    # The line through this camera's beta1 that was read off before: 2.194e-6 ISO + 8.7e-6.
    np.testing.assert_allclose(law.beta1, (2.194e-4, 8.7e-6), rtol=0.02)
