"""The IDs to erase: from a file in exactly one reading, or one message with every problem, by line."""

from __future__ import annotations

import csv
import io
import re
import sys

import pytest

from airflow_segments_provider.cli.ledger.id_list import COLUMNS, MOST_NAMED, named_ids
from airflow_segments_provider.errors import InvalidInput

HEADER = ",".join(COLUMNS)


def exported(*users, end="\n", delimiter=",", quoting=csv.QUOTE_MINIMAL):
    """Return a file as ``export`` writes it, or as a spreadsheet saves it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, delimiter=delimiter, quoting=quoting)
    writer.writerow(COLUMNS)
    writer.writerows((user, "true", "", "", "", "status 400") for user in users)
    return text.getvalue()


NASTY = ("x,y", 'x"y', '"x"', "x;y", "x y", "X", "x", "stra\u00dfe", "strasse", "e\u0301", "\u00e9", "1e5", "-x", "=x")

READ = {
    "a line each": (b"one\ntwo\n", ["one", "two"]),
    "no end of the last line": (b"one\ntwo", ["one", "two"]),
    "Windows": (b"one\r\ntwo\r\n", ["one", "two"]),
    "old Mac": (b"one\rtwo\r", ["one", "two"]),
    "mixed ends": (b"one\rtwo\r\nthree\nfour", ["one", "two", "three", "four"]),
    "byte order mark": (b"\xef\xbb\xbfone\ntwo\n", ["one", "two"]),
    "byte order mark, Windows, quotes": (b'\xef\xbb\xbf"one"\r\n"two"\r\n', ["one", "two"]),
    "two byte order marks": (b'\xef\xbb\xbf\xef\xbb\xbf"one"\n', ["one"]),
    "byte order marks of files put together": (b"one\n\xef\xbb\xbftwo\n", ["one", "two"]),
    "UTF-16, little endian": ("\ufeffone\r\nt\u00e9\r\n".encode("utf-16-le"), ["one", "t\u00e9"]),
    "UTF-16, big endian": ("\ufeffone\r\ntwo".encode("utf-16-be"), ["one", "two"]),
    "spaces around": (b" one \n\ttwo\t\n", ["one", "two"]),
    "invisible characters around": ("\u200bone\u200d\n\u200e\u00a0two\u2060\ufeff\n".encode(), ["one", "two"]),
    "invisible characters within": ("o\u200bne\n".encode(), ["o\u200bne"]),
    "blank lines": ("\none\n \n\u200b\n\ntwo\n\n".encode(), ["one", "two"]),
    "repeated": (b"one\ntwo\none\n", ["one", "two"]),
    "repeated in quotes": (b'one\n"one"\n', ["one"]),
    "quotes": (b'"one"\n"t""w""o"\n"a,b"\n"a;b"\n" spaced "\n', ["one", 't"w"o', "a,b", "a;b", "spaced"]),
    "single quotes are part of it": (b"'one'\n", ["'one'"]),
    "case is kept": (b"One\none\n", ["One", "one"]),
    "Unicode forms are kept": ("e\u0301\n\u00e9\n".encode(), ["e\u0301", "\u00e9"]),
    "a column without our header": (b"id\none\n", ["id", "one"]),
    "export": (exported(*NASTY).encode(), list(NASTY)),
    "export of no user, and a user": (exported().encode() + exported("one").encode(), ["one"]),
    "export with a byte order mark and Windows ends": (exported(*NASTY, end="\r\n").encode("utf-8-sig"), list(NASTY)),
    "export, all in quotes": (exported(*NASTY, quoting=csv.QUOTE_ALL).encode("utf-8-sig"), list(NASTY)),
    "export by a spreadsheet with semicolons": (exported(*NASTY, delimiter=";").encode("utf-8-sig"), list(NASTY)),
    "export as text by a spreadsheet": (("\ufeff" + exported(*NASTY, delimiter="\t")).encode("utf-16-le"), list(NASTY)),
    "exports put together": (exported("one").encode() + exported("two", "one").encode("utf-8-sig"), ["one", "two"]),
    "export with blank lines": (b"\n" + exported("one").encode() + b"\n,,,,,\n", ["one"]),
}

SEVERAL = "may separate columns"
OPEN = "a quote is not closed"
QUOTES = "quotes are neither"
NOT_TEXT = "the text is not UTF-8"
INSIDE = "a control character"
COLUMNS_MISSING = "has not the 6 columns"

REFUSED = {
    "columns": (b"one\ntwo,three\n", [f"line 2: .*{SEVERAL}"]),
    "columns in many lines": (b"a,b\na,b\nx\na,b\n", [f"lines 1-2, 4: .*{SEVERAL}"]),
    "semicolons": (b"one;two\n", [f"line 1: .*{SEVERAL}"]),
    "tabs": (b"one\ttwo\n", [f"line 1: .*{SEVERAL}"]),
    "a comma at the end": (b"one,\n", [f"line 1: .*{SEVERAL}"]),
    "quoted columns": (b'"one","two"\n', [f"line 1: {QUOTES}"]),
    "a quote that is not closed": (b'one\n"two\n', [f"line 2: {OPEN}"]),
    "a quote over two lines": (b'"one\ntwo"\nthree\n', [f"lines 1-2: {OPEN}"]),
    "a quote within": (b'on"e\n', [f"line 1: {OPEN}"]),
    "quotes within": (b'o"n"e\n', [f"line 1: {QUOTES}"]),
    "text after quotes": (b'"one" two\n', [f"line 1: {QUOTES}"]),
    "quotes without an ID": (b'one\n""\n', ["line 2: there are quotes without an ID"]),
    "a byte that is no text": (b"one\ntw\xff\n", [f"line 2: {NOT_TEXT}"]),
    "Latin-1": ("one\nt\u00e9\n".encode("latin-1"), [f"line 2: {NOT_TEXT}"]),
    "half a character": ("one\nt\u00e9".encode()[:-1], [f"line 2: {NOT_TEXT}"]),
    "an odd byte of UTF-16": ("\ufeffone\ntwo".encode("utf-16-le")[:-1], [f"line 2: {NOT_TEXT}"]),
    "half a pair of UTF-16": (b"\xff\xfe\x00\xd8\n\x00a\x00", [f"line 1: {NOT_TEXT}"]),
    "UTF-16 without its mark": ("one\n".encode("utf-16-le"), [f"lines 1-2: .*{INSIDE}"]),
    "a control character": (b"one\nt\x07wo\n", [f"line 2: .*{INSIDE}"]),
    "a control character in quotes": (b'"t\tw"\n', [f"line 1: .*{INSIDE}"]),
    "all at once": (
        b'\xff\n"a\na,b\n"a"b\n\x01\n""\n',
        [
            f"line 1: {NOT_TEXT}", f"line 2: {OPEN}", f"line 3: .*{SEVERAL}", f"line 4: {QUOTES}",
            f"line 5: .*{INSIDE}", "line 6: there are quotes",
        ],
    ),
    "an export with a row that is short": (exported("one").encode() + b"two,true\n", [f"line 3: .*{COLUMNS_MISSING}"]),
    "an export with a row that is long": (exported("one").encode() + b"a,b,,,,,,\n", [f"line 3: .*{COLUMNS_MISSING}"]),
    "an export with a row without an ID": (exported("\u200b").encode(), ["line 2: the row has no ID"]),
    "an export with a quote that is not closed": (
        exported("one").encode() + b'"two,true,,,,\nthree,true,,,,\n', [f"line 3: {OPEN}"],
    ),
    # The row between the quotes would be lost.
    "an export with a quote that is closed by another": (
        exported("one").encode() + b'two,true,,,,"x\nthree,true,,,,"\n', ["line 3: a cell has a line break"],
    ),
    "an export with text after quotes": (exported().encode() + b'"a"b,true,,,,\n', ["line 2: .*not CSV as"]),
    "an export with a control character": (exported("o\x07ne").encode(), [f"line 2: .*{INSIDE}"]),
    "an export with a byte that is no text": (exported("one").encode() + b"\xff,,,,,\n", [f"line 3: {NOT_TEXT}"]),
    "an export with all at once": (
        exported("one").encode() + b'two\n"a"b,true,,,,\n,true,,,,\n\xff,true,,,,\n"x',
        [
            f"line 6: {NOT_TEXT}", f"line 3: .*{COLUMNS_MISSING}", "line 4: .*not CSV as", "line 5: the row has no ID",
            f"line 7: {OPEN}",
        ],
    ),
    "an export with other columns": (b"id,owned\none,true\n", [f"lines 1-2: .*{SEVERAL}"]),
    "an export in upper case": (HEADER.upper().encode() + b"\none,true,,,,\n", [f"lines 1-2: .*{SEVERAL}"]),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_each_clear_form_of_a_file_of_ids_is_read_exactly(case, tmp_path):
    content, expected = READ[case]
    file = tmp_path / "ids"
    file.write_bytes(content)
    assert [named.user for named in named_ids([], str(file))] == expected


@pytest.mark.parametrize("case", REFUSED)
def test_every_problem_of_an_ambiguous_file_of_ids_is_reported_by_line(case, tmp_path):
    content, expected = REFUSED[case]
    file = tmp_path / "ids"
    file.write_bytes(content)
    with pytest.raises(InvalidInput) as refused:
        named_ids([], str(file))
    problems = list(refused.value.problems)
    assert len(problems) == len(expected), problems
    for pattern, problem in zip(expected, problems, strict=True):
        assert re.match(pattern, problem), problem
    assert "one" not in str(refused.value).replace("Pass a file with one ID", "")
    assert not {"two", "three"} & set(str(refused.value).split())


def test_each_id_is_named_by_the_first_line_that_has_it(tmp_path):
    file = tmp_path / "ids"
    file.write_bytes(b"\r\none\r\n\r\ntwo\r\none\r\nzero\r\n")
    named = named_ids(["zero"], str(file))
    assert [(found.place, found.user) for found in named] == [
        ("argument 1", "zero"), ("line 2", "one"), ("line 4", "two"),
    ]  # fmt: skip
    assert "zero" not in repr(named)
    file.write_text("\n" + exported("one", "two"))
    assert [found.place for found in named_ids([], str(file))] == ["line 3", "line 4"]


def test_lines_with_a_problem_are_named_up_to_a_limit_and_then_counted(tmp_path):
    file = tmp_path / "ids"
    file.write_text("a,b\nx\n" * (MOST_NAMED + 7))
    with pytest.raises(InvalidInput, match=f"1, 3, .*, {2 * MOST_NAMED - 1} and 7 more places: "):
        named_ids([], str(file))


def test_the_standard_input_is_read_as_bytes(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'\xef\xbb\xbf"one"\r\n'), encoding="ascii"))
    assert [named.user for named in named_ids([], "-")] == ["one"]


@pytest.mark.parametrize(
    ("text", "user"), [(" one ", "one"), ("\ufeffone\u200b", "one"), ('"one"', '"one"'), ("a,b", "a,b")]
)
def test_arguments_are_stripped_and_otherwise_read_unchanged(text, user):
    assert [named.user for named in named_ids([text], None)] == [user]


@pytest.mark.parametrize("text", ["o\x00ne", "o\nne", "o\udcffne"])
def test_arguments_with_control_characters_are_refused(text):
    with pytest.raises(InvalidInput, match="argument 2: ") as refused:
        named_ids(["one", text], None)
    assert "ne" not in str(refused.value).split()


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n \n", HEADER.encode()])
def test_a_file_without_ids_is_refused(content, tmp_path):
    file = tmp_path / "ids"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="No ID was passed"):
        named_ids([], str(file))
