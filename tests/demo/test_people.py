"""The users of the demo have the properties that the demo states."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from example_dags.demo.people import PLANS, People


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("people") / "people.db")


def read(database: Path, plan: str) -> list[object]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT user_id FROM people WHERE plan = ?", [plan])]


def test_the_demo_has_more_than_ninety_thousand_users(everybody: People):
    assert len(everybody) > 90_000
    assert len(everybody.audience("trial").people) == PLANS["trial"] == 62_000


def test_the_database_of_the_demo_contains_its_users(everybody: People):
    for plan in PLANS:
        found, said = read(everybody.database, plan), everybody.audience(plan)
        texts = {str(value).strip() for value in found if isinstance(value, str | int)}
        assert len(found) == said.rows
        assert said.people <= texts
        assert said.duplicates > 0


def test_the_source_of_the_demo_has_every_kind_of_invalid_row(everybody: People):
    values = read(everybody.database, "trial")
    texts = [value for value in values if isinstance(value, str)]
    assert set(everybody.audience("trial").rejected) == {"blank", "too long", "control characters", "bytes", "fraction"}
    assert {type(value) for value in values} == {type(None), str, int, float, bytes}
    assert any(not text.isascii() for text in texts)
    assert any(text != text.strip() for text in texts)
    assert max(len(text.strip()) for text in texts) == 101
    assert any(len(text) == 100 for text in texts)


def test_the_users_of_the_demo_are_invented(everybody: People):
    people = everybody.audience("trial").people
    assert all(person.isdigit() or person.endswith(("example.com", "example.org")) for person in people)


def test_the_users_of_the_demo_are_the_same_each_time(tmp_path: Path):
    one, other = (People(tmp_path / name, share=0.01) for name in ("one.db", "other.db"))
    assert [read(one.database, plan) for plan in PLANS] == [read(other.database, plan) for plan in PLANS]
    assert one.move(0.04, "trial", "paid") == other.move(0.04, "trial", "paid") > 0
    assert read(one.database, "paid") == read(other.database, "paid")


def test_users_who_change_their_plan_change_it_in_all_their_rows(tmp_path: Path):
    people = People(tmp_path / "people.db", share=0.01)
    before = people.audience("trial")
    converted = people.move(0.04, "trial", "paid")
    after = people.audience("trial")
    assert len(before.people - after.people) == converted
    assert before.people - after.people <= people.audience("paid").people
    assert len(read(people.database, "trial")) == after.rows < before.rows - converted
