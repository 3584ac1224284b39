"""A set of IDs on disk, compared with Python's own."""

from __future__ import annotations

import random
import resource
from itertools import count

import pytest

from airflow_segments_provider.sources.id_storage import IdSet


@pytest.fixture
def ids():
    with IdSet() as found:
        yield found


def test_an_id_set_adds_lists_and_finds_ids_like_a_set(ids):
    assert [ids.add(user_id) for user_id in ("b", "a", "b", "A", "straße")] == [True, True, False, True, True]
    ids.update(["a", "c"])
    assert list(ids) == ["A", "a", "b", "c", "straße"]
    assert len(ids) == 5
    assert "straße" in ids
    assert "strasse" not in ids


def test_differences_of_id_sets_are_those_of_sets():
    draw = random.Random(7)
    for _ in range(50):
        one, other = ({str(draw.randrange(12)) for _ in range(draw.randrange(12))} for _ in range(2))
        with IdSet() as first, IdSet() as second:
            first.update(one)
            second.update(other)
            assert set(first.minus(second)) == one - other
            assert first.missing_from([*other, *other]) == len(one - other)


def test_an_id_may_belong_to_several_users(ids):
    ids.update_users([("ada", "1"), ("ada", "2"), ("ada", "1"), ("bob", "3")])
    assert (ids.users("ada"), ids.users("bob"), ids.users("eve")) == ({"1", "2"}, {"3"}, set())
    assert len(ids) == 2
    assert list(ids) == ["ada", "bob"]


def test_missing_from_stops_reading_once_all_ids_were_found(ids):
    ids.update(["3", "5"])
    present = count(1)
    assert ids.missing_from(str(number) for number in present) == 0
    assert next(present) == 6
    assert IdSet().missing_from(str(number) for number in present) == 0
    assert next(present) == 7


def test_half_a_million_ids_take_little_memory(ids):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ids.update(f"user-{number:020d}@example.com" for number in range(500_000))
    assert len(ids) == 500_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
