"""Ids from files of every form, on any object storage."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import duckdb
import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.files import FileMembers


@pytest.mark.parametrize(
    ("name", "pack"),
    [("x.csv", bytes), ("x.csv.gz", gzip.compress), ("x.csv.bz2", bz2.compress), ("x.csv.xz", lzma.compress)],
)
def test_csv_compressed_or_not(tmp_path, name, pack):
    (tmp_path / name).write_bytes(
        pack('\ufeffname,id\r\nAda,1\r\n"Grace, H.","2"\r\n\r\nshort\r\n日本,日\r\n'.encode())
    )
    source = FileMembers(str(tmp_path / name), "id")
    assert list(source.read_ids()) == ["1", "2", None, "日"]
    assert list(source.read_ids()) == ["1", "2", None, "日"]  # again


def test_csv_with_a_delimiter_of_its_own(tmp_path):
    (tmp_path / "x.tsv").write_text("id\tname\n1\tAda\n")
    assert list(FileMembers(f"file://{tmp_path}/x.tsv", "id").read_ids()) == ["1"]
    (tmp_path / "x.txt").write_text("id;name\n1;Ada\n")
    assert list(FileMembers(str(tmp_path / "x.txt"), "id", format="csv", delimiter=";").read_ids()) == ["1"]


def test_a_list_of_ids_alone_needs_no_header(tmp_path):
    (tmp_path / "x.csv").write_text("ada\ngrace\n")
    assert list(FileMembers(str(tmp_path / "x.csv")).read_ids()) == ["ada", "grace"]
    (tmp_path / "x.csv").write_text("")
    assert list(FileMembers(str(tmp_path / "x.csv")).read_ids()) == []


def test_json_lines(tmp_path):
    lines = [{"id": "ada"}, {"id": 7}, {"other": 1}, {"id": None}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    assert list(FileMembers(str(tmp_path / "x.jsonl"), "id").read_ids()) == ["ada", 7, None, None]


def test_parquet(tmp_path):
    path = tmp_path / "x.parquet"
    duckdb.sql(f"COPY (SELECT i::VARCHAR AS id, i AS n FROM range(60000) t(i)) TO '{path}'")
    assert list(FileMembers(str(path), "id").read_ids()) == [str(number) for number in range(60_000)]
    assert next(iter(FileMembers(str(path), "n").read_ids())) == 0


@pytest.mark.parametrize(
    ("name", "content", "column", "match"),
    [
        ("x.csv", b"a,b\n1,2\n", "id", "no column 'id'; its columns are a, b"),
        ("x.csv", b"a,b\n1,2\n", None, "no column None"),
        ("x.csv", b"id\n\xff\n", "id", "damaged"),
        ("x.csv.gz", b"id\n1\n", "id", "damaged"),
        ("x.csv.gz", gzip.compress(b"id\n" + bytes(range(48, 58)) * 9999)[:-20], "id", "damaged"),
        ("x.jsonl", b'{"id": 1}\n[]\n', "id", "line 2 is not a JSON object"),
        ("x.jsonl", b'{"id": 1}\n', None, "`column` must name"),
        ("x.parquet", b"PAR1", "id", "not a Parquet file"),
        ("x.xlsx", b"", "id", "`format` must be"),
        ("x", b"", "id", "`format` must be"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path, name, content, column, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=match):
        list(FileMembers(str(tmp_path / name), column).read_ids())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput, match="no such file"):
        list(FileMembers(str(tmp_path / "x.csv"), "id").read_ids())
