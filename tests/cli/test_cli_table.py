"""Reading tables from files: what is accepted, and what is said about the rest."""

from __future__ import annotations

import gzip
import io
import sys

import numpy as np
import pytest

from marquardt.cli.table import read_table
from marquardt.datasets import nist
from marquardt.errors import FileError


@pytest.fixture
def read(tmp_path):
    def read(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path)

    return read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,y\n1,2\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
        ("t\tv\n1\t2\n3\t4\n", {"t": [1, 3], "v": [2, 4]}),
        ("a;b\n1.5;2\n3;4\n", {"a": [1.5, 3], "b": [2, 4]}),
        ("  1   2\n 3 4e-3\n", {"x": [1, 3], "y": [2, 4e-3]}),
        ("1,2,3\n4,5,6\n", {"c1": [1, 4], "c2": [2, 5], "c3": [3, 6]}),
        ("1\n2\n", {"c1": [1, 2]}),
        ("# t v\n1 2\n3 4\n", {"t": [1, 3], "v": [2, 4]}),
        ("# measured on a Monday\n1 2\n", {"x": [1], "y": [2]}),
        ("\n# note\nx, y\r\n1, 2\r\n\r\n# note\r\n3, 4\r\n", {"x": [1, 3], "y": [2, 4]}),
        ('"time, s","signal ""a"""\n"1","2"\n', {"time, s": [1], 'signal "a"': [2]}),
        ('"time (s)" v\n1 2\n', {"time (s)": [1], "v": [2]}),
        ("wavelength,300,310\n1,2,3\n", {"wavelength": [1], "300": [2], "310": [3]}),
        (",x\n0,1\n", {"c1": [0], "x": [1]}),
        ("x,y\n-1e5,+.5\n1.,INF\n", {"x": [-1e5, 1], "y": [0.5, np.inf]}),
        ("x,y\n1,\nNA,2\nn/a,NaN\n", {"x": [1, np.nan, np.nan], "y": [np.nan, 2, np.nan]}),
        ("\ufeffx,y\n1,2\n", {"x": [1], "y": [2]}),
    ],
)
def test_tables_are_read(read, text, expected):
    table = read(text)
    assert list(table) == list(expected)
    for name, values in expected.items():
        assert table[name].dtype == np.float64
        assert np.array_equal(table[name], values, equal_nan=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_of_spreadsheets_are_read(read, encoding):
    assert list(read("größe,y\n1,2\n".encode(encoding))) == ["größe", "y"]


def test_gzip_is_known_by_its_content_not_its_name(read):
    assert read(gzip.compress(b"x,y\n1,2\n"), "data.csv")["y"] == [2]


def test_rows_know_their_line_in_the_file(read):
    assert list(read("# c\nx,y\n1,2\n\n# c\n3,4\n").lines) == [3, 6]


def test_standard_input_is_read(monkeypatch):
    class Input:
        buffer = io.BytesIO(b"x,y\n1,2\n")

    monkeypatch.setattr(sys, "stdin", Input)
    assert read_table("-")["x"] == [1]


def test_a_nist_file_brings_its_problem_along(read):
    from importlib.resources import files

    table = read((files("marquardt.datasets") / "nist" / "Nelson.dat").read_bytes(), "Nelson.dat")
    assert list(table) == ["y", "x1", "x2"]
    assert np.array_equal(table["x2"], nist("Nelson")["x2"])
    assert table.nist.certified == nist("Nelson").certified
    assert (table.lines[0], table.lines[-1]) == (61, 188)


def test_a_text_column_is_refused_only_when_asked_for(read):
    table = read("sample,x,y\nA,1,2\nB,3,4\n")
    assert list(table["x"]) == [1, 3] and "sample" in table and len(table) == 3
    with pytest.raises(FileError, match=r"data\.csv, line 2, column `sample`: `A` is not a number$"):
        table["sample"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "data.csv is empty"),
        ("# only\n\n", "data.csv is empty"),
        ("x,y\n", "data.csv, line 1: there is a header, but no row of data below it"),
        ("x,y\n1,2\n3\n", "data.csv, line 3: 1 cell (separated by commas), but line 1 has 2"),
        ("x y\n1 2\n3 4 5\n", "data.csv, line 3: 3 cells (separated by white space), but line 1 has 2"),
        (
            "time (s) v\n1 2\n",
            "data.csv, line 2: 2 cells (separated by white space), but line 1 has 3; names",
        ),
        ("x,x\n1,2\n", "data.csv, line 1, column `x`: two columns have this name"),
        ("x;y\n1,5;2,5\n", "data.csv, line 2, column `x`: `1,5` holds a comma: write a decimal point"),
        ("1,5 2,5\n2,5 3,5\n", "data.csv, line 1: `5 2` is two numbers: the separators"),
        (
            "x,y\n1,5,2,5\n",
            "data.csv, line 2: 4 cells (separated by commas), but line 1 has 2; decimal commas?",
        ),
        ("x,y\ns,mV\n1,2\n", "data.csv, line 2, column `x`: `s` is not a number; if this row holds units"),
        ('x,y\n1,"2\n', "data.csv, line 2: the quotes do not match"),
        (b"PK\x03\x04\x00\x00", "data.csv is a binary file"),
        (gzip.compress(b"x,y\n1,2\n")[:-6], "data.csv is a damaged gzip file"),
    ],
)
def test_a_malformed_file_names_the_place(read, text, words):
    with pytest.raises(FileError) as caught:
        read(text)
    assert words in str(caught.value)


def test_text_in_a_number_column_names_line_and_column(read):
    with pytest.raises(FileError, match=r"line 3, column `y`: `n\.d\.` is not a number"):
        read("x,y\n1,2\n2,n.d.\n3,4\n")["y"]
    with pytest.raises(FileError, match=r"line 2, column `y`: `1_0` is not a number"):
        read("x,y\n1,1_0\n")["y"]


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileError, match=r"none\.csv cannot be read: No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        read_table(tmp_path)
