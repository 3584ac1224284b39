"""User IDs from files: how each kind of content is read, or why it is refused."""

from __future__ import annotations

import codecs
import csv
import json
import uuid
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from airflow.providers.common.compat.sdk import BaseOperator, ObjectStoragePath

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.files import FileMembers
from airflow_segments_provider.sources.ids import IdCheck

# Part of the data of each file; it must not be in a message.
SECRET = "zq71.user"


def read(path: Any, column: Any = "id", **parameters: Any) -> list[object]:
    return list(FileMembers(path if hasattr(path, "fs") else str(path), column, **parameters).read_ids())


LINES = {
    "one column": (b"id\nu1\nu2\n", ["u1", "u2"]),
    "several columns": (b"name,id,mail\na,u1,x\nb,u2,y\n", ["u1", "u2"]),
    "no line break at the end": (b"id\nu1\nu2", ["u1", "u2"]),
    "CRLF": (b"id,n\r\nu1,1\r\nu2,2\r\n", ["u1", "u2"]),
    "CR": (b"id,n\ru1,1\ru2,2\r", ["u1", "u2"]),
    "byte order mark": (codecs.BOM_UTF8 + b"id,n\nu1,1\n", ["u1"]),
    "quoted header after a byte order mark": (codecs.BOM_UTF8 + b'"id",n\nu1,1\n', ["u1"]),
    "quoted cells": (b'"id","n"\n"u1","1"\n"u,2","2"\n', ["u1", "u,2"]),
    "doubled quotes": (b'id,n\n"u""1",1\n"""u2""",1\n', ['u"1', '"u2"']),
    "line breaks in quotes": (b'n,id\n"a\nb\r\nc",u1\n"\n",u2\n', ["u1", "u2"]),
    "quotes in another cell": (b'id,n\nu1,15" wide\nu2,a "b" c\n', ["u1", "u2"]),
    "quotes in a cell before": (b'n,id\n15" wide,u1\n"a ""b"", c","u2"\n', ["u1", "u2"]),
    "quotes before doubled ones": (b'n,id\n"a ""b"", c","u""2"\n', ['u"2']),
    "white space": (b"id,n\n u1 ,1\n\tu2,2\n", [" u1 ", "\tu2"]),
    "other scripts": ("id,n\nŽofie,1\n日本,2\n".encode(), ["Žofie", "日本"]),
    "separators of Unicode": ("id,n\nu\u20281\x0b\x851,1\n".encode(), ["u\u20281\x0b\x851"]),
    "NUL": (b"id\nu1\0\n", ["u1\0"]),
    "leading zeros and big numbers": (b"id\n007\n9007199254740993\n1e5\n", ["007", "9007199254740993", "1e5"]),
    "blank cells": (b"id,n\n,1\n u2,2\n", ["", " u2"]),
    "blank lines among several columns": (b"\n\nid,n\n\nu1,1\n\n\nu2,2\n\n\n", ["u1", "u2"]),
    "blank lines in one column are rows": (b"\nid\nu1\n\n\nu2\n\n\n", ["u1", "", "", "u2"]),
    "a quoted blank at the end is a row": (b'id\nu1\n""\n', ["u1", ""]),
    "a user ID that is called like its column": (b"id,n\nid,1\n", ["id"]),
    "blank names in the header": (b"id,,\nu1,,\n", ["u1"]),
    "header only": (b"id,n\n", []),
    "header without line break": (b"id", []),
}


@pytest.mark.parametrize(("content", "wanted"), LINES.values(), ids=LINES)
def test_ids_are_read_from_csv(tmp_path, content, wanted):
    (tmp_path / "x.csv").write_bytes(content)
    assert read(tmp_path / "x.csv") == wanted


