"""Files that DuckDB loads without Python: the same IDs in the same order, or they are left to Python."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import duckdb
import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources import csv_file, storage
from airflow_segments_provider.sources.csv_file import CsvDialect
from airflow_segments_provider.sources.files import FileMembers

SETTINGS: dict[str, Any] = {"threads": 4, "preserve_insertion_order": False}


@pytest.fixture
def database():
    with duckdb.connect(config=SETTINGS) as connection:
        yield connection


def load(database, source):
    """Return the IDs of the loaded table, or None if there is none; then drop the table."""
    is_loaded = source.load(database, "loaded")
    assert database.execute("SELECT current_setting('preserve_insertion_order')").fetchall() == [(False,)]
    if not is_loaded:
        assert_no_table(database)
        return None
    ((columns,),) = database.execute("SELECT list((name, type)) FROM pragma_table_info('loaded')").fetchall()
    assert columns == [("id", "VARCHAR")]
    found = [one for (one,) in database.execute("SELECT id FROM loaded ORDER BY rowid").fetchall()]
    database.execute("DROP TABLE loaded")
    return found


def assert_no_table(database):
    assert database.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


PARQUET = {
    "texts": "SELECT unnest(['u1', NULL, ' Žofie ', '']) AS id, 1 AS n",
    "integers": "SELECT unnest([1, -2, NULL]) AS id",
    "unsigned integers": "SELECT 18446744073709551615::UBIGINT AS id",
    "decimals": "SELECT unnest([0, 12345678901234567890123456789012345678])::DECIMAL(38,0) AS id",
    "UUIDs": "SELECT 'AAAAAAAA-4455-6677-8899-aabbccddeeff'::UUID AS id",
    "no row": "SELECT 'u1' AS id WHERE false",
    "many rows": "SELECT 'u' || (i * 7919 % 300007) AS id FROM range(300000) t(i)",
}


@pytest.mark.parametrize("query", PARQUET.values(), ids=PARQUET)
def test_duckdb_loads_the_ids_of_parquet_in_order(tmp_path, database, query):
    duckdb.sql(f"COPY ({query}) TO '{tmp_path}/x.parquet' (ROW_GROUP_SIZE 20000)")
    source = FileMembers(tmp_path, "id")
    assert load(database, source) == [None if one is None else str(one) for one in source.read_ids()]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'u1'::BLOB AS id",
        "SELECT 1.0::DOUBLE AS id",
        "SELECT 1.50::DECIMAL(9,2) AS id",
        "SELECT true AS id",
    ],
)
def test_parquet_whose_text_may_differ_from_the_id_is_left_to_python(tmp_path, database, query):
    duckdb.sql(f"COPY (SELECT 'u0' AS id) TO '{tmp_path}/a.parquet'")
    duckdb.sql(f"COPY ({query}) TO '{tmp_path}/b.parquet'")
    assert load(database, FileMembers(tmp_path, "id")) is None


def test_duckdb_loads_parquet_files_of_several_types(tmp_path, database):
    for name, query in (("a", "SELECT unnest([7, 8]) AS id"), ("b", "SELECT '007' AS id")):
        duckdb.sql(f"COPY ({query}) TO '{tmp_path}/{name}.parquet'")
    assert load(database, FileMembers(tmp_path, "id")) == ["7", "8", "007"]


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet"])
def test_duckdb_loads_a_parquet_file_with_a_pattern_in_its_name(tmp_path, database, name):
    query = "SELECT 'u' || (i * 7919 % 300007) AS id FROM range(300000) t(i)"
    duckdb.sql(f"COPY ({query}) TO '{tmp_path}/x' (FORMAT parquet, ROW_GROUP_SIZE 20000)")
    (tmp_path / "x").rename(tmp_path / name)
    source = FileMembers(tmp_path / name, "id")
    wanted = list(source.read_ids())
    assert wanted[:3] == ["u0", "u7919", "u15838"]
    assert load(database, source) == wanted
    assert database.list_filesystems() == duckdb.connect().list_filesystems()


def test_a_damaged_parquet_file_is_refused_and_leaves_no_table(tmp_path, database):
    duckdb.sql(f"COPY (SELECT 'u1' AS id) TO '{tmp_path}/a.parquet'")
    source = FileMembers(tmp_path, "id")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(content[:40] + content[60:])
    with pytest.raises(InvalidInput, match=r"b\.parquet: it is damaged"):
        source.load(database, "loaded")
    assert_no_table(database)


def test_a_damaged_parquet_page_is_refused_and_leaves_no_table(tmp_path, database):
    duckdb.sql(f"COPY (SELECT md5(i::VARCHAR) AS id FROM range(9000) t(i)) TO '{tmp_path}/x.parquet' (CODEC gzip)")
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    content[5_000:5_200] = bytes(200)
    (tmp_path / "x.parquet").write_bytes(content)
    for is_transaction in (False, True):
        if is_transaction:
            database.execute("BEGIN")
        with pytest.raises(InvalidInput, match="it is damaged"):
            FileMembers(tmp_path, "id").load(database, "loaded")
    database.execute("ROLLBACK")
    assert_no_table(database)
    assert database.execute("SELECT current_setting('preserve_insertion_order')").fetchall() == [(False,)]


CSV = {
    "one column": (b"id\nu1\n u2 \n", {}),
    "several columns": (b"n,id\n1,u1\n,\n3,u3", {}),
    "quoted cells": (b'n,id\n"1",u1\n2,"u2"\n"",""\n', {}),
    "byte order mark": (b"\xef\xbb\xbfid\nu1\n", {}),
    "CRLF": (b"id,n\r\nu1,1\r\nu2,2\r\n", {}),
    "other scripts": ("id\nŽofie\n日本\n".encode(), {}),
    "what DuckDB takes for a NULL or a comment elsewhere": (b"id,n\nNULL,1\n#a,2\n\\N,3\nnan,4\n", {}),
    "tabs": (b"id\tn\nu,1\t1\n", {"delimiter": "\t"}),
    "no header": (b"u1\nu2\n", {"column": None, "header": False}),
    "a header of any name": (b"any\nu1\n", {"column": None, "header": True}),
    "no quotes": (b'id\nu"1\n"u2\n', {"quotechar": ""}),
    "header only": (b"id,n\n", {}),
    "nothing": (b"", {"column": None, "header": False}),
}


@pytest.mark.parametrize(("content", "parameters"), CSV.values(), ids=CSV)
def test_duckdb_loads_the_ids_of_csv_in_order(tmp_path, database, content, parameters):
    (tmp_path / "x.csv").write_bytes(content)
    source = FileMembers(tmp_path / "x.csv", **{"column": "id", **parameters})
    assert load(database, source) == list(source.read_ids())


FOUND_BY_A_SEARCH = {
    "a blank cell too many": b"id,n\nu1,1,\n",
    "more cells": b"id,n\nu1,1\nu2,2,2\n",
    "a blank line": b"id,n\nu1,1\n\nu2,2\n",
    "a blank line at the end": b"id\nu1\n\n",
    "a blank line at the start": b"id\n\nu1\n",
    "a quote within a cell": b'id,n\nu1,15" wide\n',
    "a quote at the end of a cell": b'id,n\nu1,15"\n',
    "a delimiter in quotes": b'id,n\nu1,"1,5"\n',
    "a line break in quotes": b'id,n\nu1,"a\nb"\n',
    "doubled quotes": b'id,n\nu1,"a""b"\n',
    "quotes and CRLF": b'id,n\r\nu1,"a"\r\n',
    "not UTF-8": b"id\nu\xff1\n",
    "not UTF-8 in another column": b"id,n\nu1,\xff\n",
    "a carriage return": b"id,n\nu1,1\ru2,2\n",
    "a carriage return in the header": b"id,n\ru1,1\nu2,2\n",
    "CRLF and LF": b"id\r\nu1\nu2\r\n",
    "LF and CRLF": b"id\nu1\r\nu2\n",
}
NOT_PLAIN = {
    **FOUND_BY_A_SEARCH,
    "cells missing here and too many there": b"id,n\nu1\nu2,2,\n",
    "an unclosed quote": b'id,n\nu1,"a\nu2,b\n',
    "quotes around two cells": b'id,n\nu1,"a\nu2,b"\n',
    "a quote alone": b'n,id\n",u1\n2,u"2\n',
    "a missing column": b"n\n1\n",
    "the header again": b"id,n\nu1,1\nid,n\nu2,2\n",
    "the header again in quotes, with a byte order mark": b'id,n\nu1,1\n\xef\xbb\xbfid,"n"\nu2,2\n',
}


@pytest.mark.parametrize("content", FOUND_BY_A_SEARCH.values(), ids=FOUND_BY_A_SEARCH)
def test_csv_that_duckdb_could_read_otherwise_is_noticed_by_a_search(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    (file,) = storage.find_files(tmp_path, "any")
    with pytest.raises(csv_file._NotPlain):
        csv_file._Plain(file, CsvDialect("id", header=True, delimiter=None, quotechar='"', longest=1 << 20)).search()


@pytest.mark.parametrize("content", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_csv_that_duckdb_could_read_otherwise_is_left_to_python(tmp_path, database, content):
    (tmp_path / "a.csv").write_bytes(b"id\nu0\n")
    (tmp_path / "x.csv").write_bytes(content)
    assert load(database, FileMembers(tmp_path, "id")) is None


@pytest.mark.parametrize(
    ("content", "parameters"),
    [
        (b"u;1\n", {"column": None, "header": False}),
        (b"\xef\xbb\xbfu1\n", {"column": None, "header": False}),
        (b"id\nu1\n", {"encoding": "latin-1"}),
        (b"id\nu1\n", {"max_row_length": 100}),
        (b"id\n u1 \n", {"quotechar": " "}),
        (b"id\n\0u1\0\n", {"quotechar": "\0"}),
        ("id§n\nu1§1\n".encode(), {"delimiter": "§"}),
    ],
)
def test_parameters_that_duckdb_could_read_otherwise_are_left_to_python(tmp_path, database, content, parameters):
    (tmp_path / "x.csv").write_bytes(content)
    assert load(database, FileMembers(tmp_path / "x.csv", **{"column": "id", **parameters})) is None


def test_json_lines_and_compressed_files_are_left_to_python(tmp_path, database):
    (tmp_path / "x.jsonl").write_bytes(b'{"id": "u1"}\n')
    assert load(database, FileMembers(tmp_path / "x.jsonl", "id")) is None
    (tmp_path / "x.csv.gz").write_bytes(b"DuckDB does not look at the checksum")
    assert load(database, FileMembers(tmp_path / "x.csv.gz", "id")) is None


def test_invalid_parameters_are_refused_before_loading(tmp_path, database):
    with pytest.raises(InvalidInput, match="`format` must be"):
        FileMembers(tmp_path, "id", format="xlsx").load(database, "loaded")


def test_loading_and_reading_log_one_line(tmp_path, database, caplog):
    with caplog.at_level("INFO"):
        for content, wanted in ((b"id\nu1\n", ["u1"]), (b'id\n"u""1"\n', None)):
            (tmp_path / "x.csv").write_bytes(content)
            source = FileMembers(tmp_path, "id")
            assert load(database, source) == wanted
            if wanted is None:
                assert list(source.read_ids()) == ['u"1']
            (line,) = [record.getMessage() for record in caplog.records if "User IDs are read" in record.getMessage()]
            assert line.endswith("csv, compression none.")
            caplog.clear()


def test_a_csv_file_that_changes_while_it_is_loaded_is_left_to_python(tmp_path, database, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_bytes(b"id\nu1\nu2\n")

    def change_after(chunk):
        path.write_bytes(b"id\nu1\nu,\n")
        return True

    path.write_bytes("id\nu1\nŽ2\n".encode())
    monkeypatch.setattr(csv_file, "_is_utf_8", change_after)
    assert load(database, FileMembers(path, "id")) is None


def random_csv(chance):
    """Return the bytes of a mostly valid CSV, and the parameters to read it."""
    delimiter, quote = chance.choice([",", ",", ";", "\t", " ", "\x01"]), chance.choice(['"', '"', "'", ""])
    width = chance.choice([1, 2, 3])
    header = [f"h{number}" for number in range(width - 1)]
    header.insert(chance.randrange(width), "id")
    odd = ["é", " ", "\\", "#", "NULL", "\ufeff", "\0", "\u2028", "\x0b", "\x1a", delimiter, quote, quote * 2, "'"]
    odd += [f"{quote}a{delimiter}b{quote}", f"{quote}a{quote}", f"{quote}x", f"x{quote}", "\r", "\n"]
    rate = chance.choice([0, 0, 0.01, 0.1])

    def cell():
        if chance.random() < rate:
            return "".join(chance.choice(odd) for _ in range(chance.randrange(3)))
        text = chance.choice([f"u{chance.randrange(1000)}", "Zoë", "", "0"])
        return quote + text + quote if chance.random() < 0.3 else text

    def row():
        return delimiter.join(
            cell() for _ in range(width + (chance.random() < rate / 3) - (chance.random() < rate / 3))
        )

    lines = [delimiter.join(header), *(row() for _ in range(chance.choice([0, 1, 5, 40, 600])))]
    text = chance.choice(["\n", "\n", "\r\n"]).join(lines) + chance.choice(["", "\n"])
    return text.encode(), {"delimiter": delimiter, "quotechar": quote}


def test_random_csv_that_duckdb_loads_has_the_ids_that_python_reads(tmp_path, database, monkeypatch):
    """Whenever DuckDB loads a file, the strict reader yields the same IDs."""
    outcomes = Counter[str]()
    path = tmp_path / "x.csv"
    for seed in range(300):
        chance = random.Random(seed)
        content, parameters = random_csv(chance)
        path.write_bytes(content)
        for module in (storage, csv_file):
            monkeypatch.setattr(module, "BLOCK", chance.choice([100, 1 << 20]))
        longest, buffer = chance.choice([(2 << 20, 16 << 20), (400, 500), (1_000, 3_000)])
        monkeypatch.setattr(csv_file, "LONGEST_LINE", longest)
        monkeypatch.setattr(csv_file, "BUFFER", buffer)
        source = FileMembers(path, "id", **parameters)
        found = load(database, source)
        if found is None:
            outcomes["left to Python"] += 1
        else:
            assert found == list(source.read_ids()), seed
            outcomes["loaded"] += 1
    assert min(outcomes.values()) > 60


def test_a_csv_file_that_duckdb_loads_in_many_parts_keeps_its_order(tmp_path, database, monkeypatch):
    monkeypatch.setattr(csv_file, "LONGEST_LINE", 1_000)
    monkeypatch.setattr(csv_file, "BUFFER", 20_000)
    ids = [f"u{number * 7919 % 300007}" for number in range(100_000)]
    (tmp_path / "x.csv").write_text("n,id\n" + "".join(f"{number},{one}\n" for number, one in enumerate(ids)))
    assert load(database, FileMembers(tmp_path / "x.csv", "id")) == ids
