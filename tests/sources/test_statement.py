"""Recognition of statements: a write is never taken for a read, and the time is linear."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.sources import statement
from airflow_segments_provider.sources.statement import can_be_declared, only_changes, tokens

READS = [
    "SELECT id FROM people",
    "select id from people;",
    "SELECT id FROM people ; ;\n-- the end\n/* really; */ ;",
    "\n\t -- a; note\n/* it is /* nested; */ here; */ SELECT id FROM people",
    "((SELECT 1) UNION (SELECT 2))",
    "VALUES ('p001')",
    "TABLE people",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "WITH RECURSIVE x(insert_, n) AS (VALUES (1, 2)) TABLE x",
    "SELECT id FROM people WHERE note = 'a;b'",
    "SELECT id FROM people WHERE note = 'it''s; DELETE'",
    "SELECT id FROM people WHERE note = 'update'",
    r"SELECT id FROM people WHERE note = E'it\'s; \\' AND true",
    "SELECT id FROM people WHERE note = 'C:\\\\'",
    'SELECT "a;b", "delete", "it""s; DELETE" FROM people',
    "SELECT $$it's; DELETE$$, $tag$ $$ ; $other$ $tag$",
    "SELECT a$b$c, $1, d$$ FROM people",
    "SELECT data #>> '{a,b}' FROM people -- it's",
    "SELECT updated, deleted_at FROM people /* DELETE; */",
    "SELECT replace(id, 'a', 'b') FROM people WHERE id = %(id)s OR id LIKE 'p%%'",
    "SELECT '/*', id FROM people WHERE note = '*/'",
    "SELECT 1 -- it's;\r; -- more",
]

NO_READS = [
    "",
    ";",
    "-- SELECT 1",
    "; SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT 'a'; SELECT 'b'",
    "SELECT 1 /* ; */; DELETE FROM people",
    "SELECT 1 -- it's\r; DELETE FROM people -- '",
    "SELECT 1 -- it's;\r; SELECT 2 -- more",
    "SELECT '\\'; DELETE FROM people; SELECT '\\'",
    "SELECT $$a$b$; DELETE FROM people; $$; SELECT 1",
    "SELECT a$b$; DELETE FROM people; SELECT b$b$",
    "SELECT €$b$; DELETE FROM people; SELECT €$b$",
    "SELECT 1 /* /* */ ; SELECT 2",
    "SELECT 1 /* /* */ */; SELECT 2 /* */",
    "SELECT 'no end",
    'SELECT "no end',
    "SELECT E'no end\\'",
    "SELECT $a$ no end $b$",
    "/* no end SELECT 1",
    "SELECT 1 */ /* SELECT 2",
    "SELECT id INTO others FROM people",
    "SELECT id FROM people FOR UPDATE",
    "select id from people for no key update",
    "WITH x AS (DELETE FROM people RETURNING id) SELECT id FROM x",
    "WITH x AS (UPDATE people SET id = id RETURNING id) SELECT id FROM x",
    "WITH x AS (MERGE INTO people USING others ON true WHEN MATCHED THEN DELETE RETURNING id) SELECT id FROM x",
    "WITH x AS (SELECT 1) INSERT INTO people SELECT * FROM x RETURNING id",
    "/* a */ with/**/x as (/**/insert/**/into people values ('a') returning id) select id from x",
    "INSERT INTO people VALUES ('p001') RETURNING id",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "CALL refresh()",
    "DECLARE x CURSOR FOR SELECT 1",
    "SELECTED",
    "1",
]


@pytest.mark.parametrize("sql", READS)
def test_a_single_reading_statement_can_be_declared(sql):
    assert can_be_declared(sql)
    assert not only_changes(sql)


@pytest.mark.parametrize("sql", NO_READS)
def test_a_text_that_is_not_a_single_reading_statement_cannot_be_declared(sql):
    assert not can_be_declared(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM people", True),
        ("/* a */ insert into people values ('a;b');", True),
        ("REPLACE INTO people VALUES ('a')", True),
        ("UPDATE people SET note = 'returning'", True),
        ("MERGE INTO people USING others ON true WHEN MATCHED THEN DELETE", True),
        ("WITH x AS (SELECT 1) DELETE FROM people", True),
        ("WITH x AS (SELECT 1) (SELECT * FROM x)", False),
        ("WITH x AS (DELETE FROM people RETURNING id) SELECT id FROM x", False),
        ("DELETE FROM people RETURNING id", False),
        ("DELETE FROM people OUTPUT deleted.id", False),
        ("DELETE FROM people; SELECT 1", False),
        ("SELECT 1; DELETE FROM people", False),
        ("SELECT delete FROM people", False),
        ("CREATE TABLE others (id text)", True),
        ("drop table people;", True),
        ("TRUNCATE people", True),
        ("DROP TABLE people; SELECT 1", False),
        ("SELECT drop FROM people", False),
        ("DELETE FROM people WHERE note = 'no end", False),
        ("", False),
        ("((", False),
        ("WITH", False),
    ],
)
def test_a_statement_that_changes_rows_and_returns_none_is_recognized(sql, expected):
    assert only_changes(sql) is expected


PIECES = [*"'\"$\\;-/*(eE1a_ €\n\r", "--", "/*", "*/", "$$", "$a$", "E'", "''", "select"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_each_character_is_in_exactly_one_token(sql):
    found = list(tokens(sql))
    assert "".join(text for _, text in found) == sql
    assert all(text for _, text in found)
    assert all(kind != "open" for kind, _ in found[:-1])


def steps(sql: str) -> int:
    """Count the lines that are executed to read a text."""
    count = 0

    def line(frame, event, argument):
        nonlocal count
        count += 1
        return line

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: line if frame.f_code.co_filename == statement.__file__ else None)
    try:
        can_be_declared(sql)
        only_changes(sql)
    finally:
        sys.settrace(before)
    return count


LONG = [
    ("/* a note */\n", "WITH gone AS (DELETE FROM a RETURNING id) SELECT id FROM gone"),
    ("/* a note */\n", "SELECT id FROM people WHERE note = 'a;b'"),
    ("/* a note */\n", "SHOW TABLES"),
    ("-- a note\n", "SHOW TABLES"),
    (" ", "1"),
    ("(", "SELECT 1"),
    ("(", "with"),
    ("/*", "SELECT 1"),
    ("*/", "SELECT 1"),
    ("'", "SELECT 1"),
    ("''", "'"),
    ('"', "SELECT 1"),
    ("E'\\", "SELECT 1"),
    ("'\\'", "SELECT 1"),
    ("$", "SELECT 1"),
    ("$a", "SELECT 1"),
    ("$a$", "$"),
    ("a$", "SELECT 1"),
    ("$$;", "SELECT 1"),
    (";", "SELECT 1"),
    ("\\", "SELECT 1"),
    ("€", "'"),
    ("with x as (select 1) ", "select 1"),
]


@pytest.mark.parametrize(("part", "tail"), LONG)
@pytest.mark.parametrize("head", ["", "SELECT "])
def test_a_text_of_twice_the_length_takes_at_most_twice_the_steps(head, part, tail):
    once, twice = (steps(head + part * count + tail) for count in (500, 1000))
    assert twice <= 2 * once
    assert once <= 40 * len(head + part * 500 + tail)


@pytest.mark.parametrize(("part", "tail"), LONG)
def test_a_long_text_is_tokenized_to_its_end(part, tail):
    # The steps of the regular expression within a token cannot be counted: a slow one runs into the timeout.
    for sql in (part * 50_000 + tail, f"SELECT '{part.replace(chr(39), '') * 50_000}'"):
        assert sum(len(text) for _, text in tokens(sql)) == len(sql)