DIALECTS = {
    "semicolons": (b"id;n\nu1;1,5\n", {"delimiter": ";"}, ["u1"]),
    "bars": (b"id|n\nauth0,1|1\n", {"delimiter": "|"}, ["auth0,1"]),
    "tabs in a .csv": (b"id\tn\nu1\t1\n", {"delimiter": "\t"}, ["u1"]),
    "Hive's delimiter": (b"id\x01n\nu1\x011\n", {"delimiter": "\x01"}, ["u1"]),
    "single quotes": (b"id,n\n'u,1','it''s'\n", {"quotechar": "'"}, ["u,1"]),
    "no quotes": (b'id,n\n"u1,"\n', {"quotechar": ""}, ['"u1']),
    "cp1252": ("id,n\nZoë,€\n".encode("cp1252"), {"encoding": "cp1252"}, ["Zoë"]),
    "UTF-16": ("id,n\nZoë,日\n".encode("utf-16"), {"encoding": "utf-16"}, ["Zoë"]),
    "UTF-16, its order stated": (
        codecs.BOM_UTF16_BE + "id\nZoë\n".encode("utf-16-be"),
        {"encoding": "utf-16-be"},
        ["Zoë"],
    ),
    "UTF-16 without a mark": ("id\nZoë\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, ["Zoë"]),
    "UTF-8 by another name": (codecs.BOM_UTF8 + b"id\nu1\n", {"encoding": "utf-8-sig"}, ["u1"]),
    "header=True and a column": (b"id,n\nu1,1\n", {"header": True}, ["u1"]),
    "header=False": (b"u1\nu2\n", {"column": None, "header": False}, ["u1", "u2"]),
    "header=True": (b"\nany\nu1\nu2\n", {"column": None, "header": True}, ["u1", "u2"]),
    "header as a template renders it": (b"id\nu1\n", {"column": None, "header": "True"}, ["u1"]),
    "no header as a template renders it": (b"id\nu1\n", {"column": None, "header": "false"}, ["id", "u1"]),
    "an empty list": (b"", {"column": None, "header": False}, []),
    "a delimiter that is stated is not searched for": (
        b"auth0|1\nauth0|2\n",
        {"column": None, "header": False, "delimiter": ","},
        ["auth0|1", "auth0|2"],
    ),
    "quoted cells without column": (b'"u,1"\n', {"column": None, "header": False, "delimiter": ","}, ["u,1"]),
    "a number for the column": (b"7,n\nu1,1\n", {"column": 7}, ["u1"]),
    "a number for the length": (b"id\nu1\n", {"max_row_length": "3"}, ["u1"]),
}


@pytest.mark.parametrize(("content", "parameters", "wanted"), DIALECTS.values(), ids=DIALECTS)
def test_ids_are_read_from_csv_of_another_dialect(tmp_path, content, parameters, wanted):
    (tmp_path / "x.csv").write_bytes(content)
    assert read(tmp_path / "x.csv", **parameters) == wanted


def test_a_tsv_file_is_read_with_tabs(tmp_path):
    (tmp_path / "x.tsv").write_bytes(b"id\tn\nu,1\t1\n")
    assert read(tmp_path / "x.tsv") == ["u,1"]


S = SECRET.encode()
REFUSED_CSV = {
    "unclosed quote": (b'id,n\nu1,"' + S + b"\nu2,1\n", {}, "quote that is opened in the row of line 2 is not closed"),
    "a quote that swallows rows": (b'id,n\nu1,"a\nu2,"b\n', {}, "line 2 a quoted cell is followed by"),
    "text after a quote": (b'id,n\nu1,1\n"u2"x,' + S + b"\n", {}, "line 3 a quoted cell is followed by"),
    "backslash before a quote": (b'id,n\n"u\\"1",1\n', {}, "line 2 a quoted cell"),
    "white space before a quote": (b'n,id\n1, "' + S + b'"\n', {}, "line 2 the user ID contains a quote"),
    "a quote in the ID": (b'n,id\n1,a\n"x, ""y"" ",u"' + S + b"\n", {}, "line 3 the user ID contains a quote"),
    "more cells": (b"n,id\nSmith, Ann,u1\n", {}, "line 2 has 3 cells, and the header 2"),
    "fewer cells": (b"id,n\nu1,1\n" + S + b"\n", {}, "line 3 has 1 cell, and the header 2"),
    "more cells after line breaks in quotes": (b'id,n\n"a\nb",1\n\nu1,2,3\n', {}, "line 5 has 3 cells"),
    "white space alone": (b"id,n\nu1,1\n \n", {}, "line 3 has 1 cell"),
    "another delimiter": (b"id;n\nu1;1\n", {}, "no column 'id' among its 1 column"),
    "no header": (S + b",1\nu2,2\n", {}, "no column 'id' among its 2 columns"),
    "Excel's sep= line": (b"sep=,\r\nid,n\r\nu1,1\r\n", {}, "no column 'id' among its 2 columns"),
    "white space in the header": (b"n, id\n1,u1\n", {}, "differs from it only in case or white space"),
    "another case in the header": (b"ID,n\nu1,1\n", {}, "differs from it only in case or white space"),
    "the column twice": (b"\nid,n,id\nu1,1,u2\n", {}, "line 2, 2 columns are called 'id'"),
    "the column in another case, too": (b"id,ID\nu1,u2\n", {}, "line 1, 2 columns are called 'id'"),
    "another column twice": (
        b"\n\nid," + S + b"," + S + b"\nu1,1,2\n",
        {},
        "line 3 is the header, and has a name twice",
    ),
    "empty": (b"", {}, "it is empty, without even a header"),
    "blank": (b"\n\n", {}, "it is empty, without even a header"),
    "empty without column": (b"", {"column": None, "header": True}, "it is empty, without even a header"),
    "latin-1": ("id,n\nu1,1\nu2,Zoë\n".encode("latin-1"), {}, "line 3 is not text in the encoding utf-8"),
    "a cut character": ("id\nu1\nZoë".encode()[:-1], {}, "line 3 is not text in the encoding utf-8"),
    "UTF-16": ("id\nu1\n".encode("utf-16"), {}, "line 1 begins with the byte order mark of utf-16-le"),
    "UTF-8 as another": (codecs.BOM_UTF8 + b"n,id\n1,u1\n", {"encoding": "latin-1"}, "byte order mark of utf-8"),
    "UTF-16 without a mark": ("id\n".encode("utf-16-le"), {"encoding": "utf-16"}, "has no byte order mark"),
    "UTF-16, cut": ("id\nu1\nu2".encode("utf-16-le")[:-1], {"encoding": "utf-16-le"}, "line 3 is not text"),
    "several columns without column": (b"a,b\n", {"column": None, "header": True}, "it has 2 columns. Name one"),
    "several cells without column": (b"u1\n" + S + b",1\n", {"column": None, "header": False}, "line 2 has 2 cells"),
    "semicolons without column": (b"u1;" + S + b"\n", {"column": None, "header": False}, "line 1 contains a semicolon"),
    "a semicolon in the header": (b"a;b\n", {"column": None, "header": True}, "line 1 contains a semicolon"),
    "a tab without column": (b"u1\nu2\t1\n", {"column": None, "header": False}, "line 2 contains a tab"),
    "a bar without column": (b"u1|1\n", {"column": None, "header": False}, "line 1 contains a vertical bar"),
    "a long row": (b"id\n" + S + b"\n", {"max_row_length": 8}, "line 2 is longer than 8 characters"),
    "the header again": (b"n,id\n1,u1\nn,id\n2,u2\n", {}, "line 3 repeats the header, as in files that were joined"),
    "the header again, with a byte order mark": (
        b"id,n\nu1,1\n" + codecs.BOM_UTF8 + b"id,n\nu2,2\n",
        {},
        "line 3 repeats the header",
    ),
    "the header again without column": (
        b"any\nu1\nany\n",
        {"column": None, "header": True},
        "line 3 repeats the header",
    ),
    "a long row of short lines": (b'id,n\nu1,"\n\n\n\n\n\n\n"\n', {"max_row_length": 8}, "line 2 is longer than 8"),
}


@pytest.mark.parametrize(("content", "parameters", "match"), REFUSED_CSV.values(), ids=REFUSED_CSV)
def test_invalid_csv_is_refused_with_its_line_and_without_its_content(tmp_path, content, parameters, match):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(InvalidInput, match=match) as caught:
        read(tmp_path / "x.csv", **parameters)
    assert SECRET not in str(caught.value)


JSON_LINES = {
    "texts": (b'{"id": "u1"}\n{"n": 1, "id": "u2"}\n', ["u1", "u2"]),
    "no line break at the end": (b'{"id": "u1"}\n{"id": "u2"}', ["u1", "u2"]),
    "CRLF": (b'{"id": "u1"}\r\n{"id": "u2"}\r\n', ["u1", "u2"]),
    "blank lines": (b'\n{"id": "u1"}\n  \n\n{"id": "u2"}\n\n', ["u1", "u2"]),
    "byte order mark": (codecs.BOM_UTF8 + b'{"id": "u1"}\n', ["u1"]),
    "escapes": (b'{"id": "\\u017dofie\\n"}\n', ["Žofie\n"]),
    "separators of Unicode": ('{"id": "u\u20281\x85"}\n'.encode(), ["u\u20281\x85"]),
    "null": (b'{"id": "u1"}\n{"id": null}\n', ["u1", None]),
    "a line without the key": (b'{"id": "u1"}\n{"other": 1}\n{}\n', ["u1", None, None]),
    "the key within another object, too": (b'{"a": {"id": 1, "id": 2}, "id": "u1"}\n', ["u1"]),
    "integers": (b'{"id": 9007199254740993}\n{"id": 7}\n', [9007199254740993, 7]),
    "numbers with a point": (
        b'{"id": 9007199254740993.0}\n{"id": 1e5}\n',
        [Decimal("9007199254740993.0"), Decimal("1e5")],
    ),
    "booleans": (b'{"id": true}\n', [True]),
    "no line": (b"", []),
    "blank lines alone": (b"\n\n", []),
}


@pytest.mark.parametrize(("content", "wanted"), JSON_LINES.values(), ids=JSON_LINES)
@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "json"])
def test_ids_are_read_from_json_lines(tmp_path, ending, content, wanted):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(content)
    assert read(path) == wanted


