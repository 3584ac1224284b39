"""Staged IDs: checked, cleaned, batched, from any iterable, in bounded memory."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds

ids = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="aé 日\\\"'\t\x00\x7f\ud800", max_size=12),
    st.integers(),
    st.none(),
    st.booleans(),
    st.floats(),
    st.binary(max_size=3),
)


def invisible(mark: str) -> bool:
    """Return whether a character is invisible.

    Some format characters of other scripts are visible; tags belong to emoji.
    """
    code = ord(mark)
    formats = unicodedata.category(mark) == "Cf" and (code < 0x600 or 0x180E <= code < 0x10000) and code != 0x8E2
    fillers = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    return mark.isspace() or formats or code == 0x61C or code in range(0x2065, 0x2066) or mark in fillers


def usable(value: object) -> str | None:
    """Return the ID that the rule accepts, by a slow and simple implementation."""
    if isinstance(value, float) and abs(value) < 2**53 and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    text = value
    while text and invisible(text[0]):
        text = text[1:]
    while text and invisible(text[-1]):
        text = text[:-1]
    broken = any(unicodedata.category(mark) in ("Cc", "Cs", "Zl", "Zp") for mark in text)
    return None if not text or len(text) > 10 or broken else text


@given(st.lists(ids, max_size=40), st.integers(1, 7), st.booleans())
@example(["a\x00", "b", "c", "d"], 2, False)
@example(["ACME\\jdoe", 'say "x"'], 2, False)
@settings(deadline=None)
def test_exactly_the_valid_ids_are_sent_in_full_batches(values: list[object], per_request: int, distinct: bool) -> None:
    with StagedUserIds(max_length=10, per_request=per_request, distinct=distinct) as staged:
        staged.fill(iter(values))
        batches = [batch.ids() for batch in staged.batches()]

    wanted = [user for user in map(usable, values) if user is not None]
    sent = [user for batch in batches for user in batch]
    if distinct:
        assert set(sent) == set(wanted)
        assert all(len(batch) == len(set(batch)) for batch in batches)
    else:
        assert sent == wanted
    assert all(len(batch) == per_request for batch in batches[:-1])
    assert all(0 < len(batch) <= per_request for batch in batches)
    assert staged.users == sum(map(len, batches))
    assert staged.requests == len(batches)


@given(st.lists(ids, max_size=40), st.integers(1, 7))
@settings(deadline=None)
def test_every_invalid_id_has_a_reason(values: list[object], per_request: int) -> None:
    distinct = list({repr(value): value for value in values}.values())
    with StagedUserIds(max_length=10, per_request=per_request) as staged:
        problems = staged.fill(distinct)
    assert sum(staged.invalid.values()) == sum(usable(value) is None for value in distinct)
    assert len(problems) == len(staged.invalid)


def test_batches_can_be_read_again() -> None:
    with StagedUserIds(max_length=10, per_request=2) as staged:
        staged.fill(["a", "b", "c"])
        assert [batch.json for batch in staged.batches()] == [batch.json for batch in staged.batches()]
        assert [batch.json for batch in staged.batches()] == [b'["a","b"]', b'["c"]']


def test_the_source_is_read_one_batch_at_a_time() -> None:
    """At most one batch is read before the previous one is stored."""
    taken = 0
    stored_when_taken = []

    with StagedUserIds(max_length=10, per_request=5) as staged:

        def source():
            nonlocal taken
            for number in range(23):
                stored_when_taken.append(number - staged.users)
                taken += 1
                yield str(number)

        staged.fill(source())
    assert max(stored_when_taken) < 5
    assert taken == 23


def test_the_reasons_of_invalid_ids_quote_no_id() -> None:
    with StagedUserIds(max_length=10, per_request=5) as staged:
        problems = staged.fill(["secret-person-1", "", b"secret", "x"])
    assert problems == [
        "1 user ID is blank.",
        "1 user ID is bytes: decode the column to text.",
        "1 user ID is longer than 10 characters.",
    ]


def test_a_source_that_is_not_a_list_is_refused() -> None:
    for value in ("alice", b"alice", None, 5):
        with StagedUserIds(max_length=10, per_request=5) as staged, pytest.raises(InvalidInput, match="must be a list"):
            staged.fill(value)
