"""``ledger export`` writes no formula of a spreadsheet, and ``erase-person`` reads what it wrote."""

from __future__ import annotations

import csv
import errno
import io
import os

import pytest

from airflow_segments_provider.cli.ledger.id_list import escaped, named_ids, unescaped
from airflow_segments_provider.errors import InvalidInput

FORMULAS = [
    "=1+1",
    "+49301234",
    "-2|'/C'!A0",
    "@SUM(1+1)",
    '"=1+1"',
    '""=1',
    "'=1",
    "''=1",
    "'x",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "|calc",
    "%0A=1",
    ' "=LINK(1)',
    "\u200b=1",
    "\u00a0@x",
]
SEPARATED = ["a;=1+1", 'a";=1+1', "a\u2003=1", "a,=1"]
PLAIN = ["ada@ex.com", "a-b", "a=b", "u'1", '"a"', "é", "0001", "a+b@x.com"]

local = pytest.mark.parametrize("path", ["local"], indirect=True)


@pytest.fixture
def exported(make, ledger, tmp_path):
    """Return an export with all these IDs."""
    make().sync([*FORMULAS, *SEPARATED, *PLAIN])
    path = tmp_path / "members.csv"
    status, _, err = ledger("export", "segment", "--output", str(path))
    assert status == 0, err
    return path


def ids():
    return sorted(user.strip("\u200b\u00a0 ") for user in [*FORMULAS, *SEPARATED, *PLAIN])


def cells(text, delimiter):
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]


@local
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_no_exported_cell_is_a_formula_with_any_delimiter(exported, delimiter):
    found = cells(exported.read_text(encoding="utf-8"), delimiter)
    assert [
        cell for cell in found if cell.lstrip("\"' \u200b\u00a0")[:1] in tuple("=+-@\uff1d\t\r") and cell[:1] != "'"
    ] == []


@local
def test_erase_person_reads_the_exported_ids(exported):
    assert sorted(named.user for named in named_ids([], str(exported))) == ids()


@local
def test_ids_that_are_not_formulas_are_exported_unchanged(exported):
    assert set(PLAIN) <= set(cells(exported.read_text(encoding="utf-8"), ","))


@pytest.mark.parametrize("cell", [*FORMULAS, *SEPARATED, *PLAIN, "", "'", "''", "\t=1", "\r=1", "\n"])
def test_an_escaped_cell_is_unescaped_unchanged(cell):
    assert unescaped(escaped(cell)) == cell


HEADER = "id,owned,uncertain,pending,rejected,reason\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            f"{HEADER}'ada,true,,,,\n",
            "line 2: there is an apostrophe before the ID that `ledger export` does not write",
        ),
        ("'=1\n", "line 1: the apostrophe may be the one that `ledger export` puts before an ID"),
        ('ada\n"\'=1"\n', "line 2: the apostrophe may be the one that `ledger export` puts before an ID"),
    ],
)
def test_an_apostrophe_that_can_be_read_in_two_ways_is_rejected(tmp_path, content, problem):
    path = tmp_path / "ids"
    path.write_text(content)
    with pytest.raises(InvalidInput) as refused:
        named_ids([], str(path))
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("content", "user"), [(f"{HEADER}=1,true,,,,\n", "=1"), ("=1\n", "=1"), ("'ada\n", "'ada"), ("+49301\n", "+49301")]
)
def test_an_id_without_an_escaping_apostrophe_is_read_unchanged(tmp_path, content, user):
    path = tmp_path / "ids"
    path.write_text(content)
    assert [named.user for named in named_ids([], str(path))] == [user]


@local
@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_an_export_that_fails_leaves_the_previous_file(make, ledger, tmp_path, monkeypatch, call):
    make().sync(["ada"])
    path = tmp_path / "members.csv"
    path.write_text("before")
    real = getattr(os, call)

    def fail(given, *others, **named):
        if call == "fsync" or str(tmp_path / ".part-") in str(given):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(given, *others, **named)

    monkeypatch.setattr(os, call, fail)
    status, _, err = ledger("export", "segment", "--output", str(path))
    monkeypatch.undo()
    assert (status, "cannot be written (OSError). What was there before is unchanged." in err) == (2, True)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".part-")] == []


@local
def test_an_export_does_not_replace_a_path_that_is_not_a_file(make, ledger, tmp_path):
    make().sync(["ada"])
    os.mkfifo(tmp_path / "pipe")
    status, _, err = ledger("export", "segment", "--output", str(tmp_path / "pipe"))
    assert (status, "it is not a file" in err) == (2, True)
    assert (tmp_path / "pipe").is_fifo()