def test_ids_are_read_from_json_lines_in_another_encoding(tmp_path):
    (tmp_path / "x.jsonl").write_bytes('{"id": "Zoë"}\n'.encode("utf-16"))
    assert read(tmp_path / "x.jsonl", encoding="utf-16") == ["Zoë"]


@pytest.mark.parametrize(
    ("text", "taken", "reason"),
    [
        ("9007199254740993.0", "9007199254740993", ""),
        ("1e5", "100000", ""),
        ("1.50", "", "fraction"),
        ("1e999999999", "", "too long"),
        ("1e-999999999", "", "fraction"),
        ("9" * 5_000, "", "too long"),
        ("9" * 5_000 + ".0", "", "too long"),
        ('["' + SECRET + '"]', "", "nested value"),
        ('{"a": "' + SECRET + '"}', "", "nested value"),
        ("[]", "", "nested value"),
        ("true", "", "boolean"),
        ('"\\ud800"', "", "control characters"),
    ],
)
def test_each_json_value_is_an_exact_id_or_invalid(tmp_path, text, taken, reason):
    (tmp_path / "x.jsonl").write_text(f'{{"id": {text}}}\n')
    assert IdCheck(100).parse(*read(tmp_path / "x.jsonl")) == (taken, reason)


REFUSED_JSON = {
    "an array": (b'[{"id": "' + S + b'"}]', "begins with a JSON array"),
    "an array on several lines": (b' [\n{"id": "' + S + b'"}\n]', "begins with a JSON array"),
    "a list on a line": (b'{"id": 1}\n["' + S + b'"]\n', "line 2 is not one JSON object"),
    "pretty-printed": (json.dumps({"id": SECRET}, indent=2).encode(), "line 1 is not one JSON object"),
    "two objects on a line": (b'{"id": 1}{"id": 2}\n', "line 1 is not one JSON object"),
    "a comma after an object": (b'{"id": 1},\n', "line 1 is not one JSON object"),
    "cut": (b'{"id": "u1"}\n{"id": "' + S, "line 2 is not one JSON object"),
    "single quotes": (b"{'id': 'u1'}\n", "line 1 is not one JSON object"),
    "NaN": (b'{"id": "u1"}\n\n{"id": NaN}\n', "line 3 is not one JSON object"),
    "Infinity": (b'{"id": "u1", "n": -Infinity}\n', "line 1 is not one JSON object"),
    "an exponent that no number has": (b'{"id": 1e99999999999999999999}\n', "line 1 is not one JSON object"),
    "the key twice": (b'{"id": "u0"}\n{"id": "u1", "id": "' + S + b'"}\n', "line 2 has the key 'id' 2 times"),
    "no line with the key": (b'{"ID": "u1"}\n{"user": {"id": "' + S + b'"}}\n', "no line has the key 'id'"),
    "deep": (b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "line 1 is nested too deeply"),
    "UTF-16": ('{"id": "u1"}\n'.encode("utf-16"), "line 1 begins with the byte order mark of utf-16"),
    "UTF-16 without a mark": ('{"id": "u1"}\n'.encode("utf-16-le"), "line 1 is not one JSON object"),
    "latin-1": ('{"id": "u1"}\n{"id": "Zoë"}\n'.encode("latin-1"), "line 2 is not text in the encoding utf-8"),
    "CSV": (b"id\n" + S + b"\n", "line 1 is not one JSON object"),
    "a text that is not ended": (b'{"id": "u1\n"}\n', "line 1 is not one JSON object"),
}


