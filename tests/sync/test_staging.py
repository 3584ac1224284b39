"""Staged rows: checked one by one, counted so that the sums match, without duplicates."""

from __future__ import annotations

import json

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.values import CHUNK
from airflow_segments_provider.sync.staging import stage
from airflow_segments_provider.sync.workspace import Workspace


@pytest.fixture
def workspace(database):
    with Workspace(database=database) as workspace:
        yield workspace


def wanted(workspace):
    return sorted(row[0] for row in workspace.rows("SELECT id FROM wanted"))


def test_each_user_is_staged_once_and_duplicates_are_counted(workspace):
    staged = stage(workspace, iter(["ada", " grace ", 7, "ada", "grace", "日本"]), max_length=10)
    assert wanted(workspace) == ["7", "ada", "grace", "日本"]
    assert (staged.rows, staged.wanted, staged.duplicates, staged.invalid) == (6, 4, 2, {})
    assert staged.rejects is None


def test_invalid_rows_are_listed_by_row_and_reason_without_the_id(workspace):
    rows = ["ok", None, " ", "x" * 11, 1.5, True, "a\nb", "\ud800", "ok2"]
    staged = stage(workspace, rows, max_length=10)
    assert wanted(workspace) == ["ok", "ok2"]
    assert staged.invalid == {"blank": 2, "boolean": 1, "control characters": 2, "fraction": 1, "too long": 1}
    assert staged.rows == staged.wanted + staged.duplicates + sum(staged.invalid.values())
    assert staged.rejects is not None
    told = [json.loads(line) for line in staged.rejects.read_text().splitlines()]
    assert [entry["row"] for entry in told] == [2, 3, 4, 5, 6, 7, 8]
    assert all(set(entry) == {"row", "reason"} for entry in told)


def test_rows_are_counted_across_chunks(workspace):
    rows = [f"user{number}" for number in range(CHUNK)] + [None] + [f"user{number}" for number in range(CHUNK)]
    staged = stage(workspace, rows, max_length=10)
    assert (staged.rows, staged.wanted, staged.duplicates) == (2 * CHUNK + 1, CHUNK, CHUNK)
    assert staged.rejects is not None
    assert json.loads(staged.rejects.read_text()) == {"row": CHUNK + 1, "reason": "blank"}


def test_ids_that_are_equal_for_the_vendor_are_duplicates(workspace):
    staged = stage(workspace, ["Ada", "ADA", "ada"], max_length=10, normalise=lambda ids: [x.lower() for x in ids])
    assert (wanted(workspace), staged.duplicates) == (["ada"], 2)


def test_an_empty_source_stages_no_user(workspace):
    assert stage(workspace, [], max_length=10).rows == 0
    assert wanted(workspace) == []


@pytest.mark.parametrize("source", ["ada", b"ada", 7, None, {"ada": 1}])
def test_a_source_that_is_not_a_list_of_ids_is_refused(workspace, source):
    with pytest.raises(InvalidInput, match="the user IDs are"):
        stage(workspace, source, max_length=10)


def test_an_error_of_the_source_half_way_ends_the_run(workspace):
    def source():
        yield "ada"
        raise OSError("the warehouse is gone")

    with pytest.raises(OSError, match="gone"):
        stage(workspace, source(), max_length=10)


class Loaded:
    """A source that DuckDB reads, like `FileMembers`."""

    def __init__(self, values, loads=True):
        self.values, self.loads, self.read = values, loads, 0

    def load(self, database, table):
        if self.loads:
            database.execute(f"CREATE TABLE {table} AS SELECT unnest(?::VARCHAR[]) AS id", [self.values])
        return self.loads

    def read_ids(self):
        self.read += 1
        return iter(self.values)


ASCII = [f"a{chr(code)}b" for code in range(128)]
VALUES = ["ada", None, " grace ", "ada", "", "x" * 11, "日本", "\ufeffkay", "a\nb", "a b", "\u3164", "ada ", "x" * 10]


@pytest.mark.parametrize("values", [VALUES, ASCII, [], [None], ["ada"], VALUES * 3_000])
@pytest.mark.parametrize("loads", [True, False])
def test_ids_that_duckdb_loads_are_the_same_as_those_that_python_reads(values, loads):
    found = []
    for source in (values, Loaded(values, loads)):
        with Workspace() as workspace:
            staged = stage(workspace, source, max_length=10)
            rejects = staged.rejects.read_text() if staged.rejects else ""
            found.append((wanted(workspace), staged.rows, staged.duplicates, staged.changed, staged.invalid, rejects))
            assert [name for (name,) in workspace.rows("SHOW TABLES")] == ["wanted"]
    assert found[0] == found[1]
    assert source.read == (not loads)


def test_a_source_for_a_vendor_that_normalises_ids_is_read_in_python(workspace):
    source = Loaded(["Ada", "ADA", " ada ", "bo"])
    staged = stage(workspace, source, max_length=10, normalise=lambda ids: [x.lower() for x in ids])
    assert (wanted(workspace), staged.changed, source.read) == (["ada", "bo"], 3, 1)