@pytest.mark.parametrize(("content", "match"), REFUSED_JSON.values(), ids=REFUSED_JSON)
def test_invalid_json_lines_are_refused_with_their_line_and_without_their_content(tmp_path, content, match):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(InvalidInput, match=match) as caught:
        read(tmp_path / "x.jsonl")
    assert SECRET not in str(caught.value)


def test_a_json_line_longer_than_max_row_length_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"id": "u1"}\n{"id": "user"}\n{"id": "u2"}\n')
    assert read(tmp_path / "x.jsonl", max_row_length=15) == ["u1", "user", "u2"]
    with pytest.raises(InvalidInput, match="line 2 is longer than 14 characters"):
        read(tmp_path / "x.jsonl", max_row_length=14)


UUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
PARQUET = {
    "texts": ("SELECT unnest(['u1', NULL, 'Žofie', '']) AS id, 1 AS n", ["u1", None, "Žofie", ""]),
    "integers": ("SELECT unnest([1, -2, NULL]) AS id", [1, -2, None]),
    "big integers": ("SELECT 9007199254740993::UBIGINT AS id", [9007199254740993]),
    "decimals of 38 digits": (
        "SELECT 12345678901234567890123456789012345678::DECIMAL(38,0) AS id",
        [Decimal(12345678901234567890123456789012345678)],
    ),
    "decimals with a fraction": ("SELECT 1.50::DECIMAL(9,2) AS id", [Decimal("1.50")]),
    "UUID": (f"SELECT '{UUID}'::UUID AS id", [UUID]),
    "doubles": ("SELECT 1.0::DOUBLE AS id", [1.0]),
    "booleans": ("SELECT true AS id", [True]),
    "binary texts": ("SELECT unnest(['u1'::BLOB, NULL, encode('Žofie')]) AS id", ["u1", None, "Žofie"]),
    "binary that is not text": (r"SELECT '\xFFu1'::BLOB AS id", [b"\xffu1"]),
    "many row groups": (
        "SELECT 'u' || i AS id, i AS n FROM range(5000) t(i)",
        [f"u{number}" for number in range(5_000)],
    ),
    "no row": ("SELECT 'u1' AS id WHERE false", []),
    "names of DuckDB's own": ("SELECT 'u1' AS id, 'x' AS filename, 'y' AS file_row_number", ["u1"]),
}


@pytest.mark.parametrize(("query", "wanted"), PARQUET.values(), ids=PARQUET)
@pytest.mark.parametrize("codec", ["snappy", "zstd", "uncompressed"])
def test_ids_are_read_from_parquet(tmp_path, codec, query, wanted):
    path = tmp_path / f"x.{codec}.parquet"
    duckdb.sql(f"COPY ({query}) TO '{path}' (CODEC {codec}, ROW_GROUP_SIZE 2048)")
    found = read(path)
    assert found == wanted
    assert list(map(type, found)) == list(map(type, wanted))


def test_a_parquet_column_may_have_any_name(tmp_path):
    path = tmp_path / "x.parquet"
    duckdb.sql(f"""COPY (SELECT 'a' AS "user "".id", 'b' AS filename, 'c' AS "日本") TO '{path}'""")
    assert read(path, 'user ".id') == ["a"]
    assert read(path, "filename") == ["b"]
    assert read(path, "日本") == ["c"]


def test_the_only_parquet_column_needs_no_name(tmp_path):
    duckdb.sql(f"COPY (SELECT 'u1' AS x) TO '{tmp_path}/x.parquet'")
    assert read(tmp_path / "x.parquet", None) == ["u1"]


REFUSED_PARQUET = {
    "no such column": (f'SELECT 1 AS "{SECRET}", 2 AS b', "id", "no column 'id' at its top level, among 2"),
    "another case": ("SELECT 1 AS ID", "id", "One differs from it only in case"),
    "several without a name": ("SELECT 1 AS a, 2 AS b", None, "it has 2 columns. Name one"),
    "a column of DuckDB's own": ("SELECT 1 AS a", "file_row_number", "no column 'file_row_number'"),
    "within a structure": ("SELECT {'id': 'u1'} AS u, 1 AS n", "u.id", "no column 'u.id' at its top level, among 2"),
    "a structure": ("SELECT {'id': 'u1'} AS id", "id", "the column is nested"),
    "lists": ("SELECT ['u1'] AS id", "id", "the column is nested"),
    "maps": ("SELECT MAP {'u1': 1} AS id", "id", "the column is nested"),
    "floats": ("SELECT 1.0::FLOAT AS id", "id", "of the type FLOAT, which is not exact"),
    "dates": ("SELECT DATE '2026-01-01' AS id", "id", "the column is of the type DATE"),
    "timestamps": ("SELECT TIMESTAMP '2026-01-01' AS id", "id", "the column is of the type TIMESTAMP"),
    "timestamps with a zone": ("SELECT TIMESTAMPTZ '2026-01-01' AS id", "id", "of the type TIMESTAMP WITH TIME ZONE"),
    "JSON": ("""SELECT '"u1"'::JSON AS id""", "id", "the column is of the type JSON"),
}


@pytest.mark.parametrize(("query", "column", "match"), REFUSED_PARQUET.values(), ids=REFUSED_PARQUET)
def test_invalid_parquet_columns_are_refused_without_their_content(tmp_path, query, column, match):
    duckdb.sql(f"COPY ({query}) TO '{tmp_path}/x.parquet'")
    with pytest.raises(InvalidInput, match=match) as caught:
        read(tmp_path / "x.parquet", column)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("second", [b"IDX", b"idx"], ids=["differ in case", "are equal"])
def test_a_parquet_column_whose_name_is_not_unique_is_refused(tmp_path, second):
    """DuckDB does not write such a file, so the second name is overwritten."""
    path = tmp_path / "x.parquet"
    duckdb.sql(f"COPY (SELECT 'u1' AS idx, 'u2' AS idy, 'u3' AS idz) TO '{path}'")
    path.write_bytes(path.read_bytes().replace(b"idy", second))
    with pytest.raises(InvalidInput, match="2 columns are called 'idx', or differ from it only in case"):
        read(path, "idx")
    assert read(path, "idz") == ["u3"]


def test_a_parquet_column_is_read_although_duckdb_gives_its_name_to_another(tmp_path):
    path = tmp_path / "x.parquet"
    duckdb.sql(f"COPY (SELECT 'u1' AS idx, 'u2' AS idy, 'u3' AS idx_1) TO '{path}'")
    path.write_bytes(path.read_bytes().replace(b"idy", b"idx"))
    assert read(path, "idx_1") == ["u3"]


def test_parquet_decimals_of_more_digits_than_duckdb_has_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    number = Decimal("5." + "0" * 39 + "1")
    pytest.importorskip("pyarrow.parquet").write_table(
        pa.table({"id": pa.array([number], pa.decimal256(60, 40))}), tmp_path / "x.parquet"
    )
    with pytest.raises(InvalidInput, match="more digits than are read exactly"):
        read(tmp_path / "x.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 9, b"id\nu1\n"])
def test_a_file_that_is_not_parquet_is_refused(tmp_path, content):
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InvalidInput, match="damaged, or not a Parquet file"):
        read(tmp_path / "x.parquet")


def test_a_long_csv_cell_is_read_and_the_limit_of_the_csv_module_is_unchanged(tmp_path):
    before = csv.field_size_limit(100_000)
    (tmp_path / "x.csv").write_text('id,note\nu1,short\nu2,"' + "x" * 500_000 + '"\nu3,short\n')
    first, second = (FileMembers(str(tmp_path / "x.csv"), "id").read_ids() for _ in range(2))
    assert next(first) == "u1"
    assert list(second) == ["u1", "u2", "u3"]
    assert list(first) == ["u2", "u3"]
    assert csv.field_size_limit() == 100_000
    with pytest.raises(InvalidInput, match="line 3 is longer than 400,000 characters"):
        read(tmp_path / "x.csv", max_row_length=400_000)
    assert csv.field_size_limit(before) == 100_000


def test_a_file_source_can_be_read_again(tmp_path):
    (tmp_path / "x.csv").write_text("id\nu1\n")
    source = FileMembers(tmp_path / "x.csv", "id")
    assert list(source.read_ids()) == list(source.read_ids()) == ["u1"]


PARAMETERS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "all at once": (
        "x",
        {
            "column": "",
            "format": "xlsx",
            "compression": "zip",
            "delimiter": "||",
            "encoding": "utf-9",
            "quotechar": "\n",
            "header": "yes",
            "max_row_length": "0",
        },
        [
            "`column` must be a text that is not empty",
            "`format` must be csv, jsonl or parquet",
            "`compression` must be none, gz, bz2, xz or zst",
            "`delimiter` must be one character",
            "`quotechar` must be one character",
            "`header` must be True or False",
            "`encoding` must be an encoding",
            "`max_row_length` must be a whole number",
        ],
    ),
    "other types": (
        "x",
        {
            "column": True,
            "format": 1,
            "delimiter": 1,
            "encoding": 8,
            "quotechar": 1,
            "header": 1,
            "max_row_length": True,
        },
        ["`column`", "`format`", "`delimiter`", "`quotechar`", "`header`", "`encoding`", "`max_row_length`"],
    ),
    "delimiter is quotechar": ("x.csv", {"delimiter": '"'}, ["`delimiter` and `quotechar` are the same"]),
    "an escape": ("x.csv", {"delimiter": r"\t"}, ["`delimiter` must be one character"]),
    "an empty delimiter": ("x.csv", {"delimiter": ""}, ["`delimiter` must be one character"]),
    "a codec of bytes": ("x.csv", {"encoding": "base64"}, ["`encoding` must be an encoding of text"]),
    "a codec of Python": ("x.csv", {"encoding": "unicode_escape"}, ["`encoding` must be an encoding of text"]),
    "neither column nor header": ("x.csv", {"column": None}, ["without `column`, state with `header=True` or"]),
    "column and no header": ("x.csv", {"header": "False"}, ["so `header` cannot be False"]),
    "JSON Lines without column": ("x.jsonl", {"column": None}, ["`column` must name a key"]),
    "JSON Lines with those of a CSV": (
        "x.jsonl",
        {"delimiter": ",", "quotechar": '"', "header": True},
        ["`delimiter` does not apply to jsonl", "`quotechar` does not", "`header` does not"],
    ),
    "Parquet with those of a text": (
        "x.parquet",
        {"delimiter": ",", "encoding": "utf-8", "max_row_length": 9},
        ["`delimiter` does not apply to parquet", "`encoding` does not", "`max_row_length` does not"],
    ),
    "no extension": ("x", {}, ["does not show its format. Pass `format`"]),
    "an unknown extension": ("x.xlsx.gz", {}, ["does not show its format. Pass `format`"]),
    "a compression alone": ("x.gz", {}, ["does not show its format. Pass `format`"]),
    "a hidden ending": ("csv", {}, ["does not show its format. Pass `format`"]),
}


@pytest.mark.parametrize(("name", "parameters", "problems"), PARAMETERS.values(), ids=PARAMETERS)
def test_invalid_parameters_of_a_file_source_are_refused(tmp_path, name, parameters, problems):
    (tmp_path / name).write_bytes(b"id\nu1\n")
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / name, **{"column": "id", **parameters})
    assert len(caught.value.problems) == len(problems)
    for problem, start in zip(caught.value.problems, problems, strict=True):
        assert start in problem


def test_parameters_are_checked_before_the_storage_is_accessed(tmp_path):
    with pytest.raises(InvalidInput, match="`format` must be"):
        read(tmp_path / "missing", format="xlsx")


@pytest.mark.parametrize("path", ["", " ", None, 7, ["x.csv"], b"x.csv", ("x.csv",)])
def test_a_path_that_is_not_a_text_is_refused(path):
    with pytest.raises(InvalidInput, match=r"2 problems: \(1\) `path` must be a text that is not empty") as caught:
        list(FileMembers(path, "id", format="xlsx").read_ids())
    assert "`format` must be" in str(caught.value)


def test_a_format_parameter_replaces_the_extension(tmp_path):
    (tmp_path / "x.txt").write_bytes(b'{"id": "u1"}\n')
    assert read(tmp_path / "x.txt", format="jsonl") == ["u1"]
    (tmp_path / "part_000").write_bytes(b"id|n\nu1|1\n")
    assert read(tmp_path / "part_000", format="csv", delimiter="|") == ["u1"]


def test_the_log_names_the_files_and_no_user(tmp_path, caplog):
    (tmp_path / "x.csv").write_text(f"id\n{SECRET}\n")
    with caplog.at_level("INFO"):
        read(tmp_path / "x.csv")
    (line,) = [record.getMessage() for record in caplog.records if "User IDs are read" in record.getMessage()]
    assert line.endswith(
        "from 1 file of FileMembers('" + str(tmp_path / "x.csv") + "', column='id'): csv, compression none."
    )
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        f"s3://key:{SECRET}@bucket/x.csv",
        f"s3://key:a/{SECRET}@bucket/x.csv",
        f"https://:{SECRET}@storage.example/x.csv",
        f"ftp://me:x@{SECRET}@host/x.csv",
        f"https://storage.example/x.csv?sv=2026&sig={SECRET}",
        f"https://storage.example/x.csv?X-Amz-Signature={SECRET}",
    ],
)
def test_credentials_in_a_path_are_not_shown(path):
    shown = str(FileMembers(path, "id"))
    assert SECRET not in shown
    assert "x.csv" in shown
    assert "s3://bucket/d=1/part-?.csv" in str(FileMembers("s3://bucket/d=1/part-?.csv"))
    assert "s3://aws_default@bucket/x:1@2.csv" in str(FileMembers("s3://aws_default@bucket/x:1@2.csv"))


def test_every_parameter_of_a_file_source_is_a_template_field():
    names = FileMembers.template_fields
    source = FileMembers(**{name: f"{{{{ params.{name} }}}}" for name in names})
    values = {name: f"rendered {name}" for name in names}
    rendered = BaseOperator(task_id="any").render_template(source, {"params": values})
    assert {name: getattr(rendered, name) for name in names} == values


def test_a_path_object_is_rendered_as_a_template():
    source = FileMembers(ObjectStoragePath("file:///tmp/{{ ds }}/x.csv"))
    rendered = BaseOperator(task_id="any").render_template(source, {"ds": "2026-01-01"})
    assert str(rendered) == "FileMembers('file:///tmp/2026-01-01/x.csv', column=None)"
